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

variable "certificate_arn" {
  description = "Certificate of the name, in us-east-1."
  type        = string

  validation {
    condition     = startswith(var.certificate_arn, "arn:aws:acm:us-east-1:")
    error_message = "ARN of a certificate of us-east-1."
  }
}

variable "web_acl_arn" {
  description = "WAF's list, in us-east-1."
  type        = string

  validation {
    condition     = startswith(var.web_acl_arn, "arn:aws:wafv2:us-east-1:")
    error_message = "ARN of a list of us-east-1."
  }
}

variable "origin_name" {
  description = "Name of the load balancer, which its certificate proves."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9.-]+$", var.origin_name))
    error_message = "A domain's name."
  }
}

variable "files_domain" {
  description = "Where the bucket of files answers."
  type        = string

  validation {
    condition     = length(var.files_domain) > 0
    error_message = "A bucket's regional name."
  }
}

variable "page_domain" {
  description = "Where the bucket of the page answers."
  type        = string

  validation {
    condition     = length(var.page_domain) > 0
    error_message = "A bucket's regional name."
  }
}

variable "log_bucket_domain" {
  description = "Bucket of logs, by its name in DNS."
  type        = string

  validation {
    condition     = length(var.log_bucket_domain) > 0
    error_message = "A bucket's name in DNS."
  }
}

variable "zone_id" {
  description = "Hosted zone of the name."
  type        = string

  validation {
    condition     = length(var.zone_id) > 0
    error_message = "ID of a zone."
  }
}

variable "price_class" {
  description = "Where edges are; 200 has Seoul."
  type        = string
  default     = "PriceClass_200"

  validation {
    condition     = contains(["PriceClass_200", "PriceClass_All"], var.price_class)
    error_message = "A class that has Seoul."
  }
}
