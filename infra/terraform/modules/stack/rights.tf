# What each task may do on AWS, by prefix of the bucket. That a person gets their own pictures only is for the service to
# say: one role serves all, so a key is never taken from a request without asking whose it is.

locals {
  bucket_arn = "arn:aws:s3:::${local.bucket}"
  queue_arns = sort(values(module.queues.arns))

  key = {
    Sid      = "Key"
    Effect   = "Allow"
    Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource = [module.kms.key_arn]
  }

  purge = {
    Sid      = "Purge"
    Effect   = "Allow"
    Action   = ["cloudfront:CreateInvalidation"]
    Resource = [module.cloudfront.distribution_arn]
  }

  # Changed addresses are looked up by the API; only the scheduler deletes, and sees that it is done.
  people = { for process, actions in {
    api       = ["cognito-idp:AdminGetUser"]
    scheduler = ["cognito-idp:AdminDeleteUser", "cognito-idp:AdminGetUser"]
    } : process => {
    Sid      = "People"
    Effect   = "Allow"
    Action   = actions
    Resource = [module.cognito.user_pool_arn]
  } }

  # Of the secrets that a process is told the names of, and of no other. Secrets Manager puts a hyphen and six characters
  # behind each name.
  read_secrets = { for process, named in local.named_secrets : process => {
    Sid      = "Secrets"
    Effect   = "Allow"
    Action   = ["secretsmanager:GetSecretValue"]
    Resource = [for value in sort(values(named)) : "arn:aws:secretsmanager:${var.region}:${var.account_id}:secret:${trimprefix(value, "aws-secret:")}-??????"]
  } }

  rights = {
    api = [
      {
        Sid      = "FilesOfPeople"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
        Resource = ["${local.bucket_arn}/users/*", "${local.bucket_arn}/models/users/*"]
      },
      {
        Sid      = "FilesForAll"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = ["${local.bucket_arn}/models/shared/covers/*", "${local.bucket_arn}/system/*"]
      },
      {
        Sid      = "Ring"
        Effect   = "Allow"
        Action   = ["sqs:SendMessage"]
        Resource = local.queue_arns
      },
      local.people.api, local.key,
    ]

    scheduler = [
      {
        Sid      = "FilesOfPeople"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
        Resource = ["${local.bucket_arn}/users/*", "${local.bucket_arn}/models/users/*"]
      },
      {
        # Files that no row names are found by listing. A question for one file names no prefix: without IfExists S3 would
        # answer 403 where there is none, instead of 404.
        Sid       = "Names"
        Effect    = "Allow"
        Action    = ["s3:ListBucket"]
        Resource  = [local.bucket_arn]
        Condition = { StringLikeIfExists = { "s3:prefix" = ["users/*", "models/*", "system/*"] } }
      },
      {
        Sid      = "FilesForAll"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject"]
        Resource = ["${local.bucket_arn}/models/shared/*", "${local.bucket_arn}/system/*"]
      },
      {
        Sid      = "RingAgain"
        Effect   = "Allow"
        Action   = ["sqs:SendMessage", "sqs:GetQueueAttributes"]
        Resource = local.queue_arns
      },
      {
        Sid    = "Mail"
        Effect = "Allow"
        Action = ["ses:SendEmail", "ses:SendRawEmail"]
        Resource = [
          "arn:aws:ses:${var.region}:${var.account_id}:identity/${var.domain_name}",
          "arn:aws:ses:${var.region}:${var.account_id}:configuration-set/${local.name}",
        ]
      },
      {
        Sid       = "Figures"
        Effect    = "Allow"
        Action    = ["cloudwatch:PutMetricData"] # has no resource
        Resource  = ["*"]
        Condition = { StringEquals = { "cloudwatch:namespace" = "InvokeAI" } }
      },
      local.people.scheduler, local.purge, local.key,
    ]

    worker = [
      {
        Sid      = "Pictures"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject"]
        Resource = ["${local.bucket_arn}/users/*/images/*", "${local.bucket_arn}/users/*/uploads/*"]
      },
      {
        Sid      = "Doorbell"
        Effect   = "Allow"
        Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage"]
        Resource = local.queue_arns
      },
      local.key,
    ]

    models = [
      {
        Sid      = "FilesForAll"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = ["${local.bucket_arn}/models/shared/*"]
      },
      {
        Sid       = "Names"
        Effect    = "Allow"
        Action    = ["s3:ListBucket"]
        Resource  = [local.bucket_arn]
        Condition = { StringLike = { "s3:prefix" = ["models/shared/*"] } }
      },
      merge(local.key, { Action = ["kms:Decrypt"] }),
    ]

    migrate = []
  }
}
