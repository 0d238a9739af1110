# What goes where. Order counts: the first pattern that fits.

locals {
  # AWS's own policies have the same IDs in every account.
  policies = {
    no_cache   = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad" # CachingDisabled
    all_viewer = "216adef6-5c7f-47e4-b989-5fdedb4c2a2d" # AllViewer: Host, cookies and query go along
  }

  all_methods  = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
  read_methods = ["GET", "HEAD"]

  # Our own pages, which the API draws. "/" is the landing page or InvokeAI's, by whether somebody is logged in.
  own_pages = ["/", "/welcome", "/pricing", "/signup", "/login/*", "/account*", "/forgot-password", "/reset-password", "/verify-email", "/setup", "/portal/*", "/admin*"]

  to_api = concat(["/api/*", "/ws/*", "/openapi.json"], local.own_pages)

  behaviours = concat(
    [for pattern in local.to_api : {
      pattern  = pattern
      origin   = "api"
      methods  = local.all_methods
      cache    = local.policies.no_cache
      request  = local.policies.all_viewer
      headers  = null
      function = null
      compress = false # the API compresses by itself
    }],
    [{
      pattern  = "/images/*"
      origin   = "files"
      methods  = local.read_methods
      cache    = aws_cloudfront_cache_policy.media.id
      request  = null
      headers  = aws_cloudfront_response_headers_policy.media.id
      function = "media"
      compress = false
    }],
    [for pattern in ["/static/*", "/assets/*"] : {
      pattern  = pattern
      origin   = "page"
      methods  = local.read_methods
      cache    = aws_cloudfront_cache_policy.year.id
      request  = null
      headers  = aws_cloudfront_response_headers_policy.page.id
      function = null
      compress = true
    }],
  )
}

resource "aws_cloudfront_cache_policy" "media" {
  name        = "${var.name}-media"
  comment     = "Objects never change; the function has checked the signature and taken it off"
  min_ttl     = 3600 # objects say private, which CloudFront would take for: never
  default_ttl = 3600
  max_ttl     = 3600

  parameters_in_cache_key_and_forwarded_to_origin {
    cookies_config {
      cookie_behavior = "none"
    }

    headers_config {
      header_behavior = "none"
    }

    query_strings_config {
      query_string_behavior = "none"
    }
  }
}

resource "aws_cloudfront_cache_policy" "year" {
  name        = "${var.name}-year"
  comment     = "Files whose names carry a digest"
  min_ttl     = 31536000
  default_ttl = 31536000
  max_ttl     = 31536000

  parameters_in_cache_key_and_forwarded_to_origin {
    enable_accept_encoding_brotli = true
    enable_accept_encoding_gzip   = true

    cookies_config {
      cookie_behavior = "none"
    }

    headers_config {
      header_behavior = "none"
    }

    query_strings_config {
      query_string_behavior = "none"
    }
  }
}

resource "aws_cloudfront_cache_policy" "hour" {
  name        = "${var.name}-hour"
  comment     = "InvokeAI's page"
  min_ttl     = 0
  default_ttl = 3600
  max_ttl     = 3600

  parameters_in_cache_key_and_forwarded_to_origin {
    enable_accept_encoding_brotli = true
    enable_accept_encoding_gzip   = true

    cookies_config {
      cookie_behavior = "none"
    }

    headers_config {
      header_behavior = "none"
    }

    query_strings_config {
      query_string_behavior = "none"
    }
  }
}

resource "aws_cloudfront_response_headers_policy" "media" {
  name    = "${var.name}-media"
  comment = "A person's browser may keep a picture, nobody else's cache"

  custom_headers_config {
    items {
      header   = "Cache-Control"
      value    = "private, max-age=3600"
      override = true
    }
  }

  security_headers_config {
    content_type_options {
      override = true
    }

    strict_transport_security {
      access_control_max_age_sec = 31536000
      include_subdomains         = true
      preload                    = true
      override                   = true
    }

    content_security_policy {
      content_security_policy = "default-src 'none'; sandbox"
      override                = true
    }
  }
}

resource "aws_cloudfront_response_headers_policy" "page" {
  name    = "${var.name}-page"
  comment = "InvokeAI's page"

  security_headers_config {
    content_type_options {
      override = true
    }

    strict_transport_security {
      access_control_max_age_sec = 31536000
      include_subdomains         = true
      preload                    = true
      override                   = true
    }

    content_security_policy {
      content_security_policy = "frame-ancestors 'self'"
      override                = true
    }

    referrer_policy {
      referrer_policy = "same-origin"
      override        = true
    }
  }
}
