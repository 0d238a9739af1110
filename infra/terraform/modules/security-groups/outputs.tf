output "ids" {
  description = "IDs of the groups by name."
  value       = { for name, group in aws_security_group.this : name => group.id }
}

output "rules" {
  description = "What may come in, by rule: port."
  value       = merge({ for k, r in aws_vpc_security_group_ingress_rule.group : k => r.from_port }, { for k, r in aws_vpc_security_group_ingress_rule.edge : "${k}-from-cloudfront" => r.from_port })
}
