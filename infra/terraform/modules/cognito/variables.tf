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

variable "domain_prefix" {
  description = "What the name of the pool's own pages begins with; AWS's name follows."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.domain_prefix)) && !can(regex("aws|amazon|cognito", var.domain_prefix))
    error_message = "Lower case letters, digits and hyphens, up to 63, without aws, amazon or cognito."
  }
}

variable "region" {
  description = "Region of the pool."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}-[a-z]+-[0-9]$", var.region))
    error_message = "A region, such as ap-northeast-2."
  }
}

variable "mail_identity_arn" {
  description = "Identity of SES that mails are sent as."
  type        = string

  validation {
    condition     = startswith(var.mail_identity_arn, "arn:aws:ses:")
    error_message = "ARN of an identity."
  }
}

variable "mail_from" {
  description = "Address that mails come from."
  type        = string

  validation {
    condition     = strcontains(var.mail_from, "@")
    error_message = "An address."
  }
}

variable "deletion_protection" {
  description = "Whether the pool refuses to be deleted."
  type        = bool

  validation {
    condition     = var.deletion_protection != null
    error_message = "true or false."
  }
}
