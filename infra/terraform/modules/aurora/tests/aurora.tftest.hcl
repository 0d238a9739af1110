mock_provider "aws" {}

variables {
  account_id           = "111122223333"
  kms_key_arn          = "arn:aws:kms:ap-northeast-2:111122223333:key/k"
  subnet_ids           = ["subnet-a", "subnet-b"]
  security_group_ids   = ["sg-aurora"]
  cluster_identifier   = "invokeai-saas-db"
  max_acu              = 32
  readers              = 1
  max_readers          = 2
  backup_days          = 7
  deletion_protection  = true
  performance_insights = true
}

run "serverless_16_with_writer_and_reader" {
  command = plan

  assert {
    condition     = aws_rds_cluster.this.engine == "aurora-postgresql" && startswith(aws_rds_cluster.this.engine_version, "16.")
    error_message = "Aurora PostgreSQL 16."
  }

  assert {
    condition     = toset(keys(aws_rds_cluster_instance.this)) == toset(["writer", "reader-1"])
    error_message = "A writer, and readers by number."
  }

  assert {
    condition     = alltrue([for i in aws_rds_cluster_instance.this : i.instance_class == "db.serverless"])
    error_message = "Serverless v2."
  }

  assert {
    condition     = aws_rds_cluster_instance.this["writer"].availability_zone == "ap-northeast-2a" && aws_rds_cluster_instance.this["reader-1"].availability_zone == "ap-northeast-2b"
    error_message = "Writer and reader stand in different zones."
  }

  assert {
    condition     = aws_rds_cluster_instance.this["reader-1"].promotion_tier == 0
    error_message = "The first reader takes over at once when the writer fails: that keeps fail-over below 30 s."
  }

  assert {
    condition     = aws_appautoscaling_target.readers[0].min_capacity == 1 && aws_appautoscaling_target.readers[0].max_capacity == 2
    error_message = "Readers grow to two."
  }
}

run "figures" {
  command = plan

  assert {
    condition = output.facts == {
      cluster              = "invokeai-saas-db"
      engine_version       = "16.6"
      min_acu              = 0.5
      max_acu              = 32
      readers              = 1
      max_readers          = 2
      backup_days          = 7
      backup_window        = "03:00-04:00"
      deletion_protection  = true
      performance_insights = true
      encrypted            = true
      public               = false
    }
    error_message = "The figures of the tables."
  }
}

run "no_password_and_no_plain_connection" {
  command = plan

  assert {
    condition     = aws_rds_cluster.this.manage_master_user_password && aws_rds_cluster.this.master_password == null
    error_message = "RDS keeps the master password; no state has it."
  }

  assert {
    condition     = one([for p in aws_rds_cluster_parameter_group.this.parameter : p.value if p.name == "rds.force_ssl"]) == "1"
    error_message = "TLS is demanded."
  }

  assert {
    condition     = aws_rds_cluster.this.skip_final_snapshot == false && aws_rds_cluster.this.final_snapshot_identifier == "invokeai-saas-db-final"
    error_message = "A last snapshot is taken before deletion."
  }

  assert {
    condition     = aws_rds_cluster.this.kms_key_id == var.kms_key_arn && aws_rds_cluster.this.storage_encrypted
    error_message = "KMS at rest."
  }
}

run "no_reader_and_no_growth_in_dev" {
  command = plan

  variables {
    cluster_identifier   = "invokeai-dev-db"
    readers              = 0
    max_readers          = 0
    performance_insights = false
  }

  assert {
    condition     = keys(aws_rds_cluster_instance.this) == ["writer"] && length(aws_appautoscaling_target.readers) == 0
    error_message = "A writer alone."
  }
}

run "other_major_versions_are_refused" {
  command = plan

  variables {
    engine_version = "15.4"
  }

  expect_failures = [var.engine_version]
}
