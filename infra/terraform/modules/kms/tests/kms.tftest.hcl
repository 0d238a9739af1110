mock_provider "aws" {}

variables {
  name       = "invokeai-dev"
  account_id = "111122223333"
  region     = "ap-northeast-2"
}

run "key_is_ours_and_rotates" {
  command = plan

  assert {
    condition     = aws_kms_key.this.enable_key_rotation && aws_kms_key.this.rotation_period_in_days == 365
    error_message = "The key is renewed every year."
  }

  assert {
    condition     = aws_kms_key.this.deletion_window_in_days == 30
    error_message = "A deleted key can be taken back for 30 days."
  }

  assert {
    condition = alltrue([
      for s in jsondecode(aws_kms_key.this.policy).Statement : s.Sid == "AccountByIam" || can(s.Condition)
    ])
    error_message = "Services use the key for this account alone."
  }
}

run "accounts_have_twelve_digits" {
  command = plan

  variables {
    account_id = "1234"
  }

  expect_failures = [var.account_id]
}
