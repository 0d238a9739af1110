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

variable "notify_topic_arn" {
  description = "Topic that is told."
  type        = string

  validation {
    condition     = startswith(var.notify_topic_arn, "arn:aws:sns:")
    error_message = "ARN of a topic."
  }
}

variable "db_cluster_arn" {
  description = "Aurora cluster."
  type        = string

  validation {
    condition     = length(var.db_cluster_arn) > 0
    error_message = "An ARN."
  }
}

variable "bucket_arn" {
  description = "Bucket of files."
  type        = string

  validation {
    condition     = startswith(var.bucket_arn, "arn:aws:s3:::")
    error_message = "ARN of a bucket."
  }
}

variable "keep_days" {
  description = "Days that copies are kept."
  type        = number
  default     = 35

  validation {
    condition     = var.keep_days >= 7
    error_message = "At least 7."
  }
}

variable "locked" {
  description = "Whether nobody, the account's owner included, may delete copies before their time."
  type        = bool
  default     = false

  validation {
    condition     = var.locked != null
    error_message = "true or false."
  }
}

variable "db_subnet_group" {
  description = "Subnets that a restored cluster stands in."
  type        = string

  validation {
    condition     = length(var.db_subnet_group) > 0
    error_message = "A name."
  }
}

variable "db_security_group_ids" {
  description = "Security groups of a restored cluster."
  type        = list(string)

  validation {
    condition     = length(var.db_security_group_ids) > 0
    error_message = "At least one."
  }
}
