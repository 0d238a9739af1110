# The alarms of the requirements. The ninth, "fewer than 10 credits", goes to the person by the service's own mail.

locals {
  alb = { LoadBalancer = var.load_balancer_suffix }
  s3  = { BucketName = var.bucket_name, FilterId = "EntireBucket" }
  rds = { DBClusterIdentifier = var.db_cluster }

  required = merge(
    {
      api-errors = {
        severity  = "critical", says = "More than 5 % of requests failed within five minutes"
        threshold = 5, period = 300, times = 1, expression = "100 * (FILL(bad, 0) + FILL(none, 0)) / requests"
        metrics = {
          requests = { namespace = "AWS/ApplicationELB", name = "RequestCount", stat = "Sum", dimensions = local.alb }
          bad      = { namespace = "AWS/ApplicationELB", name = "HTTPCode_Target_5XX_Count", stat = "Sum", dimensions = local.alb }
          none     = { namespace = "AWS/ApplicationELB", name = "HTTPCode_ELB_5XX_Count", stat = "Sum", dimensions = local.alb }
        }
        also = []
      }
      api-p99 = {
        severity  = "high", says = "One request in a hundred takes longer than 5 s"
        threshold = 5, period = 300, times = 1, expression = null
        metrics   = { p99 = { namespace = "AWS/ApplicationELB", name = "TargetResponseTime", stat = "p99", dimensions = local.alb } }
        also      = []
      }
      aurora-acu = {
        severity  = "high", says = "More than 80 % of the largest capacity for ten minutes"
        threshold = 80, period = 60, times = 10, expression = null
        metrics   = { acu = { namespace = "AWS/RDS", name = "ACUUtilization", stat = "Maximum", dimensions = local.rds } }
        also      = []
      }
      aurora-connections = {
        severity  = "critical", says = "More than 80 % of the connections that the database takes"
        threshold = 80, period = 60, times = 3, expression = "100 * connections / ${var.max_connections}"
        metrics   = { connections = { namespace = "AWS/RDS", name = "DatabaseConnections", stat = "Maximum", dimensions = local.rds } }
        also      = []
      }
      aurora-lag = {
        severity  = "medium", says = "Readers are more than 100 ms behind the writer"
        threshold = 100, period = 60, times = 3, expression = null
        metrics   = { lag = { namespace = "AWS/RDS", name = "AuroraReplicaLagMaximum", stat = "Maximum", dimensions = local.rds } }
        also      = []
      }
      s3-errors = {
        severity  = "medium", says = "More than 1 % of requests to the bucket failed within five minutes"
        threshold = 1, period = 300, times = 1, expression = "100 * (FILL(client, 0) + FILL(server, 0)) / all"
        metrics = {
          all    = { namespace = "AWS/S3", name = "AllRequests", stat = "Sum", dimensions = local.s3 }
          client = { namespace = "AWS/S3", name = "4xxErrors", stat = "Sum", dimensions = local.s3 }
          server = { namespace = "AWS/S3", name = "5xxErrors", stat = "Sum", dimensions = local.s3 }
        }
        also = []
      }
    },
    { for tier, queue in var.queue_names : "queue-depth-${tier}" => {
      severity  = "high", says = "More than 100 messages wait for GPUs of ${tier}: machines are started, people are told"
      threshold = 100, period = 60, times = 1, expression = null
      metrics   = { depth = { namespace = "AWS/SQS", name = "ApproximateNumberOfMessagesVisible", stat = "Maximum", dimensions = { QueueName = queue } } }
      also      = compact([lookup(var.surge_policy_arns, tier, "")])
    } },
    { for node in var.redis_nodes : "redis-memory-${node}" => {
      severity  = "medium", says = "More than 80 % of the memory of ${node}"
      threshold = 80, period = 60, times = 5, expression = null
      metrics   = { memory = { namespace = "AWS/ElastiCache", name = "DatabaseMemoryUsagePercentage", stat = "Maximum", dimensions = { CacheClusterId = node } } }
      also      = []
    } },
  )

  # Beyond the requirements: what nobody would see otherwise.
  further = { for tier, queue in var.dead_queue_names : "dead-letters-${tier}" => {
    severity  = "medium", says = "Messages of ${tier} that no worker took"
    threshold = 0, period = 300, times = 1, expression = null
    metrics   = { dead = { namespace = "AWS/SQS", name = "ApproximateNumberOfMessagesVisible", stat = "Maximum", dimensions = { QueueName = queue } } }
    also      = []
  } }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = merge(local.required, local.further)

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${title(each.value.severity)}: ${each.value.says}. docs/runbooks has a page for it."
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  evaluation_periods  = each.value.times
  treat_missing_data  = "notBreaching"
  alarm_actions       = concat([var.topic_arns[each.value.severity]], each.value.also)
  ok_actions          = [var.topic_arns[each.value.severity]]

  dynamic "metric_query" {
    for_each = each.value.expression == null ? [] : [each.value.expression]

    content {
      id          = "figure"
      expression  = metric_query.value
      label       = each.key
      return_data = true
    }
  }

  dynamic "metric_query" {
    for_each = each.value.metrics

    content {
      id          = metric_query.key
      return_data = each.value.expression == null

      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.name
        dimensions  = metric_query.value.dimensions
        stat        = metric_query.value.stat
        period      = each.value.period
      }
    }
  }
}

locals {
  seconds  = { for k, a in merge(local.required, local.further) : k => a.period }
  severity = { for k, a in merge(local.required, local.further) : k => a.severity }
}
