# moto keeps policies and scheduled actions by their names alone, AWS by group and name: here each has a name of its own.
resource "aws_autoscaling_policy" "step" {
  name = "${var.tier}-${each.key}"
}

resource "aws_autoscaling_policy" "backlog" {
  name = "${var.tier}-backlog"
}

resource "aws_autoscaling_policy" "wake" {
  name = "${var.tier}-wake"
}

resource "aws_autoscaling_policy" "fallback_more" {
  name = "${var.tier}-instead"
}

resource "aws_autoscaling_policy" "fallback_fewer" {
  name = "${var.tier}-instead-fewer"
}

resource "aws_autoscaling_schedule" "dawn" {
  scheduled_action_name = "${var.tier}-dawn"
}

resource "aws_autoscaling_schedule" "morning" {
  scheduled_action_name = "${var.tier}-morning"
}

# A machine's watchman lifts its protection when no job runs; moto's machines have none, and a group would wait for ever.
resource "aws_autoscaling_group" "this" {
  force_delete = true
}
