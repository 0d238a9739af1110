# What the machine may do. Pictures are written below users/ and nothing there is listed: a worker knows the keys of its job.

resource "aws_iam_role" "this" {
  name = local.base

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ec2.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_instance_profile" "this" {
  name = local.base
  role = aws_iam_role.this.name
}

resource "aws_iam_role_policy" "this" {
  name = "work"
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Pictures"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject"]
        Resource = ["arn:aws:s3:::${var.bucket_name}/users/*/images/*", "arn:aws:s3:::${var.bucket_name}/users/*/uploads/*"]
      },
      {
        Sid      = "Models"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = ["arn:aws:s3:::${var.bucket_name}/models/*"]
      },
      {
        Sid       = "ModelNames"
        Effect    = "Allow"
        Action    = ["s3:ListBucket"]
        Resource  = ["arn:aws:s3:::${var.bucket_name}"]
        Condition = { StringLike = { "s3:prefix" = ["models/*"] } }
      },
      {
        # People's own files of models are converted by workers and put back.
        Sid      = "ConvertedModels"
        Effect   = "Allow"
        Action   = ["s3:PutObject", "s3:DeleteObject"]
        Resource = ["arn:aws:s3:::${var.bucket_name}/models/users/*"]
      },
      {
        Sid      = "Doorbell"
        Effect   = "Allow"
        Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage"] # for what a worker hands back the scheduler rings
        Resource = [var.queue_arn]
      },
      {
        Sid      = "Secrets"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = [for name in sort(values(var.secret_names)) : "arn:aws:secretsmanager:${var.region}:${var.account_id}:secret:${name}-??????"]
      },
      {
        Sid      = "Key"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = [var.kms_key_arn]
      },
      {
        Sid      = "Registry"
        Effect   = "Allow"
        Action   = ["ecr:GetAuthorizationToken"] # has no resource
        Resource = ["*"]
      },
      {
        Sid      = "Image"
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = ["arn:aws:ecr:${var.region}:${var.account_id}:repository/${var.image_repository}"]
      },
      {
        Sid      = "WhichImage"
        Effect   = "Allow"
        Action   = ["ssm:GetParameter"]
        Resource = ["arn:aws:ssm:${var.region}:${var.account_id}:parameter${var.image_parameter}"]
      },
      {
        Sid      = "OwnLife"
        Effect   = "Allow"
        Action   = ["autoscaling:CompleteLifecycleAction", "autoscaling:RecordLifecycleActionHeartbeat", "autoscaling:SetInstanceProtection"]
        Resource = ["arn:aws:autoscaling:${var.region}:${var.account_id}:autoScalingGroup:*:autoScalingGroupName/${local.base}*"]
      },
      {
        Sid       = "Figures"
        Effect    = "Allow"
        Action    = ["cloudwatch:PutMetricData"] # has no resource
        Resource  = ["*"]
        Condition = { StringEquals = { "cloudwatch:namespace" = "InvokeAI" } }
      },
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
        Resource = ["arn:aws:logs:${var.region}:${var.account_id}:log-group:/ec2/${local.base}:*"]
      },
    ]
  })
}

# Shells without SSH.
resource "aws_iam_role_policy_attachment" "ssm" {
  role       = aws_iam_role.this.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
}
