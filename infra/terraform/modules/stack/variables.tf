variable "environment" {
  description = "Which environment this is."
  type        = string

  validation {
    condition     = contains(["dev", "staging", "production"], var.environment)
    error_message = "dev, staging or production."
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

variable "region" {
  description = "The AWS region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}-[a-z]+-[0-9]$", var.region))
    error_message = "A region's name, such as ap-northeast-2."
  }
}

variable "domain_name" {
  description = "Name that people type, such as invokeai.example.com."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9-]+\\.)+[a-z]{2,}$", var.domain_name))
    error_message = "A domain's name."
  }
}

variable "zone_id" {
  description = "Hosted zone of the domain, made by bootstrap."
  type        = string

  validation {
    condition     = length(var.zone_id) > 0
    error_message = "ID of a zone."
  }
}

variable "bucket_prefix" {
  description = "Beginning of the buckets' names, which are unique in the world."
  type        = string
  default     = "invokeai-saas"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,40}$", var.bucket_prefix))
    error_message = "Lower case letters, digits and hyphens."
  }
}

variable "repository" {
  description = "GitHub repository whose workflows deliver, OWNER/NAME."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "OWNER/NAME."
  }
}

variable "api_image" {
  description = "Image of API, scheduler and migrations by digest."
  type        = string

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.api_image))
    error_message = "An image with @sha256: and 64 digits."
  }
}

variable "worker_image" {
  description = "Image of GPU workers by digest, to begin with."
  type        = string

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.worker_image))
    error_message = "An image with @sha256: and 64 digits."
  }
}

variable "api_tasks" {
  description = "API tasks of 2 vCPU and 4 GB; the fewest where they grow."
  type        = number

  validation {
    condition     = var.api_tasks >= 1
    error_message = "At least 1."
  }
}

variable "api_max_tasks" {
  description = "Most API tasks; as many as api_tasks: it does not grow."
  type        = number

  validation {
    condition     = var.api_max_tasks >= 1
    error_message = "At least 1."
  }
}

variable "redis_node_type" {
  description = "Size of each node of the cache."
  type        = string

  validation {
    condition     = startswith(var.redis_node_type, "cache.")
    error_message = "A node's type."
  }
}

variable "mock_worker" {
  description = "Whether a worker without GPU draws shapes instead."
  type        = bool

  validation {
    condition     = var.mock_worker != null
    error_message = "true or false."
  }
}

variable "backup_locked" {
  description = "Whether nobody may delete copies before their time."
  type        = bool
  default     = false

  validation {
    condition     = var.backup_locked != null
    error_message = "true or false."
  }
}

variable "monthly_usd" {
  description = "What a month may cost, in US dollars."
  type        = number

  validation {
    condition     = var.monthly_usd > 0
    error_message = "More than nothing."
  }
}

variable "slack_team_id" {
  description = "Slack workspace that hears of high and medium alarms."
  type        = string
  default     = null

  validation {
    condition     = var.slack_team_id == null ? true : startswith(var.slack_team_id, "T")
    error_message = "A workspace's ID, or null."
  }
}

variable "slack_channels" {
  description = "Channel for each severity: high and medium."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for k in keys(var.slack_channels) : contains(["high", "medium"], k)])
    error_message = "high and medium."
  }
}

variable "aurora" {
  description = "Size and safety of the database."

  type = object({
    cluster_identifier   = string
    min_acu              = optional(number, 0.5)
    max_acu              = number
    readers              = number
    max_readers          = number
    backup_days          = number
    deletion_protection  = bool
    performance_insights = bool
  })

  validation {
    condition     = var.aurora.max_readers >= var.aurora.readers
    error_message = "Not fewer readers at most than at least."
  }
}

variable "gpu" {
  description = "GPU groups by tier: kinds of machines, GPUs of each, fewest and most machines, whether spot is bought first."

  type = map(object({
    instance_types = list(string)
    gpus           = number
    min            = number
    max            = number
    spot           = bool
  }))

  validation {
    condition     = alltrue([for tier in keys(var.gpu) : contains(["basic", "high_performance", "dedicated"], tier)])
    error_message = "Tiers are basic, high_performance and dedicated."
  }
}

variable "registry_readers" {
  description = "Accounts whose pipelines copy images from here."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for a in var.registry_readers : can(regex("^[0-9]{12}$", a))])
    error_message = "Accounts have twelve digits."
  }
}

variable "source_account_id" {
  description = "Account whose registry images are copied from; null: they are built for this one."
  type        = string
  default     = null

  validation {
    condition     = var.source_account_id == null ? true : can(regex("^[0-9]{12}$", var.source_account_id))
    error_message = "An account has twelve digits."
  }
}
