mock_provider "aws" {}

variables {
  name        = "invokeai-dev"
  account_id  = "111122223333"
  region      = "ap-northeast-2"
  kms_key_arn = "arn:aws:kms:ap-northeast-2:111122223333:key/k"
}

run "networks_are_those_of_the_requirements" {
  command = plan

  assert {
    condition     = aws_vpc.this.cidr_block == "10.0.0.0/16"
    error_message = "VPC 10.0.0.0/16."
  }

  assert {
    condition     = { for z, s in aws_subnet.public : z => s.cidr_block } == { ap-northeast-2a = "10.0.1.0/24", ap-northeast-2b = "10.0.2.0/24" }
    error_message = "Public subnets 10.0.1.0/24 and 10.0.2.0/24 in zones a and b."
  }

  assert {
    condition     = { for z, s in aws_subnet.private : z => s.cidr_block } == { ap-northeast-2a = "10.0.11.0/24", ap-northeast-2b = "10.0.12.0/24" }
    error_message = "Private subnets 10.0.11.0/24 and 10.0.12.0/24."
  }

  assert {
    condition     = { for z, s in aws_subnet.data : z => s.cidr_block } == { ap-northeast-2a = "10.0.21.0/24", ap-northeast-2b = "10.0.22.0/24" }
    error_message = "Data subnets 10.0.21.0/24 and 10.0.22.0/24."
  }

  assert {
    condition     = aws_vpc.this.enable_dns_support && aws_vpc.this.enable_dns_hostnames
    error_message = "Private names of endpoints need DNS."
  }
}

run "a_nat_gateway_a_zone" {
  command = plan

  assert {
    condition     = toset(keys(aws_nat_gateway.this)) == toset(["ap-northeast-2a", "ap-northeast-2b"])
    error_message = "One NAT gateway per zone."
  }

  assert {
    condition     = toset(keys(aws_route.nat)) == toset(["ap-northeast-2a", "ap-northeast-2b"])
    error_message = "Each private subnet leaves by its own zone."
  }

  assert {
    condition     = alltrue([for s in aws_subnet.public : s.map_public_ip_on_launch == false])
    error_message = "Nothing gets a public address by being started."
  }
}

run "aws_is_reached_without_the_internet" {
  command = plan

  assert {
    condition     = aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway" && aws_vpc_endpoint.s3.service_name == "com.amazonaws.ap-northeast-2.s3"
    error_message = "S3 by a gateway endpoint."
  }

  assert {
    condition     = toset(keys(aws_vpc_endpoint.interface)) == toset(["autoscaling", "ecr.api", "ecr.dkr", "kms", "logs", "monitoring", "secretsmanager", "sqs", "ssm", "sts"])
    error_message = "Interface endpoints for what the processes call."
  }

  assert {
    condition     = alltrue([for e in aws_vpc_endpoint.interface : e.private_dns_enabled])
    error_message = "Programs find endpoints by AWS's own names."
  }

  assert {
    condition     = aws_flow_log.this.traffic_type == "ALL" && aws_cloudwatch_log_group.flow.retention_in_days == 365
    error_message = "All traffic is recorded for a year."
  }
}

run "zones_are_two" {
  command = plan

  variables {
    zones = ["ap-northeast-2a", "ap-northeast-2a"]
  }

  expect_failures = [var.zones]
}
