variable "name" {
  description = "Name of the environment's parts, such as invokeai-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,40}$", var.name))
    error_message = "Lower case letters, digits and hyphens, 3 to 41 characters."
  }
}

variable "vpc_id" {
  description = "The VPC."
  type        = string

  validation {
    condition     = startswith(var.vpc_id, "vpc-")
    error_message = "ID of a VPC."
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

variable "domain_name" {
  description = "Name that people type, such as invokeai.example.com."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9-]+\\.)+[a-z]{2,}$", var.domain_name))
    error_message = "A domain's name."
  }
}

variable "certificate_arn" {
  description = "Certificate of the origin's name, in this region."
  type        = string

  validation {
    condition     = startswith(var.certificate_arn, "arn:aws:acm:")
    error_message = "ARN of a certificate."
  }
}

variable "log_bucket" {
  description = "Bucket that records of access go to."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9-]+$", var.log_bucket))
    error_message = "A bucket's name."
  }
}

variable "deletion_protection" {
  description = "Whether the load balancer refuses to be deleted."
  type        = bool

  validation {
    condition     = var.deletion_protection != null
    error_message = "true or false."
  }
}

variable "idle_seconds" {
  description = "Silence after which a connection is closed; above Socket.IO's ping of 25 s."
  type        = number
  default     = 120

  validation {
    condition     = var.idle_seconds >= 60 && var.idle_seconds <= 120
    error_message = "60 to 120: the API itself closes what has rested for 130 s, and must not be the first."
  }
}
