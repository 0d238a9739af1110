output "arns" {
  description = "ARNs by severity."
  value       = { for severity, topic in aws_sns_topic.this : severity => topic.arn }
}
