-- What a person may ask of us about what we hold of them, and the moment at which we delete it: mails about payments,
-- one rule for that moment, exports, and deletion that goes on where it was when its process died.

ALTER TABLE mail_outbox DROP CONSTRAINT ck_mail_outbox_kind;
ALTER TABLE mail_outbox ADD CONSTRAINT ck_mail_outbox_kind CHECK (kind IN ('welcome', 'verify_email', 'reset_password',
    'trial_ending', 'receipt', 'payment_failed', 'low_credits', 'tester_granted', 'deletion_warning', 'export_ready',
    'deletion_requested', 'account_deleted')) NOT VALID;
ALTER TABLE mail_outbox VALIDATE CONSTRAINT ck_mail_outbox_kind;

-- The row of a person who was deleted stays, with nothing of theirs in it: the ledger refers to it.
ALTER TABLE users ADD COLUMN deleted_at TIMESTAMP WITH TIME ZONE;
-- Names one lapse, so that the warnings of an earlier one are no warnings of this one.
ALTER TABLE account_lapses ADD COLUMN id UUID DEFAULT gen_random_uuid() NOT NULL;

CREATE TABLE privacy_exports (
    id UUID NOT NULL,
    user_id UUID NOT NULL,
    state VARCHAR(10) DEFAULT 'pending' NOT NULL,
    s3_key VARCHAR(512),
    file_size_bytes BIGINT,
    alive_until TIMESTAMP WITH TIME ZONE NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    expires_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_privacy_exports PRIMARY KEY (id),
    CONSTRAINT ck_privacy_exports_state CHECK (state IN ('pending', 'running', 'ready', 'failed', 'expired')),
    CONSTRAINT ck_privacy_exports_ready CHECK (state <> 'ready'
        OR (s3_key IS NOT NULL AND file_size_bytes IS NOT NULL AND finished_at IS NOT NULL AND expires_at IS NOT NULL)),
    CONSTRAINT ck_privacy_exports_key CHECK (starts_with(s3_key, 'users/' || user_id || '/exports/')),
    CONSTRAINT fk_privacy_exports_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX ix_privacy_exports_user_id_created_at ON privacy_exports (user_id, created_at);
CREATE INDEX ix_privacy_exports_files ON privacy_exports (created_at) WHERE s3_key IS NOT NULL;

-- Somebody who is going to be deleted. `claim` names the scheduler that has it in hand, whose word counts until
-- `lease_until`. Stages: check, stop, stripe, files, records, tell, forget; each can be done again.
CREATE TABLE account_deletions (
    user_id UUID NOT NULL,
    reason VARCHAR(10) NOT NULL,
    requested_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    delete_at TIMESTAMP WITH TIME ZONE NOT NULL,
    plan_ended_at TIMESTAMP WITH TIME ZONE,
    started_at TIMESTAMP WITH TIME ZONE,
    stopped_at TIMESTAMP WITH TIME ZONE,
    stage VARCHAR(10) DEFAULT 'check' NOT NULL,
    claim UUID,
    lease_until TIMESTAMP WITH TIME ZONE,
    report JSONB DEFAULT '{}' NOT NULL,
    proof_id UUID,
    CONSTRAINT pk_account_deletions PRIMARY KEY (user_id),
    CONSTRAINT ck_account_deletions_reason CHECK (reason IN ('asked', 'lapsed')),
    CONSTRAINT ck_account_deletions_stage
        CHECK (stage IN ('check', 'stop', 'stripe', 'files', 'records', 'tell', 'forget')),
    CONSTRAINT fk_account_deletions_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX ix_account_deletions_delete_at ON account_deletions (delete_at);

-- What was deleted, told without whose it was. Each row's hash is of its report and of the hash before it.
CREATE TABLE deletion_proofs (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    report JSONB NOT NULL,
    previous_hash BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_deletion_proofs PRIMARY KEY (id),
    CONSTRAINT uq_deletion_proofs_number UNIQUE (number),
    CONSTRAINT uq_deletion_proofs_hash UNIQUE (hash)
);
-- Customers of Stripe's that were deleted, as digests of their random names: of what Stripe still tells us about them
-- nothing is kept.
CREATE TABLE forgotten_customers (
    digest BYTEA NOT NULL,
    CONSTRAINT pk_forgotten_customers PRIMARY KEY (digest)
);

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['privacy_exports', 'account_deletions', 'deletion_proofs', 'forgotten_customers'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO invokeai_owner USING (true) WITH CHECK (true)', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['privacy_exports', 'account_deletions', 'auth_sessions'] LOOP
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO invokeai_api USING (user_id = app_user()) WITH CHECK (user_id = app_user())', t);
    END LOOP;
END $$;
GRANT SELECT, INSERT (id, user_id, s3_key, alive_until),
    UPDATE (state, file_size_bytes, alive_until, finished_at, expires_at) ON privacy_exports TO invokeai_api;
GRANT SELECT ON account_deletions TO invokeai_api;
-- A person's log-ins without their secrets, for exports.
GRANT SELECT (id, user_id, rotated_at, persistent, user_agent, created_at, last_used_at, expires_at, revoked_at)
    ON auth_sessions TO invokeai_api;
-- What staff did about a person, without who they were and what they noted, for exports.
CREATE POLICY tenant ON audit_log TO invokeai_api USING (person_id = app_user()) WITH CHECK (false);
GRANT SELECT (id, at, action, person_id, kind, thing, details) ON audit_log TO invokeai_api;
CREATE TRIGGER append_only BEFORE UPDATE OF id, number, report, previous_hash, hash OR DELETE ON deletion_proofs
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON deletion_proofs EXECUTE FUNCTION refuse_change();

-- The ledger and the log are never changed, but for one text of a row, which may become empty while its person is being
-- deleted. Arguments: the text's column, and the one that names the person.
CREATE FUNCTION refuse_change_but_forgetting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND to_jsonb(NEW) ->> TG_ARGV[0] = '' AND to_jsonb(NEW) - TG_ARGV[0] = to_jsonb(OLD) - TG_ARGV[0]
       AND EXISTS (SELECT FROM account_deletions d
            WHERE d.user_id = (to_jsonb(OLD) ->> TG_ARGV[1])::uuid AND d.stage = 'records') THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'rows of % are never changed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
DROP TRIGGER append_only ON credit_transactions;
DROP TRIGGER append_only ON usage_records;
DROP TRIGGER append_only ON credit_revocations;
DROP TRIGGER append_only ON audit_log;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON credit_transactions
    FOR EACH ROW EXECUTE FUNCTION refuse_change_but_forgetting('description', 'user_id');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON usage_records
    FOR EACH ROW EXECUTE FUNCTION refuse_change_but_forgetting('model_used', 'user_id');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON credit_revocations
    FOR EACH ROW EXECUTE FUNCTION refuse_change_but_forgetting('description', 'user_id');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION refuse_change_but_forgetting('reason', 'person_id');

-- The moment of deletion -------------------------------------------------------------------------------------------

-- Whether a person has a plan, or credits that they bought and may still use.
CREATE FUNCTION _billing_lives(p_user uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM user_subscriptions s
            WHERE s.user_id = p_user AND s.status IN ('trialing', 'active', 'past_due'))
        OR EXISTS (SELECT FROM credits c WHERE c.user_id = p_user AND c.source NOT IN ('trial', 'subscription')
            AND c.valid_until > now() AND c.total_credits > c.used_credits + c.expired_credits)
$$;

-- When a person's data is deleted; NULL while it is not going to be. This is the one place that says it: the warnings,
-- the account page and the deletion itself ask here. Kept for the days of the lapse, and never gone before the first
-- warning has stood for seven days and the second for one. A warning stands when it was sent, or given up.
CREATE OR REPLACE FUNCTION billing_deletion_at(p_user uuid) RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT greatest(l.delete_after, w.first + interval '7 days', w.second + interval '1 day')
    FROM account_lapses l CROSS JOIN LATERAL (
        SELECT coalesce(min(o.stood) FILTER (WHERE o.key = l.id || ':7'), now()) AS first,
            coalesce(min(o.stood) FILTER (WHERE o.key = l.id || ':1'), now()) AS second
        FROM (
            SELECT m.key, CASE m.state WHEN 'sent' THEN m.sent_at WHEN 'failed' THEN m.created_at ELSE now() END AS stood
            FROM mail_outbox m WHERE m.user_id = p_user AND m.kind = 'deletion_warning'
              AND m.key IN (l.id || ':7', l.id || ':1')
        ) o
    ) w WHERE l.user_id = p_user AND NOT _billing_lives(p_user)
$$;

CREATE FUNCTION billing_my_deletion_at() RETURNS timestamptz LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$ SELECT billing_deletion_at(app_user()) $$;

-- Seven days and one day before data is deleted.
CREATE OR REPLACE FUNCTION mail_remind_deletions(p_limit integer) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH lapsed AS (
        SELECT l.user_id, l.id, billing_deletion_at(l.user_id) AS delete_at FROM account_lapses l
        WHERE l.marked_at IS NULL AND l.delete_after <= now() + interval '7 days'
          AND NOT EXISTS (SELECT FROM mail_outbox o
            WHERE o.user_id = l.user_id AND o.kind = 'deletion_warning' AND o.key = l.id || ':1')
    ), due AS (
        SELECT user_id, delete_at, id || CASE WHEN delete_at <= now() + interval '1 day' THEN ':1' ELSE ':7' END AS key
        FROM lapsed WHERE delete_at <= now() + interval '7 days'
    ), told AS (
        SELECT mail_enqueue(user_id, 'deletion_warning', key, jsonb_build_object('delete_at', delete_at)) AS id
        FROM due d WHERE NOT EXISTS (SELECT FROM mail_outbox o
            WHERE o.user_id = d.user_id AND o.kind = 'deletion_warning' AND o.key = d.key)
        LIMIT p_limit
    ) SELECT count(id)::integer FROM told
$$;

-- Plans that have run out are written down as such, and people without any begin to be counted: generation has stopped,
-- everything can be read for p_days days. When the moment has come, deletion begins; answers for how many.
-- A subscription of Stripe's is left three days for the news of its renewal.
CREATE OR REPLACE FUNCTION billing_sweep(p_days integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    v_marked integer;
BEGIN
    UPDATE user_subscriptions SET status = 'expired'
    WHERE status IN ('trialing', 'active', 'past_due') AND current_period_end <= now()
      AND (stripe_subscription_id IS NULL OR status = 'past_due' OR current_period_end <= now() - interval '3 days');
    DELETE FROM account_lapses l WHERE l.marked_at IS NULL AND _billing_lives(l.user_id);
    INSERT INTO account_lapses (user_id, since, delete_after)
    SELECT e.user_id, e.since, e.since + make_interval(days => p_days) FROM (
        SELECT s.user_id, least(now(), greatest(max(s.current_period_end), (SELECT max(c.valid_until) FROM credits c
            WHERE c.user_id = s.user_id AND c.source NOT IN ('trial', 'subscription')))) AS since
        FROM user_subscriptions s JOIN users u ON u.id = s.user_id AND u.role = 'user' AND u.is_active
        WHERE NOT EXISTS (SELECT FROM account_lapses l WHERE l.user_id = s.user_id)
        GROUP BY s.user_id HAVING bool_and(s.status NOT IN ('trialing', 'active', 'past_due'))
    ) e WHERE NOT _billing_lives(e.user_id) ON CONFLICT (user_id) DO NOTHING;
    WITH due AS (
        UPDATE account_lapses l SET marked_at = now()
        WHERE l.marked_at IS NULL AND l.delete_after <= now() AND billing_deletion_at(l.user_id) <= now()
        RETURNING l.user_id
    ), begun AS (
        INSERT INTO account_deletions (user_id, reason, delete_at) SELECT user_id, 'lapsed', now() FROM due
        ON CONFLICT (user_id) DO NOTHING RETURNING 1
    ) SELECT count(*) INTO v_marked FROM begun;
    RETURN v_marked;
END $$;

-- Mails about payments ------------------------------------------------------------------------------------------------

-- As before, and their person is told in the same transaction: of money that came, and of an invoice that Stripe could
-- not collect (`failed`: {ends_at, seconds}); each once per invoice.
CREATE OR REPLACE FUNCTION billing_apply_invoice(p_user uuid, p_invoice jsonb) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_id text := p_invoice ->> 'id';
    v_paid_at timestamptz := _billing_at(p_invoice -> 'paid_at');
    v_start timestamptz := _billing_at(p_invoice -> 'start');
    v_end timestamptz := _billing_at(p_invoice -> 'end');
    v_credits integer;
    v_until timestamptz;
BEGIN
    PERFORM _credits_lock(p_user);
    INSERT INTO invoices (user_id, stripe_invoice_id, number, status, description, amount, amount_paid, currency,
        hosted_url, created_at)
    VALUES (p_user, v_id, p_invoice ->> 'number', p_invoice ->> 'status', p_invoice ->> 'description',
        (p_invoice ->> 'amount')::numeric / 100, (p_invoice ->> 'paid')::numeric / 100, p_invoice ->> 'currency',
        p_invoice ->> 'url', _billing_at(p_invoice -> 'created'))
    ON CONFLICT (stripe_invoice_id) DO UPDATE SET status = excluded.status, amount_paid = excluded.amount_paid,
        number = excluded.number, hosted_url = excluded.hosted_url;
    IF p_invoice ->> 'status' <> 'paid' THEN
        PERFORM _billing_tell_failed(p_user, p_invoice);
        RETURN false;
    END IF;
    INSERT INTO payments (user_id, kind, stripe_payment_intent_id, stripe_invoice_id, stripe_subscription_id, amount,
        currency, status, description, plan_id, billing_interval, period_start, period_end, created_at)
    VALUES (p_user, CASE WHEN p_invoice ? 'pack' THEN 'pack' ELSE 'subscription' END, p_invoice ->> 'intent', v_id,
        p_invoice ->> 'subscription', (p_invoice ->> 'paid')::numeric / 100, p_invoice ->> 'currency', 'paid',
        p_invoice ->> 'description', (p_invoice ->> 'plan_id')::uuid, p_invoice ->> 'interval', v_start, v_end, v_paid_at)
    ON CONFLICT (stripe_invoice_id) DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF p_invoice ? 'pack' THEN
        v_credits := (p_invoice #>> '{pack,credits}')::integer;
        PERFORM credits_grant(p_user, v_credits, 'pack', v_paid_at,
            v_paid_at + make_interval(days => (p_invoice #>> '{pack,days}')::integer), 'invoice:' || v_id,
            p_invoice ->> 'description');
        PERFORM _billing_tell_paid(p_user, p_invoice, v_credits);
        RETURN true;
    END IF;
    SELECT coalesce(sum((part ->> 'share')::numeric * coalesce(p.monthly_credits, 0)), 0), max(_billing_at(part -> 'until'))
    INTO v_credits, v_until
    FROM jsonb_array_elements(p_invoice -> 'parts') part JOIN subscription_plans p ON p.id = (part ->> 'plan_id')::uuid;
    IF v_start IS NOT NULL THEN
        v_until := least(_billing_month(v_start, 1), v_end);
        SELECT v_credits + coalesce(p.monthly_credits, 0) INTO v_credits FROM subscription_plans p
        WHERE p.id = (p_invoice ->> 'plan_id')::uuid;
    END IF;
    IF v_credits > 0 THEN
        PERFORM credits_grant(p_user, v_credits, 'subscription', coalesce(v_start, v_paid_at),
            v_until + interval '2 hours', 'invoice:' || v_id, p_invoice ->> 'description');
    END IF;
    PERFORM _billing_tell_paid(p_user, p_invoice, v_credits);
    RETURN true;
END $$;

-- A receipt, where there was anything to pay.
CREATE FUNCTION _billing_tell_paid(p_user uuid, p_invoice jsonb, p_credits integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF (p_invoice ->> 'paid')::numeric > 0 THEN
        PERFORM mail_enqueue(p_user, 'receipt', p_invoice ->> 'id', jsonb_strip_nulls(jsonb_build_object(
            'amount', (p_invoice ->> 'paid')::bigint, 'currency', p_invoice ->> 'currency',
            'what', left(p_invoice ->> 'description', 200), 'paid_at', _billing_at(p_invoice -> 'paid_at'),
            'number', p_invoice ->> 'number', 'credits', nullif(greatest(p_credits, 0), 0))));
    END IF;
END $$;

-- A renewal or a change of plan that Stripe tried to collect in vain. Who has just filled in a card that was declined
-- sees that on Stripe's page.
CREATE FUNCTION _billing_tell_failed(p_user uuid, p_invoice jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_plan text := (SELECT p.name FROM subscription_plans p WHERE p.id = coalesce(p_invoice ->> 'plan_id',
        (SELECT part ->> 'plan_id' FROM jsonb_array_elements(p_invoice -> 'parts') part
         ORDER BY (part ->> 'share')::numeric DESC LIMIT 1))::uuid);
BEGIN
    IF jsonb_typeof(p_invoice -> 'failed') = 'object' AND v_plan IS NOT NULL THEN
        PERFORM mail_enqueue(p_user, 'payment_failed', p_invoice ->> 'id', jsonb_build_object(
            'amount', (p_invoice ->> 'amount')::bigint, 'currency', p_invoice ->> 'currency', 'plan', v_plan,
            'ends_at', _billing_at(p_invoice #> '{failed,ends_at}')));
    END IF;
END $$;

-- Of somebody who was deleted nothing is kept that Stripe goes on telling.
CREATE OR REPLACE FUNCTION stripe_event_store(p_id text, p_type text, p_created timestamptz, p_payload jsonb)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_about jsonb := p_payload #> '{data,object}';
BEGIN
    IF EXISTS (SELECT FROM forgotten_customers f WHERE f.digest IN (
            sha256(convert_to(coalesce(v_about #>> '{customer,id}', v_about ->> 'customer', ''), 'UTF8')),
            sha256(convert_to(coalesce(v_about ->> 'id', ''), 'UTF8'))))
       OR EXISTS (SELECT FROM payments y JOIN users u ON u.id = y.user_id AND u.deleted_at IS NOT NULL
            WHERE y.stripe_payment_intent_id = v_about ->> 'payment_intent') THEN
        RETURN false;
    END IF;
    INSERT INTO stripe_events (id, type, created_at, payload) VALUES (p_id, p_type, p_created, p_payload)
    ON CONFLICT (id) DO NOTHING;
    RETURN FOUND;
END $$;

-- As before, and whoever is going to be deleted makes nothing new.
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
    IF EXISTS (SELECT FROM account_deletions d WHERE d.user_id = v_user) THEN
        RAISE EXCEPTION 'to be deleted' USING ERRCODE = 'SC403', DETAIL = '{"deleting": true}';
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

-- What the API may do -------------------------------------------------------------------------------------------------

-- Writes down that the caller wants to be deleted, in so many seconds; what was written down first stays.
CREATE FUNCTION privacy_request_deletion(p_seconds double precision) RETURNS SETOF account_deletions
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO account_deletions (user_id, reason, delete_at)
    VALUES (app_user(), 'asked', now() + make_interval(secs => p_seconds)) ON CONFLICT (user_id) DO NOTHING;
    RETURN QUERY SELECT * FROM account_deletions d WHERE d.user_id = app_user();
END $$;

-- Takes that back; false when it has begun.
CREATE FUNCTION privacy_take_back() RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM account_deletions d WHERE d.user_id = app_user() AND d.started_at IS NULL;
    RETURN NOT EXISTS (SELECT FROM account_deletions d WHERE d.user_id = app_user());
END $$;

-- What the scheduler may do -------------------------------------------------------------------------------------------

-- Exports whose process went silent, now failed; how many.
CREATE FUNCTION privacy_reap_exports() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    v_count integer;
BEGIN
    UPDATE privacy_exports SET state = 'failed', finished_at = now()
    WHERE state IN ('pending', 'running') AND alive_until < now();
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END $$;

-- Files of exports that nobody may fetch any more. Their processes are silent by now, so no file comes after this.
CREATE FUNCTION privacy_old_exports(p_limit integer) RETURNS TABLE (id uuid, key text)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE privacy_exports SET state = 'expired' WHERE state = 'ready' AND expires_at <= now();
    SELECT e.id, e.s3_key::text FROM privacy_exports e
    WHERE e.s3_key IS NOT NULL AND (e.state = 'expired' OR e.state = 'failed' AND e.alive_until < now()) LIMIT p_limit
$$;

CREATE FUNCTION privacy_export_dropped(p_id uuid) RETURNS void LANGUAGE sql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    UPDATE privacy_exports SET s3_key = NULL WHERE id = p_id AND state IN ('failed', 'expired')
$$;

-- People who asked to be deleted and whose plan is to end at Stripe at once; the customer is NULL for who has none.
CREATE FUNCTION privacy_plans_to_end(p_limit integer) RETURNS TABLE (user_id uuid, customer text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT d.user_id, c.customer_id::text FROM account_deletions d LEFT JOIN stripe_customers c ON c.user_id = d.user_id
    WHERE d.reason = 'asked' AND d.plan_ended_at IS NULL ORDER BY d.requested_at LIMIT p_limit
$$;

-- It has ended: what Stripe says about it now is to be read.
CREATE FUNCTION privacy_plan_ended(p_user uuid) RETURNS void LANGUAGE sql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    UPDATE account_deletions SET plan_ended_at = now() WHERE user_id = p_user;
    INSERT INTO stripe_events (id, type, created_at, payload)
    SELECT 'sync:' || gen_random_uuid(), 'sync.requested', now(),
        jsonb_build_object('data', jsonb_build_object('object', jsonb_build_object('customer', customer_id)))
    FROM stripe_customers WHERE user_id = p_user
$$;

-- The next person who is due, for p_lease seconds. Whoever came to have a plan meanwhile is left alone.
CREATE FUNCTION privacy_claim(p_lease double precision) RETURNS TABLE (user_id uuid, claim uuid, reason text,
    stage text, report jsonb, customer text, email text) LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    v_row account_deletions;
BEGIN
    LOOP
        SELECT * INTO v_row FROM account_deletions d
        WHERE d.delete_at <= now() AND (d.lease_until IS NULL OR d.lease_until <= now())
        ORDER BY d.delete_at LIMIT 1 FOR UPDATE SKIP LOCKED;
        IF NOT FOUND THEN
            RETURN;
        END IF;
        EXIT WHEN v_row.reason = 'asked' OR v_row.stage <> 'check' OR NOT _billing_lives(v_row.user_id);
        PERFORM _privacy_spare(v_row.user_id);
    END LOOP;
    UPDATE account_deletions d SET claim = gen_random_uuid(), lease_until = now() + make_interval(secs => p_lease),
        started_at = coalesce(d.started_at, now())
    WHERE d.user_id = v_row.user_id RETURNING * INTO v_row;
    RETURN QUERY SELECT v_row.user_id, v_row.claim, v_row.reason::text, v_row.stage::text, v_row.report,
        c.customer_id::text, u.email::text
    FROM users u LEFT JOIN stripe_customers c ON c.user_id = u.id WHERE u.id = v_row.user_id;
END $$;

-- Nothing is deleted of this person after all; should they lapse again, they are warned again.
CREATE FUNCTION _privacy_spare(p_user uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM account_deletions WHERE user_id = p_user;
    DELETE FROM account_lapses WHERE user_id = p_user;
END $$;

CREATE FUNCTION privacy_spare(p_user uuid, p_claim uuid) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM account_deletions d WHERE d.user_id = p_user AND d.claim = p_claim AND d.stage = 'check'
                   AND d.reason = 'lapsed') THEN
        RETURN false;
    END IF;
    PERFORM _privacy_spare(p_user);
    RETURN true;
END $$;

-- Whether a claim still counts for a stage. Its lease goes on from now; the row is held until the transaction ends.
CREATE FUNCTION _privacy_holds(p_user uuid, p_claim uuid, p_stage text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    UPDATE account_deletions d SET lease_until = greatest(d.lease_until, now() + interval '60 seconds')
    WHERE d.user_id = p_user AND d.claim = p_claim AND d.stage = p_stage;
    RETURN FOUND;
END $$;

-- Ends a stage and adds to the report. False when the claim counts no more.
CREATE FUNCTION privacy_note(p_user uuid, p_claim uuid, p_stage text, p_next text, p_facts jsonb) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE account_deletions d SET stage = p_next, report = d.report || p_facts,
        lease_until = greatest(d.lease_until, now() + interval '60 seconds')
    WHERE d.user_id = p_user AND d.claim = p_claim AND d.stage = p_stage;
    RETURN FOUND;
END $$;

-- Lets go of somebody for a while: something is to be waited for.
CREATE FUNCTION privacy_wait(p_user uuid, p_claim uuid, p_seconds double precision) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE account_deletions SET lease_until = now() + make_interval(secs => p_seconds)
    WHERE user_id = p_user AND claim = p_claim
$$;

-- Ends everything that a person has going: log-ins, plan, jobs, installs, downloads, exports. Answers the sessions, and
-- whether all of it has stood still for p_quiet seconds: what was on its way to us has ended by then as well.
CREATE FUNCTION privacy_stop(p_user uuid, p_claim uuid, p_quiet double precision)
RETURNS TABLE (held boolean, still boolean, sessions uuid[]) LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    v_sessions uuid[];
    v_busy boolean;
BEGIN
    IF NOT _privacy_holds(p_user, p_claim, 'stop') THEN
        RETURN QUERY SELECT false, false, '{}'::uuid[];
        RETURN;
    END IF;
    PERFORM set_config('app.current_user_id', p_user::text, true);
    PERFORM queue_cancel(ARRAY(SELECT q.item_id FROM session_queue q
        WHERE q.user_id = p_user AND q.status IN ('pending', 'in_progress')));
    UPDATE users SET is_active = false WHERE id = p_user AND is_active;
    UPDATE user_subscriptions SET status = 'canceled'
    WHERE user_id = p_user AND status IN ('trialing', 'active', 'past_due');
    UPDATE auth_sessions SET revoked_at = now() WHERE user_id = p_user AND revoked_at IS NULL;
    UPDATE model_installs SET status = 'cancelled', access_token = NULL
    WHERE user_id = p_user AND status NOT IN ('completed', 'error', 'cancelled');
    UPDATE bulk_downloads SET state = 'failed' WHERE user_id = p_user AND state = 'preparing';
    UPDATE privacy_exports SET state = 'failed', finished_at = now()
    WHERE user_id = p_user AND state IN ('pending', 'running');
    v_sessions := ARRAY(SELECT s.id FROM auth_sessions s WHERE s.user_id = p_user);
    v_busy := EXISTS (SELECT FROM session_queue q WHERE q.user_id = p_user AND q.status IN ('pending', 'in_progress'))
        OR EXISTS (SELECT FROM model_installs i WHERE i.user_id = p_user AND i.lease_until > now()
            AND i.claim IS NOT NULL)
        OR EXISTS (SELECT FROM bulk_downloads b WHERE b.user_id = p_user AND b.state = 'failed' AND b.alive_until > now())
        OR EXISTS (SELECT FROM privacy_exports e WHERE e.user_id = p_user AND e.state = 'failed' AND e.alive_until > now());
    UPDATE account_deletions d SET stopped_at = CASE WHEN v_busy THEN NULL ELSE coalesce(d.stopped_at, now()) END
    WHERE d.user_id = p_user;
    RETURN QUERY SELECT true, d.stopped_at IS NOT NULL AND d.stopped_at <= now() - make_interval(secs => p_quiet),
        v_sessions FROM account_deletions d WHERE d.user_id = p_user;
END $$;

-- Whether a person's rows in a table go with them: those that would go with the row of their person.
CREATE FUNCTION _privacy_goes(p_table regclass) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce(bool_or(c.confdeltype = 'c'), false)
        AND NOT coalesce(bool_or(c.confdeltype = 'r' AND c.confrelid = 'users'::regclass), false)
    FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
    WHERE c.conrelid = p_table AND c.contype = 'f' AND a.attname = 'user_id'
$$;

-- Deletes so many of a person's rows of a table, and counts them in the report in the same transaction. Answers how
-- many; NULL when the claim counts no more.
CREATE FUNCTION privacy_erase(p_user uuid, p_claim uuid, p_table text, p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_count integer;
BEGIN
    IF NOT _privacy_holds(p_user, p_claim, 'records') THEN
        RETURN NULL;
    ELSIF NOT _privacy_goes(p_table::regclass) THEN
        RAISE EXCEPTION 'rows of % stay', p_table USING ERRCODE = 'restrict_violation';
    END IF;
    IF p_table = 'stripe_customers' THEN  -- nobody applies anything of theirs meanwhile, nor after this
        PERFORM pg_advisory_xact_lock(hashtextextended('stripe:' || c.customer_id, 0)) FROM stripe_customers c
        WHERE c.user_id = p_user;
    END IF;
    EXECUTE format('DELETE FROM %1$I WHERE ctid = ANY (ARRAY(SELECT ctid FROM %1$I WHERE user_id = $1 LIMIT $2))', p_table)
    USING p_user, p_limit;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    PERFORM _privacy_count(p_user, p_table, v_count);
    RETURN v_count;
END $$;

CREATE FUNCTION _privacy_count(p_user uuid, p_table text, p_count integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE account_deletions d SET report = jsonb_set(d.report, '{rows}', coalesce(d.report -> 'rows', '{}')
        || jsonb_build_object(p_table, coalesce((d.report #>> ARRAY['rows', p_table])::bigint, 0) + p_count))
    WHERE d.user_id = p_user AND p_count > 0;
END $$;

-- What Stripe told us of a customer.
CREATE FUNCTION privacy_erase_events(p_user uuid, p_claim uuid) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    v_customer text := (SELECT customer_id FROM stripe_customers WHERE user_id = p_user);
    v_count integer;
BEGIN
    IF NOT _privacy_holds(p_user, p_claim, 'records') THEN
        RETURN false;
    END IF;
    IF v_customer IS NOT NULL THEN
        INSERT INTO forgotten_customers (digest) VALUES (sha256(convert_to(v_customer, 'UTF8'))) ON CONFLICT DO NOTHING;
        DELETE FROM stripe_events WHERE position(v_customer IN payload::text) > 0;
        GET DIAGNOSTICS v_count = ROW_COUNT;
        PERFORM _privacy_count(p_user, 'stripe_events', v_count);
    END IF;
    RETURN true;
END $$;

-- Takes out of what stays whatever a person may have written, or leads to them: so many rows a call. Answers how many;
-- NULL when the claim counts no more.
CREATE FUNCTION privacy_pseudonymise(p_user uuid, p_claim uuid, p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_change text;
    v_count integer;
    v_all integer := 0;
BEGIN
    IF NOT _privacy_holds(p_user, p_claim, 'records') THEN
        RETURN NULL;
    END IF;
    FOREACH v_change IN ARRAY ARRAY[
        'credit_transactions SET description = '''' WHERE user_id = $1 AND description <> ''''',
        'usage_records SET model_used = '''' WHERE user_id = $1 AND model_used <> ''''',
        'credit_revocations SET description = '''' WHERE user_id = $1 AND description <> ''''',
        'audit_log SET reason = '''' WHERE person_id = $1 AND reason <> ''''',
        'invoices SET hosted_url = NULL WHERE user_id = $1 AND hosted_url IS NOT NULL'
    ] LOOP
        EXECUTE format('UPDATE %s AND ctid = ANY (ARRAY(SELECT ctid FROM %s LIMIT $2))', v_change,
            regexp_replace(v_change, ' SET .* WHERE ', ' WHERE ')) USING p_user, p_limit;
        GET DIAGNOSTICS v_count = ROW_COUNT;
        v_all := v_all + v_count;
    END LOOP;
    RETURN v_all;
END $$;

-- Writes the proof and the mail with it, once; answers the mail's state: waiting, sent or failed.
CREATE FUNCTION privacy_tell(p_user uuid, p_claim uuid, p_kept text[]) RETURNS text LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    v_proof uuid;
    v_report jsonb;
BEGIN
    IF NOT _privacy_holds(p_user, p_claim, 'tell') THEN
        RETURN NULL;
    END IF;
    SELECT d.proof_id INTO v_proof FROM account_deletions d WHERE d.user_id = p_user;
    IF v_proof IS NULL THEN
        v_report := _privacy_report(p_user, p_kept);
        v_proof := _privacy_prove(v_report);
        UPDATE account_deletions d SET proof_id = v_proof WHERE d.user_id = p_user;
        PERFORM mail_enqueue(p_user, 'account_deleted', v_proof::text, jsonb_strip_nulls(jsonb_build_object(
            'proof', v_proof, 'files', v_report #> '{files,count}', 'bytes', v_report #> '{files,bytes}',
            'records', (SELECT coalesce(sum(r.value::bigint), 0) FROM jsonb_each_text(v_report -> 'rows') r),
            'stripe', v_report #>> '{stripe,confirmation}',
            'hash', (SELECT encode(p.hash, 'hex') FROM deletion_proofs p WHERE p.id = v_proof))));
    END IF;
    RETURN (SELECT o.state FROM mail_outbox o WHERE o.user_id = p_user AND o.kind = 'account_deleted'
            AND o.key = v_proof::text);
END $$;

CREATE FUNCTION _privacy_report(p_user uuid, p_kept text[]) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    v_table text;
    v_count bigint;
    v_kept jsonb := '{}';
BEGIN
    FOREACH v_table IN ARRAY p_kept LOOP
        EXECUTE format('SELECT count(*) FROM %I WHERE %I = $1', v_table,
            CASE v_table WHEN 'audit_log' THEN 'person_id' ELSE 'user_id' END) INTO v_count USING p_user;
        v_kept := v_kept || jsonb_build_object(v_table, v_count);
    END LOOP;
    RETURN (SELECT jsonb_build_object('rows', '{}'::jsonb, 'stripe', NULL) || d.report || jsonb_build_object(
            'reason', d.reason, 'requested_at', d.requested_at, 'started_at', d.started_at, 'erased_at', now(),
            'kept', v_kept)
        FROM account_deletions d WHERE d.user_id = p_user);
END $$;

-- Adds a link to the chain of proofs.
CREATE FUNCTION _privacy_prove(p_report jsonb) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    v_previous bytea;
    v_id uuid := gen_random_uuid();
BEGIN
    LOCK TABLE deletion_proofs IN SHARE ROW EXCLUSIVE MODE;  -- one after the other
    SELECT p.hash INTO v_previous FROM deletion_proofs p ORDER BY p.number DESC LIMIT 1;
    v_previous := coalesce(v_previous, '\x'::bytea);
    INSERT INTO deletion_proofs (id, report, previous_hash, hash)
    VALUES (v_id, p_report, v_previous, _privacy_hash(v_id, p_report, v_previous));
    RETURN v_id;
END $$;

-- SHA-256 of the hash before, the id and the report as PostgreSQL writes it: keys in order, one space after each colon.
CREATE FUNCTION _privacy_hash(p_id uuid, p_report jsonb, p_previous bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT sha256(p_previous || convert_to(p_id || p_report::text, 'UTF8'))
$$;

-- The end: what has come in between goes, the person's row becomes nobody's, and the proof says when.
CREATE FUNCTION privacy_forget(p_user uuid, p_claim uuid) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    v_proof uuid := (SELECT d.proof_id FROM account_deletions d WHERE d.user_id = p_user);
    v_table regclass;
BEGIN
    IF NOT _privacy_holds(p_user, p_claim, 'forget') THEN
        RETURN false;
    END IF;
    DELETE FROM password_reset_requests r USING users u WHERE u.id = p_user AND r.email = u.email;
    UPDATE users SET email = gen_random_uuid() || '@deleted.invalid', name = 'Deleted', cognito_sub = gen_random_uuid(),
        avatar_url = NULL, role = 'user', language = 'en', is_active = false, email_verified_at = NULL,
        last_login_at = NULL, deleted_at = now(), created_at = date_trunc('month', created_at)
    WHERE id = p_user;
    -- A plan that was agreed on with them is nobody's; payments refer to it.
    UPDATE subscription_plans SET customer_id = NULL, slug = 'agreed-' || gen_random_uuid() WHERE customer_id = p_user;
    FOR v_table IN
        SELECT DISTINCT c.conrelid::regclass FROM pg_constraint c
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey) AND a.attname = 'user_id'
        WHERE c.contype = 'f' AND c.connamespace = 'public'::regnamespace AND c.conrelid <> 'account_deletions'::regclass
          AND _privacy_goes(c.conrelid)
    LOOP
        EXECUTE format('DELETE FROM %s WHERE user_id = $1', v_table) USING p_user;
    END LOOP;
    UPDATE deletion_proofs SET finished_at = now() WHERE id = v_proof;
    DELETE FROM account_deletions WHERE user_id = p_user;
    RETURN true;
END $$;

REVOKE ALL ON FUNCTION refuse_change_but_forgetting(), _billing_lives(uuid), billing_my_deletion_at(),
    _billing_tell_paid(uuid, jsonb, integer), _billing_tell_failed(uuid, jsonb),
    privacy_request_deletion(double precision), privacy_take_back(), privacy_reap_exports(),
    privacy_old_exports(integer), privacy_export_dropped(uuid), privacy_plans_to_end(integer), privacy_plan_ended(uuid),
    privacy_claim(double precision), _privacy_spare(uuid), privacy_spare(uuid, uuid), _privacy_holds(uuid, uuid, text),
    privacy_note(uuid, uuid, text, text, jsonb), privacy_wait(uuid, uuid, double precision),
    privacy_stop(uuid, uuid, double precision), _privacy_goes(regclass), privacy_erase(uuid, uuid, text, integer),
    _privacy_count(uuid, text, integer), privacy_erase_events(uuid, uuid), privacy_pseudonymise(uuid, uuid, integer),
    privacy_tell(uuid, uuid, text[]), _privacy_report(uuid, text[]), _privacy_prove(jsonb),
    _privacy_hash(uuid, jsonb, bytea), privacy_forget(uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION billing_my_deletion_at(), privacy_request_deletion(double precision), privacy_take_back()
    TO invokeai_api;
-- The billing role is the scheduler's alone: no worker, which runs strangers' graphs, can delete anybody.
GRANT EXECUTE ON FUNCTION privacy_reap_exports(), privacy_old_exports(integer), privacy_export_dropped(uuid),
    privacy_plans_to_end(integer), privacy_plan_ended(uuid), privacy_claim(double precision), privacy_spare(uuid, uuid),
    privacy_note(uuid, uuid, text, text, jsonb), privacy_wait(uuid, uuid, double precision),
    privacy_stop(uuid, uuid, double precision), privacy_erase(uuid, uuid, text, integer),
    privacy_erase_events(uuid, uuid), privacy_pseudonymise(uuid, uuid, integer), privacy_tell(uuid, uuid, text[]),
    privacy_forget(uuid, uuid) TO invokeai_billing;
