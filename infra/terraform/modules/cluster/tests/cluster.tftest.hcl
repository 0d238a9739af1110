mock_provider "aws" {}

variables {
  name        = "invokeai-staging"
  kms_key_arn = "arn:aws:kms:ap-northeast-2:111122223333:key/k"
}

run "watched_and_recorded" {
  command = plan

  assert {
    condition     = aws_ecs_cluster.this.name == "invokeai-staging" && one(aws_ecs_cluster.this.setting).value == "enhanced"
    error_message = "Figures of every container."
  }

  assert {
    condition     = one(one(aws_ecs_cluster.this.configuration).execute_command_configuration).logging == "OVERRIDE"
    error_message = "Shells in tasks are recorded."
  }
}
