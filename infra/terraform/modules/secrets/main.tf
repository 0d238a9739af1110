# Containers without contents. infra/secrets puts the values in, so none is in code, plan or state.

resource "aws_secretsmanager_secret" "this" {
  for_each = var.names

  name                    = "invokeai/${var.environment}/${each.key}"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.recovery_days
}
