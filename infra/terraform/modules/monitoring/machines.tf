# What becomes of GPU machines, for people to see. Machines act by themselves (gpu-group/watch.sh, docs/adr/0024).
# Chatbot reads events as they are, so nothing is rewritten on the way.

locals {
  machine_events = {
    spot-taken = {
      says    = "AWS takes a spot machine back in two minutes: its workers drain"
      pattern = { source = ["aws.ec2"], "detail-type" = ["EC2 Spot Instance Interruption Warning"] } # names no group
    }
    launch-failed = {
      says    = "A GPU machine was asked for and did not come"
      pattern = { source = ["aws.autoscaling"], "detail-type" = ["EC2 Instance Launch Unsuccessful"], detail = { AutoScalingGroupName = [{ prefix = "${var.name}-gpu-" }] } }
    }
  }
}

resource "aws_cloudwatch_event_rule" "machines" {
  for_each = local.machine_events

  name          = "${var.name}-${each.key}"
  description   = each.value.says
  event_pattern = jsonencode(each.value.pattern)
}

resource "aws_cloudwatch_event_target" "machines" {
  for_each = local.machine_events

  rule = aws_cloudwatch_event_rule.machines[each.key].name
  arn  = var.topic_arns["medium"]
}
