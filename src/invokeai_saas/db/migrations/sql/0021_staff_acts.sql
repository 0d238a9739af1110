-- What staff do. Each function asks whose session it is, wants a reason, and writes to audit_log in the same transaction.
-- What a form sends twice is done once: the form names what it makes (p_key).
--
-- SQLSTATEs: SC401 no live session, SC404 there is no such thing, SC409 it cannot be done now, SC422 a figure is wrong.
-- Lock order as everywhere: account, then lane, then job.

CREATE FUNCTION _staff_note(p_action text, p_person uuid, p_kind text, p_thing text, p_reason text, p_details jsonb)
RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    v_staff uuid := _staff_id();
BEGIN
    IF v_staff IS NULL THEN
        RAISE EXCEPTION 'Your session has ended.' USING ERRCODE = 'SC401';
    ELSIF coalesce(btrim(p_reason), '') = '' THEN
        RAISE EXCEPTION 'A reason is needed.' USING ERRCODE = 'SC422';
    END IF;
    PERFORM _audit(v_staff, u.email, p_action, p_person, p_kind, p_thing, btrim(p_reason), p_details)
    FROM users u WHERE u.id = v_staff;
    RETURN v_staff;
END $$;

-- Locks a person's account, and makes one for whoever has none.
CREATE FUNCTION _staff_lock(p_user uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM users WHERE id = p_user) THEN
        RAISE EXCEPTION 'There is no such person.' USING ERRCODE = 'SC404';
    END IF;
    INSERT INTO credit_accounts (user_id) VALUES (p_user) ON CONFLICT DO NOTHING;
    PERFORM _credits_lock(p_user);
END $$;

-- Ends whatever plan a person has, so that another one can begin. What Stripe sells is never ended here: it would be
-- paid on.
CREATE FUNCTION _staff_clear_plan(p_user uuid, p_except uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM user_subscriptions WHERE user_id = p_user AND stripe_subscription_id IS NOT NULL
        AND status IN ('trialing', 'active', 'past_due')) THEN
        RAISE EXCEPTION 'This person pays for a plan at Stripe. End that first.' USING ERRCODE = 'SC409';
    ELSIF EXISTS (SELECT 1 FROM tester_plan_grants WHERE user_id = p_user AND ended_at IS NULL AND ends_at > now()
        AND EXISTS (SELECT 1 FROM user_subscriptions s WHERE s.id = subscription_id AND s.status = 'active')) THEN
        RAISE EXCEPTION 'This person is a tester. Revoke that first.' USING ERRCODE = 'SC409';
    END IF;
    UPDATE user_subscriptions SET status = CASE WHEN current_period_end <= now() THEN 'expired' ELSE 'canceled' END
    WHERE user_id = p_user AND status IN ('trialing', 'active', 'past_due') AND id IS DISTINCT FROM p_except;
    DELETE FROM account_lapses WHERE user_id = p_user;
END $$;

CREATE FUNCTION staff_give_credits(p_user uuid, p_amount integer, p_days integer, p_reason text, p_key uuid)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM _staff_lock(p_user);
    IF p_amount NOT BETWEEN 1 AND 10000000 OR p_days NOT BETWEEN 1 AND 3660 THEN
        RAISE EXCEPTION 'Give 1 to 10,000,000 credits for 1 to 3,660 days.' USING ERRCODE = 'SC422';
    ELSIF _credits_granted(p_user, 'staff:' || p_key) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM _staff_note('credits.give', p_user, 'person', p_user::text, p_reason,
        jsonb_build_object('credits', p_amount, 'days', p_days));
    PERFORM credits_grant(p_user, p_amount, 'adjustment', now(), now() + make_interval(days => p_days),
        'staff:' || p_key, 'Credits from our staff');
END $$;

-- The tester plan and its credits, to the grant's end. A trial ends with it; a plan that is paid for stands in its way.
CREATE FUNCTION staff_grant_tester(p_user uuid, p_ends timestamptz, p_reason text, p_key uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_plan subscription_plans;
    v_staff uuid;
    v_subscription uuid;
BEGIN
    PERFORM _staff_lock(p_user);
    IF EXISTS (SELECT 1 FROM tester_plan_grants WHERE id = p_key) THEN
        RETURN;
    ELSIF p_ends <= now() THEN
        RAISE EXCEPTION 'The end lies in the past.' USING ERRCODE = 'SC422';
    ELSIF EXISTS (SELECT 1 FROM user_subscriptions s JOIN subscription_plans p ON p.id = s.plan_id
        WHERE s.user_id = p_user AND s.status = 'active' AND s.current_period_end > now() AND p.customer_id = p_user) THEN
        RAISE EXCEPTION 'This person has a plan that was agreed on with them. End that first.' USING ERRCODE = 'SC409';
    END IF;
    SELECT * INTO v_plan FROM subscription_plans WHERE plan_type = 'internal' AND is_active ORDER BY created_at LIMIT 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no tester plan.' USING ERRCODE = 'SC409';
    END IF;
    PERFORM _tester_close(p_user);
    PERFORM _staff_clear_plan(p_user, NULL);
    v_staff := _staff_note('tester.grant', p_user, 'person', p_user::text, p_reason,
        jsonb_build_object('grant', p_key, 'ends_at', p_ends, 'credits', v_plan.monthly_credits));
    INSERT INTO user_subscriptions (user_id, plan_id, status, current_period_start, current_period_end)
    VALUES (p_user, v_plan.id, 'active', now(), p_ends) RETURNING id INTO v_subscription;
    INSERT INTO tester_plan_grants (id, user_id, granted_by, reason, credits, subscription_id, ends_at)
    VALUES (p_key, p_user, v_staff, btrim(p_reason), coalesce(v_plan.monthly_credits, 0), v_subscription, p_ends);
    IF v_plan.monthly_credits > 0 THEN
        PERFORM credits_grant(p_user, v_plan.monthly_credits, 'tester', now(), p_ends, 'tester:' || p_key, 'Tester credits');
    END IF;
    PERFORM queue_refresh_lanes(p_user);
    PERFORM mail_enqueue(p_user, 'tester_granted', p_key::text,
        jsonb_build_object('credits', v_plan.monthly_credits, 'ends_at', p_ends));
END $$;

CREATE FUNCTION staff_revoke_tester(p_user uuid, p_grant uuid, p_reason text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_grant tester_plan_grants;
    v_taken integer;
    v_staff uuid;
BEGIN
    SELECT * INTO v_grant FROM tester_plan_grants WHERE id = p_grant AND user_id = p_user;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no such grant.' USING ERRCODE = 'SC404';
    END IF;
    PERFORM _staff_lock(v_grant.user_id);
    SELECT * INTO v_grant FROM tester_plan_grants WHERE id = p_grant FOR UPDATE;
    IF v_grant.ended_at IS NOT NULL THEN
        RAISE EXCEPTION 'This grant has ended.' USING ERRCODE = 'SC409';
    END IF;
    UPDATE user_subscriptions SET status = 'canceled' WHERE id = v_grant.subscription_id AND status = 'active';
    v_taken := credits_revoke(v_grant.user_id, 'tester:' || p_grant, 'Tester credits taken back');
    v_staff := _staff_note('tester.revoke', v_grant.user_id, 'person', v_grant.user_id::text, p_reason,
        jsonb_build_object('grant', p_grant, 'taken_back', v_taken));
    UPDATE tester_plan_grants SET ended_at = now(), revoked_at = now(), revoked_by = v_staff, revoke_reason = btrim(p_reason)
    WHERE id = p_grant;
    RETURN v_taken;
END $$;

-- Writes down that a person's grant has ended: its time is over, or its plan had to make room for one that was bought.
-- Then its credits go with it, as if it had been revoked; at its end they expire by themselves.
CREATE FUNCTION _tester_close(p_user uuid) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_grant tester_plan_grants;
    v_taken integer := 0;
BEGIN
    SELECT * INTO v_grant FROM tester_plan_grants g WHERE g.user_id = p_user AND g.ended_at IS NULL
      AND (g.ends_at <= now() OR NOT EXISTS (
        SELECT 1 FROM user_subscriptions s WHERE s.id = g.subscription_id AND s.status = 'active'))
    FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    IF v_grant.ends_at > now() THEN
        v_taken := credits_revoke(p_user, 'tester:' || v_grant.id, 'Tester credits ended with the tester plan');
    END IF;
    UPDATE user_subscriptions SET status = 'expired' WHERE id = v_grant.subscription_id AND status = 'active';
    UPDATE tester_plan_grants SET ended_at = now() WHERE id = v_grant.id;
    PERFORM _audit(NULL, 'scheduler', 'tester.end', p_user, 'person', p_user::text,
        CASE WHEN v_grant.ends_at > now() THEN 'another plan took its place' ELSE 'its time was over' END,
        jsonb_build_object('grant', v_grant.id, 'taken_back', v_taken));
    RETURN 1;
END $$;

CREATE FUNCTION tester_sweep(p_limit integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    v_user uuid;
    v_count integer := 0;
BEGIN
    FOR v_user IN
        SELECT g.user_id FROM tester_plan_grants g WHERE g.ended_at IS NULL AND (g.ends_at <= now() OR NOT EXISTS (
            SELECT 1 FROM user_subscriptions s WHERE s.id = g.subscription_id AND s.status = 'active'))
        ORDER BY g.user_id LIMIT p_limit
    LOOP
        PERFORM _credits_lock(v_user);
        v_count := v_count + _tester_close(v_user);
    END LOOP;
    RETURN v_count;
END $$;

-- Plans that are agreed on --------------------------------------------------------------------------------------------

-- The month's credits of agreed plans, each when its month begins. p_user: of one person only; NULL for all.
CREATE FUNCTION billing_grant_agreed(p_user uuid, p_limit integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    v_due record;
    v_count integer := 0;
BEGIN
    FOR v_due IN
        SELECT s.user_id, s.id, p.monthly_credits, m.number, _billing_month(s.current_period_start, m.number) AS starts,
            least(_billing_month(s.current_period_start, m.number + 1), s.current_period_end) AS ends
        FROM subscription_plans p JOIN user_subscriptions s ON s.plan_id = p.id AND s.user_id = p.customer_id
        CROSS JOIN generate_series(0, 240) AS m (number)
        WHERE p.customer_id IS NOT NULL AND (p_user IS NULL OR p.customer_id = p_user) AND p.monthly_credits > 0
          AND s.status = 'active' AND s.current_period_end > now()
          AND _billing_month(s.current_period_start, m.number) <= now()
          AND _billing_month(s.current_period_start, m.number + 1) > now()
          AND NOT EXISTS (SELECT 1 FROM credit_transactions t WHERE t.user_id = s.user_id
            AND t.transaction_type = 'grant' AND t.reference_id = 'agreed:' || s.id || ':' || m.number)
        ORDER BY s.user_id LIMIT p_limit
    LOOP
        PERFORM credits_grant(v_due.user_id, v_due.monthly_credits, 'subscription', v_due.starts, v_due.ends,
            'agreed:' || v_due.id || ':' || v_due.number, 'Credits of the month');
        v_count := v_count + 1;
    END LOOP;
    RETURN v_count;
END $$;

-- Gives a customer a plan of their own, or changes it: what it includes is copied from the enterprise plan, its figures
-- are theirs. NULL is no limit, for credits none by itself. Other credits of a month count from the next month on.
-- p_figures: {gpu_tier, max_queues, max_storage_gb, monthly_credits, monthly_price}
CREATE FUNCTION staff_set_agreed_plan(p_user uuid, p_figures jsonb, p_ends timestamptz, p_reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_before subscription_plans;
    v_plan subscription_plans;
    v_subscription uuid;
    v_had timestamptz;
BEGIN
    PERFORM _staff_lock(p_user);
    IF p_ends <= now() THEN
        RAISE EXCEPTION 'The end lies in the past.' USING ERRCODE = 'SC422';
    END IF;
    SELECT * INTO v_before FROM subscription_plans WHERE customer_id = p_user;
    SELECT s.id, s.current_period_end INTO v_subscription, v_had FROM user_subscriptions s
    WHERE s.user_id = p_user AND s.plan_id = v_before.id AND s.status = 'active' AND s.current_period_end > now();
    PERFORM _tester_close(p_user);
    PERFORM _staff_clear_plan(p_user, v_subscription);
    INSERT INTO subscription_plans AS p (name, slug, plan_type, monthly_price, monthly_credits, gpu_tier, max_queues,
        max_storage_gb, model_access, third_party_api_access, lora_training, collaboration, node_editor_access, api_access,
        features, is_active, customer_id)
    SELECT e.name, 'enterprise-' || left(replace(p_user::text, '-', ''), 16), 'paid', f.monthly_price, f.monthly_credits,
        f.gpu_tier, f.max_queues, f.max_storage_gb, e.model_access, e.third_party_api_access, e.lora_training,
        e.collaboration, e.node_editor_access, e.api_access, e.features, false, p_user
    FROM subscription_plans e, jsonb_populate_record(NULL::subscription_plans, p_figures) f WHERE e.slug = 'enterprise'
    ON CONFLICT (customer_id) DO UPDATE SET monthly_price = excluded.monthly_price,
        monthly_credits = excluded.monthly_credits, gpu_tier = excluded.gpu_tier, max_queues = excluded.max_queues,
        max_storage_gb = excluded.max_storage_gb, model_access = excluded.model_access,
        third_party_api_access = excluded.third_party_api_access, lora_training = excluded.lora_training,
        collaboration = excluded.collaboration, node_editor_access = excluded.node_editor_access,
        api_access = excluded.api_access, features = excluded.features
    RETURNING p.* INTO v_plan;
    IF v_plan.id IS NULL THEN
        RAISE EXCEPTION 'There is no enterprise plan to copy.' USING ERRCODE = 'SC409';
    ELSIF v_subscription IS NULL THEN
        INSERT INTO user_subscriptions (user_id, plan_id, status, current_period_start, current_period_end)
        VALUES (p_user, v_plan.id, 'active', now(), p_ends);
    ELSE
        UPDATE user_subscriptions SET current_period_end = p_ends WHERE id = v_subscription;
    END IF;
    PERFORM _staff_note('agreed_plan.set', p_user, 'person', p_user::text, p_reason,
        jsonb_build_object('ends_at', jsonb_build_array(v_had, p_ends)) || _staff_changes(to_jsonb(v_before), to_jsonb(v_plan)));
    PERFORM billing_grant_agreed(p_user, 1);
    PERFORM queue_refresh_lanes(p_user);
END $$;

-- {column: [before, after]} of what differs, but for what every change touches.
CREATE FUNCTION _staff_changes(p_before jsonb, p_after jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(jsonb_object_agg(n.key, jsonb_build_array(p_before -> n.key, n.value)), '{}')
    FROM jsonb_each(p_after) n
    WHERE n.value IS DISTINCT FROM coalesce(p_before -> n.key, 'null')
      AND n.key NOT IN ('id', 'created_at', 'updated_at', 'customer_id', 'slug')
$$;

CREATE FUNCTION staff_end_agreed_plan(p_user uuid, p_reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM _staff_lock(p_user);
    UPDATE user_subscriptions s SET status = 'canceled' FROM subscription_plans p
    WHERE s.user_id = p_user AND s.plan_id = p.id AND p.customer_id = p_user AND s.status = 'active'
      AND s.current_period_end > now();
    IF NOT FOUND THEN
        RAISE EXCEPTION 'This person has no agreed plan.' USING ERRCODE = 'SC409';
    END IF;
    PERFORM _staff_note('agreed_plan.end', p_user, 'person', p_user::text, p_reason, '{}');
END $$;

-- Plans and packs as they are sold ------------------------------------------------------------------------------------

-- p_figures: new values by column; what is not named stays. Who has bought keeps the price that Stripe has for them.
CREATE FUNCTION staff_edit_plan(p_plan uuid, p_figures jsonb, p_reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_before subscription_plans;
    v_after subscription_plans;
    v_changes jsonb;
    v_user uuid;
BEGIN
    SELECT * INTO v_before FROM subscription_plans WHERE id = p_plan AND customer_id IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no such plan.' USING ERRCODE = 'SC404';
    END IF;
    v_after := jsonb_populate_record(v_before, p_figures);
    v_changes := _staff_changes(to_jsonb(v_before), to_jsonb(v_after));
    IF v_changes = '{}' THEN
        RAISE EXCEPTION 'Nothing would be changed.' USING ERRCODE = 'SC409';
    END IF;
    UPDATE subscription_plans SET name = v_after.name, monthly_price = v_after.monthly_price,
        annual_price = v_after.annual_price, monthly_credits = v_after.monthly_credits, gpu_tier = v_after.gpu_tier,
        max_queues = v_after.max_queues, max_storage_gb = v_after.max_storage_gb, model_access = v_after.model_access,
        third_party_api_access = v_after.third_party_api_access, lora_training = v_after.lora_training,
        collaboration = v_after.collaboration, node_editor_access = v_after.node_editor_access,
        api_access = v_after.api_access, trial_days = v_after.trial_days, is_active = v_after.is_active
    WHERE id = p_plan;
    PERFORM _staff_note('plan.edit', NULL, 'plan', v_before.slug, p_reason, v_changes);
    IF v_changes ?| ARRAY['max_queues', 'gpu_tier'] THEN
        FOR v_user IN
            SELECT DISTINCT s.user_id FROM user_subscriptions s JOIN queue_lanes l ON l.user_id = s.user_id
            WHERE s.plan_id = p_plan AND s.status IN ('trialing', 'active', 'past_due') AND l.pending > 0 ORDER BY 1
        LOOP
            PERFORM queue_refresh_lanes(v_user);
        END LOOP;
    END IF;
END $$;

CREATE FUNCTION staff_edit_pack(p_slug text, p_figures jsonb, p_reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_before credit_packs;
    v_after credit_packs;
    v_changes jsonb;
BEGIN
    SELECT * INTO v_before FROM credit_packs WHERE slug = p_slug FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no such pack.' USING ERRCODE = 'SC404';
    END IF;
    v_after := jsonb_populate_record(v_before, p_figures);
    v_changes := _staff_changes(to_jsonb(v_before), to_jsonb(v_after));
    IF v_changes = '{}' THEN
        RAISE EXCEPTION 'Nothing would be changed.' USING ERRCODE = 'SC409';
    END IF;
    UPDATE credit_packs SET name = v_after.name, credits = v_after.credits, price = v_after.price,
        valid_days = v_after.valid_days, is_active = v_after.is_active WHERE slug = p_slug;
    PERFORM _staff_note('pack.edit', NULL, 'pack', p_slug, p_reason, v_changes);
END $$;

-- Accounts, jobs, events ----------------------------------------------------------------------------------------------

-- Keeps a person out: answers the sessions that end with it. What they have waiting is cancelled, what runs is stopped.
CREATE FUNCTION staff_block(p_user uuid, p_reason text) RETURNS SETOF uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM _staff_lock(p_user);
    UPDATE users SET is_active = false WHERE id = p_user AND is_active AND role = 'user';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'This person is blocked already, or is of our staff: operators remove staff.'
            USING ERRCODE = 'SC409';
    END IF;
    PERFORM _staff_note('account.block', p_user, 'person', p_user::text, p_reason, '{}');
    PERFORM _staff_cancel(p_user, ARRAY(
        SELECT item_id FROM session_queue WHERE user_id = p_user AND status IN ('pending', 'in_progress')));
    RETURN QUERY UPDATE auth_sessions SET revoked_at = now() WHERE user_id = p_user AND revoked_at IS NULL RETURNING id;
END $$;

CREATE FUNCTION staff_unblock(p_user uuid, p_reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM _staff_lock(p_user);
    UPDATE users SET is_active = true WHERE id = p_user AND NOT is_active;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'This person is not blocked.' USING ERRCODE = 'SC409';
    END IF;
    PERFORM _staff_note('account.unblock', p_user, 'person', p_user::text, p_reason, '{}');
END $$;

-- Cancels jobs as their person would. The tenant is theirs for that one call.
CREATE FUNCTION _staff_cancel(p_user uuid, p_items bigint[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_status text;
BEGIN
    PERFORM set_config('app.current_user_id', p_user::text, true);
    SELECT c.status INTO v_status FROM queue_cancel(p_items) c LIMIT 1;
    PERFORM set_config('app.current_user_id', '', true);
    RETURN v_status;
END $$;

-- Answers whose it was, and whether it has ended (canceled) or is being stopped (in_progress).
CREATE FUNCTION staff_cancel_job(p_item bigint, p_reason text) RETURNS TABLE (user_id uuid, status text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_user uuid;
    v_status text;
BEGIN
    SELECT q.user_id INTO v_user FROM session_queue q WHERE q.item_id = p_item;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no such job.' USING ERRCODE = 'SC404';
    END IF;
    v_status := _staff_cancel(v_user, ARRAY[p_item]);
    IF v_status IS NULL THEN
        RAISE EXCEPTION 'This job has ended.' USING ERRCODE = 'SC409';
    END IF;
    PERFORM _staff_note('job.cancel', v_user, 'job', p_item::text, p_reason, jsonb_build_object('status', v_status));
    RETURN QUERY SELECT v_user, v_status;
END $$;

CREATE FUNCTION staff_replay_event(p_id text, p_reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_was text;
BEGIN
    SELECT e.status INTO v_was FROM stripe_events e WHERE e.id = p_id;
    IF NOT FOUND OR NOT stripe_event_replay(p_id) THEN
        RAISE EXCEPTION 'There is no such event.' USING ERRCODE = 'SC404';
    END IF;
    PERFORM _staff_note('payment_event.replay', (
        SELECT c.user_id FROM stripe_events e JOIN stripe_customers c
            ON c.customer_id = e.payload #>> '{data,object,customer}' WHERE e.id = p_id
    ), 'event', p_id, p_reason, jsonb_build_object('was', v_was));
END $$;

-- Bytes of a person's files: pictures and videos, and models of their own.
CREATE FUNCTION staff_storage(p_user uuid) RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    SELECT coalesce((SELECT bytes FROM gallery_state WHERE user_id = p_user), 0)
        + coalesce((SELECT sum(file_size) FROM models WHERE user_id = p_user), 0)::bigint
    WHERE staff_present()
$$;

REVOKE ALL ON FUNCTION _staff_note(text, uuid, text, text, text, jsonb), _staff_lock(uuid),
    _staff_clear_plan(uuid, uuid), staff_give_credits(uuid, integer, integer, text, uuid),
    staff_grant_tester(uuid, timestamptz, text, uuid), staff_revoke_tester(uuid, uuid, text), _tester_close(uuid),
    tester_sweep(integer), billing_grant_agreed(uuid, integer),
    staff_set_agreed_plan(uuid, jsonb, timestamptz, text), _staff_changes(jsonb, jsonb),
    staff_end_agreed_plan(uuid, text), staff_edit_plan(uuid, jsonb, text), staff_edit_pack(text, jsonb, text),
    staff_block(uuid, text), staff_unblock(uuid, text), _staff_cancel(uuid, bigint[]), staff_cancel_job(bigint, text),
    staff_replay_event(text, text), staff_storage(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION staff_give_credits(uuid, integer, integer, text, uuid),
    staff_grant_tester(uuid, timestamptz, text, uuid), staff_revoke_tester(uuid, uuid, text),
    staff_set_agreed_plan(uuid, jsonb, timestamptz, text), staff_end_agreed_plan(uuid, text),
    staff_edit_plan(uuid, jsonb, text), staff_edit_pack(text, jsonb, text), staff_block(uuid, text),
    staff_unblock(uuid, text), staff_cancel_job(bigint, text), staff_replay_event(text, text), staff_storage(uuid)
    TO invokeai_staff;
GRANT EXECUTE ON FUNCTION tester_sweep(integer), billing_grant_agreed(uuid, integer) TO invokeai_billing;
