# What the rehearsal applies: bootstrap's parts, and one environment that has everything that any of the three has (readers,
# growing API tasks, GPU groups with spot and without, a mock worker, Slack, accounts that read the registry). Its modules are
# copied beside it; where they have to be told what moto has instead of AWS's, see ../overrides.

module "state" {
  source = "./modules/state"

  account_id  = local.account
  bucket_name = "invokeai-saas-states"
}

resource "aws_route53_zone" "this" {
  name    = local.domain
  comment = "InvokeAI SaaS"
}

module "stack" {
  source    = "./modules/stack"
  providers = { aws = aws, aws.us_east_1 = aws.us_east_1 }

  environment      = "staging"
  account_id       = local.account
  region           = local.region
  domain_name      = local.domain
  zone_id          = aws_route53_zone.this.zone_id
  repository       = "example/invokeai-saas"
  api_image        = "${local.account}.dkr.ecr.${local.region}.amazonaws.com/invokeai-api@sha256:${sha256("api")}"
  worker_image     = "${local.account}.dkr.ecr.${local.region}.amazonaws.com/invokeai-gpu-worker@sha256:${sha256("worker")}"
  registry_readers = ["210987654321"]
  slack_team_id    = "T0EXAMPLE"
  slack_channels   = { high = "C0HIGH", medium = "C0MEDIUM" }

  api_tasks       = 2
  api_max_tasks   = 4
  redis_node_type = "cache.t4g.small"
  mock_worker     = true
  backup_locked   = false # a locked vault could not be destroyed
  monthly_usd     = 500

  aurora = {
    cluster_identifier   = "invokeai-staging-db"
    min_acu              = 0.5
    max_acu              = 8
    readers              = 1
    max_readers          = 3
    backup_days          = 7
    deletion_protection  = false # it is destroyed at the end
    performance_insights = true
  }

  gpu = {
    basic     = { instance_types = ["g4dn.xlarge", "g4dn.2xlarge"], gpus = 1, min = 1, max = 10, spot = true }
    dedicated = { instance_types = ["p4d.24xlarge"], gpus = 8, min = 0, max = 10, spot = false }
  }
}
