# Copies beside Aurora's own, in a vault of their own, and a drill every week: the newest copy is restored for real, looked
# at for a few hours, and thrown away. A restore that fails is told.

resource "aws_backup_vault" "this" {
  name        = var.name
  kms_key_arn = var.kms_key_arn
}

resource "aws_backup_vault_lock_configuration" "this" {
  count = var.locked ? 1 : 0

  backup_vault_name   = aws_backup_vault.this.name
  changeable_for_days = 7
  min_retention_days  = 7
  max_retention_days  = 365
}

resource "aws_iam_role" "this" {
  name = "${var.name}-backup"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "backup.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = toset([
    "service-role/AWSBackupServiceRolePolicyForBackup",
    "service-role/AWSBackupServiceRolePolicyForRestores",
    "AWSBackupServiceRolePolicyForS3Backup",
    "AWSBackupServiceRolePolicyForS3Restore",
  ])

  role       = aws_iam_role.this.name
  policy_arn = "arn:aws:iam::aws:policy/${each.key}"
}

resource "aws_backup_plan" "this" {
  name = var.name

  rule {
    rule_name                = "nightly"
    target_vault_name        = aws_backup_vault.this.name
    schedule                 = "cron(0 19 * * ? *)" # 04:00 in Seoul, after Aurora's own window has begun
    start_window             = 60
    completion_window        = 480
    enable_continuous_backup = false

    lifecycle {
      delete_after = var.keep_days
    }
  }
}

resource "aws_backup_selection" "this" {
  name         = "records-and-files"
  plan_id      = aws_backup_plan.this.id
  iam_role_arn = aws_iam_role.this.arn
  resources    = [var.db_cluster_arn, var.bucket_arn]
}

resource "aws_backup_restore_testing_plan" "drill" {
  name                         = replace("${var.name}_drill", "-", "_")
  schedule_expression          = "cron(0 20 ? * SUN *)"
  schedule_expression_timezone = "Etc/UTC"
  start_window_hours           = 2

  recovery_point_selection {
    algorithm             = "LATEST_WITHIN_WINDOW"
    include_vaults        = [aws_backup_vault.this.arn]
    recovery_point_types  = ["SNAPSHOT"]
    selection_window_days = 7
  }
}

resource "aws_backup_restore_testing_selection" "records" {
  name                      = "records"
  restore_testing_plan_name = aws_backup_restore_testing_plan.drill.name
  protected_resource_type   = "Aurora"
  protected_resource_arns   = [var.db_cluster_arn]
  iam_role_arn              = aws_iam_role.this.arn
  validation_window_hours   = 4

  restore_metadata_overrides = {
    dbSubnetGroupName   = var.db_subnet_group
    vpcSecurityGroupIds = jsonencode(var.db_security_group_ids)
  }
}

resource "aws_cloudwatch_event_rule" "failed" {
  name        = "${var.name}-backup-failed"
  description = "A copy or a drill that did not work"

  event_pattern = jsonencode({
    source        = ["aws.backup"]
    "detail-type" = ["Backup Job State Change", "Restore Job State Change"]
    detail        = { status = ["FAILED", "ABORTED", "EXPIRED"] }
  })
}

resource "aws_cloudwatch_event_target" "failed" {
  rule = aws_cloudwatch_event_rule.failed.name
  arn  = var.notify_topic_arn
}
