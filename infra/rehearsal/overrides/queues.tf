# moto keeps no RedriveAllowPolicy, and the provider asks for it again and again, for longer than anybody would wait.
resource "aws_sqs_queue_redrive_allow_policy" "dead" {
  for_each = {}
}
