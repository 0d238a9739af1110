DROP FUNCTION privacy_subject(uuid, uuid);
REVOKE UPDATE (email) ON users FROM invokeai_auth;
