# moto has no parameter that names NVIDIA's machine image, and lets nobody make one below /aws.
module "gpu" {
  ami_parameter = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
}

# moto has no policies of CloudFront's caches, so there is no distribution. Rights that name it are made all the same.
locals {
  edge = { CLOUDFRONT_DISTRIBUTION_ID = "E0EXAMPLE" }
  purge = {
    Sid      = "Purge"
    Effect   = "Allow"
    Action   = ["cloudfront:CreateInvalidation"]
    Resource = ["arn:aws:cloudfront::${var.account_id}:distribution/E0EXAMPLE"]
  }
}

module "delivery" {
  distribution_arn = "arn:aws:cloudfront::${var.account_id}:distribution/E0EXAMPLE"
}

# moto's identities of SES cannot be read by the provider. The pool, and all that is told its name, is made all the same.
module "cognito" {
  mail_identity_arn = "arn:aws:ses:${var.region}:${var.account_id}:identity/${var.domain_name}"
}
