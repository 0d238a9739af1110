# Where things are kept.

module "aurora" {
  source = "../aurora"

  account_id           = var.account_id
  kms_key_arn          = module.kms.key_arn
  subnet_ids           = module.vpc.data_subnet_ids
  security_group_ids   = [module.security_groups.ids["aurora"]]
  cluster_identifier   = var.aurora.cluster_identifier
  min_acu              = var.aurora.min_acu
  max_acu              = var.aurora.max_acu
  readers              = var.aurora.readers
  max_readers          = var.aurora.max_readers
  backup_days          = var.aurora.backup_days
  deletion_protection  = var.aurora.deletion_protection
  performance_insights = var.aurora.performance_insights
}

module "redis" {
  source = "../redis"

  name               = local.name
  kms_key_arn        = module.kms.key_arn
  subnet_ids         = module.vpc.data_subnet_ids
  security_group_ids = [module.security_groups.ids["redis"]]
  node_type          = var.redis_node_type
}

module "queues" {
  source = "../queues"

  name        = "invokeai"
  account_id  = var.account_id
  region      = var.region
  kms_key_arn = module.kms.key_arn
}

module "logs" {
  source = "../bucket"

  account_id               = var.account_id
  bucket_name              = "${local.bucket}-logs"
  writable_by_log_delivery = true
  expire_days              = 365
  force_destroy            = !var.aurora.deletion_protection
}

module "files" {
  source = "../bucket"

  account_id             = var.account_id
  bucket_name            = local.bucket
  kms_key_arn            = module.kms.key_arn
  log_bucket             = module.logs.name
  infrequent_prefixes    = ["users/"]
  old_version_days       = 7 # what a person deletes is gone for good within a week
  readable_by_cloudfront = true
  edge_prefixes          = ["users/", "models/", "system/"]
  force_destroy          = !var.aurora.deletion_protection
}

# InvokeAI's page, which the pipeline puts there.
module "page" {
  source = "../bucket"

  account_id             = var.account_id
  bucket_name            = "${local.bucket}-page"
  kms_key_arn            = module.kms.key_arn
  log_bucket             = module.logs.name
  readable_by_cloudfront = true
  force_destroy          = !var.aurora.deletion_protection
}

module "backup" {
  source = "../backup"

  name                  = local.name
  account_id            = var.account_id
  kms_key_arn           = module.kms.key_arn
  notify_topic_arn      = module.topics.arns["high"]
  db_cluster_arn        = module.aurora.cluster_arn
  bucket_arn            = module.files.arn
  locked                = var.backup_locked
  db_subnet_group       = var.aurora.cluster_identifier
  db_security_group_ids = [module.security_groups.ids["aurora"]]
}
