# One of everything, no GPU: a mock worker draws. The figures are those of docs/requirements.md, section 11.

locals {
  environment = "dev"
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

  api_tasks       = 1
  api_max_tasks   = 1
  redis_node_type = "cache.t4g.small"
  mock_worker     = true
  backup_locked   = false
  monthly_usd     = 500

  aurora = {
    cluster_identifier   = "invokeai-dev-db"
    min_acu              = 0.5
    max_acu              = 4
    readers              = 0
    max_readers          = 0
    backup_days          = 1
    deletion_protection  = false
    performance_insights = false
  }

  gpu = {}
}
