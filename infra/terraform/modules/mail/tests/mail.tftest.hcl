mock_provider "aws" {}

variables {
  name             = "invokeai-production"
  region           = "ap-northeast-2"
  domain_name      = "invokeai.example.com"
  zone_id          = "Z1"
  notify_topic_arn = "arn:aws:sns:ap-northeast-2:111122223333:t"
}

run "signed_and_by_tls" {
  command = plan

  assert {
    condition     = one(aws_sesv2_configuration_set.this.delivery_options).tls_policy == "REQUIRE"
    error_message = "TLS to whoever takes the mail."
  }

  assert {
    condition     = length(aws_route53_record.dkim) == 3 && aws_route53_record.dmarc.records == toset(["v=DMARC1; p=reject; adkim=s; aspf=r"])
    error_message = "Signed by DKIM; what is not is to be refused."
  }

  assert {
    condition     = one(one(aws_sesv2_configuration_set_event_destination.this.event_destination).sns_destination).topic_arn == var.notify_topic_arn
    error_message = "Bounces and complaints reach people."
  }
}
