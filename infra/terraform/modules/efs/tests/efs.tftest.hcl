mock_provider "aws" {}

variables {
  name               = "invokeai-production"
  account_id         = "111122223333"
  kms_key_arn        = "arn:aws:kms:ap-northeast-2:111122223333:key/k"
  subnet_ids         = ["subnet-a", "subnet-b"]
  security_group_ids = ["sg-efs"]
}

run "encrypted_and_fast_enough" {
  command = plan

  assert {
    condition     = aws_efs_file_system.this.encrypted && aws_efs_file_system.this.throughput_mode == "elastic"
    error_message = "KMS at rest; not bursting, which takes 11 minutes for a model."
  }

  assert {
    condition     = length(aws_efs_mount_target.this) == 2
    error_message = "A mount target a zone."
  }
}

run "bursting_is_refused" {
  command = plan

  variables {
    throughput_mode = "bursting"
  }

  expect_failures = [var.throughput_mode]
}
