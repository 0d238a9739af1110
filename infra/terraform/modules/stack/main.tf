# One environment, whole. What differs between dev, staging and production stands in their folders; here is what is the
# same. Each environment has an AWS account of its own, so names need not carry the environment's where the
# requirements give them without.

locals {
  name       = "invokeai-${var.environment}"
  gpu_tiers  = { for tier, group in var.gpu : tier => group }
  has_reader = var.aurora.readers > 0
  origin     = "origin.${var.domain_name}"
  bucket     = "${var.bucket_prefix}-${var.environment}"
  mail_from  = "InvokeAI <post@${var.domain_name}>"
}

module "kms" {
  source = "../kms"

  name       = local.name
  account_id = var.account_id
  region     = var.region
}

# WAF's records lie in us-east-1, and keys do not leave their region.
module "kms_edge" {
  source    = "../kms"
  providers = { aws = aws.us_east_1 }

  name       = "${local.name}-edge"
  account_id = var.account_id
  region     = "us-east-1"
}

module "vpc" {
  source = "../vpc"

  name        = local.name
  account_id  = var.account_id
  region      = var.region
  kms_key_arn = module.kms.key_arn
}

data "aws_ec2_managed_prefix_list" "edge" {
  name = "com.amazonaws.global.cloudfront.origin-facing"
}

module "security_groups" {
  source = "../security-groups"

  name                = local.name
  vpc_id              = module.vpc.vpc_id
  edge_prefix_list_id = data.aws_ec2_managed_prefix_list.edge.id
}

module "topics" {
  source = "../topics"

  name           = local.name
  account_id     = var.account_id
  kms_key_arn    = module.kms.key_arn
  slack_team_id  = var.slack_team_id
  slack_channels = var.slack_channels
}

module "registry" {
  source = "../registry"

  kms_key_arn     = module.kms.key_arn
  reader_accounts = var.registry_readers
}

module "cluster" {
  source = "../cluster"

  name        = local.name
  kms_key_arn = module.kms.key_arn
}

module "secrets" {
  source = "../secrets"

  environment = var.environment
  kms_key_arn = module.kms.key_arn
  names       = local.secret_names
}

module "costs" {
  source = "../costs"

  name             = local.name
  environment      = var.environment
  monthly_usd      = var.monthly_usd
  notify_topic_arn = module.topics.arns["high"]
}
