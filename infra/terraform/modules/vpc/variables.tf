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
  description = "Region of the VPC."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}-[a-z]+-[0-9]$", var.region))
    error_message = "A region's name, such as ap-northeast-2."
  }
}

variable "zones" {
  description = "Availability zones, two of them."
  type        = list(string)
  default     = ["ap-northeast-2a", "ap-northeast-2b"]

  validation {
    condition     = length(var.zones) == 2 && length(distinct(var.zones)) == 2
    error_message = "Two different zones."
  }
}

variable "cidr" {
  description = "Addresses of the VPC."
  type        = string
  default     = "10.0.0.0/16"

  validation {
    condition     = can(cidrhost(var.cidr, 0))
    error_message = "A network, such as 10.0.0.0/16."
  }
}

variable "public_cidrs" {
  description = "Addresses of the public subnets (load balancer, NAT gateways), one a zone."
  type        = list(string)
  default     = ["10.0.1.0/24", "10.0.2.0/24"]

  validation {
    condition     = length(var.public_cidrs) == 2 && alltrue([for c in var.public_cidrs : can(cidrhost(c, 0))])
    error_message = "Two networks."
  }
}

variable "private_cidrs" {
  description = "Addresses of the private subnets (API, scheduler, GPU workers), one a zone."
  type        = list(string)
  default     = ["10.0.11.0/24", "10.0.12.0/24"]

  validation {
    condition     = length(var.private_cidrs) == 2 && alltrue([for c in var.private_cidrs : can(cidrhost(c, 0))])
    error_message = "Two networks."
  }
}

variable "data_cidrs" {
  description = "Addresses of the data subnets (Aurora, ElastiCache), one a zone."
  type        = list(string)
  default     = ["10.0.21.0/24", "10.0.22.0/24"]

  validation {
    condition     = length(var.data_cidrs) == 2 && alltrue([for c in var.data_cidrs : can(cidrhost(c, 0))])
    error_message = "Two networks."
  }
}

variable "interface_endpoints" {
  description = "AWS services that are reached without the internet."
  type        = set(string)
  default     = ["autoscaling", "ecr.api", "ecr.dkr", "kms", "logs", "monitoring", "secretsmanager", "sqs", "ssm", "sts"]

  validation {
    condition     = alltrue([for s in var.interface_endpoints : can(regex("^[a-z0-9.-]+$", s))])
    error_message = "Names of services as in com.amazonaws.REGION.NAME."
  }
}

variable "flow_log_days" {
  description = "Days that records of traffic are kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([30, 60, 90, 180, 365, 400, 731], var.flow_log_days)
    error_message = "One of the periods that CloudWatch Logs knows, from 30 days."
  }
}

variable "kms_key_arn" {
  description = "Key for the records of traffic."
  type        = string

  validation {
    condition     = startswith(var.kms_key_arn, "arn:aws:kms:")
    error_message = "ARN of a key."
  }
}
