variable "domain_name" {
  description = "Name that people type, such as invokeai.example.com."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9-]+\\.)+[a-z]{2,}$", var.domain_name))
    error_message = "A domain's name."
  }
}

variable "alternative_names" {
  description = "Further names of the certificate."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for n in var.alternative_names : can(regex("^[a-z0-9.-]+$", n))])
    error_message = "Domain names."
  }
}

variable "zone_id" {
  description = "Hosted zone that proves the names are ours."
  type        = string

  validation {
    condition     = length(var.zone_id) > 0
    error_message = "ID of a zone."
  }
}
