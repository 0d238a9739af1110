mock_provider "aws" {}

variables {
  name                  = "invokeai-production"
  account_id            = "111122223333"
  kms_key_arn           = "arn:aws:kms:ap-northeast-2:111122223333:key/k"
  notify_topic_arn      = "arn:aws:sns:ap-northeast-2:111122223333:t"
  db_cluster_arn        = "arn:aws:rds:ap-northeast-2:111122223333:cluster:invokeai-saas-db"
  bucket_arn            = "arn:aws:s3:::invokeai-saas-production"
  db_subnet_group       = "invokeai-saas-db"
  db_security_group_ids = ["sg-aurora"]
  locked                = true
}

run "copies_every_night" {
  command = plan

  assert {
    condition     = one(aws_backup_plan.this.rule).schedule == "cron(0 19 * * ? *)" && output.keep_days == 35
    error_message = "Every night, kept for 35 days."
  }

  assert {
    condition     = aws_backup_selection.this.resources == toset([var.db_cluster_arn, var.bucket_arn])
    error_message = "Records and files."
  }

  assert {
    condition     = aws_backup_vault.this.kms_key_arn == var.kms_key_arn && aws_backup_vault_lock_configuration.this[0].min_retention_days == 7
    error_message = "Encrypted, and not to be deleted within a week."
  }
}

run "a_restore_drill_every_week" {
  command = plan

  assert {
    condition     = output.drill == "cron(0 20 ? * SUN *)" && aws_backup_restore_testing_selection.records.protected_resource_type == "Aurora" && aws_backup_restore_testing_selection.records.validation_window_hours == 4
    error_message = "Each Sunday the newest copy becomes a cluster for four hours."
  }

  assert {
    condition     = aws_cloudwatch_event_target.failed.arn == var.notify_topic_arn && strcontains(aws_cloudwatch_event_rule.failed.event_pattern, "Restore Job State Change")
    error_message = "A drill that fails is told."
  }
}
