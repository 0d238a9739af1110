output "vault_name" {
  description = "Where copies lie."
  value       = aws_backup_vault.this.name
}

output "drill" {
  description = "When the newest copy is restored for a drill."
  value       = aws_backup_restore_testing_plan.drill.schedule_expression
}

output "keep_days" {
  description = "Days that copies are kept."
  value       = one(one(aws_backup_plan.this.rule).lifecycle).delete_after
}
