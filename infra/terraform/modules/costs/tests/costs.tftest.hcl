mock_provider "aws" {}

variables {
  name             = "invokeai-production"
  environment      = "production"
  monthly_usd      = 3000
  notify_topic_arn = "arn:aws:sns:ap-northeast-2:111122223333:t"
}

run "costs_are_divided_and_told" {
  command = plan

  assert {
    condition     = toset(output.tag_keys) == toset(["Project", "Environment", "Tier", "Service"])
    error_message = "Cost allocation by these tags."
  }

  assert {
    condition     = { for n in aws_budgets_budget.month.notification : n.notification_type => n.threshold } == { ACTUAL = 80, FORECASTED = 100 }
    error_message = "At 80 % of the month's money, and when the forecast passes it."
  }

  assert {
    condition     = one(aws_budgets_budget.month.cost_filter).values[0] == "user:Environment$production"
    error_message = "This environment's costs."
  }
}
