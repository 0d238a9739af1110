# Where states lie. Terraform locks by a file beside the state (use_lockfile), so no table is needed.

resource "aws_kms_key" "this" {
  description             = "Terraform's states"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "AccountByIam"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::${var.account_id}:root" }
      Action    = "kms:*"
      Resource  = "*"
    }]
  })
}

module "bucket" {
  source = "../bucket"

  account_id       = var.account_id
  bucket_name      = var.bucket_name
  kms_key_arn      = aws_kms_key.this.arn
  versioned        = true
  old_version_days = 365
}
