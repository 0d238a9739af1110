# The policy of the requirements. Step policies count machines that are still warming up, so "cool-down" is the warm-up
# of what the step before started: no step is repeated until then.

locals {
  steps = {
    more  = { change = 1, cooldown = 300 }  # above 10 messages
    surge = { change = 3, cooldown = 180 }  # above 50
    fewer = { change = -1, cooldown = 300 } # below 3 for ten minutes
  }

  growing = var.max_size > var.min_size
}

resource "aws_autoscaling_policy" "step" {
  for_each = { for k, v in local.steps : k => v if local.growing }

  name                      = each.key
  autoscaling_group_name    = aws_autoscaling_group.this["main"].name
  policy_type               = "StepScaling"
  adjustment_type           = "ChangeInCapacity"
  metric_aggregation_type   = "Average"
  estimated_instance_warmup = each.value.change > 0 ? each.value.cooldown : null

  step_adjustment {
    scaling_adjustment          = each.value.change
    metric_interval_lower_bound = each.value.change > 0 ? 0 : null
    metric_interval_upper_bound = each.value.change > 0 ? null : 0
  }
}

resource "aws_cloudwatch_metric_alarm" "more" {
  count = local.growing ? 1 : 0

  alarm_name          = "${local.base}-more"
  alarm_description   = "More than 10 messages wait: one machine more"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = var.queue_name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 10
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_autoscaling_policy.step["more"].arn]
}

resource "aws_cloudwatch_metric_alarm" "surge" {
  count = local.growing ? 1 : 0

  alarm_name          = "${local.base}-surge"
  alarm_description   = "More than 50 messages wait: three machines more"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = var.queue_name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 50
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_autoscaling_policy.step["surge"].arn]
}

resource "aws_cloudwatch_metric_alarm" "fewer" {
  count = local.growing ? 1 : 0

  alarm_name          = "${local.base}-fewer"
  alarm_description   = "Fewer than 3 messages for ten minutes: one machine less"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = var.queue_name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 10
  datapoints_to_alarm = 10
  comparison_operator = "LessThanThreshold"
  threshold           = 3
  treat_missing_data  = "breaching" # a queue that nobody used for hours says nothing
  alarm_actions = concat(
    [aws_autoscaling_policy.step["fewer"].arn],
    aws_autoscaling_policy.fallback_fewer[*].arn,
  )
}

# Messages say nothing of how long jobs are, and workers delete them at receipt. The scheduler publishes what
# PostgreSQL knows: work that could start, in seconds.
resource "aws_autoscaling_policy" "backlog" {
  count = local.growing ? 1 : 0

  name                      = "backlog"
  autoscaling_group_name    = aws_autoscaling_group.this["main"].name
  policy_type               = "StepScaling"
  adjustment_type           = "ChangeInCapacity"
  metric_aggregation_type   = "Average"
  estimated_instance_warmup = 300

  step_adjustment {
    scaling_adjustment          = 1
    metric_interval_lower_bound = 0
  }
}

resource "aws_cloudwatch_metric_alarm" "backlog" {
  count = local.growing ? 1 : 0

  alarm_name          = "${local.base}-backlog"
  alarm_description   = "More than ${var.backlog_seconds_per_instance} s of work wait for each machine"
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.backlog_seconds_per_instance
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_autoscaling_policy.backlog[0].arn]

  metric_query {
    id          = "each"
    expression  = "seconds / IF(machines > 0, machines, 1)"
    label       = "Seconds of work a machine"
    return_data = true
  }

  metric_query {
    id = "seconds"

    metric {
      namespace   = "InvokeAI"
      metric_name = "BacklogSeconds"
      dimensions  = { Tier = var.tier }
      period      = 60
      stat        = "Maximum"
    }
  }

  metric_query {
    id = "machines"

    metric {
      namespace   = "AWS/AutoScaling"
      metric_name = "GroupInServiceInstances"
      dimensions  = { AutoScalingGroupName = aws_autoscaling_group.this["main"].name }
      period      = 60
      stat        = "Average"
    }
  }
}

# From nothing "+1 above 10" would never serve the first ten jobs: a single message starts the first machine.
resource "aws_autoscaling_policy" "wake" {
  count = var.min_size == 0 ? 1 : 0

  name                      = "wake"
  autoscaling_group_name    = aws_autoscaling_group.this["main"].name
  policy_type               = "StepScaling"
  adjustment_type           = "ChangeInCapacity"
  metric_aggregation_type   = "Average"
  estimated_instance_warmup = 900

  step_adjustment {
    scaling_adjustment          = 1
    metric_interval_lower_bound = 0
  }
}

resource "aws_cloudwatch_metric_alarm" "wake" {
  count = var.min_size == 0 ? 1 : 0

  alarm_name          = "${local.base}-wake"
  alarm_description   = "Work waits and no machine is there"
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_autoscaling_policy.wake[0].arn]

  metric_query {
    id          = "waiting"
    expression  = "IF(FILL(wanted, 0) < 1, messages, 0)"
    label       = "Messages that nobody will take"
    return_data = true
  }

  metric_query {
    id = "messages"

    metric {
      namespace   = "AWS/SQS"
      metric_name = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = var.queue_name }
      period      = 60
      stat        = "Maximum"
    }
  }

  metric_query {
    id = "wanted"

    metric {
      namespace   = "AWS/AutoScaling"
      metric_name = "GroupDesiredCapacity"
      dimensions  = { AutoScalingGroupName = aws_autoscaling_group.this["main"].name }
      period      = 60
      stat        = "Average"
    }
  }
}
