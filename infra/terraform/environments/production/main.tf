# Where customers are. The figures are those of docs/requirements.md, section 11.

locals {
  environment = "production"
  region      = "ap-northeast-2"

  # On everything that can carry tags; costs are divided by them.
  tags = {
    Project     = "invokeai-saas"
    Environment = local.environment
    Service     = "invokeai"
    ManagedBy   = "terraform"
  }
}

provider "aws" {
  region              = local.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = local.tags
  }
}

# CloudFront's certificate and WAF live there.
provider "aws" {
  alias               = "us_east_1"
  region              = "us-east-1"
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = local.tags
  }
}

module "stack" {
  source    = "../../modules/stack"
  providers = { aws = aws, aws.us_east_1 = aws.us_east_1 }

  environment    = local.environment
  account_id     = var.account_id
  region         = local.region
  domain_name    = var.domain_name
  zone_id        = var.zone_id
  bucket_prefix  = var.bucket_prefix
  repository     = var.repository
  api_image      = var.api_image
  worker_image   = var.worker_image
  slack_team_id  = var.slack_team_id
  slack_channels = var.slack_channels

  registry_readers  = var.registry_readers
  source_account_id = var.source_account_id

  api_tasks       = 2
  api_max_tasks   = 10
  redis_node_type = "cache.r6g.large"
  mock_worker     = false
  backup_locked   = true
  monthly_usd     = 3000

  aurora = {
    cluster_identifier   = "invokeai-saas-db"
    min_acu              = 0.5
    max_acu              = 32
    readers              = 1
    max_readers          = 2
    backup_days          = 7
    deletion_protection  = true
    performance_insights = true
  }

  gpu = {
    basic            = { instance_types = ["g4dn.xlarge", "g4dn.2xlarge"], gpus = 1, min = 1, max = 10, spot = true }
    high_performance = { instance_types = ["g5.xlarge", "g5.2xlarge"], gpus = 1, min = 1, max = 10, spot = true }
    dedicated        = { instance_types = ["p4d.24xlarge"], gpus = 8, min = 0, max = 10, spot = true }
  }
}
