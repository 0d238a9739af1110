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
