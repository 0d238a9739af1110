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
  account_id     = "111122223333"
  domain_name    = "invokeai.example.com"
  zone_id        = "Z1"
  repository     = "someone/invokeai-saas"
  api_image      = "111122223333.dkr.ecr.ap-northeast-2.amazonaws.com/invokeai-api@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  worker_image   = "111122223333.dkr.ecr.ap-northeast-2.amazonaws.com/invokeai-gpu-worker@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  slack_team_id  = "T0000000"
  slack_channels = { high = "C0000001", medium = "C0000002" }
}

run "tables_of_the_requirements" {
  command = plan

  assert {
    condition = jsonencode(output.facts.api) == jsonencode({
      tasks   = 2, max_tasks = 2, cpu = 2048, memory = 4096, log_group = "/ecs/invokeai-api", network = "awsvpc"
      command = "invokeai-saas api", family = "invokeai-api"
    })
    error_message = "API tasks of 2 vCPU and 4 GB: 2."
  }

  assert {
    condition = jsonencode(output.facts.aurora) == jsonencode({
      cluster     = "invokeai-staging-db", engine_version = "16.6", min_acu = 0.5, max_acu = 8, readers = 1, max_readers = 1
      backup_days = 3, backup_window = "03:00-04:00", deletion_protection = true, performance_insights = true, encrypted = true, public = false
    })
    error_message = "Aurora: 1 readers, 0.5-8 ACU, 3 days of backups, delete protection true, Performance Insights true."
  }

  assert {
    condition = jsonencode(output.facts.gpu) == jsonencode({
      basic = { tier = "basic", instance_types = ["g4dn.xlarge"], min = 1, max = 1, workers = 1, spot = false, fallback = false }
    })
    error_message = "GPU groups."
  }

  assert {
    condition     = output.facts.bucket == "invokeai-saas-staging" && output.facts.cluster == "invokeai-staging"
    error_message = "A bucket and a cluster of its own."
  }

  assert {
    condition     = output.facts.mock_worker == null
    error_message = "No mock worker."
  }

  assert {
    condition = jsonencode(output.facts.subnets) == jsonencode({
      public  = { ap-northeast-2a = "10.0.1.0/24", ap-northeast-2b = "10.0.2.0/24" }
      private = { ap-northeast-2a = "10.0.11.0/24", ap-northeast-2b = "10.0.12.0/24" }
      data    = { ap-northeast-2a = "10.0.21.0/24", ap-northeast-2b = "10.0.22.0/24" }
    })
    error_message = "Subnets."
  }

  assert {
    condition     = output.facts.nat_gateways == 2 && output.facts.redis_nodes == 2
    error_message = "A NAT gateway a zone; a primary and a replica."
  }

  assert {
    condition = jsonencode(output.facts.rules) == jsonencode({
      alb-from-cloudfront = 443, alb-http-from-cloudfront = 80, api-from-alb = 8080
      aurora-from-api     = 5432, aurora-from-gpu = 5432, aurora-from-migrate = 5432, aurora-from-scheduler = 5432
      redis-from-api      = 6379, redis-from-gpu = 6379, redis-from-scheduler = 6379, efs-from-gpu = 2049
    })
    error_message = "Who may speak to whom."
  }

  assert {
    condition     = output.facts.health_check == { path = "/api/v1/app/version", interval = 30, timeout = 5, tries = 3 }
    error_message = "Health."
  }

  assert {
    condition     = output.facts.behaviours["/api/*"] == "api" && output.facts.behaviours["/ws/*"] == "api" && output.facts.behaviours["/images/*"] == "files" && output.facts.behaviours["/static/*"] == "page" && output.facts.behaviours["/openapi.json"] == "api"
    error_message = "Behaviours of CloudFront."
  }

  assert {
    condition     = output.facts.scheduler.tasks == 1 && output.facts.scheduler.command == "invokeai-saas scheduler" && output.facts.migrate.tasks == 0 && output.facts.migrate.command == "invokeai-saas migrate"
    error_message = "One scheduler; migrations are a task of their own."
  }

  assert {
    condition = jsonencode({ for process, secrets in output.secrets_of : process => keys(secrets) }) == jsonencode({
      api       = ["DATABASE_AUTH_URL", "DATABASE_READER_URL", "DATABASE_STAFF_URL", "DATABASE_URL", "IDENTITY_SECRET", "ISSUER_KEY", "MEDIA_SIGNING_KEY", "REDIS_URL", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"]
      scheduler = ["DATABASE_AUTH_URL", "DATABASE_BILLING_URL", "DATABASE_WORKER_URL", "IDENTITY_SECRET", "REDIS_URL", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"]
      worker    = ["DATABASE_WORKER_URL", "MEDIA_SIGNING_KEY", "REDIS_URL"]
      migrate   = ["DATABASE_OWNER_URL"]
      models    = ["DATABASE_OWNER_URL"]
      roles     = ["DATABASE_AUTH_URL", "DATABASE_BILLING_URL", "DATABASE_OWNER_URL", "DATABASE_STAFF_URL", "DATABASE_URL", "DATABASE_WORKER_URL"]
    })
    error_message = "Each process gets the secrets that it has a use for, and no others."
  }

  assert {
    condition     = alltrue([for process, names in output.settings : length(setintersection(names, keys(output.secrets_of[process]))) == 0])
    error_message = "No name stands in both settings and secrets."
  }

  assert {
    condition     = contains(output.facts.secrets, "invokeai/staging/database-url") && alltrue([for s in output.facts.secrets : startswith(s, "invokeai/staging/")])
    error_message = "invokeai/staging/..."
  }

  assert {
    condition     = jsonencode(output.facts.queues) == jsonencode({ basic = "invokeai-gpu-basic.fifo", dedicated = "invokeai-gpu-dedicated.fifo", high_performance = "invokeai-gpu-highperf.fifo" })
    error_message = "A queue a tier."
  }

  assert {
    condition = jsonencode(output.facts.alarms) == jsonencode({
      api-errors                        = { threshold = 5, seconds = 300, severity = "critical" }
      api-p99                           = { threshold = 5, seconds = 300, severity = "high" }
      aurora-acu                        = { threshold = 80, seconds = 600, severity = "high" }
      aurora-connections                = { threshold = 80, seconds = 180, severity = "critical" }
      aurora-lag                        = { threshold = 100, seconds = 180, severity = "medium" }
      s3-errors                         = { threshold = 1, seconds = 300, severity = "medium" }
      queue-depth-basic                 = { threshold = 100, seconds = 60, severity = "high" }
      queue-depth-high_performance      = { threshold = 100, seconds = 60, severity = "high" }
      queue-depth-dedicated             = { threshold = 100, seconds = 60, severity = "high" }
      redis-memory-invokeai-staging-001 = { threshold = 80, seconds = 300, severity = "medium" }
      redis-memory-invokeai-staging-002 = { threshold = 80, seconds = 300, severity = "medium" }
      dead-letters-basic                = { threshold = 0, seconds = 300, severity = "medium" }
      dead-letters-high_performance     = { threshold = 0, seconds = 300, severity = "medium" }
      dead-letters-dedicated            = { threshold = 0, seconds = 300, severity = "medium" }
    })
    error_message = "Alarms."
  }

  assert {
    condition     = length(output.facts.figures) == 16
    error_message = "Sixteen figures."
  }

  assert {
    condition     = output.pipeline.ECS_CLUSTER == "invokeai-staging" && output.pipeline.MIGRATION_FAMILY == "invokeai-migrate" && output.pipeline.WORKER_PARAMETER == "/invokeai/staging/worker-image" && output.pipeline.DATABASE_CLUSTER == "invokeai-staging-db" && output.pipeline.ALARMS == "invokeai-staging-api-errors invokeai-staging-api-p99 invokeai-staging-aurora-connections"
    error_message = "What the pipeline is told."
  }

  assert {
    condition     = output.facts.drill == "cron(0 20 ? * SUN *)" && output.facts.backup_days == 35
    error_message = "Copies, and a drill every week."
  }

  assert {
    condition     = output.tags == { Project = "invokeai-saas", Environment = "staging", Service = "invokeai", ManagedBy = "terraform" } && output.facts.monthly_usd == 1200
    error_message = "Tags, and what a month may cost."
  }
}
