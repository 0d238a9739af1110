output "key_arn" {
  description = "ARN of the key."
  value       = aws_kms_key.this.arn
}

output "rotates" {
  description = "Whether the key's material is renewed every year."
  value       = aws_kms_key.this.enable_key_rotation
}
