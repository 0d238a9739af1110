output "group_names" {
  description = "Names of the groups: main, and fallback where there is one."
  value       = { for k, group in aws_autoscaling_group.this : k => group.name }
}

output "log_group" {
  description = "Where workers' logs go."
  value       = aws_cloudwatch_log_group.this.name
}

output "facts" {
  description = "What the group was given, for tests of whole environments."
  value = {
    tier           = var.tier
    instance_types = var.instance_types
    min            = aws_autoscaling_group.this["main"].min_size
    max            = aws_autoscaling_group.this["main"].max_size
    workers        = var.gpus
    spot           = aws_autoscaling_group.this["main"].mixed_instances_policy[0].instances_distribution[0].on_demand_percentage_above_base_capacity == 0
    fallback       = contains(keys(aws_autoscaling_group.this), "fallback")
  }
}

output "surge_policy_arn" {
  description = "Policy that starts three machines, where the group grows."
  value       = one([for k, p in aws_autoscaling_policy.step : p.arn if k == "surge"])
}
