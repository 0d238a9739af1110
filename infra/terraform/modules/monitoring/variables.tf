variable "name" {
  description = "Name of the environment's parts, such as invokeai-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,40}$", var.name))
    error_message = "Lower case letters, digits and hyphens, 3 to 41 characters."
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

variable "topic_arns" {
  description = "Topics by severity."
  type        = map(string)

  validation {
    condition     = toset(keys(var.topic_arns)) == toset(["critical", "high", "medium"])
    error_message = "critical, high and medium."
  }
}

variable "load_balancer_suffix" {
  description = "How CloudWatch knows the load balancer."
  type        = string

  validation {
    condition     = length(var.load_balancer_suffix) > 0
    error_message = "A text."
  }
}


variable "cluster_name" {
  description = "ECS cluster."
  type        = string

  validation {
    condition     = length(var.cluster_name) > 0
    error_message = "A name."
  }
}

variable "service_name" {
  description = "ECS service of the API."
  type        = string

  validation {
    condition     = length(var.service_name) > 0
    error_message = "A name."
  }
}

variable "db_cluster" {
  description = "Aurora cluster."
  type        = string

  validation {
    condition     = length(var.db_cluster) > 0
    error_message = "A name."
  }
}

variable "max_connections" {
  description = "Connections that a database instance takes."
  type        = number

  validation {
    condition     = var.max_connections > 0
    error_message = "More than none."
  }
}

variable "redis_nodes" {
  description = "Names of the cache's nodes."
  type        = list(string)

  validation {
    condition     = length(var.redis_nodes) > 0
    error_message = "At least one."
  }
}

variable "bucket_name" {
  description = "Bucket of files."
  type        = string

  validation {
    condition     = length(var.bucket_name) > 0
    error_message = "A name."
  }
}

variable "queue_names" {
  description = "Queues by tier."
  type        = map(string)

  validation {
    condition     = length(var.queue_names) > 0
    error_message = "At least one."
  }
}

variable "dead_queue_names" {
  description = "Queues of dead letters by tier."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for q in values(var.dead_queue_names) : endswith(q, ".fifo")])
    error_message = "FIFO queues."
  }
}

variable "surge_policy_arns" {
  description = "Policy that starts machines when the queue of a tier is long."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for a in values(var.surge_policy_arns) : startswith(a, "arn:")])
    error_message = "ARNs."
  }
}
