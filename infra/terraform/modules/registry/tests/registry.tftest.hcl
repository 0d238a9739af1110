mock_provider "aws" {}

variables {
  kms_key_arn = "arn:aws:kms:ap-northeast-2:111122223333:key/k"
}

run "images_cannot_be_replaced_and_are_scanned" {
  command = plan

  assert {
    condition     = toset(keys(aws_ecr_repository.this)) == toset(["invokeai-api", "invokeai-gpu-worker"])
    error_message = "One repository an image."
  }

  assert {
    condition     = alltrue([for r in aws_ecr_repository.this : r.image_tag_mutability == "IMMUTABLE" && one(r.image_scanning_configuration).scan_on_push])
    error_message = "Tags stay where they are; images are scanned."
  }

  assert {
    condition     = alltrue([for r in aws_ecr_repository.this : one(r.encryption_configuration).kms_key == var.kms_key_arn])
    error_message = "KMS at rest."
  }

  assert {
    condition     = alltrue([for p in aws_ecr_lifecycle_policy.this : jsondecode(p.policy).rules[1].selection.countNumber == 30])
    error_message = "Thirty images back."
  }
}

run "other_accounts_pull_and_no_more" {
  command = plan

  variables {
    reader_accounts = ["444455556666"]
  }

  assert {
    condition = length(aws_ecr_repository_policy.readers) == 2 && alltrue([
      for p in aws_ecr_repository_policy.readers :
      jsondecode(p.policy).Statement[0].Principal.AWS == ["arn:aws:iam::444455556666:root"] && !strcontains(p.policy, "ecr:Put")
    ])
    error_message = "Production's account reads staging's images."
  }
}
