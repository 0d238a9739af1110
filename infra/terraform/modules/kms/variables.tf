variable "name" {
  description = "Name of the environment's parts, such as invokeai-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,40}$", var.name))
    error_message = "Lower case letters, digits and hyphens, 3 to 41 characters."
  }
}

variable "account_id" {
  description = "The AWS account, twelve digits."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "An account has twelve digits."
  }
}

variable "region" {
  description = "Region of the key."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}-[a-z]+-[0-9]$", var.region))
    error_message = "A region's name, such as ap-northeast-2."
  }
}

variable "deletion_window_days" {
  description = "Days between asking for the key's deletion and the loss of all it encrypted."
  type        = number
  default     = 30

  validation {
    condition     = var.deletion_window_days >= 7 && var.deletion_window_days <= 30
    error_message = "AWS takes 7 to 30 days."
  }
}
