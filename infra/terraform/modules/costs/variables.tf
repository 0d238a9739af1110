variable "name" {
  description = "Name of the environment's parts, such as invokeai-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,40}$", var.name))
    error_message = "Lower case letters, digits and hyphens, 3 to 41 characters."
  }
}


variable "environment" {
  description = "Which environment this is."
  type        = string

  validation {
    condition     = contains(["dev", "staging", "production"], var.environment)
    error_message = "dev, staging or production."
  }
}

variable "tag_keys" {
  description = "Tags that costs are divided by."
  type        = set(string)
  default     = ["Project", "Environment", "Tier", "Service"]

  validation {
    condition     = length(var.tag_keys) > 0
    error_message = "At least one."
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

variable "notify_topic_arn" {
  description = "Topic that is told."
  type        = string

  validation {
    condition     = startswith(var.notify_topic_arn, "arn:aws:sns:")
    error_message = "ARN of a topic."
  }
}
