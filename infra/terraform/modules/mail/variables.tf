variable "name" {
  description = "Name of the environment's parts, such as invokeai-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,40}$", var.name))
    error_message = "Lower case letters, digits and hyphens, 3 to 41 characters."
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

variable "region" {
  description = "The AWS region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}-[a-z]+-[0-9]$", var.region))
    error_message = "A region's name, such as ap-northeast-2."
  }
}

variable "zone_id" {
  description = "Hosted zone that proves the domain is ours."
  type        = string

  validation {
    condition     = length(var.zone_id) > 0
    error_message = "ID of a zone."
  }
}

variable "notify_topic_arn" {
  description = "Topic that is told of bounces and complaints."
  type        = string

  validation {
    condition     = startswith(var.notify_topic_arn, "arn:aws:sns:")
    error_message = "ARN of a topic."
  }
}
