terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

locals {
  account = "123456789012" # moto's
  region  = "ap-northeast-2"
  domain  = "invokeai.example.com"
  tags    = { Project = "invokeai-saas", Environment = "staging", Service = "invokeai", ManagedBy = "terraform" }
}

# Where AWS answers is said by AWS_ENDPOINT_URL.
provider "aws" {
  region                      = local.region
  access_key                  = "testing"
  secret_key                  = "testing"
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  max_retries                 = 2 # what moto does not know is an error of the server's

  default_tags {
    tags = local.tags
  }
}

provider "aws" {
  alias                       = "us_east_1"
  region                      = "us-east-1"
  access_key                  = "testing"
  secret_key                  = "testing"
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  max_retries                 = 2

  default_tags {
    tags = local.tags
  }
}
