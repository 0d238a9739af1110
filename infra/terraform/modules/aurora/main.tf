# A serverless writer and readers by number. The master password is made, kept and renewed by RDS in Secrets Manager:
# Terraform never sees it, so it is in no state.

locals {
  instances = concat(["writer"], [for i in range(var.readers) : "reader-${i + 1}"])
}

resource "aws_db_subnet_group" "this" {
  name       = var.cluster_identifier
  subnet_ids = var.subnet_ids
}

resource "aws_rds_cluster_parameter_group" "this" {
  name        = var.cluster_identifier
  family      = "aurora-postgresql16"
  description = "TLS demanded, slow statements and DDL in the log"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  parameter {
    name  = "log_min_duration_statement"
    value = "1000"
  }

  parameter {
    name  = "log_statement"
    value = "ddl"
  }

  # 75 connections an API process (20 + 10 and 30 + 15); left to Aurora it would follow the ACU of the moment.
  parameter {
    name         = "max_connections"
    value        = "1000"
    apply_method = "pending-reboot"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_rds_cluster" "this" {
  cluster_identifier = var.cluster_identifier
  engine             = "aurora-postgresql"
  engine_mode        = "provisioned" # serverless v2 is a size of instance, not a mode
  engine_version     = var.engine_version
  database_name      = "invokeai"

  master_username               = "invokeai_admin"
  manage_master_user_password   = true
  master_user_secret_kms_key_id = var.kms_key_arn

  db_subnet_group_name                = aws_db_subnet_group.this.name
  vpc_security_group_ids              = var.security_group_ids
  db_cluster_parameter_group_name     = aws_rds_cluster_parameter_group.this.name
  iam_database_authentication_enabled = true

  storage_encrypted = true
  kms_key_id        = var.kms_key_arn

  backup_retention_period      = var.backup_days
  preferred_backup_window      = "03:00-04:00"
  preferred_maintenance_window = "sun:18:00-sun:19:00"
  copy_tags_to_snapshot        = true
  deletion_protection          = var.deletion_protection
  skip_final_snapshot          = false
  final_snapshot_identifier    = "${var.cluster_identifier}-final"

  enabled_cloudwatch_logs_exports = ["postgresql"]

  serverlessv2_scaling_configuration {
    min_capacity = var.min_acu
    max_capacity = var.max_acu
  }

  lifecycle {
    ignore_changes = [engine_version] # minor versions come by themselves
  }
}

resource "aws_rds_cluster_instance" "this" {
  for_each = toset(local.instances)

  identifier         = "${var.cluster_identifier}-${each.key}"
  cluster_identifier = aws_rds_cluster.this.id
  engine             = aws_rds_cluster.this.engine
  engine_version     = aws_rds_cluster.this.engine_version
  instance_class     = "db.serverless"
  availability_zone  = var.zones[index(local.instances, each.key) % length(var.zones)]

  publicly_accessible        = false
  auto_minor_version_upgrade = true
  promotion_tier             = each.key == "reader-1" || each.key == "writer" ? 0 : 1
  ca_cert_identifier         = "rds-ca-rsa2048-g1"

  performance_insights_enabled          = var.performance_insights
  performance_insights_kms_key_id       = var.performance_insights ? var.kms_key_arn : null
  performance_insights_retention_period = var.performance_insights ? 7 : null

  monitoring_interval = 60
  monitoring_role_arn = aws_iam_role.monitoring.arn

  tags = { Role = split("-", each.key)[0] }
}

resource "aws_iam_role" "monitoring" {
  name = "${var.cluster_identifier}-monitoring"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "monitoring.rds.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  role       = aws_iam_role.monitoring.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}

resource "aws_cloudwatch_log_group" "postgresql" {
  name              = "/aws/rds/cluster/${var.cluster_identifier}/postgresql"
  retention_in_days = 365
  kms_key_id        = var.kms_key_arn
}

# Readers beyond the fixed ones, when reading is what the cluster is busy with.
resource "aws_appautoscaling_target" "readers" {
  count = var.max_readers > var.readers ? 1 : 0

  service_namespace  = "rds"
  scalable_dimension = "rds:cluster:ReadReplicaCount"
  resource_id        = "cluster:${aws_rds_cluster.this.cluster_identifier}"
  min_capacity       = var.readers
  max_capacity       = var.max_readers
}

resource "aws_appautoscaling_policy" "readers" {
  count = var.max_readers > var.readers ? 1 : 0

  name               = "${var.cluster_identifier}-readers"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.readers[0].service_namespace
  scalable_dimension = aws_appautoscaling_target.readers[0].scalable_dimension
  resource_id        = aws_appautoscaling_target.readers[0].resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = 60
    scale_in_cooldown  = 600
    scale_out_cooldown = 300

    predefined_metric_specification {
      predefined_metric_type = "RDSReaderAverageCPUUtilization"
    }
  }
}
