mock_provider "aws" {}

variables {
  name                 = "invokeai-production"
  region               = "ap-northeast-2"
  topic_arns           = { critical = "arn:aws:sns:ap-northeast-2:111122223333:critical", high = "arn:aws:sns:ap-northeast-2:111122223333:high", medium = "arn:aws:sns:ap-northeast-2:111122223333:medium" }
  load_balancer_suffix = "app/a/1"
  cluster_name         = "invokeai-production"
  service_name         = "invokeai-api"
  db_cluster           = "invokeai-saas-db"
  max_connections      = 1000
  redis_nodes          = ["r-001"]
  bucket_name          = "invokeai-saas-production"
  queue_names          = { basic = "invokeai-gpu-basic.fifo" }
  dead_queue_names     = { basic = "invokeai-gpu-basic-dead.fifo" }
  surge_policy_arns    = { basic = "arn:aws:autoscaling:ap-northeast-2:111122223333:scalingPolicy:surge" }
}

run "alarms_of_the_requirements" {
  command = plan

  assert {
    condition = jsonencode(output.alarms) == jsonencode({
      api-errors         = { threshold = 5, seconds = 300, severity = "critical" }
      api-p99            = { threshold = 5, seconds = 300, severity = "high" }
      queue-depth-basic  = { threshold = 100, seconds = 60, severity = "high" }
      aurora-acu         = { threshold = 80, seconds = 600, severity = "high" }
      aurora-connections = { threshold = 80, seconds = 180, severity = "critical" }
      aurora-lag         = { threshold = 100, seconds = 180, severity = "medium" }
      redis-memory-r-001 = { threshold = 80, seconds = 300, severity = "medium" }
      s3-errors          = { threshold = 1, seconds = 300, severity = "medium" }
      dead-letters-basic = { threshold = 0, seconds = 300, severity = "medium" }
    })
    error_message = "Thresholds, times and severities."
  }

  assert {
    condition     = alltrue([for a in aws_cloudwatch_metric_alarm.this : a.comparison_operator == "GreaterThanThreshold"])
    error_message = "All of them are about too much."
  }
}

run "who_is_told" {
  command = plan

  assert {
    condition     = alltrue([for k, a in aws_cloudwatch_metric_alarm.this : contains(a.alarm_actions, var.topic_arns[output.alarms[k].severity]) && contains(a.ok_actions, var.topic_arns[output.alarms[k].severity])])
    error_message = "Each alarm goes to the topic of its severity, and so does its end."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["queue-depth-basic"].alarm_actions == toset(["arn:aws:sns:ap-northeast-2:111122223333:high", "arn:aws:autoscaling:ap-northeast-2:111122223333:scalingPolicy:surge"])
    error_message = "A long queue starts machines and tells people."
  }
}

run "what_is_measured" {
  command = plan

  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["api-errors"].metric_query : q.expression if q.id == "figure"]) == "100 * (FILL(bad, 0) + FILL(none, 0)) / requests"
    error_message = "Errors are a share of requests."
  }

  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.this["aurora-connections"].metric_query : q.expression if q.id == "figure"]) == "100 * connections / 1000"
    error_message = "Connections are a share of what the database takes."
  }

  assert {
    condition     = one(flatten([for q in aws_cloudwatch_metric_alarm.this["api-p99"].metric_query : [for m in q.metric : m.stat]])) == "p99"
    error_message = "p99 of the load balancer's response time."
  }

  assert {
    condition     = one(flatten([for q in aws_cloudwatch_metric_alarm.this["aurora-lag"].metric_query : [for m in q.metric : m.metric_name]])) == "AuroraReplicaLagMaximum"
    error_message = "The lag is in milliseconds."
  }
}

run "sixteen_figures_in_four_groups" {
  command = plan

  assert {
    condition = [for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : w.properties.title] == [
      "API: Requests", "API: Latency p50, p90, p99", "API: Errors 4xx, 5xx", "API: Connections",
      "GPU: GPU utilisation", "GPU: GPU memory", "GPU: Job time", "GPU: Queue depth",
      "Business: Active users", "Business: Images per hour", "Business: Credits used", "Business: MRR",
      "Infrastructure: ECS CPU, memory", "Infrastructure: Aurora ACU", "Infrastructure: Redis memory", "Infrastructure: S3 size",
    ]
    error_message = "The sixteen figures, in their groups."
  }

  assert {
    condition     = alltrue([for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : length(w.properties.metrics) > 0])
    error_message = "Each shows something."
  }

  assert {
    condition     = [for m in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets[1].properties.metrics : m[4].stat] == ["p50", "p90", "p99"]
    error_message = "Three percentiles."
  }
}

run "machines_that_go_or_do_not_come" {
  command = plan

  assert {
    condition = { for k, rule in aws_cloudwatch_event_rule.machines : k => jsondecode(rule.event_pattern) } == {
      spot-taken    = { source = ["aws.ec2"], "detail-type" = ["EC2 Spot Instance Interruption Warning"] }
      launch-failed = { source = ["aws.autoscaling"], "detail-type" = ["EC2 Instance Launch Unsuccessful"], detail = { AutoScalingGroupName = [{ prefix = "invokeai-production-gpu-" }] } }
    }
    error_message = "Notices of spot, and launches of our GPU groups that failed."
  }

  assert {
    condition     = { for k, target in aws_cloudwatch_event_target.machines : k => [target.rule, target.arn] } == { for k in ["launch-failed", "spot-taken"] : k => ["invokeai-production-${k}", "arn:aws:sns:ap-northeast-2:111122223333:medium"] }
    error_message = "People are told, with medium urgency: machines act by themselves."
  }
}
