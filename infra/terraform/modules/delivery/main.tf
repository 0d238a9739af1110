# The pipeline's role: workflows prove who they are by OpenID Connect, so there is no key to leak. Only jobs of the named
# GitHub environment of the named repository get it; GitHub asks for approval before such a job starts.

locals {
  issuer = "token.actions.githubusercontent.com"
  ecs    = "arn:aws:ecs:${var.region}:${var.account_id}"
}

resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
}

resource "aws_iam_role" "deploy" {
  name                 = "${var.name}-deploy"
  max_session_duration = 7200

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = "arn:aws:iam::${var.account_id}:oidc-provider/${local.issuer}" }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "${local.issuer}:aud" = "sts.amazonaws.com"
          "${local.issuer}:sub" = "repo:${var.repository}:environment:${var.github_environment}"
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "deploy" {
  name = "deploy"
  role = aws_iam_role.deploy.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for s in [
      {
        Sid      = "Registry"
        Effect   = "Allow"
        Action   = ["ecr:GetAuthorizationToken"] # has no resource
        Resource = ["*"]
      },
      {
        Sid    = "Images"
        Effect = "Allow"
        Action = [
          "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImages",
          "ecr:DescribeImageScanFindings", "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
        ]
        Resource = ["arn:aws:ecr:${var.region}:${var.account_id}:repository/invokeai-*"]
      },
      {
        Sid      = "ImagesOfSource"
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = [for account in compact([var.source_account_id]) : "arn:aws:ecr:${var.region}:${account}:repository/invokeai-*"]
      },
      {
        Sid      = "IsAllWell"
        Effect   = "Allow"
        Action   = ["autoscaling:DescribeInstanceRefreshes", "cloudwatch:DescribeAlarms"] # have no resource
        Resource = ["*"]
      },
      {
        Sid      = "TaskDefinitions"
        Effect   = "Allow"
        Action   = ["ecs:DescribeTaskDefinition", "ecs:RegisterTaskDefinition"] # have no resource
        Resource = ["*"]
      },
      {
        Sid      = "Services"
        Effect   = "Allow"
        Action   = ["ecs:DescribeServices", "ecs:UpdateService"]
        Resource = flatten([for service in var.services : ["${local.ecs}:service/${var.cluster_name}/${service}", "${local.ecs}:service/${var.cluster_name}/${service}-canary"]])
      },
      {
        Sid      = "Canary"
        Effect   = "Allow"
        Action   = ["ecs:CreateService", "ecs:DeleteService"]
        Resource = [for service in var.services : "${local.ecs}:service/${var.cluster_name}/${service}-canary"]
      },
      {
        Sid       = "Tags"
        Effect    = "Allow"
        Action    = ["ecs:TagResource"]
        Resource  = ["${local.ecs}:task-definition/invokeai-*:*", "${local.ecs}:service/${var.cluster_name}/*-canary", "${local.ecs}:task/${var.cluster_name}/*"]
        Condition = { StringEquals = { "ecs:CreateAction" = ["RegisterTaskDefinition", "CreateService", "RunTask"] } }
      },
      {
        Sid       = "Migrate"
        Effect    = "Allow"
        Action    = ["ecs:RunTask"]
        Resource  = ["${local.ecs}:task-definition/invokeai-migrate:*"]
        Condition = { ArnEquals = { "ecs:cluster" = "${local.ecs}:cluster/${var.cluster_name}" } }
      },
      {
        Sid      = "ExitCode"
        Effect   = "Allow"
        Action   = ["ecs:DescribeTasks", "ecs:StopTask"]
        Resource = ["${local.ecs}:task/${var.cluster_name}/*"]
      },
      {
        Sid       = "RolesOfTasks"
        Effect    = "Allow"
        Action    = ["iam:PassRole"]
        Resource  = flatten([for family in var.task_families : ["arn:aws:iam::${var.account_id}:role/${family}-task", "arn:aws:iam::${var.account_id}:role/${family}-execution"]])
        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
      },
      {
        Sid      = "WorkerImage"
        Effect   = "Allow"
        Action   = ["ssm:GetParameter", "ssm:PutParameter"]
        Resource = ["arn:aws:ssm:${var.region}:${var.account_id}:parameter${var.image_parameter}"]
      },
      {
        Sid      = "Workers"
        Effect   = "Allow"
        Action   = ["autoscaling:StartInstanceRefresh", "autoscaling:CancelInstanceRefresh"]
        Resource = [for group in var.gpu_group_names : "arn:aws:autoscaling:${var.region}:${var.account_id}:autoScalingGroup:*:autoScalingGroupName/${group}"]
      },
      {
        Sid      = "PageNames"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = ["arn:aws:s3:::${var.page_bucket}"]
      },
      {
        Sid      = "Page"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
        Resource = ["arn:aws:s3:::${var.page_bucket}/*"]
      },
      {
        Sid      = "PageKey"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = [var.kms_key_arn]
      },
      {
        Sid      = "Edge"
        Effect   = "Allow"
        Action   = ["cloudfront:CreateInvalidation", "cloudfront:GetInvalidation"]
        Resource = [var.distribution_arn]
      },
      {
        Sid      = "Why"
        Effect   = "Allow"
        Action   = ["logs:GetLogEvents", "logs:FilterLogEvents"]
        Resource = ["arn:aws:logs:${var.region}:${var.account_id}:log-group:${var.log_group_prefix}*:*"]
      },
    ] : s if length(s.Resource) > 0]
  })
}

# The restore drill's role: it makes a copy of the database, has it looked at, and removes it. It can delete nothing else.
resource "aws_iam_role" "drill" {
  name                 = "${var.name}-drill"
  max_session_duration = 14400

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = "arn:aws:iam::${var.account_id}:oidc-provider/${local.issuer}" }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "${local.issuer}:aud" = "sts.amazonaws.com"
          "${local.issuer}:sub" = "repo:${var.repository}:environment:drill-${var.github_environment}"
        }
      }
    }]
  })
}

locals {
  rds  = "arn:aws:rds:${var.region}:${var.account_id}"
  copy = ["${local.rds}:cluster:${var.db_cluster}-drill", "${local.rds}:db:${var.db_cluster}-drill-1"]
}

resource "aws_iam_role_policy" "drill" {
  name = "drill"
  role = aws_iam_role.drill.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Look"
        Effect   = "Allow"
        Action   = ["rds:DescribeDBClusters", "rds:DescribeDBInstances"]
        Resource = ["${local.rds}:cluster:*", "${local.rds}:db:*"]
      },
      {
        Sid    = "Restore"
        Effect = "Allow"
        Action = ["rds:RestoreDBClusterToPointInTime"]
        Resource = concat(local.copy, [
          "${local.rds}:cluster:${var.db_cluster}", "${local.rds}:subgrp:${var.db_cluster}", "${local.rds}:cluster-pg:${var.db_cluster}",
        ])
      },
      {
        Sid      = "Copy"
        Effect   = "Allow"
        Action   = ["rds:AddTagsToResource", "rds:CreateDBInstance", "rds:DeleteDBCluster", "rds:DeleteDBInstance"]
        Resource = local.copy
      },
      {
        Sid       = "Key"
        Effect    = "Allow"
        Action    = ["kms:CreateGrant", "kms:DescribeKey"]
        Resource  = [var.kms_key_arn]
        Condition = { StringEquals = { "kms:ViaService" = "rds.${var.region}.amazonaws.com" } }
      },
      {
        Sid      = "WhichTask"
        Effect   = "Allow"
        Action   = ["ecs:DescribeTaskDefinition"] # has no resource
        Resource = ["*"]
      },
      {
        Sid       = "LookInside"
        Effect    = "Allow"
        Action    = ["ecs:RunTask"]
        Resource  = ["${local.ecs}:task-definition/invokeai-migrate:*"]
        Condition = { ArnEquals = { "ecs:cluster" = "${local.ecs}:cluster/${var.cluster_name}" } }
      },
      {
        Sid      = "ExitCode"
        Effect   = "Allow"
        Action   = ["ecs:DescribeTasks", "ecs:StopTask"]
        Resource = ["${local.ecs}:task/${var.cluster_name}/*"]
      },
      {
        Sid       = "RolesOfTask"
        Effect    = "Allow"
        Action    = ["iam:PassRole"]
        Resource  = ["arn:aws:iam::${var.account_id}:role/invokeai-migrate-task", "arn:aws:iam::${var.account_id}:role/invokeai-migrate-execution"]
        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
      },
    ]
  })
}
