output "distribution_id" {
  description = "The distribution."
  value       = aws_cloudfront_distribution.this.id
}

output "distribution_arn" {
  description = "ARN of the distribution."
  value       = aws_cloudfront_distribution.this.arn
}

output "key_value_store_arn" {
  description = "Where the key of picture paths goes."
  value       = aws_cloudfront_key_value_store.media.arn
}

output "behaviours" {
  description = "Origin of each pattern."
  value       = { for b in aws_cloudfront_distribution.this.ordered_cache_behavior : b.path_pattern => b.target_origin_id }
}
