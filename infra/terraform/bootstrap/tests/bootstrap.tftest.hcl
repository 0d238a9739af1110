mock_provider "aws" {
  override_during = plan

  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:ap-northeast-2:111122223333:key/k" }
  }
}

variables {
  account_id  = "111122223333"
  bucket_name = "invokeai-saas-dev-terraform"
  domain_name = "dev.invokeai.example.com"
}

run "a_bucket_and_a_zone" {
  command = plan

  assert {
    condition     = output.bucket_name == "invokeai-saas-dev-terraform" && aws_route53_zone.this.name == "dev.invokeai.example.com"
    error_message = "Where states lie, and where names do."
  }
}
