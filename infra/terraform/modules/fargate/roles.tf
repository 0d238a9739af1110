# Two roles: ECS's own, which fetches image and secrets and writes logs, and the task's, which has what the program does.

locals {
  assume = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })
}

resource "aws_iam_role" "execution" {
  name               = "${var.family}-execution"
  assume_role_policy = local.assume
}

resource "aws_iam_role_policy" "execution" {
  name = "start"
  role = aws_iam_role.execution.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "Registry"
          Effect   = "Allow"
          Action   = ["ecr:GetAuthorizationToken"] # has no resource
          Resource = "*"
        },
        {
          Sid      = "Image"
          Effect   = "Allow"
          Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
          Resource = "arn:aws:ecr:${var.region}:${var.account_id}:repository/invokeai-*"
        },
        {
          Sid      = "Logs"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = "arn:aws:logs:${var.region}:${var.account_id}:log-group:${var.log_group}:*"
        },
      ],
      [for s in [
        {
          Sid      = "Secrets"
          Effect   = "Allow"
          Action   = ["secretsmanager:GetSecretValue"]
          Resource = distinct([for arn in values(var.secrets) : join(":", slice(split(":", arn), 0, 7))]) # a key of a secret may follow
        },
        {
          Sid       = "Key"
          Effect    = "Allow"
          Action    = ["kms:Decrypt"]
          Resource  = [var.kms_key_arn]
          Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${var.region}.amazonaws.com" } }
        },
      ] : s if length(var.secrets) > 0],
    )
  })
}

resource "aws_iam_role" "task" {
  name               = "${var.family}-task"
  assume_role_policy = local.assume
}

resource "aws_iam_role_policy" "task" {
  count = length(var.policy) > 0 ? 1 : 0

  name   = "work"
  role   = aws_iam_role.task.id
  policy = jsonencode({ Version = "2012-10-17", Statement = var.policy })
}
