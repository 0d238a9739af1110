output "identity_arn" {
  description = "Identity that mails are sent as."
  value       = aws_sesv2_email_identity.this.arn
}

output "configuration_set" {
  description = "Set that applies to every mail."
  value       = aws_sesv2_configuration_set.this.configuration_set_name
}
