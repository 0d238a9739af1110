output "file_system_id" {
  description = "The file system."
  value       = aws_efs_file_system.this.id
}

output "access_point_id" {
  description = "Where models lie in it."
  value       = aws_efs_access_point.models.id
}
