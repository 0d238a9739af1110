output "name" {
  description = "Name of the bucket."
  value       = aws_s3_bucket.this.bucket
}

output "arn" {
  description = "ARN of the bucket."
  value       = local.arn
}

output "domain_name" {
  description = "Where CloudFront fetches from."
  value       = aws_s3_bucket.this.bucket_regional_domain_name
}

output "metric_filter" {
  description = "Name of the request metrics."
  value       = aws_s3_bucket_metric.all.name
}
