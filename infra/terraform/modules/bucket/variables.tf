variable "account_id" {
  description = "The AWS account, twelve digits."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "An account has twelve digits."
  }
}

variable "bucket_name" {
  description = "Name of the bucket, unique in the world."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{2,62}$", var.bucket_name))
    error_message = "Lower case letters, digits and hyphens."
  }
}

variable "kms_key_arn" {
  description = "Key at rest; null: S3's own key, which log delivery needs."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws:kms:", var.kms_key_arn))
    error_message = "ARN of a key, or null."
  }
}

variable "log_bucket" {
  description = "Bucket that records of access go to; null: none are written."
  type        = string
  default     = null

  validation {
    condition     = var.log_bucket == null || can(regex("^[a-z0-9-]+$", var.log_bucket))
    error_message = "A bucket's name, or null."
  }
}

variable "infrequent_prefixes" {
  description = "Prefixes whose objects go to Infrequent Access when they have not been read for 30 days."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for p in var.infrequent_prefixes : endswith(p, "/")])
    error_message = "Prefixes end with a slash."
  }
}

variable "expire_days" {
  description = "Days after which objects are deleted; 0: never."
  type        = number
  default     = 0

  validation {
    condition     = var.expire_days >= 0
    error_message = "Not negative."
  }
}

variable "old_version_days" {
  description = "Days that replaced and deleted versions are kept."
  type        = number
  default     = 30

  validation {
    condition     = var.old_version_days >= 1
    error_message = "At least 1."
  }
}

variable "versioned" {
  description = "Whether replaced and deleted objects can be brought back for a while."
  type        = bool
  default     = true

  validation {
    condition     = var.versioned != null
    error_message = "true or false."
  }
}

variable "readable_by_cloudfront" {
  description = "Whether the account's CloudFront distributions may read."
  type        = bool
  default     = false

  validation {
    condition     = var.readable_by_cloudfront != null
    error_message = "true or false."
  }
}

variable "edge_prefixes" {
  description = "What CloudFront may read."
  type        = list(string)
  default     = [""]

  validation {
    condition     = length(var.edge_prefixes) > 0
    error_message = "At least one prefix; empty: everything."
  }
}

variable "writable_by_log_delivery" {
  description = "Whether AWS delivers logs here."
  type        = bool
  default     = false

  validation {
    condition     = var.writable_by_log_delivery != null
    error_message = "true or false."
  }
}

variable "force_destroy" {
  description = "Whether a bucket with objects may be destroyed."
  type        = bool
  default     = false

  validation {
    condition     = var.force_destroy != null
    error_message = "true or false."
  }
}
