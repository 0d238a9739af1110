variable "kms_key_arn" {
  description = "Key that encrypts what lies here."
  type        = string

  validation {
    condition     = startswith(var.kms_key_arn, "arn:aws:kms:")
    error_message = "ARN of a key."
  }
}

variable "repositories" {
  description = "Images that are kept."
  type        = set(string)
  default     = ["invokeai-api", "invokeai-gpu-worker"]

  validation {
    condition     = length(var.repositories) > 0 && alltrue([for n in var.repositories : can(regex("^invokeai-[a-z-]+$", n))])
    error_message = "Names begin with invokeai-."
  }
}

variable "kept_images" {
  description = "Images that are kept: so far back a roll-back can go."
  type        = number
  default     = 30

  validation {
    condition     = var.kept_images >= 10
    error_message = "At least 10."
  }
}

variable "reader_accounts" {
  description = "Accounts whose pipelines copy images from here, by digest: production's takes staging's."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for a in var.reader_accounts : can(regex("^[0-9]{12}$", a))])
    error_message = "Accounts have twelve digits."
  }
}
