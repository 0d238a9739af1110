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

variable "node_type" {
  description = "Size of each node."
  type        = string
  default     = "cache.r6g.large"

  validation {
    condition     = startswith(var.node_type, "cache.")
    error_message = "A node's type."
  }
}

variable "replicas" {
  description = "Replicas beside the primary, in the other zone."
  type        = number
  default     = 1

  validation {
    condition     = var.replicas >= 1 && var.replicas <= 5
    error_message = "1 to 5."
  }
}

variable "snapshot_days" {
  description = "Days that snapshots are kept."
  type        = number
  default     = 1

  validation {
    condition     = var.snapshot_days >= 1 && var.snapshot_days <= 35
    error_message = "1 to 35."
  }
}
