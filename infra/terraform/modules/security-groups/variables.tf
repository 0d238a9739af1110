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

variable "edge_prefix_list_id" {
  description = "Addresses from which CloudFront speaks to origins (com.amazonaws.global.cloudfront.origin-facing)."
  type        = string

  validation {
    condition     = startswith(var.edge_prefix_list_id, "pl-")
    error_message = "ID of a prefix list."
  }
}
