# What an account needs before its environment: a bucket for Terraform's states, and the domain's hosted zone, whose name
# servers the domain's owner enters once.

provider "aws" {
  region              = "ap-northeast-2"
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = { Project = "invokeai-saas", ManagedBy = "terraform" }
  }
}

module "state" {
  source = "../modules/state"

  account_id  = var.account_id
  bucket_name = var.bucket_name
}

resource "aws_route53_zone" "this" {
  name    = var.domain_name
  comment = "InvokeAI SaaS"
}
