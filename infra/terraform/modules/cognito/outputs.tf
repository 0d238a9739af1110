output "user_pool_id" {
  description = "The pool."
  value       = aws_cognito_user_pool.this.id
}

output "user_pool_arn" {
  description = "ARN of the pool."
  value       = aws_cognito_user_pool.this.arn
}

output "client_id" {
  description = "Client that tokens are made for."
  value       = aws_cognito_user_pool_client.this.id
}

output "hosted_url" {
  description = "Where the pool's own pages are."
  value       = "https://${aws_cognito_user_pool_domain.this.domain}.auth.${var.region}.amazoncognito.com"
}
