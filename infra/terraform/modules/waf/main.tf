# In front of everything. Graphs, prompts and uploads look like attacks to general rules (long bodies, quotes, SELECT in a
# sentence): these rules only count on the paths that carry them, and block everywhere else.

locals {
  managed = {
    common    = { priority = 20, group = "AWSManagedRulesCommonRuleSet", counted = ["SizeRestrictions_BODY", "CrossSiteScripting_BODY", "GenericLFI_BODY", "GenericRFI_BODY"] }
    inputs    = { priority = 21, group = "AWSManagedRulesKnownBadInputsRuleSet", counted = [] }
    sql       = { priority = 22, group = "AWSManagedRulesSQLiRuleSet", counted = ["SQLi_BODY"] }
    addresses = { priority = 10, group = "AWSManagedRulesAmazonIpReputationList", counted = [] }
  }

  # Labels that the counted rules leave, blocked again outside of these paths.
  labels = {
    size = "awswaf:managed:aws:core-rule-set:SizeRestrictions_Body"
    xss  = "awswaf:managed:aws:core-rule-set:CrossSiteScripting_Body"
    lfi  = "awswaf:managed:aws:core-rule-set:GenericLFI_Body"
    rfi  = "awswaf:managed:aws:core-rule-set:GenericRFI_Body"
    sql  = "awswaf:managed:aws:sql-database:SQLi_Body"
  }
}

resource "aws_wafv2_regex_pattern_set" "bodies" {
  name        = "${var.name}-bodies"
  scope       = "CLOUDFRONT"
  description = "Paths whose bodies are graphs, prompts, files or a page's state"

  dynamic "regular_expression" {
    for_each = local.bodies

    content {
      regex_string = regular_expression.value
    }
  }
}

resource "aws_wafv2_web_acl" "this" {
  name        = var.name
  scope       = "CLOUDFRONT"
  description = "Managed rules and rates"

  default_action {
    allow {}
  }

  rule {
    name     = "rate"
    priority = 1

    action {
      block {
        custom_response {
          response_code = 429

          response_header {
            name  = "Retry-After"
            value = "60"
          }
        }
      }
    }

    statement {
      rate_based_statement {
        limit                 = var.requests_per_five_minutes
        evaluation_window_sec = 300
        aggregate_key_type    = "IP"
      }
    }

    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "rate"
      sampled_requests_enabled   = true
    }
  }

  rule {
    name     = "logins"
    priority = 2

    action {
      block {
        custom_response {
          response_code = 429

          response_header {
            name  = "Retry-After"
            value = "60"
          }
        }
      }
    }

    statement {
      rate_based_statement {
        limit                 = var.logins_per_five_minutes
        evaluation_window_sec = 300
        aggregate_key_type    = "IP"

        scope_down_statement {
          regex_match_statement {
            regex_string = "^/(api/v1/auth/(login|setup|sign-up|forgot-password|reset-password|verify-email)|login/(hosted|callback)|admin/login)$"

            field_to_match {
              uri_path {}
            }

            text_transformation {
              priority = 0
              type     = "NORMALIZE_PATH"
            }
          }
        }
      }
    }

    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "logins"
      sampled_requests_enabled   = true
    }
  }

  dynamic "rule" {
    for_each = local.managed

    content {
      name     = rule.key
      priority = rule.value.priority

      override_action {
        none {}
      }

      statement {
        managed_rule_group_statement {
          vendor_name = "AWS"
          name        = rule.value.group

          dynamic "rule_action_override" {
            for_each = rule.value.counted

            content {
              name = rule_action_override.value

              action_to_use {
                count {}
              }
            }
          }
        }
      }

      visibility_config {
        cloudwatch_metrics_enabled = true
        metric_name                = rule.key
        sampled_requests_enabled   = true
      }
    }
  }

  rule {
    name     = "bodies-elsewhere"
    priority = 30

    action {
      block {}
    }

    statement {
      and_statement {
        statement {
          or_statement {
            dynamic "statement" {
              for_each = local.labels

              content {
                label_match_statement {
                  scope = "LABEL"
                  key   = statement.value
                }
              }
            }
          }
        }

        statement {
          not_statement {
            statement {
              regex_pattern_set_reference_statement {
                arn = aws_wafv2_regex_pattern_set.bodies.arn

                field_to_match {
                  uri_path {}
                }

                text_transformation {
                  priority = 0
                  type     = "NORMALIZE_PATH"
                }
              }
            }
          }
        }
      }
    }

    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "bodies-elsewhere"
      sampled_requests_enabled   = true
    }
  }

  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = var.name
    sampled_requests_enabled   = true
  }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "aws-waf-logs-${var.name}" # WAF takes no other beginning
  retention_in_days = 365
  kms_key_id        = var.kms_key_arn
}

resource "aws_wafv2_web_acl_logging_configuration" "this" {
  resource_arn            = aws_wafv2_web_acl.this.arn
  log_destination_configs = [aws_cloudwatch_log_group.this.arn]

  dynamic "redacted_fields" {
    for_each = ["authorization", "cookie"]

    content {
      single_header {
        name = redacted_fields.value
      }
    }
  }

  logging_filter {
    default_behavior = "DROP"

    filter {
      behavior    = "KEEP"
      requirement = "MEETS_ANY"

      condition {
        action_condition {
          action = "BLOCK"
        }
      }

      condition {
        action_condition {
          action = "COUNT"
        }
      }
    }
  }
}
