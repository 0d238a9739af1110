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

variable "subnet_ids" {
  description = "Subnets, one a zone."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) == 2
    error_message = "Two subnets, one a zone."
  }
}

variable "security_group_ids" {
  description = "Security groups."
  type        = list(string)

  validation {
    condition     = length(var.security_group_ids) > 0
    error_message = "At least one security group."
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

variable "throughput_mode" {
  description = "How fast it reads. Bursting gives 50 KiB/s for each GiB that is stored: 11 minutes for a model of 7 GB."
  type        = string
  default     = "elastic"

  validation {
    condition     = contains(["elastic", "provisioned"], var.throughput_mode)
    error_message = "elastic or provisioned; bursting is too slow."
  }
}
