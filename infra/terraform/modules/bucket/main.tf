# A bucket that is never public, never plain and never without TLS.

locals {
  arn = "arn:aws:s3:::${var.bucket_name}"

  tls = [{
    Sid       = "TlsOnly"
    Effect    = "Deny"
    Principal = "*"
    Action    = "s3:*"
    Resource  = [local.arn, "${local.arn}/*"]
    Condition = { Bool = { "aws:SecureTransport" = "false" } }
  }]

  edge = var.readable_by_cloudfront ? [{
    Sid       = "EdgeReads"
    Effect    = "Allow"
    Principal = { Service = "cloudfront.amazonaws.com" }
    Action    = "s3:GetObject"
    Resource  = [for prefix in var.edge_prefixes : "${local.arn}/${prefix}*"]
    Condition = { ArnLike = { "aws:SourceArn" = "arn:aws:cloudfront::${var.account_id}:distribution/*" } }
  }] : []

  logs = var.writable_by_log_delivery ? [{
    Sid       = "LogDelivery"
    Effect    = "Allow"
    Principal = { Service = ["logging.s3.amazonaws.com", "delivery.logs.amazonaws.com", "logdelivery.elasticloadbalancing.amazonaws.com"] }
    Action    = "s3:PutObject"
    Resource  = ["${local.arn}/*"]
    Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
  }] : []
}

resource "aws_s3_bucket" "this" {
  bucket        = var.bucket_name
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = var.writable_by_log_delivery ? "BucketOwnerPreferred" : "BucketOwnerEnforced" # CloudFront's old logs need ACLs
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    bucket_key_enabled = var.kms_key_arn != null

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = var.versioned ? "Enabled" : "Suspended"
  }
}

resource "aws_s3_bucket_policy" "this" {
  bucket     = aws_s3_bucket.this.id
  policy     = jsonencode({ Version = "2012-10-17", Statement = concat(local.tls, local.edge, local.logs) })
  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_logging" "this" {
  count = var.log_bucket == null ? 0 : 1

  bucket        = aws_s3_bucket.this.id
  target_bucket = var.log_bucket
  target_prefix = "s3/${var.bucket_name}/"
}

# CloudWatch's request metrics (errors among them) are off until they are asked for.
resource "aws_s3_bucket_metric" "all" {
  bucket = aws_s3_bucket.this.id
  name   = "EntireBucket"
}

# Intelligent tiering moves what was not read for 30 days, and back when it is. A rule by age would move pictures that
# are looked at every day, and then charge for each look.
resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket     = aws_s3_bucket.this.id
  depends_on = [aws_s3_bucket_versioning.this]

  dynamic "rule" {
    for_each = var.infrequent_prefixes

    content {
      id     = "unread-${replace(trimsuffix(rule.value, "/"), "/", "-")}"
      status = "Enabled"

      filter {
        prefix = rule.value
      }

      transition {
        days          = 0
        storage_class = "INTELLIGENT_TIERING"
      }
    }
  }

  rule {
    id     = "remains"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }

    noncurrent_version_expiration {
      noncurrent_days = var.old_version_days
    }
  }

  dynamic "rule" {
    for_each = var.expire_days > 0 ? [var.expire_days] : []

    content {
      id     = "expire"
      status = "Enabled"

      filter {}

      expiration {
        days = rule.value
      }
    }
  }
}
