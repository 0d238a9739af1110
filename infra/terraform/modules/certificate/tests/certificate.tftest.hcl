mock_provider "aws" {}

variables {
  domain_name       = "invokeai.example.com"
  alternative_names = ["origin.invokeai.example.com"]
  zone_id           = "Z1"
}

run "proved_by_dns" {
  command = plan

  assert {
    condition     = aws_acm_certificate.this.validation_method == "DNS" && aws_acm_certificate.this.domain_name == "invokeai.example.com"
    error_message = "Renewal without anybody's doing."
  }

  assert {
    condition     = toset(keys(aws_route53_record.proof)) == toset(["invokeai.example.com", "origin.invokeai.example.com"])
    error_message = "A record a name."
  }
}
