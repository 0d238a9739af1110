output "task_role_arn" {
  description = "Role of the program."
  value       = aws_iam_role.task.arn
}

output "execution_role_arn" {
  description = "Role that starts it."
  value       = aws_iam_role.execution.arn
}

output "service_name" {
  description = "Name of the service, where there is one."
  value       = one(aws_ecs_service.this[*].name)
}

output "facts" {
  description = "What it was given, for tests of whole environments."
  value       = { tasks = var.tasks, max_tasks = max(var.tasks, aws_appautoscaling_target.this[*].max_capacity...), cpu = tonumber(aws_ecs_task_definition.this.cpu), memory = tonumber(aws_ecs_task_definition.this.memory), log_group = aws_cloudwatch_log_group.this.name, network = aws_ecs_task_definition.this.network_mode, command = join(" ", local.container.command), family = aws_ecs_task_definition.this.family }
}

output "told" {
  description = "Settings that it is told, and names of those whose values ECS puts in: for tests."
  value       = { environment = var.environment, injected = keys(var.secrets) }
}
