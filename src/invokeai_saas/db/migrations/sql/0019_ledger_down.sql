CREATE OR REPLACE FUNCTION credits_grant(
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

CREATE OR REPLACE FUNCTION _credits_draw(p_user uuid, p_reservation uuid, p_amount integer)
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

CREATE OR REPLACE FUNCTION _credits_settle(p_user uuid, p_item bigint, p_cost integer, p_description text)
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

CREATE OR REPLACE FUNCTION credits_expire(p_limit integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
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

CREATE OR REPLACE FUNCTION _queue_end(
    p_job session_queue, p_outcome text, p_attempt_outcome text, p_seconds numeric, p_cost integer,
    p_session jsonb, p_error_type text, p_error_message text, p_error_traceback text
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_charged integer;
    v_lane_charge double precision;
BEGIN
    v_charged := _credits_settle(p_job.user_id, p_job.item_id, p_cost,
        format('%s GPU seconds of %s (%s)', p_seconds, coalesce(nullif(p_job.model_name, ''), 'a graph'), p_outcome));
    IF p_cost > 0 THEN
        INSERT INTO usage_records (user_id, job_id, action_type, model_used, gpu_tier, steps, width, height,
            batch_size, compute_seconds, credits_consumed)
        VALUES (p_job.user_id, p_job.item_id::text, 'generate', p_job.model_name, p_job.tier, p_job.steps,
            p_job.width, p_job.height, 1, p_seconds, v_charged);
    END IF;
    UPDATE job_attempts SET outcome = p_attempt_outcome, ended_at = clock_timestamp(), gpu_seconds = p_seconds
    WHERE id = p_job.current_attempt RETURNING lane_charge INTO v_lane_charge;
    UPDATE session_queue SET status = p_outcome, status_sequence = status_sequence + 1, current_attempt = NULL,
        completed_at = clock_timestamp(), session = p_session, error_type = p_error_type,
        error_message = p_error_message, error_traceback = p_error_traceback
    WHERE item_id = p_job.item_id;
    UPDATE queue_lanes SET running = running - 1,
        virtual_time = virtual_time + v_lane_charge * (ceil(p_seconds)::double precision / p_job.estimate - 1)
    WHERE tier = p_job.tier AND user_id = p_job.user_id;
    RETURN v_charged;
END $$;

DROP FUNCTION credits_disagreements();
DROP FUNCTION queue_forget_keys();
DROP FUNCTION credits_learn_estimates(integer, integer);
DROP FUNCTION _estimate_steps(integer);
DROP FUNCTION _estimate_size(integer, integer);
DROP FUNCTION credits_revoke(uuid, text, text);
DROP FUNCTION _credits_tell_low(uuid);
DROP FUNCTION _credits_take_back(uuid, uuid, text, text);
DROP FUNCTION _credits_low(uuid);
DROP FUNCTION _credits_granted(uuid, text);
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['credit_accounts', 'credits', 'credit_reservations', 'credit_holds'] LOOP
        EXECUTE format('DROP TRIGGER never_deleted ON %I', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['credit_accounts', 'credits', 'credit_transactions', 'credit_allocations',
        'credit_reservations', 'credit_holds', 'usage_records'] LOOP
        EXECUTE format('DROP TRIGGER never_emptied ON %I', t);
    END LOOP;
END $$;
DROP TRIGGER resolved_once ON credit_reservations;
DROP TRIGGER fixed ON credits;
CREATE TRIGGER touch_updated_at BEFORE UPDATE ON credits FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
DROP TABLE enqueue_keys, credit_estimates, credit_revocations;
DROP INDEX ix_usage_records_completed;
ALTER TABLE usage_records DROP COLUMN model_base, DROP COLUMN outcome;
ALTER TABLE credit_transactions DROP CONSTRAINT ck_credit_transactions_sign;
ALTER TABLE credit_accounts DROP COLUMN low_since;
DROP INDEX ix_credits_open;
ALTER TABLE credits DROP COLUMN is_open;
CREATE INDEX ix_credit_reservations_deadline ON credit_reservations (deadline) WHERE status = 'held';
CREATE INDEX ix_credit_reservations_user_id ON credit_reservations (user_id);
