mock_provider "aws" {
  override_during = plan

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/r" }
  }

  override_resource {
    target = aws_sns_topic.this
    values = { arn = "arn:aws:sns:ap-northeast-2:111122223333:t" }
  }
}

variables {
  name           = "invokeai-production"
  account_id     = "111122223333"
  kms_key_arn    = "arn:aws:kms:ap-northeast-2:111122223333:key/k"
  slack_team_id  = "T0000000"
  slack_channels = { high = "C0000001", medium = "C0000002" }
}

run "a_topic_a_severity" {
  command = plan

  assert {
    condition     = toset([for t in aws_sns_topic.this : t.name]) == toset(["invokeai-production-critical", "invokeai-production-high", "invokeai-production-medium"])
    error_message = "critical, high, medium."
  }

  assert {
    condition     = alltrue([for t in aws_sns_topic.this : t.kms_master_key_id == var.kms_key_arn])
    error_message = "Encrypted by our own key: CloudWatch cannot use AWS's."
  }

  assert {
    condition     = alltrue([for p in aws_sns_topic_policy.this : jsondecode(p.policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "111122223333"])
    error_message = "This account's services only."
  }
}

run "high_and_medium_to_slack" {
  command = plan

  assert {
    condition     = { for k, c in aws_chatbot_slack_channel_configuration.this : k => c.slack_channel_id } == { high = "C0000001", medium = "C0000002" }
    error_message = "High and medium reach Slack; critical is PagerDuty's."
  }
}

run "critical_is_not_slacks" {
  command = plan

  variables {
    slack_channels = { critical = "C0000001" }
  }

  expect_failures = [var.slack_channels]
}
