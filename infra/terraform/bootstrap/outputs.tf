output "bucket_name" {
  description = "Bucket of the states, for -backend-config."
  value       = module.state.bucket_name
}

output "zone_id" {
  description = "Hosted zone, for the environment."
  value       = aws_route53_zone.this.zone_id
}

output "name_servers" {
  description = "What the domain's owner enters."
  value       = aws_route53_zone.this.name_servers
}
