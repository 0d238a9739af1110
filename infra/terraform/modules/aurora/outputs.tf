output "cluster_identifier" {
  description = "Name of the cluster."
  value       = aws_rds_cluster.this.cluster_identifier
}

output "cluster_arn" {
  description = "ARN of the cluster."
  value       = aws_rds_cluster.this.arn
}

output "endpoint" {
  description = "Where the writer answers."
  value       = aws_rds_cluster.this.endpoint
}

output "reader_endpoint" {
  description = "Where readers answer."
  value       = aws_rds_cluster.this.reader_endpoint
}

output "master_secret_arn" {
  description = "Secret with the master password, kept by RDS."
  value       = try(aws_rds_cluster.this.master_user_secret[0].secret_arn, null)
}

output "max_connections" {
  description = "Connections that each instance takes."
  value       = one([for p in aws_rds_cluster_parameter_group.this.parameter : tonumber(p.value) if p.name == "max_connections"])
}

output "facts" {
  description = "What the cluster was given, for tests of whole environments."
  value = {
    cluster              = aws_rds_cluster.this.cluster_identifier
    engine_version       = aws_rds_cluster.this.engine_version
    min_acu              = aws_rds_cluster.this.serverlessv2_scaling_configuration[0].min_capacity
    max_acu              = aws_rds_cluster.this.serverlessv2_scaling_configuration[0].max_capacity
    readers              = length(aws_rds_cluster_instance.this) - 1
    max_readers          = max(length(aws_rds_cluster_instance.this) - 1, aws_appautoscaling_target.readers[*].max_capacity...)
    backup_days          = aws_rds_cluster.this.backup_retention_period
    backup_window        = aws_rds_cluster.this.preferred_backup_window
    deletion_protection  = aws_rds_cluster.this.deletion_protection
    performance_insights = alltrue([for i in aws_rds_cluster_instance.this : i.performance_insights_enabled])
    encrypted            = aws_rds_cluster.this.storage_encrypted
    public               = anytrue([for i in aws_rds_cluster_instance.this : i.publicly_accessible])
  }
}
