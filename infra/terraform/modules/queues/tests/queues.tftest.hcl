mock_provider "aws" {}

variables {
  name        = "invokeai"
  account_id  = "111122223333"
  region      = "ap-northeast-2"
  kms_key_arn = "arn:aws:kms:ap-northeast-2:111122223333:key/k"
}

run "a_fifo_queue_a_tier" {
  command = plan

  assert {
    condition     = output.names == { basic = "invokeai-gpu-basic.fifo", high_performance = "invokeai-gpu-highperf.fifo", dedicated = "invokeai-gpu-dedicated.fifo" }
    error_message = "One queue per GPU tier, by the names of the source."
  }

  assert {
    condition     = alltrue([for q in aws_sqs_queue.tier : q.fifo_queue && q.content_based_deduplication == false])
    error_message = "FIFO; the sender gives group and deduplication id."
  }

  assert {
    condition     = alltrue([for q in aws_sqs_queue.tier : q.deduplication_scope == "messageGroup" && q.fifo_throughput_limit == "perMessageGroupId"])
    error_message = "One lane's messages hold back no other's."
  }

  assert {
    condition     = alltrue([for q in aws_sqs_queue.tier : q.visibility_timeout_seconds == 60 && q.receive_wait_time_seconds == 20 && q.message_retention_seconds == 345600])
    error_message = "Times of the queues."
  }

  assert {
    condition     = output.urls["basic"] == "https://sqs.ap-northeast-2.amazonaws.com/111122223333/invokeai-gpu-basic.fifo"
    error_message = "Senders get addresses."
  }
}

run "dead_letters_behind_each" {
  command = plan

  assert {
    condition = alltrue([
      for tier, q in aws_sqs_queue.tier : jsondecode(q.redrive_policy) == {
        deadLetterTargetArn = "arn:aws:sqs:ap-northeast-2:111122223333:${aws_sqs_queue.dead[tier].name}"
        maxReceiveCount     = 5
      }
    ])
    error_message = "After five receipts a message is a dead letter of its own tier."
  }

  assert {
    condition     = alltrue([for q in aws_sqs_queue.dead : q.fifo_queue && q.message_retention_seconds == 1209600])
    error_message = "Dead letters of a FIFO queue lie in a FIFO queue, 14 days."
  }
}

run "encrypted_both_ways" {
  command = plan

  assert {
    condition     = alltrue([for q in merge(aws_sqs_queue.tier, { for k, d in aws_sqs_queue.dead : "${k}-dead" => d }) : q.kms_master_key_id == var.kms_key_arn])
    error_message = "KMS at rest."
  }

  assert {
    condition = length(aws_sqs_queue_policy.tls) == 6 && alltrue([
      for p in aws_sqs_queue_policy.tls : jsondecode(p.policy).Statement[0].Effect == "Deny" && jsondecode(p.policy).Statement[0].Condition.Bool["aws:SecureTransport"] == "false"
    ])
    error_message = "TLS in transit, for all six queues."
  }
}
