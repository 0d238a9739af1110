-- Ends all keys of somebody who is barred where passwords are kept; answers which. The auth role itself reads and
-- writes no keys.
CREATE FUNCTION api_keys_end(p_user uuid) RETURNS SETOF uuid LANGUAGE sql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    UPDATE api_keys SET revoked_at = now() WHERE user_id = p_user AND revoked_at IS NULL RETURNING id;
$$;
REVOKE ALL ON FUNCTION api_keys_end(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api_keys_end(uuid) TO invokeai_auth;
