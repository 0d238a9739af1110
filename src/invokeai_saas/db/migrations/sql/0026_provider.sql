-- People whose passwords an identity provider keeps. An address that they changed there is taken over here; who is deleted
-- here is deleted there.

GRANT UPDATE (email) ON users TO invokeai_auth;

-- The provider's name of somebody who is being deleted; NULL when the claim counts no more.
CREATE FUNCTION privacy_subject(p_user uuid, p_claim uuid) RETURNS text LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT _privacy_holds(p_user, p_claim, 'stripe') THEN
        RETURN NULL;
    END IF;
    RETURN (SELECT u.cognito_sub FROM users u WHERE u.id = p_user);
END $$;

REVOKE ALL ON FUNCTION privacy_subject(uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION privacy_subject(uuid, uuid) TO invokeai_billing;
