mock_provider "aws" {}

variables {
  name        = "invokeai-production"
  kms_key_arn = "arn:aws:kms:us-east-1:111122223333:key/k"
}

run "managed_rules_and_rates" {
  command = plan

  assert {
    condition = toset(flatten([for r in aws_wafv2_web_acl.this.rule : [for s in r.statement : [for m in s.managed_rule_group_statement : m.name]]])) == toset([
      "AWSManagedRulesCommonRuleSet", "AWSManagedRulesKnownBadInputsRuleSet", "AWSManagedRulesSQLiRuleSet", "AWSManagedRulesAmazonIpReputationList"
    ])
    error_message = "AWS's managed rules: common, bad inputs, SQL, addresses."
  }

  assert {
    condition     = { for r in aws_wafv2_web_acl.this.rule : r.name => one(one(r.statement).rate_based_statement).limit if length(one(r.statement).rate_based_statement) > 0 } == { rate = 6000, logins = 150 }
    error_message = "Rates: 6,000 requests and 150 log-ins in five minutes of one address."
  }

  assert {
    condition = alltrue([for path in ["/api/v1/auth/login", "/login/hosted", "/login/callback", "/admin/login"] : can(regex(
      [for r in aws_wafv2_web_acl.this.rule : one(one(one(one(r.statement).rate_based_statement).scope_down_statement).regex_match_statement).regex_string if r.name == "logins"][0],
      path,
    ))])
    error_message = "Log-ins are counted by whatever way they come."
  }

  assert {
    condition     = aws_wafv2_web_acl.this.scope == "CLOUDFRONT"
    error_message = "In front of CloudFront."
  }
}

run "graphs_and_prompts_are_excluded_by_path" {
  command = plan

  assert {
    condition = jsonencode({ for r in aws_wafv2_web_acl.this.rule : r.name => sort(one(one(r.statement).managed_rule_group_statement).rule_action_override[*].name) if length(one(r.statement).managed_rule_group_statement) > 0 }) == jsonencode({
      addresses = []
      common    = ["CrossSiteScripting_BODY", "GenericLFI_BODY", "GenericRFI_BODY", "SizeRestrictions_BODY"]
      inputs    = []
      sql       = ["SQLi_BODY"]
    })
    error_message = "Only rules about bodies are counted."
  }

  assert {
    condition     = anytrue([for p in local.bodies : can(regex(p, "/api/v1/queue/default/enqueue_batch"))]) && anytrue([for p in local.bodies : can(regex(p, "/api/v1/images/upload"))])
    error_message = "Graphs and uploads pass."
  }

  assert {
    condition     = !anytrue([for p in local.bodies : can(regex(p, "/api/v1/auth/login"))]) && !anytrue([for p in local.bodies : can(regex(p, "/admin/people"))]) && !anytrue([for p in local.bodies : can(regex(p, "/api/v1/queue/default/enqueue_batch/x"))])
    error_message = "Log-in and staff's pages do not."
  }
}
