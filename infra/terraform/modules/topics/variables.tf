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

variable "kms_key_arn" {
  description = "Key that encrypts what lies here."
  type        = string

  validation {
    condition     = startswith(var.kms_key_arn, "arn:aws:kms:")
    error_message = "ARN of a key."
  }
}

variable "slack_team_id" {
  description = "Slack workspace that AWS Chatbot is allowed into; null: nobody hears of high and medium alarms but the topic's subscribers."
  type        = string
  default     = null

  validation {
    condition     = var.slack_team_id == null || can(regex("^T[A-Z0-9]+$", var.slack_team_id))
    error_message = "A workspace's ID, or null."
  }
}

variable "slack_channels" {
  description = "Channel for each severity: high and medium."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for k, v in var.slack_channels : contains(["high", "medium"], k) && can(regex("^[CG][A-Z0-9]+$", v))])
    error_message = "IDs of channels for high and medium."
  }
}
