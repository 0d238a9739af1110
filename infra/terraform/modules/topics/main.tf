# Where alarms go: critical to PagerDuty, high and medium to Slack. PagerDuty's address contains its key, so the
# subscription is made by infra/secrets and not here, where it would stand in the state. Slack's IDs are no secrets.

locals {
  severities = toset(["critical", "high", "medium"])
}

resource "aws_sns_topic" "this" {
  for_each = local.severities

  name              = "${var.name}-${each.key}"
  kms_master_key_id = var.kms_key_arn
}

resource "aws_sns_topic_policy" "this" {
  for_each = local.severities

  arn = aws_sns_topic.this[each.key].arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OwnServices"
        Effect    = "Allow"
        Principal = { Service = ["cloudwatch.amazonaws.com", "budgets.amazonaws.com", "events.amazonaws.com", "backup.amazonaws.com", "ses.amazonaws.com"] }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.this[each.key].arn
        Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
      },
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.this[each.key].arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_iam_role" "slack" {
  count = var.slack_team_id == null ? 0 : 1

  name = "${var.name}-slack"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "chatbot.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })
}

resource "aws_chatbot_slack_channel_configuration" "this" {
  for_each = var.slack_team_id == null ? {} : var.slack_channels

  configuration_name    = "${var.name}-${each.key}"
  slack_team_id         = var.slack_team_id
  slack_channel_id      = each.value
  iam_role_arn          = aws_iam_role.slack[0].arn
  sns_topic_arns        = [aws_sns_topic.this[each.key].arn]
  guardrail_policy_arns = ["arn:aws:iam::aws:policy/CloudWatchReadOnlyAccess"] # a channel reads, and does nothing
  logging_level         = "ERROR"
}
