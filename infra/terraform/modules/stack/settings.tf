# What each process is told. Names are those of the service's settings; each gets what it has a use for, and no more.

locals {
  secret_names = toset([
    "database-url", "database-reader-url", "database-auth-url", "database-worker-url", "database-billing-url",
    "database-staff-url", "database-owner-url", "redis-url", "media-signing-key", "identity-secret", "issuer-key", "stripe-secret-key",
    "stripe-webhook-secret", "pagerduty-url",
  ])

  shared = {
    DEPLOYMENT_MODE = "saas"
    AWS_REGION      = var.region
    S3_BUCKET       = module.files.name
    PUBLIC_URL      = "https://${var.domain_name}"
    LOG_LEVEL       = "info"
    DATA_DIR        = "/var/lib/invokeai"
    SQS_QUEUE_URLS  = jsonencode(module.queues.urls)
  }

  # Every hop before the API: CloudFront's addresses towards origins, and the load balancer's subnets.
  trusted_proxies = join(",", sort(concat(
    values(module.vpc.public_cidrs),
    [for entry in data.aws_ec2_managed_prefix_list.edge.entries : entry.cidr],
  )))

  edge = { CLOUDFRONT_DISTRIBUTION_ID = module.cloudfront.distribution_id }

  settings = {
    api = merge(local.shared, {
      HOST                 = "0.0.0.0"
      PORT                 = "8080"
      TRUSTED_PROXIES      = local.trusted_proxies
      COGNITO_CLIENT_ID    = module.cognito.client_id
      COGNITO_USER_POOL_ID = module.cognito.user_pool_id
      COGNITO_HOSTED_URL   = module.cognito.hosted_url
    })
    # Figures that the dashboard shows and groups of machines scale by, as lines of the log.
    # It deletes people, in the user pool as well, and their pictures at the edge.
    scheduler = merge(local.shared, local.edge, {
      MAIL_ADAPTER         = "ses"
      MAIL_FROM            = local.mail_from
      METRICS_EMF          = "true"
      COGNITO_USER_POOL_ID = module.cognito.user_pool_id
    })
    worker  = merge({ for k, v in local.shared : k => v if k != "DATA_DIR" }, { METRICS_EMF = "true" })
    migrate = { DEPLOYMENT_MODE = "saas", LOG_LEVEL = "info", PUBLIC_URL = local.shared.PUBLIC_URL }
    models = {
      DEPLOYMENT_MODE = "saas", LOG_LEVEL = "info", AWS_REGION = var.region, S3_BUCKET = module.files.name
      MODEL_DIR       = "/tmp/models", DATA_DIR = "/tmp/data", HOME = "/tmp/home"
    }
  }

  secrets_of = {
    api = merge(
      {
        DATABASE_URL          = "database-url"
        DATABASE_AUTH_URL     = "database-auth-url"
        DATABASE_STAFF_URL    = "database-staff-url"
        REDIS_URL             = "redis-url"
        MEDIA_SIGNING_KEY     = "media-signing-key"
        IDENTITY_SECRET       = "identity-secret"
        ISSUER_KEY            = "issuer-key"
        STRIPE_SECRET_KEY     = "stripe-secret-key"
        STRIPE_WEBHOOK_SECRET = "stripe-webhook-secret"
      },
      { for k, v in { DATABASE_READER_URL = "database-reader-url" } : k => v if local.has_reader },
    )
    scheduler = {
      DATABASE_WORKER_URL   = "database-worker-url"
      DATABASE_AUTH_URL     = "database-auth-url"
      DATABASE_BILLING_URL  = "database-billing-url"
      REDIS_URL             = "redis-url"
      IDENTITY_SECRET       = "identity-secret"
      STRIPE_SECRET_KEY     = "stripe-secret-key"
      STRIPE_WEBHOOK_SECRET = "stripe-webhook-secret"
    }
    worker  = { DATABASE_WORKER_URL = "database-worker-url", REDIS_URL = "redis-url", MEDIA_SIGNING_KEY = "media-signing-key" }
    migrate = { DATABASE_OWNER_URL = "database-owner-url" }
    models  = { DATABASE_OWNER_URL = "database-owner-url" }
    roles = {
      DATABASE_OWNER_URL   = "database-owner-url"
      DATABASE_URL         = "database-url"
      DATABASE_AUTH_URL    = "database-auth-url"
      DATABASE_WORKER_URL  = "database-worker-url"
      DATABASE_BILLING_URL = "database-billing-url"
      DATABASE_STAFF_URL   = "database-staff-url"
    }
  }

  # Processes that run on read their secrets themselves, by name, and notice when one is another (awssecrets.py). Those that
  # are started for one thing are given the values by ECS.
  named_secrets = { for process in ["api", "scheduler", "worker"] : process => { for setting, name in local.secrets_of[process] : setting => "aws-secret:${module.secrets.names[name]}" } }

  secret_arns = { for process, names in local.secrets_of : process => { for setting, name in names : setting => module.secrets.arns[name] } }
}
