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

variable "tier" {
  description = "GPU tier that it serves."
  type        = string

  validation {
    condition     = contains(["basic", "high_performance", "dedicated"], var.tier)
    error_message = "basic, high_performance or dedicated."
  }
}

variable "instance_types" {
  description = "Kinds of machines, the preferred one first."
  type        = list(string)

  validation {
    condition     = length(var.instance_types) > 0
    error_message = "At least one."
  }
}

variable "gpus" {
  description = "GPUs of one machine: so many worker processes run on it."
  type        = number

  validation {
    condition     = var.gpus >= 1 && var.gpus <= 8
    error_message = "1 to 8."
  }
}

variable "min_size" {
  description = "Fewest machines."
  type        = number

  validation {
    condition     = var.min_size >= 0
    error_message = "Not negative."
  }
}

variable "max_size" {
  description = "Most machines."
  type        = number

  validation {
    condition     = var.max_size >= 1 && var.max_size <= 10
    error_message = "1 to 10."
  }
}

variable "spot" {
  description = "Spot first, on demand where there is none; false: on demand only."
  type        = bool
  default     = true

  validation {
    condition     = var.spot != null
    error_message = "true or false."
  }
}

variable "dawn_max_size" {
  description = "Most machines between dawn and morning."
  type        = number
  default     = 3

  validation {
    condition     = var.dawn_max_size >= 1
    error_message = "At least 1."
  }
}

variable "dawn" {
  description = "When the night begins, in cron's words."
  type        = string
  default     = "0 2 * * *"

  validation {
    condition     = length(split(" ", var.dawn)) == 5
    error_message = "Five fields."
  }
}

variable "morning" {
  description = "When it ends."
  type        = string
  default     = "0 7 * * *"

  validation {
    condition     = length(split(" ", var.morning)) == 5
    error_message = "Five fields."
  }
}

variable "time_zone" {
  description = "Time zone of both."
  type        = string
  default     = "Asia/Seoul"

  validation {
    condition     = can(regex("^[A-Za-z_]+/[A-Za-z_]+$", var.time_zone))
    error_message = "A zone's name."
  }
}

variable "queue_name" {
  description = "Queue of the tier."
  type        = string

  validation {
    condition     = endswith(var.queue_name, ".fifo")
    error_message = "A FIFO queue."
  }
}

variable "queue_arn" {
  description = "ARN of the queue."
  type        = string

  validation {
    condition     = startswith(var.queue_arn, "arn:aws:sqs:")
    error_message = "ARN of a queue."
  }
}

variable "bucket_name" {
  description = "Bucket of pictures and models."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9-]+$", var.bucket_name))
    error_message = "A bucket's name."
  }
}

variable "image_parameter" {
  description = "Parameter in SSM that holds the worker's image by digest; the pipeline writes it."
  type        = string

  validation {
    condition     = startswith(var.image_parameter, "/invokeai/")
    error_message = "Below /invokeai/."
  }
}

variable "image_repository" {
  description = "Repository of the image."
  type        = string
  default     = "invokeai-gpu-worker"

  validation {
    condition     = can(regex("^invokeai-", var.image_repository))
    error_message = "invokeai-NAME."
  }
}

variable "settings" {
  description = "Settings of the worker that are no secret."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for k, v in var.settings : can(regex("^[A-Z][A-Z0-9_]+$", k))])
    error_message = "Names in capitals."
  }
}

variable "secret_names" {
  description = "Settings that are secrets: name and full name of the secret."
  type        = map(string)

  validation {
    condition     = alltrue([for k, v in var.secret_names : can(regex("^invokeai/", v))])
    error_message = "invokeai/ENVIRONMENT/NAME."
  }
}

variable "drain_seconds" {
  description = "How long a stopping worker lets its job run on; a spot notice gives 120."
  type        = number
  default     = 90

  validation {
    condition     = var.drain_seconds >= 30 && var.drain_seconds <= 100
    error_message = "30 to 100."
  }
}

variable "backlog_seconds_per_instance" {
  description = "Work waiting, in seconds a machine, above which one more is started even if few messages wait."
  type        = number
  default     = 600

  validation {
    condition     = var.backlog_seconds_per_instance >= 60
    error_message = "At least 60."
  }
}

variable "disk_gib" {
  description = "GiB of the disk with the system and the image; models lie on the machine's own NVMe."
  type        = number
  default     = 100

  validation {
    condition     = var.disk_gib >= 60
    error_message = "At least 60."
  }
}

variable "efs_id" {
  description = "Shared models, for machines without NVMe."
  type        = string
  default     = ""

  validation {
    condition     = var.efs_id != null
    error_message = "ID of a file system, or nothing."
  }
}

variable "efs_access_point_id" {
  description = "Where models lie in it."
  type        = string
  default     = ""

  validation {
    condition     = var.efs_access_point_id != null
    error_message = "ID of an access point, or nothing."
  }
}

variable "ami_parameter" {
  description = "Parameter in SSM that names the machine's image: driver for CUDA 12.8 or newer, Docker, NVIDIA's container toolkit."
  type        = string
  default     = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-amazon-linux-2023/latest/ami-id"

  validation {
    condition     = startswith(var.ami_parameter, "/")
    error_message = "A parameter's name."
  }
}
