# Who may speak to whom. Rules lead from group to group; the only addresses are CloudFront's.

locals {
  groups = {
    alb       = "Load balancer, TLS from CloudFront"
    alb-http  = "Load balancer, plain HTTP from CloudFront, which is only redirected"
    api       = "API tasks"
    scheduler = "The scheduler's task"
    migrate   = "One-off migrations"
    gpu       = "GPU and mock workers, which nobody calls"
    aurora    = "Aurora PostgreSQL"
    redis     = "ElastiCache"
    efs       = "Shared models"
  }

  # CloudFront's list counts as 55 rules of the 60 that a group may have: one port a group.
  from_edge = {
    alb      = 443
    alb-http = 80
  }

  from_groups = merge([
    for target, rule in {
      api    = { port = 8080, sources = ["alb"] }
      aurora = { port = 5432, sources = ["api", "gpu", "scheduler", "migrate"] }
      redis  = { port = 6379, sources = ["api", "gpu", "scheduler"] }
      efs    = { port = 2049, sources = ["gpu"] }
      } : {
      for source in rule.sources : "${target}-from-${source}" => { target = target, source = source, port = rule.port }
    }
  ]...)

  # What starts connections: to AWS's services, and beyond them to Stripe, the model hub and mail.
  outwards = toset(["api", "scheduler", "gpu", "migrate"])
}

resource "aws_security_group" "this" {
  for_each = local.groups

  name        = "${var.name}-${each.key}"
  description = each.value
  vpc_id      = var.vpc_id
  tags        = { Name = "${var.name}-${each.key}" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "edge" {
  for_each = local.from_edge

  security_group_id = aws_security_group.this[each.key].id
  description       = "CloudFront only"
  prefix_list_id    = var.edge_prefix_list_id
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
}

resource "aws_vpc_security_group_ingress_rule" "group" {
  for_each = local.from_groups

  security_group_id            = aws_security_group.this[each.value.target].id
  description                  = "From ${each.value.source}"
  referenced_security_group_id = aws_security_group.this[each.value.source].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

# Both ends are named, so that a task that is taken over reaches what its work needs and nothing else inside.
resource "aws_vpc_security_group_egress_rule" "group" {
  for_each = local.from_groups

  security_group_id            = aws_security_group.this[each.value.source].id
  description                  = "To ${each.value.target}"
  referenced_security_group_id = aws_security_group.this[each.value.target].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_vpc_security_group_egress_rule" "tls" {
  for_each = local.outwards

  security_group_id = aws_security_group.this[each.key].id
  description       = "TLS to AWS and the world"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
