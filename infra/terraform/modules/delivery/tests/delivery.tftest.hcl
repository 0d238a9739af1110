mock_provider "aws" {}

variables {
  name               = "invokeai-production"
  account_id         = "111122223333"
  region             = "ap-northeast-2"
  repository         = "someone/invokeai-saas"
  github_environment = "production"
  cluster_name       = "invokeai-production"
  services           = ["invokeai-api", "invokeai-scheduler"]
  task_families      = ["invokeai-api", "invokeai-migrate"]
  gpu_group_names    = ["invokeai-production-gpu-basic"]
  page_bucket        = "invokeai-saas-production-page"
  distribution_arn   = "arn:aws:cloudfront::111122223333:distribution/E1"
  image_parameter    = "/invokeai/production/worker-image"
  db_cluster         = "invokeai-saas-db"
  source_account_id  = "444455556666"
  kms_key_arn        = "arn:aws:kms:ap-northeast-2:111122223333:key/k"
}

run "who_may_take_the_role" {
  command = plan

  assert {
    condition = jsondecode(aws_iam_role.deploy.assume_role_policy).Statement[0].Condition == {
      StringEquals = {
        "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
        "token.actions.githubusercontent.com:sub" = "repo:someone/invokeai-saas:environment:production"
      }
    }
    error_message = "Jobs of this repository's environment, and no pull request's."
  }

  assert {
    condition     = aws_iam_role.deploy.max_session_duration == 7200 && aws_iam_openid_connect_provider.github.client_id_list == toset(["sts.amazonaws.com"])
    error_message = "For two hours, by OpenID Connect."
  }
}

run "what_it_may_do" {
  command = plan

  assert {
    condition     = toset([for s in jsondecode(aws_iam_role_policy.deploy.policy).Statement : s.Sid if jsonencode(s.Resource) == jsonencode(["*"])]) == toset(["Registry", "TaskDefinitions", "IsAllWell"])
    error_message = "Everything that has a resource names it."
  }

  assert {
    condition     = one([for s in jsondecode(aws_iam_role_policy.deploy.policy).Statement : s.Condition.StringEquals["iam:PassedToService"] if s.Sid == "RolesOfTasks"]) == "ecs-tasks.amazonaws.com"
    error_message = "Roles go to tasks only."
  }

  assert {
    condition     = one([for s in jsondecode(aws_iam_role_policy.deploy.policy).Statement : jsonencode(s.Resource) if s.Sid == "Migrate"]) == jsonencode(["arn:aws:ecs:ap-northeast-2:111122223333:task-definition/invokeai-migrate:*"])
    error_message = "The only task it starts is the migration."
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.deploy.policy, "secretsmanager") && !strcontains(aws_iam_role_policy.deploy.policy, "iam:Create") && !strcontains(aws_iam_role_policy.deploy.policy, "iam:Attach")
    error_message = "The pipeline reads no secret and gives no rights."
  }
}

run "a_drill_can_delete_its_copy_only" {
  command = plan

  assert {
    condition     = jsondecode(aws_iam_role.drill.assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] == "repo:someone/invokeai-saas:environment:drill-production"
    error_message = "An environment of its own, which nobody has to approve."
  }

  assert {
    condition = one([for s in jsondecode(aws_iam_role_policy.drill.policy).Statement : jsonencode(s.Resource) if contains(s.Action, "rds:DeleteDBCluster")]) == jsonencode([
      "arn:aws:rds:ap-northeast-2:111122223333:cluster:invokeai-saas-db-drill", "arn:aws:rds:ap-northeast-2:111122223333:db:invokeai-saas-db-drill-1"
    ])
    error_message = "It deletes the copy, and nothing else."
  }
}

run "images_come_from_where_they_were_tested" {
  command = plan

  assert {
    condition     = one([for s in jsondecode(aws_iam_role_policy.deploy.policy).Statement : jsonencode(s.Resource) if s.Sid == "ImagesOfSource"]) == jsonencode(["arn:aws:ecr:ap-northeast-2:444455556666:repository/invokeai-*"])
    error_message = "Production reads staging's registry."
  }
}
