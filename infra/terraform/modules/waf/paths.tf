locals {
  # Where bodies are people's own words and files. Each of these is parsed and bounded by the service itself.
  bodies = [
    "^/api/v1/queue/[^/]+/enqueue_batch$",
    "^/api/v1/(workflows|style_presets|images|videos|recall|utilities|client_state|system_prompts)(/.*)?$",
    "^/api/v2/models/.*$",
    "^/api/v1/saas/stripe/webhook$",
    "^/ws/socket\\.io/?$",
  ]
}
