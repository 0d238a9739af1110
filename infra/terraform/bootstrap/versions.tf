terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  # The first apply of an account keeps its state in a file; then `terraform init -migrate-state` moves it into the
  # bucket that it made, with a backend like those of environments/.
}
