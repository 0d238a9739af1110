mock_provider "aws" {}

variables {
  name                = "invokeai-production"
  domain_name         = "invokeai.example.com"
  domain_prefix       = "invokeai-production-111122223333"
  region              = "ap-northeast-2"
  mail_identity_arn   = "arn:aws:ses:ap-northeast-2:111122223333:identity/invokeai.example.com"
  mail_from           = "InvokeAI <post@invokeai.example.com>"
  deletion_protection = true
}

run "no_secret_and_no_role" {
  command = plan

  assert {
    condition     = aws_cognito_user_pool_client.this.generate_secret == false
    error_message = "A client secret would stand in the state."
  }

  assert {
    condition     = aws_cognito_user_pool_client.this.write_attributes == toset(["email", "name"])
    error_message = "Nobody writes a role of their own."
  }

  assert {
    condition     = aws_cognito_user_pool_client.this.prevent_user_existence_errors == "ENABLED" && aws_cognito_user_pool_client.this.enable_token_revocation
    error_message = "Who has an account is nobody's business; ended log-ins end."
  }
}

run "tokens_and_passwords" {
  command = plan

  assert {
    condition     = aws_cognito_user_pool_client.this.access_token_validity == 60 && aws_cognito_user_pool_client.this.refresh_token_validity == 30
    error_message = "An hour, and thirty days, as ACCESS_TOKEN_SECONDS and SESSION_DAYS have it."
  }

  assert {
    condition     = one(aws_cognito_user_pool.this.password_policy).minimum_length == 12
    error_message = "Twelve characters."
  }

  assert {
    condition     = aws_cognito_user_pool.this.deletion_protection == "ACTIVE"
    error_message = "The pool refuses to be deleted."
  }
}

run "pages_of_the_pool" {
  command = plan

  assert {
    condition     = aws_cognito_user_pool_client.this.allowed_oauth_flows_user_pool_client && aws_cognito_user_pool_client.this.allowed_oauth_flows == toset(["code"])
    error_message = "Codes alone: no token in an address."
  }

  assert {
    condition     = aws_cognito_user_pool_client.this.allowed_oauth_scopes == toset(["openid", "email"])
    error_message = "Who it is and their address, nothing else."
  }

  assert {
    condition     = aws_cognito_user_pool_client.this.supported_identity_providers == toset(["COGNITO"])
    error_message = "The pool's own people."
  }

  assert {
    condition     = aws_cognito_user_pool_client.this.callback_urls == toset(["https://invokeai.example.com/login/callback"])
    error_message = "One way back in."
  }

  assert {
    condition     = aws_cognito_user_pool_client.this.logout_urls == toset(["https://invokeai.example.com/login"])
    error_message = "One way back out."
  }

  assert {
    condition     = contains(aws_cognito_user_pool_client.this.read_attributes, "email") && contains(aws_cognito_user_pool_client.this.read_attributes, "email_verified")
    error_message = "Id tokens tell the address and whether it is confirmed."
  }

  assert {
    condition     = aws_cognito_user_pool_domain.this.domain == "invokeai-production-111122223333"
    error_message = "The name of the pages."
  }

  assert {
    condition     = output.hosted_url == "https://invokeai-production-111122223333.auth.ap-northeast-2.amazoncognito.com"
    error_message = "Their address, as COGNITO_HOSTED_URL has it."
  }
}

run "a_name_that_aws_refuses" {
  command = plan

  variables {
    domain_prefix = "invokeai-cognito"
  }

  expect_failures = [var.domain_prefix]
}
