mock_provider "aws" {
  mock_data "aws_ec2_managed_prefix_list" {
    defaults = { id = "pl-1", entries = [{ cidr = "203.0.113.0/24", description = "edge" }] }
  }

  mock_data "aws_ssm_parameter" {
    defaults = { insecure_value = "ami-0123456789abcdef0" }
  }
}

mock_provider "aws" {
  alias = "us_east_1"
}

variables {
  environment     = "dev"
  account_id      = "111122223333"
  region          = "ap-northeast-2"
  domain_name     = "invokeai.example.com"
  zone_id         = "Z1"
  repository      = "someone/invokeai-saas"
  api_image       = "111122223333.dkr.ecr.ap-northeast-2.amazonaws.com/invokeai-api@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  worker_image    = "111122223333.dkr.ecr.ap-northeast-2.amazonaws.com/invokeai-gpu-worker@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  api_tasks       = 1
  api_max_tasks   = 1
  redis_node_type = "cache.t4g.small"
  mock_worker     = true
  monthly_usd     = 500
  gpu             = {}

  aurora = {
    cluster_identifier   = "invokeai-dev-db"
    max_acu              = 4
    readers              = 0
    max_readers          = 0
    backup_days          = 1
    deletion_protection  = false
    performance_insights = false
  }
}

run "rights_by_prefix" {
  command = plan

  assert {
    condition = jsonencode({ for process, statements in local.rights : process => { for s in statements : s.Sid => s.Resource if startswith(s.Sid, "Files") || s.Sid == "Pictures" } }) == jsonencode({
      api = {
        FilesForAll   = ["arn:aws:s3:::invokeai-saas-dev/models/shared/covers/*", "arn:aws:s3:::invokeai-saas-dev/system/*"]
        FilesOfPeople = ["arn:aws:s3:::invokeai-saas-dev/users/*", "arn:aws:s3:::invokeai-saas-dev/models/users/*"]
      }
      scheduler = {
        FilesForAll   = ["arn:aws:s3:::invokeai-saas-dev/models/shared/*", "arn:aws:s3:::invokeai-saas-dev/system/*"]
        FilesOfPeople = ["arn:aws:s3:::invokeai-saas-dev/users/*", "arn:aws:s3:::invokeai-saas-dev/models/users/*"]
      }
      models  = { FilesForAll = ["arn:aws:s3:::invokeai-saas-dev/models/shared/*"] }
      worker  = { Pictures = ["arn:aws:s3:::invokeai-saas-dev/users/*/images/*", "arn:aws:s3:::invokeai-saas-dev/users/*/uploads/*"] }
      migrate = {}
    })
    error_message = "Each task has rights by prefix, migrations have none, and the task of the models reads."
  }

  assert {
    condition     = !contains(flatten([for s in local.rights.api : s.Action]), "s3:ListBucket") && [for s in local.rights.scheduler : s.Condition.StringLikeIfExists["s3:prefix"] if s.Sid == "Names"][0] == ["users/*", "models/*", "system/*"]
    error_message = "Only the scheduler lists, and by prefix."
  }

  assert {
    condition = jsonencode({ for process, statements in local.rights : process => flatten([for s in statements : s.Action if anytrue([for a in s.Action : startswith(a, "sqs:")])]) }) == jsonencode({
      api       = ["sqs:SendMessage"]
      scheduler = ["sqs:SendMessage", "sqs:GetQueueAttributes"]
      models    = []
      worker    = ["sqs:ReceiveMessage", "sqs:DeleteMessage"]
      migrate   = []
    })
    error_message = "The API rings, workers hear, the scheduler rings again where nobody has."
  }
}

run "people_of_the_pool" {
  command = plan

  assert {
    condition     = { for process, statements in local.rights : process => flatten([for s in statements : s.Action if s.Sid == "People"]) } == { api = ["cognito-idp:AdminGetUser"], scheduler = ["cognito-idp:AdminDeleteUser", "cognito-idp:AdminGetUser"], worker = [], migrate = [], models = [] }
    error_message = "The API looks people up, the scheduler deletes them, and nobody else may do either."
  }

  assert {
    condition     = local.settings.api["COGNITO_HOSTED_URL"] == "https://invokeai-dev-111122223333.auth.ap-northeast-2.amazoncognito.com"
    error_message = "The API offers the pool's page."
  }

  assert {
    condition     = contains(keys(local.settings.scheduler), "COGNITO_USER_POOL_ID") && !contains(keys(local.settings.worker), "COGNITO_USER_POOL_ID")
    error_message = "Who deletes people knows the pool, workers do not."
  }
}

run "secrets_are_named_and_read_by_who_needs_them" {
  command = plan

  assert {
    condition = jsonencode(local.named_secrets) == jsonencode({
      api = {
        DATABASE_AUTH_URL     = "aws-secret:invokeai/dev/database-auth-url"
        DATABASE_STAFF_URL    = "aws-secret:invokeai/dev/database-staff-url"
        DATABASE_URL          = "aws-secret:invokeai/dev/database-url"
        IDENTITY_SECRET       = "aws-secret:invokeai/dev/identity-secret"
        ISSUER_KEY            = "aws-secret:invokeai/dev/issuer-key"
        MEDIA_SIGNING_KEY     = "aws-secret:invokeai/dev/media-signing-key"
        REDIS_URL             = "aws-secret:invokeai/dev/redis-url"
        STRIPE_SECRET_KEY     = "aws-secret:invokeai/dev/stripe-secret-key"
        STRIPE_WEBHOOK_SECRET = "aws-secret:invokeai/dev/stripe-webhook-secret"
      }
      scheduler = {
        DATABASE_AUTH_URL     = "aws-secret:invokeai/dev/database-auth-url"
        DATABASE_BILLING_URL  = "aws-secret:invokeai/dev/database-billing-url"
        DATABASE_WORKER_URL   = "aws-secret:invokeai/dev/database-worker-url"
        IDENTITY_SECRET       = "aws-secret:invokeai/dev/identity-secret"
        REDIS_URL             = "aws-secret:invokeai/dev/redis-url"
        STRIPE_SECRET_KEY     = "aws-secret:invokeai/dev/stripe-secret-key"
        STRIPE_WEBHOOK_SECRET = "aws-secret:invokeai/dev/stripe-webhook-secret"
      }
      worker = {
        DATABASE_WORKER_URL = "aws-secret:invokeai/dev/database-worker-url"
        MEDIA_SIGNING_KEY   = "aws-secret:invokeai/dev/media-signing-key"
        REDIS_URL           = "aws-secret:invokeai/dev/redis-url"
      }
    })
    error_message = "Each process that runs on is told names of its secrets, so that it notices when one is another."
  }

  assert {
    condition = jsonencode({ for process, statement in local.read_secrets : process => statement.Resource }) == jsonencode({
      for process, named in local.named_secrets : process => [
        for value in sort(values(named)) : "arn:aws:secretsmanager:ap-northeast-2:111122223333:secret:${trimprefix(value, "aws-secret:")}-??????"
      ]
    })
    error_message = "It may read these and no other."
  }

  assert {
    condition     = alltrue([for process, statement in local.read_secrets : jsonencode(statement.Action) == jsonencode(["secretsmanager:GetSecretValue"]) && alltrue([for arn in statement.Resource : length(regexall("[*]", arn)) == 0])])
    error_message = "Reading, by whole names."
  }

  assert {
    condition     = alltrue([for process in ["api", "scheduler", "worker"] : length([for s in local.rights[process] : s if s.Sid == "Key" && contains(s.Action, "kms:Decrypt")]) == 1])
    error_message = "With the key that secrets lie under."
  }

  assert {
    condition     = alltrue([for told in [module.api.told, module.scheduler.told, module.mock_worker[0].told] : length(told.injected) == 0]) && module.api.told.environment["DATABASE_URL"] == "aws-secret:invokeai/dev/database-url" && module.scheduler.told.environment["DATABASE_BILLING_URL"] == "aws-secret:invokeai/dev/database-billing-url" && module.mock_worker[0].told.environment["REDIS_URL"] == "aws-secret:invokeai/dev/redis-url"
    error_message = "ECS puts no value into processes that run on."
  }

  assert {
    condition     = module.migrate.told.injected == tolist(["DATABASE_OWNER_URL"]) && !contains(keys(local.read_secrets), "migrate") && !contains(keys(local.read_secrets), "roles")
    error_message = "What is started for one thing is given values, and reads nothing itself."
  }
}

run "only_the_scheduler_purges_the_edge" {
  command = plan

  assert {
    condition     = [for process, statements in local.rights : process if length([for s in statements : s if s.Sid == "Purge"]) > 0] == ["scheduler"] && [for s in local.rights.scheduler : s.Action if s.Sid == "Purge"] == [["cloudfront:CreateInvalidation"]]
    error_message = "Only the scheduler may, and it may nothing else there."
  }

  assert {
    condition     = [for process, settings in local.settings : process if contains(keys(settings), "CLOUDFRONT_DISTRIBUTION_ID")] == ["scheduler"]
    error_message = "The scheduler knows the distribution."
  }
}

run "every_hop_before_the_api_is_named" {
  command = plan

  assert {
    condition     = local.trusted_proxies == "10.0.1.0/24,10.0.2.0/24,203.0.113.0/24"
    error_message = "The load balancer's subnets and CloudFront's addresses."
  }

  assert {
    condition     = local.settings.api["PUBLIC_URL"] == "https://invokeai.example.com" && local.settings.api["DEPLOYMENT_MODE"] == "saas" && local.settings.scheduler["MAIL_ADAPTER"] == "ses"
    error_message = "Settings of the processes."
  }
}
