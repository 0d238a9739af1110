DROP FUNCTION api_keys_end(uuid);
