mock_provider "aws" {
  override_during = plan

  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:ap-northeast-2:111122223333:key/k" }
  }
}

variables {
  account_id  = "111122223333"
  bucket_name = "invokeai-saas-terraform"
}

run "states_are_kept_and_encrypted" {
  command = plan

  assert {
    condition     = output.bucket_name == "invokeai-saas-terraform" && aws_kms_key.this.enable_key_rotation
    error_message = "A bucket of its own, with a key of its own."
  }
}
