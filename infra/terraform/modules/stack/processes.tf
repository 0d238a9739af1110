# The service's own processes.

module "api" {
  source = "../fargate"

  account_id           = var.account_id
  region               = var.region
  kms_key_arn          = module.kms.key_arn
  family               = "invokeai-api"
  cluster_arn          = module.cluster.arn
  image                = var.api_image
  command              = ["invokeai-saas", "api"]
  cpu                  = 2048
  memory               = 4096
  scratch_gib          = 60
  environment          = merge(local.settings.api, local.named_secrets.api)
  secrets              = {}
  policy               = concat(local.rights.api, [local.read_secrets.api])
  subnet_ids           = module.vpc.private_subnet_ids
  security_group_ids   = [module.security_groups.ids["api"]]
  tasks                = var.api_tasks
  max_tasks            = var.api_max_tasks
  listens              = true
  target_group_arn     = module.load_balancer.target_group_arn
  load_balancer_suffix = module.load_balancer.arn_suffix
  target_group_suffix  = module.load_balancer.target_group_arn_suffix
  log_group            = "/ecs/invokeai-api"
}

# One, and never two: it is stopped before the next is started.
module "scheduler" {
  source = "../fargate"

  account_id              = var.account_id
  region                  = var.region
  kms_key_arn             = module.kms.key_arn
  family                  = "invokeai-scheduler"
  cluster_arn             = module.cluster.arn
  image                   = var.api_image
  command                 = ["invokeai-saas", "scheduler"]
  cpu                     = 1024
  memory                  = 2048
  scratch_gib             = 200 # downloads of models
  environment             = merge(local.settings.scheduler, local.named_secrets.scheduler)
  secrets                 = {}
  policy                  = concat(local.rights.scheduler, [local.read_secrets.scheduler])
  subnet_ids              = module.vpc.private_subnet_ids
  security_group_ids      = [module.security_groups.ids["scheduler"]]
  tasks                   = 1
  replaced_before_stopped = false
  log_group               = "/ecs/invokeai-scheduler"
}

# Started by the pipeline before each deployment, in a group that reaches the database; its exit code decides.
module "migrate" {
  source = "../fargate"

  account_id         = var.account_id
  region             = var.region
  kms_key_arn        = module.kms.key_arn
  family             = "invokeai-migrate"
  cluster_arn        = module.cluster.arn
  image              = var.api_image
  command            = ["invokeai-saas", "migrate"]
  cpu                = 512
  memory             = 1024
  environment        = local.settings.migrate
  secrets            = local.secret_arns.migrate
  policy             = local.rights.migrate
  subnet_ids         = module.vpc.private_subnet_ids
  security_group_ids = [module.security_groups.ids["migrate"]]
  tasks              = 0
  log_group          = "/ecs/invokeai-migrate"
}

# Started by hand once, and whenever infra/secrets has renewed passwords: makes the database's roles. The only task that
# is given the master password, as RDS keeps it.
module "roles" {
  source = "../fargate"

  account_id  = var.account_id
  region      = var.region
  kms_key_arn = module.kms.key_arn
  family      = "invokeai-roles"
  cluster_arn = module.cluster.arn
  image       = var.api_image
  command = ["python", "-c", join("\n", [
    "import os",
    "from urllib.parse import quote",
    "password = quote(os.environ.pop('DATABASE_ADMIN_PASSWORD'), safe='')",
    "os.environ['DATABASE_ADMIN_URL'] = f\"postgresql://invokeai_admin:{password}@{os.environ['DATABASE_HOST']}:5432/invokeai?sslmode=require\"",
    "os.execvp('invokeai-saas', ['invokeai-saas', 'admin', 'roles'])",
  ])]
  cpu                = 512
  memory             = 1024
  environment        = merge(local.settings.migrate, { DATABASE_HOST = module.aurora.endpoint })
  secrets            = merge(local.secret_arns.roles, { DATABASE_ADMIN_PASSWORD = "${module.aurora.master_secret_arn}:password::" })
  policy             = []
  subnet_ids         = module.vpc.private_subnet_ids
  security_group_ids = [module.security_groups.ids["migrate"]]
  tasks              = 0
  log_group          = "/ecs/invokeai-roles"
}

# Started by hand when models/shared/ of the bucket has changed: puts on offer what lies there. The engine of the worker's
# image looks at the files, without a GPU; /tmp is what that image lets its user write to.
module "models" {
  source = "../fargate"

  account_id         = var.account_id
  region             = var.region
  kms_key_arn        = module.kms.key_arn
  family             = "invokeai-models"
  cluster_arn        = module.cluster.arn
  image              = var.worker_image
  command            = ["invokeai-saas", "admin", "models", "scan", "--fetch-models"]
  cpu                = 4096
  memory             = 16384
  scratch_gib        = 200
  environment        = local.settings.models
  secrets            = local.secret_arns.models
  policy             = local.rights.models
  subnet_ids         = module.vpc.private_subnet_ids
  security_group_ids = [module.security_groups.ids["migrate"]]
  tasks              = 0
  log_group          = "/ecs/invokeai-models"
}

module "mock_worker" {
  source = "../fargate"
  count  = var.mock_worker ? 1 : 0

  account_id         = var.account_id
  region             = var.region
  kms_key_arn        = module.kms.key_arn
  family             = "invokeai-mock-worker"
  cluster_arn        = module.cluster.arn
  image              = var.api_image
  command            = ["invokeai-saas", "worker", "--engine", "mock"]
  cpu                = 512
  memory             = 1024
  environment        = merge(local.settings.worker, local.named_secrets.worker, { WORKER_TIERS = "basic,high_performance,dedicated", DATA_DIR = "/var/lib/invokeai" })
  secrets            = {}
  policy             = concat(local.rights.worker, [local.read_secrets.worker])
  subnet_ids         = module.vpc.private_subnet_ids
  security_group_ids = [module.security_groups.ids["gpu"]]
  tasks              = 1
  log_group          = "/ecs/invokeai-mock-worker"
}

# The worker's image by digest. The pipeline writes it and then renews the machines.
resource "aws_ssm_parameter" "worker_image" {
  name        = "/invokeai/${var.environment}/worker-image"
  description = "Image that GPU machines run"
  type        = "String"
  value       = var.worker_image

  lifecycle {
    ignore_changes = [value]
  }
}

module "efs" {
  source = "../efs"
  count  = length(var.gpu) > 0 ? 1 : 0

  name               = local.name
  account_id         = var.account_id
  kms_key_arn        = module.kms.key_arn
  subnet_ids         = module.vpc.private_subnet_ids
  security_group_ids = [module.security_groups.ids["efs"]]
}

module "gpu" {
  source   = "../gpu-group"
  for_each = var.gpu

  name                = local.name
  environment         = var.environment
  account_id          = var.account_id
  region              = var.region
  kms_key_arn         = module.kms.key_arn
  subnet_ids          = module.vpc.private_subnet_ids
  security_group_ids  = [module.security_groups.ids["gpu"]]
  tier                = each.key
  instance_types      = each.value.instance_types
  gpus                = each.value.gpus
  min_size            = each.value.min
  max_size            = each.value.max
  spot                = each.value.spot
  queue_name          = module.queues.names[each.key]
  queue_arn           = module.queues.arns[each.key]
  bucket_name         = module.files.name
  image_parameter     = aws_ssm_parameter.worker_image.name
  settings            = local.settings.worker
  secret_names        = { for setting, name in local.secrets_of.worker : setting => module.secrets.names[name] }
  efs_id              = module.efs[0].file_system_id
  efs_access_point_id = module.efs[0].access_point_id
}

module "monitoring" {
  source = "../monitoring"

  name                 = local.name
  region               = var.region
  topic_arns           = module.topics.arns
  load_balancer_suffix = module.load_balancer.arn_suffix
  cluster_name         = module.cluster.name
  service_name         = "invokeai-api"
  db_cluster           = module.aurora.cluster_identifier
  max_connections      = module.aurora.max_connections
  redis_nodes          = module.redis.node_ids
  bucket_name          = module.files.name
  queue_names          = module.queues.names
  dead_queue_names     = module.queues.dead_names
  surge_policy_arns    = { for tier, group in module.gpu : tier => group.surge_policy_arn if var.gpu[tier].max > var.gpu[tier].min }
}

module "delivery" {
  source = "../delivery"

  name               = local.name
  account_id         = var.account_id
  region             = var.region
  repository         = var.repository
  github_environment = var.environment
  cluster_name       = local.name
  services           = concat(["invokeai-api", "invokeai-scheduler"], module.mock_worker[*].service_name)
  task_families      = concat(["invokeai-api", "invokeai-scheduler", "invokeai-migrate"], [for w in module.mock_worker : w.facts.family])
  gpu_group_names    = flatten([for group in module.gpu : values(group.group_names)])
  page_bucket        = module.page.name
  distribution_arn   = module.cloudfront.distribution_arn
  image_parameter    = aws_ssm_parameter.worker_image.name
  kms_key_arn        = module.kms.key_arn
  db_cluster         = var.aurora.cluster_identifier
  source_account_id  = var.source_account_id
}
