variable "account_id" {
  description = "The AWS account of this environment, twelve digits."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "An account has twelve digits."
  }
}

variable "domain_name" {
  description = "Name that people type."
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

variable "registry_readers" {
  description = "Accounts whose pipelines copy images from here: staging names production."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for a in var.registry_readers : can(regex("^[0-9]{12}$", a))])
    error_message = "Accounts have twelve digits."
  }
}

variable "source_account_id" {
  description = "Account whose registry images are copied from: production names staging; null: they are built for this one."
  type        = string
  default     = null

  validation {
    condition     = var.source_account_id == null ? true : can(regex("^[0-9]{12}$", var.source_account_id))
    error_message = "An account has twelve digits."
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
