output "dns_name" {
  description = "Where it answers."
  value       = aws_lb.this.dns_name
}

output "zone_id" {
  description = "Zone of that name, for alias records."
  value       = aws_lb.this.zone_id
}

output "target_group_arn" {
  description = "Where API tasks enlist."
  value       = aws_lb_target_group.api.arn
}

output "arn_suffix" {
  description = "How CloudWatch knows it."
  value       = aws_lb.this.arn_suffix
}

output "target_group_arn_suffix" {
  description = "How CloudWatch knows the targets."
  value       = aws_lb_target_group.api.arn_suffix
}

output "health_check" {
  description = "How tasks are asked whether they are well."
  value       = { path = aws_lb_target_group.api.health_check[0].path, interval = aws_lb_target_group.api.health_check[0].interval, timeout = aws_lb_target_group.api.health_check[0].timeout, tries = aws_lb_target_group.api.health_check[0].unhealthy_threshold }
}

output "sticky" {
  description = "Whether a person's requests stay with one task."
  value       = aws_lb_target_group.api.stickiness[0].enabled
}
