# What people reach, and who they are.

module "certificate" {
  source = "../certificate"

  domain_name       = var.domain_name
  alternative_names = [local.origin]
  zone_id           = var.zone_id
}

module "certificate_edge" {
  source    = "../certificate"
  providers = { aws = aws.us_east_1 }

  domain_name = var.domain_name
  zone_id     = var.zone_id
}

module "load_balancer" {
  source = "../load-balancer"

  name                = local.name
  vpc_id              = module.vpc.vpc_id
  subnet_ids          = module.vpc.public_subnet_ids
  security_group_ids  = [module.security_groups.ids["alb"], module.security_groups.ids["alb-http"]]
  domain_name         = var.domain_name
  certificate_arn     = module.certificate.arn
  log_bucket          = module.logs.name
  deletion_protection = var.aurora.deletion_protection
}

resource "aws_route53_record" "origin" {
  zone_id = var.zone_id
  name    = local.origin
  type    = "A"

  alias {
    name                   = module.load_balancer.dns_name
    zone_id                = module.load_balancer.zone_id
    evaluate_target_health = false
  }
}

module "waf" {
  source    = "../waf"
  providers = { aws = aws.us_east_1 }

  name        = local.name
  kms_key_arn = module.kms_edge.key_arn
}

module "cloudfront" {
  source = "../cloudfront"

  name              = local.name
  domain_name       = var.domain_name
  certificate_arn   = module.certificate_edge.arn
  web_acl_arn       = module.waf.arn
  origin_name       = local.origin
  files_domain      = module.files.domain_name
  page_domain       = module.page.domain_name
  log_bucket_domain = "${module.logs.name}.s3.amazonaws.com"
  zone_id           = var.zone_id
}

module "mail" {
  source = "../mail"

  name             = local.name
  domain_name      = var.domain_name
  region           = var.region
  zone_id          = var.zone_id
  notify_topic_arn = module.topics.arns["medium"]
}

module "cognito" {
  source = "../cognito"

  name                = local.name
  domain_name         = var.domain_name
  domain_prefix       = "${local.name}-${var.account_id}"
  region              = var.region
  mail_identity_arn   = module.mail.identity_arn
  mail_from           = local.mail_from
  deletion_protection = var.aurora.deletion_protection
}
