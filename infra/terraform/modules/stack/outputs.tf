output "facts" {
  description = "What the environment was given, as its parts say it: for tests, and for people."
  value = {
    aurora       = module.aurora.facts
    api          = module.api.facts
    scheduler    = module.scheduler.facts
    migrate      = module.migrate.facts
    roles        = module.roles.facts
    models       = module.models.facts
    mock_worker  = one(module.mock_worker[*].facts)
    gpu          = { for tier, group in module.gpu : tier => group.facts }
    bucket       = module.files.name
    queues       = module.queues.names
    cluster      = module.cluster.name
    redis_nodes  = module.redis.nodes
    alarms       = module.monitoring.alarms
    figures      = module.monitoring.figures
    rules        = module.security_groups.rules
    health_check = module.load_balancer.health_check
    behaviours   = module.cloudfront.behaviours
    nat_gateways = module.vpc.nat_gateways
    subnets      = { public = module.vpc.public_cidrs, private = module.vpc.private_cidrs, data = module.vpc.data_cidrs }
    secrets      = sort(values(module.secrets.names))
    backup_days  = module.backup.keep_days
    drill        = module.backup.drill
    monthly_usd  = module.costs.monthly_usd
  }
}

output "settings" {
  description = "Settings of each process that are no secrets."
  value       = { for process, settings in local.settings : process => sort(keys(settings)) }
}

output "secrets_of" {
  description = "Secrets that each process is given."
  value       = local.secrets_of
}

output "url" {
  description = "What people type."
  value       = "https://${var.domain_name}"
}

output "deploy_role_arn" {
  description = "Role that the workflows of this environment take."
  value       = module.delivery.role_arn
}

output "migrate_network" {
  description = "Where the migration's task runs: subnets and security group."
  value       = { subnets = module.vpc.private_subnet_ids, security_group = module.security_groups.ids["migrate"] }
}

output "edge" {
  description = "What the pipeline and infra/secrets need of the edge."
  value = {
    distribution_id     = module.cloudfront.distribution_id
    key_value_store_arn = module.cloudfront.key_value_store_arn
    page_bucket         = module.page.name
  }
}

output "database" {
  description = "Where the database answers, and the secret with its master password."
  value = {
    endpoint        = module.aurora.endpoint
    reader_endpoint = module.aurora.reader_endpoint
    master_secret   = module.aurora.master_secret_arn
  }
}

output "redis" {
  description = "Where the cache answers, and the group that its user belongs to."
  value       = { endpoint = module.redis.endpoint, user_group = module.redis.user_group_id }
}

output "topics" {
  description = "Topics of alarms by severity."
  value       = module.topics.arns
}

output "registry" {
  description = "Addresses of the repositories of images."
  value       = module.registry.urls
}

output "pipeline" {
  description = "Variables of the GitHub environment, by the names that the workflows read."
  value = {
    AWS_REGION           = var.region
    AWS_ROLE             = module.delivery.role_arn
    AWS_DRILL_ROLE       = module.delivery.drill_role_arn
    REGISTRY             = "${var.account_id}.dkr.ecr.${var.region}.amazonaws.com"
    SOURCE_REGISTRY      = var.source_account_id == null ? "" : "${var.source_account_id}.dkr.ecr.${var.region}.amazonaws.com"
    PUBLIC_URL           = "https://${var.domain_name}"
    ECS_CLUSTER          = module.cluster.name
    API_SERVICE          = "invokeai-api"
    OTHER_SERVICES       = join(" ", concat(["invokeai-scheduler"], module.mock_worker[*].service_name))
    MIGRATION_FAMILY     = module.migrate.facts.family
    TASK_SUBNETS         = join(" ", module.vpc.private_subnet_ids)
    TASK_SECURITY_GROUPS = module.security_groups.ids["migrate"]
    PAGE_BUCKET          = module.page.name
    DISTRIBUTION_ID      = module.cloudfront.distribution_id
    DATABASE_CLUSTER     = module.aurora.cluster_identifier
    WORKER_PARAMETER     = aws_ssm_parameter.worker_image.name
    WORKER_GROUPS        = join(" ", flatten([for group in module.gpu : values(group.group_names)]))
    ALARMS               = join(" ", [for k in ["api-errors", "api-p99", "aurora-connections"] : "${local.name}-${k}"])
  }
}
