# One FIFO queue a GPU tier, dead letters behind each. A message wakes a worker and says nothing about order: PostgreSQL
# decides. A worker deletes it at receipt, so the time-out need not cover a job. Message group: person and lane;
# deduplication id: job, attempt and ring, given by the sender, so that a second ring is not swallowed.

resource "aws_sqs_queue" "dead" {
  for_each = var.tiers

  name                              = "${var.name}-gpu-${each.value}-dead.fifo"
  fifo_queue                        = true
  message_retention_seconds         = 14 * 86400
  kms_master_key_id                 = var.kms_key_arn
  kms_data_key_reuse_period_seconds = 3600
  tags                              = { Tier = each.key }
}

resource "aws_sqs_queue" "tier" {
  for_each = var.tiers

  name                              = "${var.name}-gpu-${each.value}.fifo"
  fifo_queue                        = true
  content_based_deduplication       = false
  deduplication_scope               = "messageGroup"
  fifo_throughput_limit             = "perMessageGroupId"
  visibility_timeout_seconds        = var.visibility_seconds
  message_retention_seconds         = 4 * 86400
  receive_wait_time_seconds         = 20
  kms_master_key_id                 = var.kms_key_arn
  kms_data_key_reuse_period_seconds = 3600
  tags                              = { Tier = each.key }

  redrive_policy = jsonencode({
    deadLetterTargetArn = "arn:aws:sqs:${var.region}:${var.account_id}:${aws_sqs_queue.dead[each.key].name}"
    maxReceiveCount     = var.max_receives
  })
}

resource "aws_sqs_queue_redrive_allow_policy" "dead" {
  for_each = var.tiers

  queue_url = aws_sqs_queue.dead[each.key].id

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = ["arn:aws:sqs:${var.region}:${var.account_id}:${aws_sqs_queue.tier[each.key].name}"]
  })
}

# Within the account the roles' own policies say who sends and who receives; nobody comes in without TLS.
resource "aws_sqs_queue_policy" "tls" {
  for_each = merge(
    { for tier, queue in aws_sqs_queue.tier : tier => queue },
    { for tier, queue in aws_sqs_queue.dead : "${tier}-dead" => queue },
  )

  queue_url = each.value.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*"
      Resource  = "arn:aws:sqs:${var.region}:${var.account_id}:${each.value.name}"
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}
