variable "environment" {
  description = "Which environment this is."
  type        = string

  validation {
    condition     = contains(["dev", "staging", "production"], var.environment)
    error_message = "dev, staging or production."
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

variable "names" {
  description = "Secrets of the environment, without invokeai/ENVIRONMENT/ before them."
  type        = set(string)

  validation {
    condition     = length(var.names) > 0 && alltrue([for n in var.names : can(regex("^[a-z][a-z0-9-]+$", n))])
    error_message = "Lower case letters, digits and hyphens."
  }
}

variable "recovery_days" {
  description = "Days that a deleted secret can be brought back."
  type        = number
  default     = 30

  validation {
    condition     = var.recovery_days >= 7 && var.recovery_days <= 30
    error_message = "7 to 30."
  }
}
