-- Movements of credits. The functions whose names begin with an underscore expect the account row to be locked.
-- Errors carry SQLSTATEs of our own (class SC), which the services translate.

CREATE FUNCTION _credits_lock(p_user uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM credit_accounts WHERE user_id = p_user FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no credit account' USING ERRCODE = 'SC404';
    END IF;
END $$;

CREATE FUNCTION _credits_available(p_user uuid) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(total_credits - used_credits - reserved_credits - expired_credits), 0)::integer
    FROM credits WHERE user_id = p_user AND valid_from <= now() AND valid_until > now()
$$;

CREATE FUNCTION credits_grant(
    p_user uuid, p_amount integer, p_source text, p_from timestamptz, p_until timestamptz,
    p_reference text, p_description text
) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    v_transaction uuid;
    v_credit uuid;
BEGIN
    INSERT INTO credit_accounts (user_id) VALUES (p_user) ON CONFLICT DO NOTHING;
    PERFORM _credits_lock(p_user);
    INSERT INTO credit_transactions (user_id, amount, transaction_type, description, reference_id)
    VALUES (p_user, p_amount, 'grant', p_description, p_reference)
    ON CONFLICT (user_id, transaction_type, reference_id) DO NOTHING
    RETURNING id INTO v_transaction;
    IF v_transaction IS NULL THEN  -- said before: the same reference grants once
        SELECT a.credit_id INTO v_credit
        FROM credit_transactions t JOIN credit_allocations a ON a.transaction_id = t.id
        WHERE t.user_id = p_user AND t.transaction_type = 'grant' AND t.reference_id = p_reference;
        RETURN v_credit;
    END IF;
    INSERT INTO credits (user_id, total_credits, source, valid_from, valid_until)
    VALUES (p_user, p_amount, p_source, p_from, p_until) RETURNING id INTO v_credit;
    INSERT INTO credit_allocations (user_id, transaction_id, credit_id, amount)
    VALUES (p_user, v_transaction, v_credit, p_amount);
    RETURN v_credit;
END $$;

-- Draws p_amount from the grants that expire first; returns what could not be drawn.
CREATE FUNCTION _credits_draw(p_user uuid, p_reservation uuid, p_amount integer)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_grant record;
    v_take integer;
    v_left integer := p_amount;
BEGIN
    FOR v_grant IN
        SELECT id, total_credits - used_credits - reserved_credits - expired_credits AS free
        FROM credits
        WHERE user_id = p_user AND valid_from <= now() AND valid_until > now()
          AND total_credits - used_credits - reserved_credits - expired_credits > 0
        ORDER BY valid_until, created_at, id
    LOOP
        EXIT WHEN v_left = 0;
        v_take := least(v_left, v_grant.free);
        UPDATE credits SET reserved_credits = reserved_credits + v_take WHERE id = v_grant.id;
        INSERT INTO credit_holds (user_id, reservation_id, credit_id, amount)
        VALUES (p_user, p_reservation, v_grant.id, v_take)
        ON CONFLICT (reservation_id, credit_id) DO UPDATE SET amount = credit_holds.amount + excluded.amount;
        v_left := v_left - v_take;
    END LOOP;
    RETURN v_left;
END $$;

CREATE FUNCTION _credits_reserve(p_user uuid, p_item bigint, p_amount integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_reservation uuid;
BEGIN
    INSERT INTO credit_reservations (user_id, item_id, amount) VALUES (p_user, p_item, p_amount)
    RETURNING id INTO v_reservation;
    IF _credits_draw(p_user, v_reservation, p_amount) > 0 THEN
        RAISE EXCEPTION 'insufficient credits' USING ERRCODE = 'SC402';
    END IF;
END $$;

-- Grows a held reservation to p_amount as far as available credits allow; returns what it holds then.
CREATE FUNCTION _credits_extend(p_user uuid, p_item bigint, p_amount integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_reservation credit_reservations;
    v_more integer;
BEGIN
    SELECT * INTO v_reservation FROM credit_reservations WHERE item_id = p_item AND status = 'held' FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    v_more := p_amount - v_reservation.amount;
    IF v_more > 0 THEN
        v_more := v_more - _credits_draw(p_user, v_reservation.id, v_more);
        UPDATE credit_reservations SET amount = amount + v_more WHERE id = v_reservation.id AND v_more > 0;
        RETURN v_reservation.amount + v_more;
    END IF;
    RETURN v_reservation.amount;
END $$;

-- Resolves a reservation once: charges p_cost (0 releases everything) and frees the rest. What the reservation
-- lacks is taken from available credits; what neither covers is not charged, so no balance goes below zero.
CREATE FUNCTION _credits_settle(p_user uuid, p_item bigint, p_cost integer, p_description text)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_reservation credit_reservations;
    v_transaction uuid;
    v_hold record;
    v_use integer;
    v_charged integer;
    v_left integer;
BEGIN
    SELECT * INTO v_reservation FROM credit_reservations WHERE item_id = p_item FOR UPDATE;
    IF NOT FOUND OR v_reservation.status <> 'held' THEN
        RAISE EXCEPTION 'reservation of job % is already resolved', p_item USING ERRCODE = 'SC409';
    END IF;
    v_charged := least(p_cost, v_reservation.amount);
    IF p_cost > v_reservation.amount THEN
        v_charged := _credits_extend(p_user, p_item, p_cost);
    END IF;
    IF v_charged > 0 THEN
        INSERT INTO credit_transactions (user_id, amount, transaction_type, description, reference_id)
        VALUES (p_user, -v_charged, 'settlement', p_description, p_item::text) RETURNING id INTO v_transaction;
    END IF;
    v_left := v_charged;
    FOR v_hold IN
        SELECT h.credit_id, h.amount FROM credit_holds h JOIN credits c ON c.id = h.credit_id
        WHERE h.reservation_id = v_reservation.id ORDER BY c.valid_until, c.created_at, c.id
    LOOP
        v_use := least(v_left, v_hold.amount);
        UPDATE credits SET reserved_credits = reserved_credits - v_hold.amount, used_credits = used_credits + v_use
        WHERE id = v_hold.credit_id;
        IF v_use > 0 THEN
            INSERT INTO credit_allocations (user_id, transaction_id, credit_id, amount)
            VALUES (p_user, v_transaction, v_hold.credit_id, -v_use);
        END IF;
        v_left := v_left - v_use;
    END LOOP;
    UPDATE credit_reservations
    SET status = CASE WHEN v_charged > 0 THEN 'settled' ELSE 'released' END, resolved_at = clock_timestamp()
    WHERE id = v_reservation.id;
    RETURN v_charged;
END $$;

-- Writes off what expired grants still hold free. Reserved credits outlive the expiry until they are resolved.
CREATE FUNCTION credits_expire(p_limit integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    v_grant record;
    v_free integer;
    v_transaction uuid;
    v_count integer := 0;
BEGIN
    FOR v_grant IN
        SELECT id, user_id FROM credits
        WHERE valid_until <= now() AND total_credits - used_credits - reserved_credits - expired_credits > 0
        ORDER BY user_id, id LIMIT p_limit
    LOOP
        PERFORM _credits_lock(v_grant.user_id);
        SELECT total_credits - used_credits - reserved_credits - expired_credits INTO v_free
        FROM credits WHERE id = v_grant.id;
        CONTINUE WHEN v_free = 0;
        INSERT INTO credit_transactions (user_id, amount, transaction_type, description, reference_id)
        SELECT v_grant.user_id, -v_free, 'expiry', 'Unused credits expired', id || ':' || expired_credits
        FROM credits WHERE id = v_grant.id RETURNING id INTO v_transaction;
        INSERT INTO credit_allocations (user_id, transaction_id, credit_id, amount)
        VALUES (v_grant.user_id, v_transaction, v_grant.id, -v_free);
        UPDATE credits SET expired_credits = expired_credits + v_free WHERE id = v_grant.id;
        v_count := v_count + 1;
    END LOOP;
    RETURN v_count;
END $$;

-- Starts the trial of a new person: a subscription, an account, and the plan's credits.
-- A trial once per person: whoever had one, or its credits, keeps what they have.
CREATE FUNCTION billing_start_trial(p_user uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    v_plan subscription_plans;
    v_end timestamptz;
BEGIN
    INSERT INTO credit_accounts (user_id) VALUES (p_user) ON CONFLICT DO NOTHING;
    PERFORM _credits_lock(p_user);
    IF EXISTS (
        SELECT 1 FROM user_subscriptions s JOIN subscription_plans p ON p.id = s.plan_id
        WHERE s.user_id = p_user AND (p.plan_type = 'trial' OR s.trial_end IS NOT NULL)
    ) OR EXISTS (
        SELECT 1 FROM credit_transactions
        WHERE user_id = p_user AND transaction_type = 'grant' AND reference_id = 'trial'
    ) THEN
        RETURN;
    END IF;
    SELECT * INTO v_plan FROM subscription_plans WHERE plan_type = 'trial' AND is_active ORDER BY created_at LIMIT 1;
    IF NOT FOUND THEN  -- no trial on offer: the person starts without a plan
        RETURN;
    END IF;
    v_end := now() + make_interval(days => coalesce(v_plan.trial_days, 7));
    INSERT INTO user_subscriptions (user_id, plan_id, status, current_period_start, current_period_end, trial_end)
    VALUES (p_user, v_plan.id, 'trialing', now(), v_end, v_end);
    PERFORM credits_grant(p_user, v_plan.monthly_credits, 'trial', now(), v_end, 'trial', 'Trial credits');
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app_user() TO invokeai_api, invokeai_auth, invokeai_worker;
GRANT EXECUTE ON FUNCTION touch_updated_at(), refuse_change() TO invokeai_api, invokeai_auth, invokeai_worker;
GRANT EXECUTE ON FUNCTION billing_start_trial(uuid) TO invokeai_auth;
GRANT EXECUTE ON FUNCTION credits_expire(integer) TO invokeai_worker;
