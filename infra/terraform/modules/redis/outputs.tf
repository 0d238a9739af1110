output "endpoint" {
  description = "Where the primary answers."
  value       = aws_elasticache_replication_group.this.primary_endpoint_address
}

output "replication_group_id" {
  description = "Name of the group."
  value       = aws_elasticache_replication_group.this.replication_group_id
}

output "user_group_id" {
  description = "Group that the service's user is added to."
  value       = aws_elasticache_user_group.this.user_group_id
}

output "nodes" {
  description = "Primary and replicas."
  value       = aws_elasticache_replication_group.this.num_cache_clusters
}

output "node_ids" {
  description = "Names of the nodes, as CloudWatch knows them."
  value       = [for i in range(1 + var.replicas) : format("%s-%03d", var.name, i + 1)]
}
