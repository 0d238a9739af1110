output "facts" {
  description = "What the environment was given, as its parts say it."
  value       = module.stack.facts
}

output "settings" {
  description = "Settings of each process that are no secrets."
  value       = module.stack.settings
}

output "secrets_of" {
  description = "Secrets that each process is given."
  value       = module.stack.secrets_of
}

output "url" {
  description = "What people type."
  value       = module.stack.url
}

output "deploy_role_arn" {
  description = "Role that the workflows take."
  value       = module.stack.deploy_role_arn
}

output "migrate_network" {
  description = "Where the migration's task runs."
  value       = module.stack.migrate_network
}

output "edge" {
  description = "What the pipeline and infra/secrets need of the edge."
  value       = module.stack.edge
}

output "database" {
  description = "Where the database answers, and the secret with its master password."
  value       = module.stack.database
}

output "redis" {
  description = "Where the cache answers, and the group of its user."
  value       = module.stack.redis
}

output "topics" {
  description = "Topics of alarms by severity."
  value       = module.stack.topics
}

output "registry" {
  description = "Addresses of the repositories of images."
  value       = module.stack.registry
}

output "pipeline" {
  description = "Variables of the GitHub environment, by the names that the workflows read."
  value       = module.stack.pipeline
}

output "tags" {
  description = "Tags on everything."
  value       = local.tags
}
