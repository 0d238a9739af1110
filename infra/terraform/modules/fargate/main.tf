# One process of ours on Fargate: a task, its two roles, its logs, and a service where it runs all the time.

locals {
  container = merge(
    {
      name                   = var.family
      image                  = var.image
      command                = var.command
      essential              = true
      readonlyRootFilesystem = true
      user                   = "10001:10001"
      stopTimeout            = 120
      linuxParameters        = { initProcessEnabled = true } # the watchdog's kill must not be aimed at process 1
      environment            = [for k in sort(keys(var.environment)) : { name = k, value = var.environment[k] }]
      secrets                = [for k in sort(keys(var.secrets)) : { name = k, valueFrom = var.secrets[k] }]
      mountPoints            = [{ sourceVolume = "scratch", containerPath = "/tmp", readOnly = false }, { sourceVolume = "data", containerPath = "/var/lib/invokeai", readOnly = false }]

      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = var.log_group
          awslogs-region        = var.region
          awslogs-stream-prefix = trimprefix(var.family, "invokeai-")
        }
      }
    },
    # ECS ignores the image's HEALTHCHECK; images have no curl.
    { for k, v in {
      portMappings = [{ containerPort = 8080, hostPort = 8080, protocol = "tcp" }]
      healthCheck = {
        command     = ["CMD", "python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/api/v1/app/version', timeout=4)"]
        interval    = 30
        timeout     = 5
        retries     = 3
        startPeriod = 60
      }
    } : k => v if var.listens },
  )
}

resource "aws_cloudwatch_log_group" "this" {
  name              = var.log_group
  retention_in_days = 365
  kms_key_id        = var.kms_key_arn
}

resource "aws_ecs_task_definition" "this" {
  family                   = var.family
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  container_definitions    = jsonencode([local.container])
  track_latest             = true # the pipeline registers newer ones
  skip_destroy             = true # a roll-back needs the older ones

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }

  ephemeral_storage {
    size_in_gib = var.scratch_gib
  }

  volume {
    name = "scratch"
  }

  volume {
    name = "data"
  }

  lifecycle {
    precondition {
      condition     = length(setintersection(keys(var.environment), keys(var.secrets))) == 0
      error_message = "ECS refuses a name that stands in both environment and secrets."
    }
  }
}

resource "aws_ecs_service" "this" {
  count = var.tasks > 0 ? 1 : 0

  name             = var.family
  cluster          = var.cluster_arn
  task_definition  = aws_ecs_task_definition.this.arn
  desired_count    = var.tasks
  launch_type      = "FARGATE"
  platform_version = "LATEST"
  propagate_tags   = "SERVICE"

  deployment_minimum_healthy_percent = var.replaced_before_stopped ? 100 : 0
  deployment_maximum_percent         = var.replaced_before_stopped ? 200 : 100
  health_check_grace_period_seconds  = var.listens ? 90 : null

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = var.security_group_ids
    assign_public_ip = false
  }

  dynamic "load_balancer" {
    for_each = var.listens ? [var.target_group_arn] : []

    content {
      target_group_arn = load_balancer.value
      container_name   = var.family
      container_port   = 8080
    }
  }

  lifecycle {
    ignore_changes = [desired_count, task_definition] # auto-scaling's, and the pipeline's
  }
}
