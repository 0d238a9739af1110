# The machines of one GPU tier. Two groups: one buys spot, the other is empty until spot cannot be had, since a group that
# mixes both never turns to on-demand when spot runs out. Busy machines are protected from scaling in, by themselves
# (watch.sh); whatever ends a machine waits for its workers to drain.

locals {
  short = { basic = "basic", high_performance = "highperf", dedicated = "dedicated" }[var.tier]
  base  = "${var.name}-gpu-${local.short}"

  groups = merge(
    { main = { min = var.min_size, max = var.max_size, on_demand = var.spot ? 0 : 100 } },
    { for k, v in { fallback = { min = 0, max = var.max_size, on_demand = 100 } } : k => v if var.spot },
  )

  # Machines that are protected at birth stay so until they find themselves idle.
  hooks = {
    for pair in setproduct(keys(local.groups), ["launch", "terminate"]) : "${pair[0]}-${pair[1]}" => { group = pair[0], kind = pair[1] }
  }

  user_data = templatefile("${path.module}/user-data.sh.tftpl", {
    region       = var.region
    tier         = var.tier
    gpus         = var.gpus
    bucket       = var.bucket_name
    image        = var.image_parameter
    registry     = "${var.account_id}.dkr.ecr.${var.region}.amazonaws.com"
    settings     = merge(var.settings, { WORKER_TIERS = var.tier, DRAIN_SECONDS = tostring(var.drain_seconds), MODEL_DIR = "/models", DATA_DIR = "/scratch" }, { for setting, name in var.secret_names : setting => "aws-secret:${name}" })
    stop_seconds = var.drain_seconds + 15
    efs          = var.efs_id
    access_point = var.efs_access_point_id
    watch        = file("${path.module}/watch.sh")
    agent        = jsonencode(local.agent)
    log_group    = aws_cloudwatch_log_group.this.name
  })

  # GPU figures, which AWS does not measure by itself.
  agent = {
    agent = { metrics_collection_interval = 60 }
    metrics = {
      namespace              = "InvokeAI"
      append_dimensions      = { AutoScalingGroupName = "$${aws:AutoScalingGroupName}" }
      aggregation_dimensions = [["Tier"]]
      metrics_collected = {
        nvidia_gpu = {
          measurement       = ["utilization_gpu", "memory_used", "memory_total"]
          append_dimensions = { Tier = var.tier }
        }
      }
    }
  }
}

data "aws_ssm_parameter" "ami" {
  name = var.ami_parameter
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/ec2/${local.base}"
  retention_in_days = 365
  kms_key_id        = var.kms_key_arn
}

resource "aws_launch_template" "this" {
  name                   = local.base
  image_id               = data.aws_ssm_parameter.ami.insecure_value
  user_data              = base64encode(local.user_data)
  vpc_security_group_ids = var.security_group_ids
  update_default_version = true

  iam_instance_profile {
    arn = aws_iam_instance_profile.this.arn
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    instance_metadata_tags      = "enabled" # the group's name
    http_put_response_hop_limit = 1         # workers share the network of the machine; nothing behind another hop gets its rights
  }

  monitoring {
    enabled = true
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_size           = var.disk_gib
      volume_type           = "gp3"
      encrypted             = true
      kms_key_id            = var.kms_key_arn
      delete_on_termination = true
    }
  }

  dynamic "tag_specifications" {
    for_each = ["instance", "volume"]

    content {
      resource_type = tag_specifications.value
      tags          = { Name = local.base, Tier = var.tier, Project = "invokeai-saas", Environment = var.environment }
    }
  }
}

resource "aws_autoscaling_group" "this" {
  for_each = local.groups

  name                  = each.key == "main" ? local.base : "${local.base}-${each.key}"
  vpc_zone_identifier   = var.subnet_ids
  min_size              = each.value.min
  max_size              = each.value.max
  health_check_type     = "EC2"
  capacity_rebalance    = var.spot
  protect_from_scale_in = true
  termination_policies  = ["OldestLaunchTemplate", "NewestInstance"]
  metrics_granularity   = "1Minute"
  enabled_metrics       = ["GroupDesiredCapacity", "GroupInServiceInstances", "GroupPendingInstances", "GroupTerminatingInstances"]

  default_instance_warmup = 300

  mixed_instances_policy {
    instances_distribution {
      on_demand_base_capacity                  = 0
      on_demand_percentage_above_base_capacity = each.value.on_demand
      on_demand_allocation_strategy            = "prioritized"
      spot_allocation_strategy                 = "capacity-optimized-prioritized"
    }

    launch_template {
      launch_template_specification {
        launch_template_id = aws_launch_template.this.id
        version            = "$Latest"
      }

      dynamic "override" {
        for_each = var.instance_types

        content {
          instance_type = override.value
        }
      }
    }
  }

  # A new image is a new machine; busy ones are waited for.
  instance_refresh {
    strategy = "Rolling"

    preferences {
      min_healthy_percentage       = 50
      scale_in_protected_instances = "Wait"
      auto_rollback                = false
      skip_matching                = true
    }
  }

  dynamic "tag" {
    for_each = { Name = local.base, Tier = var.tier, Project = "invokeai-saas", Environment = var.environment, Purchase = each.value.on_demand == 0 ? "spot" : "on-demand" }

    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }

  lifecycle {
    ignore_changes = [desired_capacity] # the policies' business
  }
}

# Launch: in service when models lie on NVMe and the workers run. Terminate: gone when the workers have drained; a
# machine that says nothing any more is given up after the time-out.
resource "aws_autoscaling_lifecycle_hook" "this" {
  for_each = local.hooks

  name                   = each.value.kind
  autoscaling_group_name = aws_autoscaling_group.this[each.value.group].name
  lifecycle_transition   = each.value.kind == "launch" ? "autoscaling:EC2_INSTANCE_LAUNCHING" : "autoscaling:EC2_INSTANCE_TERMINATING"
  heartbeat_timeout      = each.value.kind == "launch" ? 1800 : 300
  default_result         = each.value.kind == "launch" ? "ABANDON" : "CONTINUE"
}

resource "aws_autoscaling_schedule" "dawn" {
  scheduled_action_name  = "dawn"
  autoscaling_group_name = aws_autoscaling_group.this["main"].name
  recurrence             = var.dawn
  time_zone              = var.time_zone
  min_size               = var.min_size
  max_size               = min(var.max_size, var.dawn_max_size)
  desired_capacity       = var.min_size
}

resource "aws_autoscaling_schedule" "morning" {
  scheduled_action_name  = "morning"
  autoscaling_group_name = aws_autoscaling_group.this["main"].name
  recurrence             = var.morning
  time_zone              = var.time_zone
  min_size               = var.min_size
  max_size               = var.max_size
  desired_capacity       = -1 # as it is
}
