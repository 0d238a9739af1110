mock_provider "aws" {}

variables {
  name                = "invokeai-dev"
  vpc_id              = "vpc-1"
  edge_prefix_list_id = "pl-1"
}

run "what_may_come_in" {
  command = plan

  assert {
    condition = output.rules == {
      alb-from-cloudfront      = 443
      alb-http-from-cloudfront = 80
      api-from-alb             = 8080
      aurora-from-api          = 5432
      aurora-from-gpu          = 5432
      aurora-from-migrate      = 5432
      aurora-from-scheduler    = 5432
      redis-from-api           = 6379
      redis-from-gpu           = 6379
      redis-from-scheduler     = 6379
      efs-from-gpu             = 2049
    }
    error_message = "The table of security groups: these rules and no others."
  }

  assert {
    condition     = alltrue([for r in aws_vpc_security_group_ingress_rule.edge : r.prefix_list_id == "pl-1" && r.cidr_ipv4 == null])
    error_message = "The load balancer is reached from CloudFront only."
  }

  assert {
    condition     = !anytrue([for k in keys(output.rules) : startswith(k, "gpu-") || startswith(k, "migrate-") || startswith(k, "scheduler-")])
    error_message = "Nothing comes in to workers, scheduler and migrations."
  }
}

run "data_stores_start_no_connection" {
  command = plan

  assert {
    condition     = toset(keys(aws_vpc_security_group_egress_rule.tls)) == toset(["api", "scheduler", "gpu", "migrate"])
    error_message = "Aurora, Redis and EFS have no way out."
  }

  assert {
    condition     = alltrue([for k, r in aws_vpc_security_group_egress_rule.group : r.from_port == aws_vpc_security_group_ingress_rule.group[k].from_port])
    error_message = "Each way in has its way out at the other end."
  }
}
