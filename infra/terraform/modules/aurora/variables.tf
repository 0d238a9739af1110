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

variable "cluster_identifier" {
  description = "Name of the cluster, such as invokeai-saas-db."
  type        = string

  validation {
    condition     = can(regex("^invokeai-[a-z]+-db$", var.cluster_identifier))
    error_message = "invokeai-NAME-db."
  }
}

variable "engine_version" {
  description = "Aurora PostgreSQL's version; of major version 16."
  type        = string
  default     = "16.6"

  validation {
    condition     = startswith(var.engine_version, "16.")
    error_message = "A version 16."
  }
}

variable "min_acu" {
  description = "Smallest capacity of each instance, in ACU."
  type        = number
  default     = 0.5

  validation {
    condition     = var.min_acu >= 0.5
    error_message = "At least 0.5."
  }
}

variable "max_acu" {
  description = "Largest capacity of each instance, in ACU."
  type        = number

  validation {
    condition     = var.max_acu >= 1 && var.max_acu <= 256
    error_message = "1 to 256."
  }
}

variable "readers" {
  description = "How many readers stand beside the writer."
  type        = number

  validation {
    condition     = var.readers >= 0 && var.readers <= 15
    error_message = "0 to 15."
  }
}

variable "max_readers" {
  description = "Readers up to which the cluster grows by load; at most readers: it does not."
  type        = number
  default     = 0

  validation {
    condition     = var.max_readers >= 0 && var.max_readers <= 15
    error_message = "0 to 15."
  }
}

variable "backup_days" {
  description = "Days that automatic backups reach back."
  type        = number

  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 35
    error_message = "1 to 35."
  }
}

variable "deletion_protection" {
  description = "Whether the cluster refuses to be deleted."
  type        = bool

  validation {
    condition     = var.deletion_protection != null
    error_message = "true or false."
  }
}

variable "performance_insights" {
  description = "Whether statements are measured."
  type        = bool

  validation {
    condition     = var.performance_insights != null
    error_message = "true or false."
  }
}

variable "zones" {
  description = "Zones of writer and readers, in turn."
  type        = list(string)
  default     = ["ap-northeast-2a", "ap-northeast-2b"]

  validation {
    condition     = length(var.zones) == 2
    error_message = "Two zones."
  }
}
