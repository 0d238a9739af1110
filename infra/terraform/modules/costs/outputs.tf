output "tag_keys" {
  description = "Tags that costs are divided by."
  value       = keys(aws_ce_cost_allocation_tag.this)
}

output "monthly_usd" {
  description = "What a month may cost."
  value       = tonumber(aws_budgets_budget.month.limit_amount)
}
