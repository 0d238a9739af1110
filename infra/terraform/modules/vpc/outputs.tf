output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "cidr" {
  description = "Addresses of the VPC."
  value       = aws_vpc.this.cidr_block
}

output "public_subnet_ids" {
  description = "Public subnets, in the order of the zones."
  value       = [for zone in var.zones : aws_subnet.public[zone].id]
}

output "private_subnet_ids" {
  description = "Private subnets, in the order of the zones."
  value       = [for zone in var.zones : aws_subnet.private[zone].id]
}

output "data_subnet_ids" {
  description = "Data subnets, in the order of the zones."
  value       = [for zone in var.zones : aws_subnet.data[zone].id]
}

output "public_cidrs" {
  description = "Addresses of the public subnets by zone."
  value       = { for zone, subnet in aws_subnet.public : zone => subnet.cidr_block }
}

output "private_cidrs" {
  description = "Addresses of the private subnets by zone."
  value       = { for zone, subnet in aws_subnet.private : zone => subnet.cidr_block }
}

output "data_cidrs" {
  description = "Addresses of the data subnets by zone."
  value       = { for zone, subnet in aws_subnet.data : zone => subnet.cidr_block }
}

output "nat_gateways" {
  description = "How many NAT gateways there are."
  value       = length(aws_nat_gateway.this)
}
