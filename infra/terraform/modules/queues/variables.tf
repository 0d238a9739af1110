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
  description = "The AWS region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}-[a-z]+-[0-9]$", var.region))
    error_message = "A region's name, such as ap-northeast-2."
  }
}

variable "kms_key_arn" {
  description = "Key that encrypts what lies here."
  type        = string

  validation {
    condition     = startswith(var.kms_key_arn, "arn:aws:kms:")
    error_message = "ARN of a key."
  }
}

variable "tiers" {
  description = "GPU tiers, and what their queues are called."
  type        = map(string)
  default     = { basic = "basic", high_performance = "highperf", dedicated = "dedicated" }

  validation {
    condition     = length(var.tiers) > 0 && alltrue([for v in values(var.tiers) : can(regex("^[a-z]+$", v))])
    error_message = "Short names in lower case letters."
  }
}

variable "visibility_seconds" {
  description = "A message that was received and not deleted comes back after so long. Workers delete at receipt."
  type        = number
  default     = 60

  validation {
    condition     = var.visibility_seconds >= 30 && var.visibility_seconds <= 43200
    error_message = "30 s to 12 h."
  }
}

variable "max_receives" {
  description = "Times that a message is received before it goes to the dead letters."
  type        = number
  default     = 5

  validation {
    condition     = var.max_receives >= 3
    error_message = "At least 3."
  }
}
