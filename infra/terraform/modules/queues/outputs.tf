output "names" {
  description = "Names of the queues by tier."
  value       = { for tier, queue in aws_sqs_queue.tier : tier => queue.name }
}

output "dead_names" {
  description = "Names of the queues of dead letters by tier."
  value       = { for tier, queue in aws_sqs_queue.dead : tier => queue.name }
}

output "urls" {
  description = "Addresses of the queues by tier: senders need these, not names."
  value       = { for tier, queue in aws_sqs_queue.tier : tier => "https://sqs.${var.region}.amazonaws.com/${var.account_id}/${queue.name}" }
}

output "arns" {
  description = "ARNs of the queues by tier."
  value       = { for tier, queue in aws_sqs_queue.tier : tier => "arn:aws:sqs:${var.region}:${var.account_id}:${queue.name}" }
}
