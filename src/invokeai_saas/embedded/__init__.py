"""PostgreSQL, Valkey and an S3 object store as child processes, for a service on one machine."""
