mock_provider "aws" {
  override_during = plan

  mock_resource "aws_cloudfront_function" {
    defaults = { arn = "arn:aws:cloudfront::111122223333:function/f" }
  }

  mock_resource "aws_cloudfront_key_value_store" {
    defaults = { arn = "arn:aws:cloudfront::111122223333:key-value-store/k" }
  }

  override_resource {
    target = aws_cloudfront_cache_policy.media
    values = { id = "policy-media" }
  }

  override_resource {
    target = aws_cloudfront_cache_policy.year
    values = { id = "policy-year" }
  }

  override_resource {
    target = aws_cloudfront_cache_policy.hour
    values = { id = "policy-hour" }
  }
}

variables {
  name              = "invokeai-production"
  domain_name       = "invokeai.example.com"
  certificate_arn   = "arn:aws:acm:us-east-1:111122223333:certificate/c"
  web_acl_arn       = "arn:aws:wafv2:us-east-1:111122223333:global/webacl/w/1"
  origin_name       = "origin.invokeai.example.com"
  files_domain      = "invokeai-saas-production.s3.ap-northeast-2.amazonaws.com"
  page_domain       = "invokeai-saas-production-page.s3.ap-northeast-2.amazonaws.com"
  log_bucket_domain = "invokeai-saas-production-logs.s3.amazonaws.com"
  zone_id           = "Z1"
}

run "what_goes_where" {
  command = plan

  assert {
    condition = jsonencode(output.behaviours) == jsonencode({
      "/api/*"  = "api", "/ws/*" = "api", "/openapi.json" = "api", "/" = "api", "/welcome" = "api", "/pricing" = "api"
      "/signup" = "api", "/login/*" = "api", "/account*" = "api", "/forgot-password" = "api", "/reset-password" = "api", "/verify-email" = "api"
      "/setup"  = "api", "/portal/*" = "api", "/admin*" = "api", "/images/*" = "files", "/static/*" = "page", "/assets/*" = "page"
    })
    error_message = "Behaviours by pattern."
  }

  assert {
    condition = alltrue([
      for b in aws_cloudfront_distribution.this.ordered_cache_behavior :
      b.cache_policy_id == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad" && b.origin_request_policy_id == "216adef6-5c7f-47e4-b989-5fdedb4c2a2d" && length(b.allowed_methods) == 7
      if b.target_origin_id == "api"
    ])
    error_message = "The API and its sockets are uncached, and get everything that the viewer sent."
  }

  assert {
    condition     = one(aws_cloudfront_distribution.this.default_cache_behavior).target_origin_id == "page" && one(aws_cloudfront_distribution.this.default_cache_behavior).cache_policy_id == "policy-hour"
    error_message = "Everything else is InvokeAI's page, an hour."
  }
}

run "how_long_things_are_kept" {
  command = plan

  assert {
    condition     = aws_cloudfront_cache_policy.year.default_ttl == 31536000 && one([for b in aws_cloudfront_distribution.this.ordered_cache_behavior : b.cache_policy_id if b.path_pattern == "/static/*"]) == "policy-year"
    error_message = "/static/* a year."
  }

  assert {
    condition     = aws_cloudfront_cache_policy.hour.default_ttl == 3600 && aws_cloudfront_cache_policy.hour.max_ttl == 3600
    error_message = "The page an hour."
  }

  assert {
    condition     = alltrue([for ttl in ["min_ttl", "default_ttl", "max_ttl"] : aws_cloudfront_cache_policy.media[ttl] == 3600])
    error_message = "Pictures an hour: at the edge, whatever objects say, and no longer, whatever becomes of a purge."
  }

  assert {
    condition     = one(one(aws_cloudfront_response_headers_policy.media.custom_headers_config).items).value == "private, max-age=3600"
    error_message = "Pictures: private caches only."
  }
}

run "pictures_need_a_signature" {
  command = plan

  assert {
    condition = one(flatten([
      for b in aws_cloudfront_distribution.this.ordered_cache_behavior : [for f in b.function_association : f.event_type] if b.path_pattern == "/images/*"
    ])) == "viewer-request"
    error_message = "The signature is checked before the cache is looked at."
  }

  assert {
    condition     = strcontains(aws_cloudfront_function.media.code, "createHmac('sha256'") && length(aws_cloudfront_function.media.key_value_store_associations) == 1
    error_message = "HMAC-SHA256, with the key out of the store."
  }

  assert {
    condition     = alltrue([for c in aws_cloudfront_origin_access_control.this : c.signing_behavior == "always"])
    error_message = "Buckets answer to signed requests only."
  }
}

run "tls_and_waf" {
  command = plan

  assert {
    condition     = one(aws_cloudfront_distribution.this.viewer_certificate).minimum_protocol_version == "TLSv1.2_2021" && aws_cloudfront_distribution.this.web_acl_id == var.web_acl_arn
    error_message = "TLS 1.2 at least; WAF in front."
  }

  assert {
    condition     = one([for o in aws_cloudfront_distribution.this.origin : one(o.custom_origin_config).origin_protocol_policy if o.origin_id == "api"]) == "https-only"
    error_message = "TLS to the load balancer too."
  }

  assert {
    condition     = toset(keys(aws_route53_record.this)) == toset(["A", "AAAA"])
    error_message = "Names in Route 53, for IPv4 and IPv6."
  }
}
