variable "name" {
  description = "Name of the environment's parts, such as invokeai-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,40}$", var.name))
    error_message = "Lower case letters, digits and hyphens, 3 to 41 characters."
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

variable "requests_per_five_minutes" {
  description = "Requests of one address in five minutes, above which it is turned away. An office shares one: four times the limit of a person."
  type        = number
  default     = 6000

  validation {
    condition     = var.requests_per_five_minutes >= 100
    error_message = "At least 100."
  }
}

variable "logins_per_five_minutes" {
  description = "Log-ins and sign-ups of one address in five minutes: the service's own 30 a minute."
  type        = number
  default     = 150

  validation {
    condition     = var.logins_per_five_minutes >= 10
    error_message = "At least 10."
  }
}
