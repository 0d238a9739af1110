mock_provider "aws" {}

variables {
  environment = "production"
  kms_key_arn = "arn:aws:kms:ap-northeast-2:111122223333:key/k"
  names       = ["database-url", "redis-url"]
}

run "names_and_key" {
  command = plan

  assert {
    condition     = output.names == { database-url = "invokeai/production/database-url", redis-url = "invokeai/production/redis-url" }
    error_message = "invokeai/ENVIRONMENT/NAME."
  }

  assert {
    condition     = alltrue([for s in aws_secretsmanager_secret.this : s.kms_key_id == var.kms_key_arn && s.recovery_window_in_days == 30])
    error_message = "Our key, and 30 days to think better of it."
  }
}
