-- Staff: who they are, how they log in, what they may read, and the log of what is done to people and plans.
--
-- invokeai_staff is a role of its own. It reads what the pages show, and only in a transaction that names a live staff
-- session (app.staff_session, a digest of what the browser holds); it changes nothing but by the functions of
-- 0021_staff_acts.sql, each of which writes to audit_log in the same transaction.

-- What staff and operators did. Nobody changes or removes a line of it, the owner as little as anybody. People are named
-- without a foreign key: the line outlives them.
CREATE TABLE audit_log (
    id BIGINT GENERATED ALWAYS AS IDENTITY NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    actor_id UUID,
    actor VARCHAR(255) NOT NULL,
    action VARCHAR(50) NOT NULL,
    person_id UUID,
    kind VARCHAR(30) NOT NULL,
    thing VARCHAR(255) NOT NULL,
    reason TEXT NOT NULL,
    details JSONB DEFAULT '{}' NOT NULL,
    request_id VARCHAR(64),
    address VARCHAR(64),
    CONSTRAINT pk_audit_log PRIMARY KEY (id),
    CONSTRAINT ck_audit_log_reason CHECK (char_length(reason) <= 1000),
    CONSTRAINT ck_audit_log_details CHECK (jsonb_typeof(details) = 'object' AND octet_length(details::text) <= 16384)
);
CREATE INDEX ix_audit_log_person_id_id ON audit_log (person_id, id);
CREATE INDEX ix_audit_log_action_id ON audit_log (action, id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON audit_log EXECUTE FUNCTION refuse_change();

-- What staff prove themselves with: a password of their own, which no mail can set anew, and the secret of their
-- authenticator (RFC 6238). No role reads this table; staff_login_facts answers it for one address at a time.
CREATE TABLE staff_credentials (
    user_id UUID NOT NULL,
    password_hash TEXT NOT NULL,
    totp_secret VARCHAR(64) NOT NULL,
    last_step BIGINT DEFAULT '0' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_staff_credentials PRIMARY KEY (user_id),
    CONSTRAINT fk_staff_credentials_user_id FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE TABLE staff_sessions (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    secret_hash BYTEA NOT NULL,
    address VARCHAR(64) NOT NULL,
    user_agent VARCHAR(255),
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    revoked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_staff_sessions PRIMARY KEY (id),
    CONSTRAINT uq_staff_sessions_secret_hash UNIQUE (secret_hash),
    CONSTRAINT fk_staff_sessions_user_id FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX ix_staff_sessions_user_id ON staff_sessions (user_id);

CREATE TABLE tester_plan_grants (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    granted_by UUID,
    reason TEXT NOT NULL,
    credits INTEGER NOT NULL,
    subscription_id UUID,
    starts_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    ends_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    revoked_by UUID,
    revoke_reason TEXT,
    CONSTRAINT pk_tester_plan_grants PRIMARY KEY (id),
    CONSTRAINT ck_tester_plan_grants_period CHECK (starts_at < ends_at AND credits >= 0),
    CONSTRAINT ck_tester_plan_grants_revoked
        CHECK ((revoked_at IS NULL) = (revoke_reason IS NULL) AND (revoked_at IS NULL OR ended_at IS NOT NULL)),
    CONSTRAINT fk_tester_plan_grants_user_id FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT fk_tester_plan_grants_granted_by FOREIGN KEY (granted_by) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT fk_tester_plan_grants_revoked_by FOREIGN KEY (revoked_by) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT fk_tester_plan_grants_subscription_id FOREIGN KEY (subscription_id)
        REFERENCES user_subscriptions (id) ON DELETE SET NULL
);
CREATE UNIQUE INDEX uq_tester_plan_grants_live ON tester_plan_grants (user_id) WHERE ended_at IS NULL;
CREATE INDEX ix_tester_plan_grants_user_id ON tester_plan_grants (user_id);

-- A plan that was agreed on with one customer is a row of their own; nobody else is offered it, or sees it.
ALTER TABLE subscription_plans ADD COLUMN customer_id UUID,
    ADD CONSTRAINT uq_subscription_plans_customer_id UNIQUE (customer_id),
    ADD CONSTRAINT ck_subscription_plans_agreed CHECK (customer_id IS NULL OR NOT is_active),
    ADD CONSTRAINT fk_subscription_plans_customer_id FOREIGN KEY (customer_id) REFERENCES users (id) ON DELETE SET NULL;
ALTER TABLE subscription_plans ENABLE ROW LEVEL SECURITY;
ALTER TABLE subscription_plans FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON subscription_plans TO invokeai_owner USING (true) WITH CHECK (true);
CREATE POLICY tenant ON subscription_plans TO invokeai_api
    USING (customer_id IS NULL OR customer_id = app_user()) WITH CHECK (false);

CREATE INDEX ix_users_created_at_id ON users (created_at, id);
CREATE INDEX ix_session_queue_failed ON session_queue (completed_at) WHERE status = 'failed';

-- Who is at work ------------------------------------------------------------------------------------------------------

-- Whose live session the transaction names; NULL where it names none. Half an hour without a request ends a session.
CREATE FUNCTION _staff_id() RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT u.id FROM staff_sessions s JOIN users u ON u.id = s.user_id
    WHERE s.secret_hash = decode(nullif(current_setting('app.staff_session', true), ''), 'hex')
      AND s.revoked_at IS NULL AND s.expires_at > now() AND s.seen_at > now() - interval '30 minutes'
      AND u.role = 'admin' AND u.is_active
$$;

CREATE FUNCTION staff_present() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$ SELECT _staff_id() IS NOT NULL $$;

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['audit_log', 'staff_credentials', 'staff_sessions', 'tester_plan_grants'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO invokeai_owner USING (true) WITH CHECK (true)', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['audit_log', 'tester_plan_grants', 'users', 'auth_sessions', 'user_subscriptions',
        'subscription_plans', 'credits', 'credit_transactions', 'usage_records', 'payments', 'invoices',
        'stripe_customers', 'stripe_events', 'account_lapses', 'session_queue', 'job_attempts', 'queue_lanes',
        'organisations', 'organisation_members'] LOOP
        EXECUTE format(
            'CREATE POLICY staff_reads ON %I TO invokeai_staff USING ((SELECT staff_present())) WITH CHECK (false)', t);
    END LOOP;
END $$;
CREATE POLICY tenant ON tester_plan_grants TO invokeai_api
    USING (user_id = app_user()) WITH CHECK (user_id = app_user());
GRANT SELECT (id, user_id, credits, starts_at, ends_at, ended_at, revoked_at) ON tester_plan_grants TO invokeai_api;

-- No prompts, pictures, passwords, tokens or addresses of cards are among these columns.
GRANT USAGE ON SCHEMA public TO invokeai_staff;
GRANT SELECT ON audit_log, tester_plan_grants, user_subscriptions, subscription_plans, credits, credit_transactions,
    usage_records, payments, invoices, stripe_customers, account_lapses, job_attempts, queue_lanes, organisations,
    organisation_members, credit_packs, gpu_tiers, gpu_workers TO invokeai_staff;
GRANT SELECT (id, email, name, role, is_active, language, email_verified_at, created_at, updated_at, last_login_at)
    ON users TO invokeai_staff;
GRANT SELECT (id, user_id, persistent, user_agent, created_at, last_used_at, expires_at, revoked_at)
    ON auth_sessions TO invokeai_staff;
GRANT SELECT (id, type, status, attempts, due_at, error, created_at, received_at, applied_at)
    ON stripe_events TO invokeai_staff;
GRANT SELECT (item_id, user_id, batch_id, tier, status, priority, position, model_name, steps, width, height, estimate,
    attempts, current_attempt, cancel_requested, removed, error_type, error_message, created_at, not_before,
    started_at, completed_at) ON session_queue TO invokeai_staff;

-- The log -------------------------------------------------------------------------------------------------------------

CREATE FUNCTION _audit(p_actor_id uuid, p_actor text, p_action text, p_person uuid, p_kind text, p_thing text,
    p_reason text, p_details jsonb) RETURNS void LANGUAGE sql AS $$
    INSERT INTO audit_log (actor_id, actor, action, person_id, kind, thing, reason, details, request_id, address)
    VALUES (p_actor_id, p_actor, p_action, p_person, p_kind, left(p_thing, 255), p_reason, coalesce(p_details, '{}'),
        nullif(current_setting('app.request_id', true), ''), nullif(current_setting('app.address', true), ''))
$$;

-- What an operator did at a command line, in the transaction that does it. The owner alone may say so.
CREATE FUNCTION audit_operator(p_action text, p_person uuid, p_kind text, p_thing text, p_reason text, p_details jsonb)
RETURNS void LANGUAGE sql AS $$
    SELECT _audit(NULL, 'operator', p_action, p_person, p_kind, p_thing, p_reason, p_details)
$$;

-- Logging in ----------------------------------------------------------------------------------------------------------

CREATE FUNCTION staff_login_facts(p_email text) RETURNS TABLE (user_id uuid, password_hash text, totp_secret text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.id, c.password_hash, c.totp_secret::text FROM users u JOIN staff_credentials c ON c.user_id = u.id
    WHERE u.email = p_email AND u.role = 'admin' AND u.is_active
$$;

-- Opens a session for eight hours; false when the code's time step, or a later one, was used before.
CREATE FUNCTION staff_open_session(p_user uuid, p_step bigint, p_hash bytea, p_address text, p_agent text)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE staff_credentials SET last_step = p_step WHERE user_id = p_user AND last_step < p_step;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    DELETE FROM staff_sessions WHERE user_id = p_user AND expires_at < now() - interval '30 days';
    INSERT INTO staff_sessions (user_id, secret_hash, address, user_agent, expires_at)
    SELECT id, p_hash, left(p_address, 64), left(p_agent, 255), now() + interval '8 hours'
    FROM users WHERE id = p_user AND role = 'admin' AND is_active;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM _audit(id, email, 'staff.log_in', NULL, 'staff', email, '', '{}') FROM users WHERE id = p_user;
    RETURN true;
END $$;

-- Whose a live session is; it goes on for another half an hour, and for eight hours at most.
CREATE FUNCTION staff_session(p_hash bytea) RETURNS TABLE (user_id uuid, email text, name text)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE staff_sessions s SET seen_at = now() FROM users u
    WHERE s.secret_hash = p_hash AND u.id = s.user_id AND s.revoked_at IS NULL AND s.expires_at > now()
      AND s.seen_at > now() - interval '30 minutes' AND u.role = 'admin' AND u.is_active
    RETURNING u.id, u.email::text, u.name::text
$$;

CREATE FUNCTION staff_end_session(p_hash bytea) RETURNS void LANGUAGE sql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    UPDATE staff_sessions SET revoked_at = now() WHERE secret_hash = p_hash AND revoked_at IS NULL
$$;

REVOKE ALL ON FUNCTION _staff_id(), staff_present(),
    _audit(uuid, text, text, uuid, text, text, text, jsonb), audit_operator(text, uuid, text, text, text, jsonb),
    staff_login_facts(text), staff_open_session(uuid, bigint, bytea, text, text), staff_session(bytea),
    staff_end_session(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION staff_present(), staff_login_facts(text),
    staff_open_session(uuid, bigint, bytea, text, text), staff_session(bytea), staff_end_session(bytea)
    TO invokeai_staff;
