mock_provider "aws" {}

variables {
  account_id           = "111122223333"
  region               = "ap-northeast-2"
  kms_key_arn          = "arn:aws:kms:ap-northeast-2:111122223333:key/k"
  family               = "invokeai-api"
  cluster_arn          = "arn:aws:ecs:ap-northeast-2:111122223333:cluster/invokeai-production"
  image                = "111122223333.dkr.ecr.ap-northeast-2.amazonaws.com/invokeai-api@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  command              = ["invokeai-saas", "api"]
  environment          = { DEPLOYMENT_MODE = "saas" }
  secrets              = { DATABASE_URL = "arn:aws:secretsmanager:ap-northeast-2:111122223333:secret:invokeai/production/database-url-a" }
  policy               = [{ Effect = "Allow", Action = ["s3:GetObject"], Resource = ["arn:aws:s3:::b/users/*"] }]
  subnet_ids           = ["subnet-a", "subnet-b"]
  security_group_ids   = ["sg-api"]
  tasks                = 2
  max_tasks            = 10
  target_group_arn     = "arn:aws:elasticloadbalancing:ap-northeast-2:111122223333:targetgroup/t/1"
  load_balancer_suffix = "app/a/1"
  target_group_suffix  = "targetgroup/t/1"
  listens              = true
  log_group            = "/ecs/invokeai-api"
}

run "the_api_as_required" {
  command = plan

  assert {
    condition = output.facts == {
      tasks   = 2, max_tasks = 10, cpu = 2048, memory = 4096, log_group = "/ecs/invokeai-api", network = "awsvpc"
      command = "invokeai-saas api", family = "invokeai-api"
    }
    error_message = "2 vCPU, 4 GB, awsvpc, /ecs/invokeai-api."
  }

  assert {
    condition     = toset(aws_ecs_task_definition.this.requires_compatibilities) == toset(["FARGATE"])
    error_message = "Fargate."
  }

  assert {
    condition     = local.container.portMappings[0].containerPort == 8080 && local.container.healthCheck.interval == 30 && local.container.healthCheck.timeout == 5 && local.container.healthCheck.retries == 3 && strcontains(local.container.healthCheck.command[3], "http://127.0.0.1:8080/api/v1/app/version")
    error_message = "Port 8080; health every 30 s, 5 s time-out, 3 tries, without curl."
  }

  assert {
    condition     = aws_iam_role.execution.name == "invokeai-api-execution" && aws_iam_role.task.name == "invokeai-api-task"
    error_message = "Separate execution and task roles."
  }

  assert {
    condition     = local.container.user != "0:0" && local.container.readonlyRootFilesystem && local.container.linuxParameters.initProcessEnabled
    error_message = "Not root, nothing to write to but scratch, an init as process 1."
  }
}

run "roles_have_what_they_need" {
  command = plan

  assert {
    condition     = one([for s in jsondecode(aws_iam_role_policy.execution.policy).Statement : s.Resource if s.Sid == "Secrets"]) == [var.secrets.DATABASE_URL]
    error_message = "Only the secrets of this task."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.task[0].policy).Statement[0].Resource == ["arn:aws:s3:::b/users/*"]
    error_message = "The task's own rights are its caller's."
  }

  assert {
    condition     = jsondecode(aws_iam_role.task.assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "111122223333"
    error_message = "Tasks of this account only."
  }
}

run "failed_deployments_roll_back" {
  command = plan

  assert {
    condition     = one(aws_ecs_service.this[0].deployment_circuit_breaker).rollback && one(aws_ecs_service.this[0].deployment_circuit_breaker).enable
    error_message = "Back to the task definition before."
  }

  assert {
    condition     = one(aws_ecs_service.this[0].network_configuration).assign_public_ip == false
    error_message = "No public address."
  }

  assert {
    condition     = one(aws_appautoscaling_policy.cpu[0].target_tracking_scaling_policy_configuration).target_value == 60 && one(aws_appautoscaling_policy.connections[0].target_tracking_scaling_policy_configuration).target_value == 500
    error_message = "Grows by processor and by connections."
  }
}

run "a_task_without_service" {
  command = plan

  variables {
    family           = "invokeai-migrate"
    command          = ["invokeai-saas", "migrate"]
    tasks            = 0
    max_tasks        = 0
    listens          = false
    target_group_arn = null
    log_group        = "/ecs/invokeai-migrate"
  }

  assert {
    condition     = length(aws_ecs_service.this) == 0 && !can(local.container.portMappings)
    error_message = "Started by itself, listening nowhere."
  }
}

run "tags_are_no_images" {
  command = plan

  variables {
    image = "111122223333.dkr.ecr.ap-northeast-2.amazonaws.com/invokeai-api:latest"
  }

  expect_failures = [var.image]
}

run "no_name_in_both_places" {
  command = plan

  variables {
    environment = { DATABASE_URL = "postgresql+asyncpg://x" }
  }

  expect_failures = [aws_ecs_task_definition.this]
}
