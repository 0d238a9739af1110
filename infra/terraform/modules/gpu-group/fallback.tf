# Spot machines that were asked for and have not come for ten minutes are made up for on demand, one at a time, and let go
# with the rest when the queue is short.

resource "aws_autoscaling_policy" "fallback_more" {
  count = var.spot ? 1 : 0

  name                      = "fallback"
  autoscaling_group_name    = aws_autoscaling_group.this["fallback"].name
  policy_type               = "StepScaling"
  adjustment_type           = "ChangeInCapacity"
  metric_aggregation_type   = "Average"
  estimated_instance_warmup = 300

  step_adjustment {
    scaling_adjustment          = 1
    metric_interval_lower_bound = 0
  }
}

resource "aws_autoscaling_policy" "fallback_fewer" {
  count = var.spot && var.max_size > var.min_size ? 1 : 0

  name                    = "fewer"
  autoscaling_group_name  = aws_autoscaling_group.this["fallback"].name
  policy_type             = "StepScaling"
  adjustment_type         = "ChangeInCapacity"
  metric_aggregation_type = "Average"

  step_adjustment {
    scaling_adjustment          = -1
    metric_interval_upper_bound = 0
  }
}

resource "aws_cloudwatch_metric_alarm" "fallback" {
  count = var.spot ? 1 : 0

  alarm_name          = "${local.base}-fallback"
  alarm_description   = "Spot machines were asked for and have not come for ten minutes"
  evaluation_periods  = 10
  datapoints_to_alarm = 10
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_autoscaling_policy.fallback_more[0].arn]

  metric_query {
    id          = "missing"
    expression  = "wanted - there - FILL(instead, 0)"
    label       = "Machines that are missing"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = {
      wanted  = { metric = "GroupDesiredCapacity", group = "main" }
      there   = { metric = "GroupInServiceInstances", group = "main" }
      instead = { metric = "GroupDesiredCapacity", group = "fallback" }
    }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/AutoScaling"
        metric_name = metric_query.value.metric
        dimensions  = { AutoScalingGroupName = aws_autoscaling_group.this[metric_query.value.group].name }
        period      = 60
        stat        = "Average"
      }
    }
  }
}
