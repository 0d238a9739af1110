-- API keys, features of plans decided in one place, and one trial for all spellings of an address.

CREATE TABLE api_keys (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    name VARCHAR(100) NOT NULL,
    prefix VARCHAR(8) NOT NULL,
    digest BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    last_used_at TIMESTAMP WITH TIME ZONE,
    expires_at TIMESTAMP WITH TIME ZONE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_api_keys PRIMARY KEY (id),
    CONSTRAINT uq_api_keys_digest UNIQUE (digest),
    CONSTRAINT ck_api_keys_digest CHECK (octet_length(digest) = 32),
    CONSTRAINT fk_api_keys_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX ix_api_keys_live ON api_keys (user_id) WHERE revoked_at IS NULL;

ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON api_keys TO invokeai_owner USING (true) WITH CHECK (true);
CREATE POLICY tenant ON api_keys TO invokeai_api USING (user_id = app_user()) WITH CHECK (user_id = app_user());
-- A person lists, makes and revokes their own. Nobody reads a digest, and nothing of a key that there is changes but
-- that it is revoked.
GRANT SELECT (id, user_id, name, prefix, created_at, last_used_at, expires_at, revoked_at),
    INSERT (user_id, name, prefix, digest, expires_at), UPDATE (revoked_at) ON api_keys TO invokeai_api;

-- Addresses that have had a trial, as keyed hashes of what all their spellings have in common. No person is named, so
-- a row outlives the account that it came from.
CREATE TABLE trial_claims (
    address_hash BYTEA NOT NULL,
    claimed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_trial_claims PRIMARY KEY (address_hash),
    CONSTRAINT ck_trial_claims_hash CHECK (octet_length(address_hash) = 32)
);
ALTER TABLE trial_claims ENABLE ROW LEVEL SECURITY;
ALTER TABLE trial_claims FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON trial_claims TO invokeai_owner USING (true) WITH CHECK (true);

-- All that a plan includes, by the names that billing/gates.py has for it. Families of models stand bare as well, as
-- API processes of the release before this one name them.
CREATE FUNCTION _plan_includes(p_plan subscription_plans) RETURNS text[] LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN p_plan.model_access::text[]
        || ARRAY(SELECT family || '_models' FROM unnest(p_plan.model_access) family)
        || CASE WHEN p_plan.node_editor_access THEN ARRAY['node_editor'] ELSE '{}' END
        || CASE WHEN p_plan.third_party_api_access THEN ARRAY['third_party_api'] ELSE '{}' END
        || CASE WHEN p_plan.lora_training THEN ARRAY['lora_training'] ELSE '{}' END
        || CASE WHEN p_plan.collaboration THEN ARRAY['collaboration'] ELSE '{}' END
        || CASE WHEN p_plan.api_access THEN ARRAY['api_keys'] ELSE '{}' END;
END $$;

-- As before, and a batch may need more of a plan than families of models.
-- p_families: what the plan has to include, as _plan_includes names it. (Its name is as old as the function.)
CREATE OR REPLACE FUNCTION queue_enqueue(
    p_batch uuid, p_graph jsonb, p_workflow jsonb, p_origin text, p_destination text,
    p_prepend boolean, p_jobs jsonb, p_max_pending integer, p_families text[]
) RETURNS TABLE (tier text, priority integer) LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    v_user uuid := app_user();
    v_plan subscription_plans;
    v_count integer := jsonb_array_length(p_jobs);
    v_needed bigint;
    v_available integer;
    v_pending bigint;
    v_priority integer := 0;
    v_job jsonb;
    v_used bigint;
    v_room bigint;
BEGIN
    PERFORM _credits_lock(v_user);
    v_plan := _queue_plan(v_user);
    IF v_plan.id IS NULL THEN
        RAISE EXCEPTION 'no plan' USING ERRCODE = 'SC403';
    END IF;
    IF NOT _plan_includes(v_plan) @> p_families THEN
        RAISE EXCEPTION 'not in plan' USING ERRCODE = 'SC403', DETAIL = json_build_object('families', ARRAY(
            SELECT f FROM unnest(p_families) f WHERE f <> ALL (_plan_includes(v_plan)) ORDER BY f))::text;
    END IF;
    IF v_plan.max_storage_gb IS NOT NULL THEN
        v_used := coalesce((SELECT g.bytes FROM gallery_state g WHERE g.user_id = v_user), 0)
            + coalesce((SELECT sum(m.file_size) FROM models m WHERE m.user_id = v_user), 0);
        v_room := v_plan.max_storage_gb * 1073741824::bigint;
        IF v_used >= v_room THEN
            RAISE EXCEPTION 'storage full' USING ERRCODE = 'SC507',
                DETAIL = json_build_object('used', v_used, 'limit', v_room)::text;
        END IF;
    END IF;
    SELECT sum((j ->> 'estimate')::integer) INTO v_needed FROM jsonb_array_elements(p_jobs) j;
    v_available := _credits_available(v_user);
    IF v_needed > v_available THEN
        RAISE EXCEPTION 'insufficient credits' USING ERRCODE = 'SC402',
            DETAIL = json_build_object('needed', v_needed, 'available', v_available)::text;
    END IF;
    SELECT coalesce(sum(l.pending), 0) INTO v_pending FROM queue_lanes l WHERE l.user_id = v_user;
    IF v_pending + v_count > p_max_pending THEN
        RAISE EXCEPTION 'queue full' USING ERRCODE = 'SC429',
            DETAIL = json_build_object('pending', v_pending, 'limit', p_max_pending)::text;
    END IF;
    PERFORM _queue_lock_lane(v_plan.gpu_tier, v_user);
    IF p_prepend THEN
        SELECT coalesce(max(q.priority), 0) + 1 INTO v_priority FROM session_queue q
        WHERE q.user_id = v_user AND q.status = 'pending';
    END IF;
    INSERT INTO job_batches (batch_id, user_id, graph, workflow, origin, destination)
    VALUES (p_batch, v_user, p_graph, p_workflow, p_origin, p_destination);
    FOR v_job IN SELECT value FROM jsonb_array_elements(p_jobs) LOOP
        PERFORM _queue_insert(v_user, p_batch, v_plan.gpu_tier, v_priority, v_job);
    END LOOP;
    PERFORM _queue_join_lane(v_plan.gpu_tier, v_user, v_plan.max_queues, v_count);
    RETURN QUERY SELECT v_plan.gpu_tier::text, v_priority;
END $$;

-- The key of a digest, before anybody knows whose it is; whether its person's plan has API keys stands beside it, for
-- a plan that lost them refuses keys and does not make them vanish. Use is written down once a minute.
CREATE FUNCTION api_key_find(p_digest bytea)
RETURNS TABLE (key_id uuid, user_id uuid, sub text, in_plan boolean) LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
#variable_conflict use_column
BEGIN
    UPDATE api_keys SET last_used_at = now()
    WHERE digest = p_digest AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
      AND (last_used_at IS NULL OR last_used_at < now() - interval '1 min');
    RETURN QUERY SELECT k.id, u.id, u.cognito_sub::text, coalesce((_queue_plan(u.id)).api_access, false)
    FROM api_keys k JOIN users u ON u.id = k.user_id
    WHERE k.digest = p_digest AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
      AND u.is_active;
END $$;

-- Those of some keys that are good for something now.
CREATE FUNCTION api_keys_alive(p_keys uuid[]) RETURNS SETOF uuid LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT k.id FROM api_keys k JOIN users u ON u.id = k.user_id
    WHERE k.id = ANY (p_keys) AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
      AND u.is_active AND (_queue_plan(u.id)).api_access;
END $$;

-- The trial of a new person, unless their address has had one under whatever spelling. Answers whether it has begun.
-- The function of one parameter stays for API processes of the release before this one.
CREATE FUNCTION billing_start_trial(p_user uuid, p_address bytea) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM subscription_plans WHERE plan_type = 'trial' AND is_active) THEN
        INSERT INTO trial_claims (address_hash) VALUES (p_address) ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            INSERT INTO credit_accounts (user_id) VALUES (p_user) ON CONFLICT DO NOTHING;
            RETURN false;
        END IF;
    END IF;
    PERFORM billing_start_trial(p_user);
    RETURN EXISTS (SELECT FROM user_subscriptions WHERE user_id = p_user AND status = 'trialing');
END $$;

REVOKE ALL ON FUNCTION _plan_includes(subscription_plans), api_key_find(bytea), api_keys_alive(uuid[]),
    billing_start_trial(uuid, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api_key_find(bytea), api_keys_alive(uuid[]), billing_start_trial(uuid, bytea)
    TO invokeai_auth;
