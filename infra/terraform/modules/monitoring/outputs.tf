output "alarms" {
  description = "Thresholds by alarm."
  value       = { for k, a in aws_cloudwatch_metric_alarm.this : k => { threshold = a.threshold, seconds = a.evaluation_periods * local.seconds[k], severity = local.severity[k] } }
}

output "figures" {
  description = "Titles of the dashboard's figures."
  value       = [for figure in local.figures : "${figure.group}: ${figure.title}"]
}

output "dashboard_name" {
  description = "Name of the dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}
