DROP FUNCTION privacy_forget(uuid, uuid), privacy_tell(uuid, uuid, text[]), _privacy_report(uuid, text[]),
    _privacy_prove(jsonb), _privacy_hash(uuid, jsonb, bytea), privacy_pseudonymise(uuid, uuid, integer),
    privacy_erase_events(uuid, uuid), privacy_erase(uuid, uuid, text, integer), _privacy_count(uuid, text, integer),
    _privacy_goes(regclass), privacy_stop(uuid, uuid, double precision), privacy_wait(uuid, uuid, double precision),
    privacy_note(uuid, uuid, text, text, jsonb), _privacy_holds(uuid, uuid, text), privacy_spare(uuid, uuid),
    _privacy_spare(uuid), privacy_claim(double precision), privacy_plan_ended(uuid), privacy_plans_to_end(integer),
    privacy_export_dropped(uuid), privacy_old_exports(integer), privacy_reap_exports(), privacy_take_back(),
    privacy_request_deletion(double precision), billing_my_deletion_at();

CREATE OR REPLACE FUNCTION billing_deletion_at(p_user uuid) RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT greatest(
        max(s.trial_end) + interval '30 days',
        coalesce(
            (SELECT min(o.created_at) FROM mail_outbox o WHERE o.user_id = p_user AND o.kind = 'deletion_warning'), now()
        ) + interval '7 days')
    FROM user_subscriptions s
    WHERE s.user_id = p_user AND s.trial_end <= now()
      AND NOT EXISTS (
        SELECT FROM user_subscriptions o JOIN subscription_plans p ON p.id = o.plan_id
        WHERE o.user_id = p_user AND (p.plan_type <> 'trial' OR o.trial_end > now()))
      AND NOT EXISTS (SELECT FROM credits c WHERE c.user_id = p_user AND c.source NOT IN ('trial', 'adjustment'))
    HAVING max(s.trial_end) IS NOT NULL
$$;

CREATE OR REPLACE FUNCTION mail_remind_deletions(p_limit integer) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH ended AS (
        SELECT s.id, s.user_id, billing_deletion_at(s.user_id) AS delete_at FROM user_subscriptions s
        WHERE s.trial_end <= now() - interval '23 days' AND s.trial_end > now() - interval '90 days'
          AND NOT EXISTS (SELECT FROM mail_outbox o
            WHERE o.user_id = s.user_id AND o.kind = 'deletion_warning' AND o.key = s.id || ':1')
    ), due AS (
        SELECT user_id, delete_at,
            id || CASE WHEN delete_at <= now() + interval '1 day' THEN ':1' ELSE ':7' END AS key
        FROM ended WHERE delete_at <= now() + interval '7 days'
    ), told AS (
        SELECT mail_enqueue(user_id, 'deletion_warning', key, jsonb_build_object('delete_at', delete_at)) AS id
        FROM due d WHERE NOT EXISTS (SELECT FROM mail_outbox o
            WHERE o.user_id = d.user_id AND o.kind = 'deletion_warning' AND o.key = d.key)
        LIMIT p_limit
    ) SELECT count(id)::integer FROM told
$$;

CREATE OR REPLACE FUNCTION billing_sweep(p_days integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    v_marked integer;
BEGIN
    UPDATE user_subscriptions SET status = 'expired'
    WHERE status IN ('trialing', 'active', 'past_due') AND current_period_end <= now()
      AND (stripe_subscription_id IS NULL OR status = 'past_due' OR current_period_end <= now() - interval '3 days');
    DELETE FROM account_lapses l WHERE EXISTS (
        SELECT 1 FROM user_subscriptions s WHERE s.user_id = l.user_id
          AND s.status IN ('trialing', 'active', 'past_due') AND s.current_period_end > now());
    INSERT INTO account_lapses (user_id, since, delete_after)
    SELECT s.user_id, max(s.trial_end), max(s.trial_end) + make_interval(days => p_days) FROM user_subscriptions s
    WHERE s.trial_end <= now() AND NOT EXISTS (
        SELECT 1 FROM user_subscriptions o JOIN subscription_plans p ON p.id = o.plan_id
        WHERE o.user_id = s.user_id AND (p.plan_type <> 'trial' OR o.current_period_end > now()))
      AND NOT EXISTS (SELECT 1 FROM payments y WHERE y.user_id = s.user_id)
    GROUP BY s.user_id ON CONFLICT (user_id) DO NOTHING;
    UPDATE account_lapses l SET marked_at = now()
    WHERE l.marked_at IS NULL AND l.delete_after <= now()
      AND NOT EXISTS (SELECT 1 FROM payments y WHERE y.user_id = l.user_id);
    GET DIAGNOSTICS v_marked = ROW_COUNT;
    RETURN v_marked;
END $$;

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
        PERFORM credits_grant(p_user, (p_invoice #>> '{pack,credits}')::integer, 'pack', v_paid_at,
            v_paid_at + make_interval(days => (p_invoice #>> '{pack,days}')::integer), 'invoice:' || v_id,
            p_invoice ->> 'description');
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
    RETURN true;
END $$;

CREATE OR REPLACE FUNCTION stripe_event_store(p_id text, p_type text, p_created timestamptz, p_payload jsonb)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO stripe_events (id, type, created_at, payload) VALUES (p_id, p_type, p_created, p_payload)
    ON CONFLICT (id) DO NOTHING;
    RETURN FOUND;
END $$;

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

DROP FUNCTION _billing_tell_paid(uuid, jsonb, integer), _billing_tell_failed(uuid, jsonb), _billing_lives(uuid);
DROP TRIGGER append_only ON credit_transactions;
DROP TRIGGER append_only ON usage_records;
DROP TRIGGER append_only ON credit_revocations;
DROP TRIGGER append_only ON audit_log;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON credit_transactions FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON usage_records FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON credit_revocations FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION refuse_change();
DROP POLICY tenant ON audit_log;
REVOKE SELECT (id, at, action, person_id, kind, thing, details) ON audit_log FROM invokeai_api;
DROP FUNCTION refuse_change_but_forgetting();
DROP POLICY tenant ON auth_sessions;
REVOKE SELECT (id, user_id, rotated_at, persistent, user_agent, created_at, last_used_at, expires_at, revoked_at)
    ON auth_sessions FROM invokeai_api;
DROP TABLE forgotten_customers, deletion_proofs, account_deletions, privacy_exports;
ALTER TABLE account_lapses DROP COLUMN id;
ALTER TABLE users DROP COLUMN deleted_at;
-- What the release before does not know is not sent by it.
DELETE FROM mail_outbox WHERE kind IN ('export_ready', 'deletion_requested', 'account_deleted');
ALTER TABLE mail_outbox DROP CONSTRAINT ck_mail_outbox_kind;
ALTER TABLE mail_outbox ADD CONSTRAINT ck_mail_outbox_kind CHECK (kind IN ('welcome', 'verify_email', 'reset_password',
    'trial_ending', 'receipt', 'payment_failed', 'low_credits', 'tester_granted', 'deletion_warning'));
