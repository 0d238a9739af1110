mock_provider "aws" {
  override_during = plan

  mock_data "aws_ssm_parameter" {
    defaults = { insecure_value = "ami-0123456789abcdef0" }
  }

  mock_resource "aws_autoscaling_policy" {
    defaults = { arn = "arn:aws:autoscaling:ap-northeast-2:111122223333:scalingPolicy:p" }
  }

  mock_resource "aws_launch_template" {
    defaults = { id = "lt-0123456789abcdef0" }
  }

  mock_resource "aws_iam_instance_profile" {
    defaults = { arn = "arn:aws:iam::111122223333:instance-profile/p" }
  }
}

variables {
  name               = "invokeai-production"
  environment        = "production"
  account_id         = "111122223333"
  region             = "ap-northeast-2"
  kms_key_arn        = "arn:aws:kms:ap-northeast-2:111122223333:key/k"
  subnet_ids         = ["subnet-a", "subnet-b"]
  security_group_ids = ["sg-gpu"]
  tier               = "basic"
  instance_types     = ["g4dn.xlarge", "g4dn.2xlarge"]
  gpus               = 1
  min_size           = 1
  max_size           = 10
  queue_name         = "invokeai-gpu-basic.fifo"
  queue_arn          = "arn:aws:sqs:ap-northeast-2:111122223333:invokeai-gpu-basic.fifo"
  bucket_name        = "invokeai-saas-production"
  image_parameter    = "/invokeai/production/worker-image"
  settings           = { S3_BUCKET = "invokeai-saas-production" }
  secret_names       = { DATABASE_WORKER_URL = "invokeai/production/database-worker-url" }
}

run "one_to_ten_spot_first" {
  command = plan

  assert {
    condition     = aws_autoscaling_group.this["main"].min_size == 1 && aws_autoscaling_group.this["main"].max_size == 10
    error_message = "1 to 10 instances."
  }

  assert {
    condition     = one(one(aws_autoscaling_group.this["main"].mixed_instances_policy).instances_distribution).on_demand_percentage_above_base_capacity == 0 && one(one(aws_autoscaling_group.this["main"].mixed_instances_policy).instances_distribution).on_demand_base_capacity == 0
    error_message = "Spot first."
  }

  assert {
    condition     = aws_autoscaling_group.this["fallback"].min_size == 0 && one(one(aws_autoscaling_group.this["fallback"].mixed_instances_policy).instances_distribution).on_demand_percentage_above_base_capacity == 100
    error_message = "On demand where spot does not come."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.fallback[0].evaluation_periods == 10 && one([for q in aws_cloudwatch_metric_alarm.fallback[0].metric_query : q.expression if q.id == "missing"]) == "wanted - there - FILL(instead, 0)"
    error_message = "Ten minutes without the machine that was asked for."
  }

  assert {
    condition     = one(one(aws_autoscaling_group.this["main"].mixed_instances_policy).launch_template).override[0].instance_type == "g4dn.xlarge"
    error_message = "The tier's own machine is preferred."
  }
}

run "policy_of_the_requirements" {
  command = plan

  assert {
    condition     = { for k, p in aws_autoscaling_policy.step : k => one(p.step_adjustment).scaling_adjustment } == { more = 1, surge = 3, fewer = -1 }
    error_message = "+1, +3, -1."
  }

  assert {
    condition     = aws_autoscaling_policy.step["more"].estimated_instance_warmup == 300 && aws_autoscaling_policy.step["surge"].estimated_instance_warmup == 180
    error_message = "Cool-down of 5 and 3 minutes."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.more[0].threshold == 10 && aws_cloudwatch_metric_alarm.more[0].comparison_operator == "GreaterThanThreshold"
    error_message = "Above 10 messages."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.surge[0].threshold == 50 && aws_cloudwatch_metric_alarm.surge[0].comparison_operator == "GreaterThanThreshold"
    error_message = "Above 50 messages."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.fewer[0].threshold == 3 && aws_cloudwatch_metric_alarm.fewer[0].comparison_operator == "LessThanThreshold" && aws_cloudwatch_metric_alarm.fewer[0].period * aws_cloudwatch_metric_alarm.fewer[0].evaluation_periods == 600
    error_message = "Below 3 for 10 minutes."
  }

  assert {
    condition = alltrue([
      for a in [aws_cloudwatch_metric_alarm.more[0], aws_cloudwatch_metric_alarm.surge[0], aws_cloudwatch_metric_alarm.fewer[0]] :
      a.metric_name == "ApproximateNumberOfMessagesVisible" && a.dimensions == tomap({ QueueName = "invokeai-gpu-basic.fifo" })
    ])
    error_message = "Visible messages of the tier's own queue."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.backlog[0].threshold == 600 && one([for q in aws_cloudwatch_metric_alarm.backlog[0].metric_query : one(q.metric).metric_name if q.id == "seconds"]) == "BacklogSeconds"
    error_message = "Backlog seconds a machine scale too."
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.wake) == 0
    error_message = "A group that is never empty needs no waking."
  }
}

run "no_job_is_killed" {
  command = plan

  assert {
    condition     = alltrue([for g in aws_autoscaling_group.this : g.protect_from_scale_in])
    error_message = "Machines are protected until they find themselves idle."
  }

  assert {
    condition     = aws_autoscaling_lifecycle_hook.this["main-terminate"].lifecycle_transition == "autoscaling:EC2_INSTANCE_TERMINATING" && aws_autoscaling_lifecycle_hook.this["main-terminate"].heartbeat_timeout == 300 && aws_autoscaling_lifecycle_hook.this["main-terminate"].default_result == "CONTINUE"
    error_message = "A machine goes when its workers have drained."
  }

  assert {
    condition     = aws_autoscaling_lifecycle_hook.this["fallback-launch"].lifecycle_transition == "autoscaling:EC2_INSTANCE_LAUNCHING" && aws_autoscaling_lifecycle_hook.this["fallback-launch"].default_result == "ABANDON"
    error_message = "A machine is in service when it can work."
  }

  assert {
    condition     = strcontains(local.user_data, "--env WORKER_READY_FILE=/scratch/ready") && strcontains(local.user_data, "--volume /scratch/%i:/scratch") && strcontains(file("./watch.sh"), "READY:-/scratch}") && strcontains(file("./watch.sh"), "$READY/$gpu/ready")
    error_message = "The watchman looks for the sign of each worker where the worker writes it."
  }

  assert {
    condition     = strcontains(file("./watch.sh"), "spot/instance-action") && strcontains(local.user_data, "DRAIN_SECONDS=90") && strcontains(local.user_data, "--stop-timeout 105")
    error_message = "A spot notice drains the workers within its two minutes."
  }

  assert {
    condition     = one(one(aws_autoscaling_group.this["main"].instance_refresh).preferences).scale_in_protected_instances == "Wait"
    error_message = "A new image waits for jobs."
  }
}

run "dawn" {
  command = plan

  assert {
    condition     = aws_autoscaling_schedule.dawn.recurrence == "0 2 * * *" && aws_autoscaling_schedule.dawn.time_zone == "Asia/Seoul" && aws_autoscaling_schedule.dawn.max_size == 3 && aws_autoscaling_schedule.dawn.desired_capacity == 1
    error_message = "From two in the morning, Seoul's time, three machines at most."
  }

  assert {
    condition     = aws_autoscaling_schedule.morning.recurrence == "0 7 * * *" && aws_autoscaling_schedule.morning.max_size == 10
    error_message = "From seven ten again."
  }
}

run "models_on_nvme_and_one_process_a_gpu" {
  command = plan

  assert {
    condition     = strcontains(local.user_data, "Instance Storage") && strcontains(local.user_data, "MODEL_DIR=/models") && strcontains(local.user_data, "aws s3 sync --only-show-errors \"s3://invokeai-saas-production/models/shared/\" /models/")
    error_message = "Models go from S3 to local NVMe, which is MODEL_DIR."
  }

  assert {
    condition     = strcontains(local.user_data, "\nDATABASE_WORKER_URL=aws-secret:invokeai/production/database-worker-url\n") && !strcontains(local.user_data, "get-secret-value")
    error_message = "Workers read their secrets themselves, by name, and notice when one is another."
  }

  assert {
    condition = [for s in jsondecode(aws_iam_role_policy.this.policy).Statement : [s.Action, s.Resource] if s.Sid == "Secrets"] == [
      [["secretsmanager:GetSecretValue"], ["arn:aws:secretsmanager:ap-northeast-2:111122223333:secret:invokeai/production/database-worker-url-??????"]]
    ]
    error_message = "They may read these and no other."
  }

  assert {
    condition     = strcontains(local.user_data, "gpu < 1;") && strcontains(local.user_data, "--gpus device=%i")
    error_message = "One process a GPU."
  }

  assert {
    condition     = length(base64encode(local.user_data)) < 22000
    error_message = "AWS takes 16 KiB."
  }

  assert {
    condition     = one(aws_launch_template.this.metadata_options).http_tokens == "required" && one(one(aws_launch_template.this.block_device_mappings).ebs).encrypted == "true"
    error_message = "Metadata by token only; disks encrypted."
  }

  assert {
    condition     = aws_autoscaling_group.this["main"].name == "invokeai-production-gpu-basic"
    error_message = "Name of the group."
  }
}

run "rights_by_prefix" {
  command = plan

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.this.policy).Statement : s.Sid => jsonencode(s.Resource) if contains(["Pictures", "Models", "ConvertedModels"], s.Sid) } == {
      Pictures        = jsonencode(["arn:aws:s3:::invokeai-saas-production/users/*/images/*", "arn:aws:s3:::invokeai-saas-production/users/*/uploads/*"])
      Models          = jsonencode(["arn:aws:s3:::invokeai-saas-production/models/*"])
      ConvertedModels = jsonencode(["arn:aws:s3:::invokeai-saas-production/models/users/*"])
    }
    error_message = "Rights by prefix."
  }

  assert {
    condition     = !anytrue([for s in jsondecode(aws_iam_role_policy.this.policy).Statement : jsonencode(s.Resource) == jsonencode(["*"]) if !contains(["Registry", "Figures"], s.Sid)])
    error_message = "Everything but what has no resource names one."
  }

  assert {
    condition     = one([for s in jsondecode(aws_iam_role_policy.this.policy).Statement : jsonencode(s.Resource) if s.Sid == "Doorbell"]) == jsonencode([var.queue_arn])
    error_message = "The queue of its own tier only."
  }

  assert {
    condition     = one([for s in jsondecode(aws_iam_role_policy.this.policy).Statement : jsonencode(s.Action) if s.Sid == "Doorbell"]) == jsonencode(["sqs:ReceiveMessage", "sqs:DeleteMessage"])
    error_message = "Workers hear and never ring: they run graphs of strangers."
  }
}

run "eight_processes_on_a_p4d_from_nothing" {
  command = plan

  variables {
    tier           = "dedicated"
    instance_types = ["p4d.24xlarge"]
    gpus           = 8
    min_size       = 0
  }

  assert {
    condition     = strcontains(local.user_data, "gpu < 8;") && output.facts.workers == 8 && output.facts.min == 0
    error_message = "Eight worker processes; a minimum of 0."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.wake[0].threshold == 0 && one([for q in aws_cloudwatch_metric_alarm.wake[0].metric_query : q.expression if q.id == "waiting"]) == "IF(FILL(wanted, 0) < 1, messages, 0)"
    error_message = "A single message wakes an empty group."
  }
}

run "one_machine_that_stays" {
  command = plan

  variables {
    max_size = 1
    spot     = false
  }

  assert {
    condition     = length(aws_autoscaling_policy.step) == 0 && keys(aws_autoscaling_group.this) == ["main"]
    error_message = "No policy and no fallback where nothing can grow."
  }

  assert {
    condition     = output.facts.spot == false
    error_message = "On demand."
  }
}

run "eleven_machines_are_refused" {
  command = plan

  variables {
    max_size = 11
  }

  expect_failures = [var.max_size]
}
