REVOKE INSERT (kind, duration_seconds, fps) ON images FROM invokeai_api;
