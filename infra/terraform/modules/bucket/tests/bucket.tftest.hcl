mock_provider "aws" {}

variables {
  account_id             = "111122223333"
  bucket_name            = "invokeai-saas-production"
  kms_key_arn            = "arn:aws:kms:ap-northeast-2:111122223333:key/k"
  log_bucket             = "invokeai-saas-production-logs"
  infrequent_prefixes    = ["users/"]
  readable_by_cloudfront = true
  edge_prefixes          = ["users/", "models/", "system/"]
}

run "never_public_never_plain" {
  command = plan

  assert {
    condition     = aws_s3_bucket_public_access_block.this.block_public_acls && aws_s3_bucket_public_access_block.this.block_public_policy && aws_s3_bucket_public_access_block.this.ignore_public_acls && aws_s3_bucket_public_access_block.this.restrict_public_buckets
    error_message = "No public access of any kind."
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).sse_algorithm == "aws:kms"
    error_message = "KMS at rest."
  }

  assert {
    condition     = jsondecode(aws_s3_bucket_policy.this.policy).Statement[0].Condition.Bool["aws:SecureTransport"] == "false"
    error_message = "TLS in transit."
  }

  assert {
    condition = jsondecode(aws_s3_bucket_policy.this.policy).Statement[1].Resource == [
      "arn:aws:s3:::invokeai-saas-production/users/*", "arn:aws:s3:::invokeai-saas-production/models/*", "arn:aws:s3:::invokeai-saas-production/system/*"
    ]
    error_message = "CloudFront reads these prefixes, by our own distributions."
  }
}

run "what_is_not_read_for_30_days_goes_to_infrequent_access" {
  command = plan

  assert {
    condition     = [for r in aws_s3_bucket_lifecycle_configuration.this.rule : one(r.transition).storage_class if r.id == "unread-users"] == ["INTELLIGENT_TIERING"]
    error_message = "Intelligent tiering: to Infrequent Access after 30 days without a read."
  }

  assert {
    condition     = [for r in aws_s3_bucket_lifecycle_configuration.this.rule : one(r.abort_incomplete_multipart_upload).days_after_initiation if r.id == "remains"] == [7]
    error_message = "Parts of uploads that nobody finished go after a week."
  }

  assert {
    condition     = aws_s3_bucket_metric.all.name == "EntireBucket"
    error_message = "Errors of the bucket can be seen."
  }
}

run "logs_expire" {
  command = plan

  variables {
    bucket_name              = "invokeai-saas-production-logs"
    kms_key_arn              = null
    log_bucket               = null
    infrequent_prefixes      = []
    readable_by_cloudfront   = false
    writable_by_log_delivery = true
    expire_days              = 365
  }

  assert {
    condition     = [for r in aws_s3_bucket_lifecycle_configuration.this.rule : one(r.expiration).days if r.id == "expire"] == [365]
    error_message = "Logs are kept for a year."
  }

  assert {
    condition     = jsondecode(aws_s3_bucket_policy.this.policy).Statement[1].Condition.StringEquals["aws:SourceAccount"] == "111122223333"
    error_message = "Logs come from this account alone."
  }
}
