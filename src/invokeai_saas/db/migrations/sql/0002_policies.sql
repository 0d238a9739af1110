-- Who may see and change what. Every table with a person in it has its policies from birth.
--
-- app.current_user_id is set per transaction (set_config(..., true)). After a local setting ends it is the
-- empty string, not NULL, hence nullif. An unset tenant sees no rows.

CREATE FUNCTION app_user() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT nullif(current_setting('app.current_user_id', true), '')::uuid $$;

CREATE FUNCTION touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN NEW.updated_at := now(); RETURN NEW; END $$;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'rows of % are never changed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$;

DO $$
DECLARE
    t text;
BEGIN
    -- FORCE binds the owner as well; the definer functions and the migrations work through a policy of its own.
    FOREACH t IN ARRAY ARRAY[
        'users', 'local_credentials', 'auth_sessions', 'user_subscriptions', 'credit_accounts', 'credits',
        'credit_transactions', 'credit_allocations', 'credit_reservations', 'credit_holds', 'usage_records',
        'images', 'boards', 'board_images', 'client_state', 'models', 'job_batches', 'session_queue',
        'job_attempts', 'queue_lanes'
    ] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO invokeai_owner USING (true) WITH CHECK (true)', t);
    END LOOP;

    -- A person reads and changes their own rows, and nothing else.
    FOREACH t IN ARRAY ARRAY[
        'user_subscriptions', 'credit_accounts', 'credits', 'credit_transactions', 'credit_allocations',
        'credit_reservations', 'credit_holds', 'usage_records', 'images', 'boards', 'board_images',
        'client_state', 'job_batches', 'session_queue', 'job_attempts', 'queue_lanes'
    ] LOOP
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO invokeai_api USING (user_id = app_user()) WITH CHECK (user_id = app_user())', t);
    END LOOP;

    FOREACH t IN ARRAY ARRAY[
        'users', 'subscription_plans', 'user_subscriptions', 'credits', 'images', 'boards', 'client_state',
        'models', 'session_queue', 'local_credentials'
    ] LOOP
        EXECUTE format(
            'CREATE TRIGGER touch_updated_at BEFORE UPDATE ON %I FOR EACH ROW EXECUTE FUNCTION touch_updated_at()', t);
    END LOOP;

    FOREACH t IN ARRAY ARRAY['credit_transactions', 'credit_allocations', 'usage_records'] LOOP
        EXECUTE format(
            'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
    END LOOP;
END $$;

CREATE POLICY tenant ON users TO invokeai_api USING (id = app_user()) WITH CHECK (id = app_user());

-- Shared models have no owner; they are seen by every person, and by nobody who is not one.
CREATE POLICY tenant ON models TO invokeai_api
    USING (app_user() IS NOT NULL AND (user_id IS NULL OR user_id = app_user()))
    WITH CHECK (user_id = app_user());

-- The auth role finds a person before the tenant is known. It reaches nothing else of theirs.
CREATE POLICY auth_all ON users TO invokeai_auth USING (true) WITH CHECK (true);
CREATE POLICY auth_all ON local_credentials TO invokeai_auth USING (true) WITH CHECK (true);
CREATE POLICY auth_all ON auth_sessions TO invokeai_auth USING (true) WITH CHECK (true);

-- A worker reads what the job in hand may read: the tenant context is that job's person.
CREATE POLICY job_in_hand ON images TO invokeai_worker
    USING (user_id = app_user()) WITH CHECK (user_id = app_user());
CREATE POLICY job_in_hand ON models TO invokeai_worker
    USING (app_user() IS NOT NULL AND (user_id IS NULL OR user_id = app_user())) WITH CHECK (false);

GRANT USAGE ON SCHEMA public TO invokeai_api, invokeai_auth, invokeai_worker;

GRANT SELECT ON users, subscription_plans, gpu_tiers, user_subscriptions, credits, credit_transactions,
    credit_allocations, credit_reservations, credit_holds, usage_records, images, boards, board_images,
    client_state, models, job_batches, session_queue, job_attempts, queue_lanes, credit_accounts
    TO invokeai_api;
GRANT UPDATE (name, avatar_url) ON users TO invokeai_api;
GRANT UPDATE (starred, is_intermediate, image_category), DELETE ON images TO invokeai_api;
GRANT INSERT (user_id, board_name), UPDATE (board_name, cover_image_name, archived), DELETE ON boards TO invokeai_api;
GRANT INSERT, UPDATE, DELETE ON board_images, client_state TO invokeai_api;

GRANT SELECT, INSERT (email, name, cognito_sub), UPDATE (last_login_at, name) ON users TO invokeai_auth;
GRANT SELECT, INSERT, UPDATE ON local_credentials TO invokeai_auth;
GRANT SELECT, INSERT, UPDATE, DELETE ON auth_sessions TO invokeai_auth;

GRANT SELECT ON images, models, gpu_tiers TO invokeai_worker;
