output "role_arn" {
  description = "Role that the workflows of this environment take."
  value       = aws_iam_role.deploy.arn
}

output "drill_role_arn" {
  description = "Role of the restore drill."
  value       = aws_iam_role.drill.arn
}
