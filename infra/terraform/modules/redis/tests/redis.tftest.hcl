mock_provider "aws" {}

variables {
  name               = "invokeai-production"
  kms_key_arn        = "arn:aws:kms:ap-northeast-2:111122223333:key/k"
  subnet_ids         = ["subnet-a", "subnet-b"]
  security_group_ids = ["sg-redis"]
}

run "primary_and_replica_in_two_zones" {
  command = plan

  assert {
    condition     = aws_elasticache_replication_group.this.num_cache_clusters == 2 && aws_elasticache_replication_group.this.multi_az_enabled && aws_elasticache_replication_group.this.automatic_failover_enabled
    error_message = "Primary and replica, in two zones, failing over by themselves."
  }

  assert {
    condition     = aws_elasticache_replication_group.this.node_type == "cache.r6g.large" && aws_elasticache_replication_group.this.port == 6379
    error_message = "cache.r6g.large at 6379."
  }

  assert {
    condition     = output.node_ids == ["invokeai-production-001", "invokeai-production-002"]
    error_message = "Alarms find the nodes by these names."
  }
}

run "encrypted_and_closed" {
  command = plan

  assert {
    condition     = aws_elasticache_replication_group.this.at_rest_encryption_enabled == "true" && aws_elasticache_replication_group.this.transit_encryption_enabled && aws_elasticache_replication_group.this.transit_encryption_mode == "required"
    error_message = "KMS at rest, TLS in transit."
  }

  assert {
    condition     = aws_elasticache_replication_group.this.auth_token == null && aws_elasticache_user.default.access_string == "off -@all"
    error_message = "No password in the state, and nobody gets in without one."
  }

  assert {
    condition     = one([for p in aws_elasticache_parameter_group.this.parameter : p.value if p.name == "maxmemory-policy"]) == "volatile-lru"
    error_message = "A full cache drops entries instead of refusing."
  }
}
