# The edge: one name, three origins. Buckets answer to our distributions alone (origin access control).

resource "aws_cloudfront_origin_access_control" "this" {
  for_each = toset(["files", "page"])

  name                              = "${var.name}-${each.key}"
  description                       = "Signed requests to the bucket"
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

resource "aws_cloudfront_key_value_store" "media" {
  name    = "${var.name}-media"
  comment = "media-signing-key, put in by infra/secrets"
}

resource "aws_cloudfront_function" "media" {
  name                         = "${var.name}-media"
  runtime                      = "cloudfront-js-2.0"
  comment                      = "Checks signed paths of pictures"
  publish                      = true
  code                         = file("${path.module}/functions/media.js")
  key_value_store_associations = [aws_cloudfront_key_value_store.media.arn]
}

resource "aws_cloudfront_function" "page" {
  name    = "${var.name}-page"
  runtime = "cloudfront-js-2.0"
  comment = "Views of InvokeAI's page"
  publish = true
  code    = file("${path.module}/functions/page.js")
}

resource "aws_cloudfront_distribution" "this" {
  comment         = var.name
  enabled         = true
  is_ipv6_enabled = true
  http_version    = "http2and3"
  price_class     = var.price_class
  aliases         = [var.domain_name]
  web_acl_id      = var.web_acl_arn

  origin {
    origin_id   = "api"
    domain_name = var.origin_name

    custom_origin_config {
      http_port                = 80
      https_port               = 443
      origin_protocol_policy   = "https-only"
      origin_ssl_protocols     = ["TLSv1.2"]
      origin_read_timeout      = 60
      origin_keepalive_timeout = 60
    }
  }

  origin {
    origin_id                = "files"
    domain_name              = var.files_domain
    origin_access_control_id = aws_cloudfront_origin_access_control.this["files"].id
  }

  origin {
    origin_id                = "page"
    domain_name              = var.page_domain
    origin_access_control_id = aws_cloudfront_origin_access_control.this["page"].id
  }

  dynamic "ordered_cache_behavior" {
    for_each = local.behaviours

    content {
      path_pattern               = ordered_cache_behavior.value.pattern
      target_origin_id           = ordered_cache_behavior.value.origin
      viewer_protocol_policy     = "redirect-to-https"
      allowed_methods            = ordered_cache_behavior.value.methods
      cached_methods             = local.read_methods
      cache_policy_id            = ordered_cache_behavior.value.cache
      origin_request_policy_id   = ordered_cache_behavior.value.request
      response_headers_policy_id = ordered_cache_behavior.value.headers
      compress                   = ordered_cache_behavior.value.compress

      dynamic "function_association" {
        for_each = ordered_cache_behavior.value.function == "media" ? [aws_cloudfront_function.media.arn] : []

        content {
          event_type   = "viewer-request"
          function_arn = function_association.value
        }
      }
    }
  }

  default_cache_behavior {
    target_origin_id           = "page"
    viewer_protocol_policy     = "redirect-to-https"
    allowed_methods            = local.read_methods
    cached_methods             = local.read_methods
    cache_policy_id            = aws_cloudfront_cache_policy.hour.id
    response_headers_policy_id = aws_cloudfront_response_headers_policy.page.id
    compress                   = true

    function_association {
      event_type   = "viewer-request"
      function_arn = aws_cloudfront_function.page.arn
    }
  }

  viewer_certificate {
    acm_certificate_arn      = var.certificate_arn
    ssl_support_method       = "sni-only"
    minimum_protocol_version = "TLSv1.2_2021"
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  logging_config {
    bucket          = var.log_bucket_domain
    prefix          = "cloudfront/"
    include_cookies = false
  }
}

resource "aws_route53_record" "this" {
  for_each = toset(["A", "AAAA"])

  zone_id = var.zone_id
  name    = var.domain_name
  type    = each.key

  alias {
    name                   = aws_cloudfront_distribution.this.domain_name
    zone_id                = aws_cloudfront_distribution.this.hosted_zone_id
    evaluate_target_health = false
  }
}
