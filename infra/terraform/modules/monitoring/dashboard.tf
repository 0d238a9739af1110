# Sixteen figures in four groups, a row each. Those of the namespace InvokeAI are published by the service: workers
# (job time, images, credits) and the scheduler (users, revenue, backlog); and by the agent on GPU machines.

locals {
  tiers = sort(keys(var.queue_names))
  lb    = ["LoadBalancer", var.load_balancer_suffix]
  db    = ["DBClusterIdentifier", var.db_cluster]

  figures = [
    { group = "API", title = "Requests", metrics = [["AWS/ApplicationELB", "RequestCount", local.lb[0], local.lb[1], { stat = "Sum" }]] },
    { group = "API", title = "Latency p50, p90, p99", metrics = [for p in ["p50", "p90", "p99"] : ["AWS/ApplicationELB", "TargetResponseTime", local.lb[0], local.lb[1], { stat = p, label = p }]] },
    { group = "API", title = "Errors 4xx, 5xx", metrics = [for c in ["4XX", "5XX"] : ["AWS/ApplicationELB", "HTTPCode_Target_${c}_Count", local.lb[0], local.lb[1], { stat = "Sum", label = c }]] },
    { group = "API", title = "Connections", metrics = [["AWS/ApplicationELB", "ActiveConnectionCount", local.lb[0], local.lb[1], { stat = "Sum" }]] },
    { group = "GPU", title = "GPU utilisation", metrics = [for t in local.tiers : ["InvokeAI", "nvidia_smi_utilization_gpu", "Tier", t, { stat = "Average", label = t }]] },
    { group = "GPU", title = "GPU memory", metrics = [for t in local.tiers : ["InvokeAI", "nvidia_smi_memory_used", "Tier", t, { stat = "Maximum", label = t }]] },
    { group = "GPU", title = "Job time", metrics = [for t in local.tiers : ["InvokeAI", "JobSeconds", "Tier", t, { stat = "p90", label = t }]] },
    { group = "GPU", title = "Queue depth", metrics = [for t in local.tiers : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.queue_names[t], { stat = "Maximum", label = t }]] },
    { group = "Business", title = "Active users", metrics = [["InvokeAI", "ActiveUsers", { stat = "Maximum" }]] },
    { group = "Business", title = "Images per hour", metrics = [["InvokeAI", "Images", { stat = "Sum", period = 3600 }]] },
    { group = "Business", title = "Credits used", metrics = [["InvokeAI", "CreditsUsed", { stat = "Sum", period = 3600 }]] },
    { group = "Business", title = "MRR", metrics = [["InvokeAI", "MonthlyRecurringRevenue", { stat = "Maximum", period = 3600 }]] },
    { group = "Infrastructure", title = "ECS CPU, memory", metrics = [for m in ["CPUUtilization", "MemoryUtilization"] : ["AWS/ECS", m, "ClusterName", var.cluster_name, "ServiceName", var.service_name, { stat = "Average" }]] },
    { group = "Infrastructure", title = "Aurora ACU", metrics = [["AWS/RDS", "ServerlessDatabaseCapacity", local.db[0], local.db[1], { stat = "Average" }], ["AWS/RDS", "ACUUtilization", local.db[0], local.db[1], { stat = "Maximum", yAxis = "right" }]] },
    { group = "Infrastructure", title = "Redis memory", metrics = [for n in var.redis_nodes : ["AWS/ElastiCache", "DatabaseMemoryUsagePercentage", "CacheClusterId", n, { stat = "Maximum" }]] },
    { group = "Infrastructure", title = "S3 size", metrics = [for s in ["StandardStorage", "IntelligentTieringFAStorage", "IntelligentTieringIAStorage"] : ["AWS/S3", "BucketSizeBytes", "BucketName", var.bucket_name, "StorageType", s, { stat = "Average", period = 86400, label = s }]] },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name

  dashboard_body = jsonencode({
    widgets = [
      for i, figure in local.figures : {
        type   = "metric"
        x      = (i % 4) * 6
        y      = floor(i / 4) * 6
        width  = 6
        height = 6
        properties = {
          title   = "${figure.group}: ${figure.title}"
          region  = var.region
          view    = "timeSeries"
          period  = 60
          metrics = figure.metrics
        }
      }
    ]
  })
}
