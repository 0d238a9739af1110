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

variable "region" {
  description = "The AWS region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}-[a-z]+-[0-9]$", var.region))
    error_message = "A region's name, such as ap-northeast-2."
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

variable "github_environment" {
  description = "GitHub environment whose jobs may take the role; its rules are where approval is asked."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+$", var.github_environment))
    error_message = "A name."
  }
}

variable "cluster_name" {
  description = "ECS cluster that is deployed to."
  type        = string

  validation {
    condition     = length(var.cluster_name) > 0
    error_message = "A name."
  }
}

variable "services" {
  description = "ECS services that are deployed."
  type        = list(string)

  validation {
    condition     = length(var.services) > 0
    error_message = "At least one."
  }
}

variable "task_families" {
  description = "Tasks that new definitions are registered of."
  type        = list(string)

  validation {
    condition     = length(var.task_families) > 0
    error_message = "At least one."
  }
}

variable "gpu_group_names" {
  description = "GPU groups whose machines are renewed."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for n in var.gpu_group_names : length(n) > 0])
    error_message = "Names."
  }
}

variable "page_bucket" {
  description = "Bucket of InvokeAI's page."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9-]+$", var.page_bucket))
    error_message = "A bucket's name."
  }
}

variable "distribution_arn" {
  description = "CloudFront's distribution."
  type        = string

  validation {
    condition     = length(var.distribution_arn) > 0
    error_message = "An ARN."
  }
}

variable "image_parameter" {
  description = "Parameter that names the worker's image."
  type        = string

  validation {
    condition     = startswith(var.image_parameter, "/invokeai/")
    error_message = "Below /invokeai/."
  }
}

variable "kms_key_arn" {
  description = "Key of the page's bucket."
  type        = string

  validation {
    condition     = length(var.kms_key_arn) > 0
    error_message = "An ARN."
  }
}

variable "log_group_prefix" {
  description = "Logs that the pipeline reads, to say why a migration failed."
  type        = string
  default     = "/ecs/invokeai-"

  validation {
    condition     = startswith(var.log_group_prefix, "/ecs/")
    error_message = "Below /ecs/."
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

variable "db_cluster" {
  description = "Aurora cluster whose backups are tried."
  type        = string

  validation {
    condition     = can(regex("^invokeai-[a-z]+-db$", var.db_cluster))
    error_message = "invokeai-NAME-db."
  }
}
