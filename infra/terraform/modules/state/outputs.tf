output "bucket_name" {
  description = "Bucket of the states."
  value       = module.bucket.name
}

output "kms_key_arn" {
  description = "Key of the states."
  value       = aws_kms_key.this.arn
}
