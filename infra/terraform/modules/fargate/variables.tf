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

variable "kms_key_arn" {
  description = "Key that encrypts what lies here."
  type        = string

  validation {
    condition     = startswith(var.kms_key_arn, "arn:aws:kms:")
    error_message = "ARN of a key."
  }
}

variable "family" {
  description = "Name of the task, such as invokeai-api."
  type        = string

  validation {
    condition     = can(regex("^invokeai-[a-z-]+$", var.family))
    error_message = "invokeai-NAME."
  }
}

variable "cluster_arn" {
  description = "Cluster that runs it."
  type        = string

  validation {
    condition     = length(var.cluster_arn) > 0
    error_message = "ARN of a cluster."
  }
}

variable "image" {
  description = "Image by digest: a tag can be moved, and then a roll-back would not bring back what ran before."
  type        = string

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "An image with @sha256: and 64 digits."
  }
}

variable "command" {
  description = "What the container runs."
  type        = list(string)

  validation {
    condition     = length(var.command) > 0
    error_message = "At least one word."
  }
}

variable "cpu" {
  description = "Units of a processor; 1,024 are one."
  type        = number
  default     = 2048

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096, 8192], var.cpu)
    error_message = "One of Fargate's sizes."
  }
}

variable "memory" {
  description = "Memory in MiB."
  type        = number
  default     = 4096

  validation {
    condition     = var.memory >= 512
    error_message = "At least 512."
  }
}

variable "scratch_gib" {
  description = "GiB of the task's own disk: uploads and downloads lie there meanwhile."
  type        = number
  default     = 21

  validation {
    condition     = var.scratch_gib >= 21 && var.scratch_gib <= 200
    error_message = "21 to 200."
  }
}

variable "environment" {
  description = "Settings that are no secret."
  type        = map(string)

  validation {
    condition     = alltrue([for k, v in var.environment : can(regex("^[A-Z][A-Z0-9_]+$", k))])
    error_message = "Names in capitals."
  }
}

variable "secrets" {
  description = "Settings that are secrets: name and ARN of the secret."
  type        = map(string)

  validation {
    condition     = alltrue([for k, v in var.secrets : can(regex("^[A-Z][A-Z0-9_]+$", k))])
    error_message = "Names in capitals."
  }
}

variable "policy" {
  description = "Statements of the task's own rights."
  type        = any

  validation {
    condition     = can(length(var.policy))
    error_message = "A list of statements; empty: no rights at all."
  }
}

variable "subnet_ids" {
  description = "Private subnets."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) == 2
    error_message = "Two subnets, one a zone."
  }
}

variable "security_group_ids" {
  description = "Security groups of the task."
  type        = list(string)

  validation {
    condition     = length(var.security_group_ids) > 0
    error_message = "At least one."
  }
}

variable "tasks" {
  description = "How many run; 0: none as a service, each is started by itself."
  type        = number
  default     = 1

  validation {
    condition     = var.tasks >= 0
    error_message = "Not negative."
  }
}

variable "max_tasks" {
  description = "So many at most, by load; not above tasks: it stays."
  type        = number
  default     = 0

  validation {
    condition     = var.max_tasks >= 0
    error_message = "Not negative."
  }
}

variable "replaced_before_stopped" {
  description = "Whether the new task stands before the old one goes. The scheduler may not run twice."
  type        = bool
  default     = true

  validation {
    condition     = var.replaced_before_stopped != null
    error_message = "true or false."
  }
}

variable "target_group_arn" {
  description = "Where tasks enlist, if they listen at port 8080."
  type        = string
  default     = null

  validation {
    condition     = var.target_group_arn == null || can(regex("^arn:", var.target_group_arn))
    error_message = "ARN of a target group, or null."
  }
}

variable "load_balancer_suffix" {
  description = "How CloudWatch knows the load balancer."
  type        = string
  default     = ""

  validation {
    condition     = var.load_balancer_suffix != null
    error_message = "A text."
  }
}

variable "target_group_suffix" {
  description = "How CloudWatch knows the targets."
  type        = string
  default     = ""

  validation {
    condition     = var.target_group_suffix != null
    error_message = "A text."
  }
}

variable "listens" {
  description = "Whether the container listens at port 8080 and is asked for its health there."
  type        = bool
  default     = false

  validation {
    condition     = var.listens != null
    error_message = "true or false."
  }
}

variable "log_group" {
  description = "Where its logs go."
  type        = string

  validation {
    condition     = startswith(var.log_group, "/ecs/")
    error_message = "Below /ecs/."
  }
}
