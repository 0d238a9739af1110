mock_provider "aws" {}

variables {
  name                = "invokeai-production"
  vpc_id              = "vpc-1"
  subnet_ids          = ["subnet-a", "subnet-b"]
  security_group_ids  = ["sg-alb", "sg-alb-http"]
  domain_name         = "invokeai.example.com"
  certificate_arn     = "arn:aws:acm:ap-northeast-2:111122223333:certificate/c"
  log_bucket          = "invokeai-saas-production-logs"
  deletion_protection = true
}

run "health_is_asked_as_required" {
  command = plan

  assert {
    condition     = output.health_check == { path = "/api/v1/app/version", interval = 30, timeout = 5, tries = 3 }
    error_message = "/api/v1/app/version every 30 s, 5 s time-out, 3 tries."
  }

  assert {
    condition     = aws_lb_target_group.api.port == 8080 && aws_lb_target_group.api.target_type == "ip"
    error_message = "Tasks at port 8080, by address (awsvpc)."
  }

  assert {
    condition     = one(aws_lb_target_group.api.stickiness).enabled && one(aws_lb_target_group.api.stickiness).type == "lb_cookie"
    error_message = "Socket.IO needs a sticky task."
  }
}

run "nothing_but_our_name_by_tls" {
  command = plan

  assert {
    condition     = one(aws_lb_listener.https.default_action).type == "fixed-response" && one(one(aws_lb_listener.https.default_action).fixed_response).status_code == "403"
    error_message = "Other hosts are turned away."
  }

  assert {
    condition     = one(one(aws_lb_listener_rule.api.condition).host_header).values == toset(["invokeai.example.com"])
    error_message = "Our name leads to the API."
  }

  assert {
    condition     = one(one(aws_lb_listener.http.default_action).redirect).status_code == "HTTP_301" && aws_lb_listener.http.port == 80 && aws_lb_listener.https.port == 443
    error_message = "Port 80 leads to 443."
  }

  assert {
    condition     = aws_lb_listener.https.ssl_policy == "ELBSecurityPolicy-TLS13-1-2-2021-06" && aws_lb.this.drop_invalid_header_fields
    error_message = "TLS 1.2 or newer; broken headers are dropped."
  }
}
