-- The ledger's rules, each held by the database: what is written stays, what is resolved stays resolved, what was paid
-- back is taken back once, whatever comes first. And cheaper: a movement is one statement over all grants it touches.

ALTER TABLE credits ADD COLUMN is_open BOOLEAN DEFAULT true NOT NULL;
CREATE INDEX ix_credits_open ON credits (valid_until) WHERE is_open;
ALTER TABLE credit_accounts ADD COLUMN low_since TIMESTAMP WITH TIME ZONE;
ALTER TABLE credit_transactions ADD CONSTRAINT ck_credit_transactions_sign
    CHECK (transaction_type = 'adjustment' OR (transaction_type = 'grant') = (amount > 0));
ALTER TABLE usage_records ADD COLUMN model_base VARCHAR(50) DEFAULT '' NOT NULL,
    ADD COLUMN outcome VARCHAR(20) DEFAULT 'unknown' NOT NULL;  -- of the jobs before this release nobody knows
CREATE INDEX ix_usage_records_completed ON usage_records (created_at) WHERE outcome = 'completed';

-- The one is the beginning of another index, the other served nobody: attempts lead to reservations that are overdue.
-- Without it a reservation is resolved in place, in no index.
DROP INDEX ix_credit_reservations_user_id, ix_credit_reservations_deadline;

CREATE TABLE credit_revocations (
    user_id UUID NOT NULL,
    reference_id VARCHAR(255) NOT NULL,
    description TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_credit_revocations PRIMARY KEY (user_id, reference_id),
    CONSTRAINT fk_credit_revocations_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE RESTRICT
);
CREATE TABLE credit_estimates (
    model_base VARCHAR(50) NOT NULL,
    gpu_tier VARCHAR(30) NOT NULL,
    size_class INTEGER NOT NULL,
    steps_class INTEGER NOT NULL,
    samples INTEGER NOT NULL,
    low_seconds NUMERIC(12, 3) NOT NULL,
    likely_seconds NUMERIC(12, 3) NOT NULL,
    high_seconds NUMERIC(12, 3) NOT NULL,
    learnt_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_credit_estimates PRIMARY KEY (model_base, gpu_tier, size_class, steps_class),
    CONSTRAINT ck_credit_estimates_figures
        CHECK (samples > 0 AND 0 <= low_seconds AND low_seconds <= likely_seconds AND likely_seconds <= high_seconds)
);
CREATE TABLE enqueue_keys (
    user_id UUID NOT NULL,
    key VARCHAR(255) NOT NULL,
    body_hash BYTEA NOT NULL,
    answer TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_enqueue_keys PRIMARY KEY (user_id, key),
    CONSTRAINT fk_enqueue_keys_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX ix_enqueue_keys_created_at ON enqueue_keys (created_at);

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['credit_revocations', 'enqueue_keys'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO invokeai_owner USING (true) WITH CHECK (true)', t);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO invokeai_api USING (user_id = app_user()) WITH CHECK (user_id = app_user())', t);
    END LOOP;
    -- Nobody empties the ledger, its owner as little as anybody.
    FOREACH t IN ARRAY ARRAY['credit_accounts', 'credits', 'credit_transactions', 'credit_allocations',
        'credit_reservations', 'credit_holds', 'credit_revocations', 'usage_records'] LOOP
        EXECUTE format('CREATE TRIGGER never_emptied BEFORE TRUNCATE ON %I EXECUTE FUNCTION refuse_change()', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['credit_accounts', 'credits', 'credit_reservations', 'credit_holds'] LOOP
        EXECUTE format(
            'CREATE TRIGGER never_deleted BEFORE DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
    END LOOP;
END $$;
GRANT SELECT ON credit_revocations, credit_estimates TO invokeai_api;
GRANT SELECT, INSERT, UPDATE ON enqueue_keys TO invokeai_api;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON credit_revocations FOR EACH ROW EXECUTE FUNCTION refuse_change();
-- Fires for statements that name these columns, which none of the functions below does.
CREATE TRIGGER fixed BEFORE UPDATE OF id, user_id, total_credits, source, valid_from, created_at ON credits
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER resolved_once BEFORE UPDATE ON credit_reservations FOR EACH ROW WHEN (OLD.status <> 'held')
    EXECUTE FUNCTION refuse_change();
DROP TRIGGER touch_updated_at ON credits;  -- the functions say it themselves

-- A grant under the account's lock. What was taken back before it came (events of a payment come in any order) is
-- taken back at once.
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
        RETURN _credits_granted(p_user, p_reference);
    END IF;
    INSERT INTO credits (user_id, total_credits, source, valid_from, valid_until)
    VALUES (p_user, p_amount, p_source, p_from, p_until) RETURNING id INTO v_credit;
    INSERT INTO credit_allocations (user_id, transaction_id, credit_id, amount)
    VALUES (p_user, v_transaction, v_credit, p_amount);
    PERFORM _credits_take_back(p_user, v_credit, r.reference_id, r.description)
    FROM credit_revocations r WHERE r.user_id = p_user AND r.reference_id = p_reference;
    UPDATE credit_accounts SET low_since = NULL
    WHERE user_id = p_user AND low_since IS NOT NULL AND NOT _credits_low(p_user);
    RETURN v_credit;
END $$;

-- The grant that a reference made.
CREATE FUNCTION _credits_granted(p_user uuid, p_reference text) RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT a.credit_id FROM credit_transactions t JOIN credit_allocations a ON a.transaction_id = t.id
    WHERE t.user_id = p_user AND t.transaction_type = 'grant' AND t.reference_id = p_reference
$$;

-- Fewer than 10 credits are left. Those that waiting and running jobs have reserved count as left: most come back.
CREATE FUNCTION _credits_low(p_user uuid) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT coalesce(sum(total_credits - used_credits - expired_credits), 0) < 10
        FROM credits WHERE user_id = p_user AND valid_from <= now() AND valid_until > now());
END $$;

-- Takes back what a grant holds free, and ends it: what its reservations release later is written off as expired.
CREATE FUNCTION _credits_take_back(p_user uuid, p_credit uuid, p_reference text, p_description text)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_free integer;
    v_transaction uuid;
BEGIN
    SELECT total_credits - used_credits - reserved_credits - expired_credits INTO v_free
    FROM credits WHERE id = p_credit;
    IF v_free > 0 THEN
        INSERT INTO credit_transactions (user_id, amount, transaction_type, description, reference_id)
        VALUES (p_user, -v_free, 'refund', p_description, p_reference) RETURNING id INTO v_transaction;
        INSERT INTO credit_allocations (user_id, transaction_id, credit_id, amount)
        VALUES (p_user, v_transaction, p_credit, -v_free);
    END IF;
    UPDATE credits SET expired_credits = expired_credits + v_free, updated_at = now(),
        valid_until = greatest(valid_from + interval '1 microsecond', least(valid_until, now()))
    WHERE id = p_credit;
    RETURN v_free;
END $$;

-- Takes back what is neither used nor reserved of the grant that p_reference made: once per reference, never below
-- zero. The grant may come later; it is taken back then. Returns the credits taken back so far, at each call.
CREATE FUNCTION credits_revoke(p_user uuid, p_reference text, p_description text) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_credit uuid;
BEGIN
    INSERT INTO credit_accounts (user_id) VALUES (p_user) ON CONFLICT DO NOTHING;
    PERFORM _credits_lock(p_user);
    INSERT INTO credit_revocations (user_id, reference_id, description)
    VALUES (p_user, p_reference, p_description) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN coalesce((SELECT -amount FROM credit_transactions
            WHERE user_id = p_user AND transaction_type = 'refund' AND reference_id = p_reference), 0);
    END IF;
    v_credit := _credits_granted(p_user, p_reference);
    RETURN CASE WHEN v_credit IS NULL THEN 0 ELSE _credits_take_back(p_user, v_credit, p_reference, p_description) END;
END $$;

-- Draws p_amount from the grants that expire first; returns what could not be drawn.
CREATE OR REPLACE FUNCTION _credits_draw(p_user uuid, p_reservation uuid, p_amount integer)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_left integer;
BEGIN
    WITH free AS (
        SELECT id, total_credits - used_credits - reserved_credits - expired_credits AS amount,
            sum(total_credits - used_credits - reserved_credits - expired_credits)
                OVER (ORDER BY valid_until, created_at, id) AS up_to
        FROM credits
        WHERE user_id = p_user AND valid_from <= now() AND valid_until > now()
          AND total_credits - used_credits - reserved_credits - expired_credits > 0
    ), taken AS (
        UPDATE credits c SET reserved_credits = c.reserved_credits + t.amount, updated_at = now() FROM (
            SELECT id, least(amount, p_amount - (up_to - amount))::integer AS amount
            FROM free WHERE up_to - amount < p_amount
        ) t WHERE c.id = t.id RETURNING c.id, t.amount
    ), held AS (
        INSERT INTO credit_holds (user_id, reservation_id, credit_id, amount)
        SELECT p_user, p_reservation, id, amount FROM taken
        ON CONFLICT (reservation_id, credit_id) DO UPDATE SET amount = credit_holds.amount + excluded.amount
    ) SELECT p_amount - coalesce(sum(amount), 0) INTO v_left FROM taken;
    RETURN v_left;
END $$;

-- Resolves a reservation once: charges p_cost (0 releases everything) and frees the rest. What the reservation
-- lacks is taken from available credits; what neither covers is not charged, so no balance goes below zero.
CREATE OR REPLACE FUNCTION _credits_settle(p_user uuid, p_item bigint, p_cost integer, p_description text)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_id uuid;
    v_charged integer;
    v_transaction uuid := gen_random_uuid();
BEGIN
    SELECT id, amount INTO v_id, v_charged FROM credit_reservations
    WHERE item_id = p_item AND status = 'held' FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'reservation of job % is already resolved', p_item USING ERRCODE = 'SC409';
    END IF;
    IF p_cost > v_charged THEN
        v_charged := _credits_extend(p_user, p_item, p_cost);
    ELSE
        v_charged := p_cost;
    END IF;
    WITH parts AS (
        SELECT h.credit_id, h.amount, greatest(0, least(h.amount, v_charged - (sum(h.amount)
            OVER (ORDER BY c.valid_until, c.created_at, c.id) - h.amount)))::integer AS used
        FROM credit_holds h JOIN credits c ON c.id = h.credit_id WHERE h.reservation_id = v_id
    ), freed AS (
        UPDATE credits c SET reserved_credits = c.reserved_credits - p.amount,
            used_credits = c.used_credits + p.used, updated_at = now()
        FROM parts p WHERE c.id = p.credit_id
    ), header AS (
        INSERT INTO credit_transactions (id, user_id, amount, transaction_type, description, reference_id)
        SELECT v_transaction, p_user, -v_charged, 'settlement', p_description, p_item::text WHERE v_charged > 0
    ), resolved AS (
        UPDATE credit_reservations SET resolved_at = clock_timestamp(),
            status = CASE WHEN v_charged > 0 THEN 'settled' ELSE 'released' END
        WHERE id = v_id
    ) INSERT INTO credit_allocations (user_id, transaction_id, credit_id, amount)
    SELECT p_user, v_transaction, credit_id, -used FROM parts WHERE used > 0;
    IF v_charged > 0 THEN
        UPDATE credit_accounts SET low_since = now()
        WHERE user_id = p_user AND low_since IS NULL AND _credits_low(p_user);
        IF FOUND THEN
            PERFORM _credits_tell_low(p_user);
        END IF;
    END IF;
    RETURN v_charged;
END $$;

-- Once when a person's credits run low, and again after they had more.
CREATE FUNCTION _credits_tell_low(p_user uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM mail_enqueue(p_user, 'low_credits', now()::text, jsonb_build_object('available', _credits_available(p_user)));
END $$;

-- Writes off what expired grants still hold free. Reserved credits outlive the expiry until they are resolved; a grant
-- that has none left is closed and not looked at again.
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
        WHERE is_open AND valid_until <= now()
          AND (reserved_credits = 0 OR total_credits - used_credits - reserved_credits - expired_credits > 0)
        ORDER BY user_id, id LIMIT p_limit
    LOOP
        PERFORM _credits_lock(v_grant.user_id);
        SELECT total_credits - used_credits - reserved_credits - expired_credits INTO v_free
        FROM credits WHERE id = v_grant.id AND is_open AND valid_until <= now();  -- as it is now
        CONTINUE WHEN NOT FOUND;
        IF v_free > 0 THEN
            INSERT INTO credit_transactions (user_id, amount, transaction_type, description, reference_id)
            SELECT v_grant.user_id, -v_free, 'expiry', 'Unused credits expired', id || ':' || expired_credits
            FROM credits WHERE id = v_grant.id RETURNING id INTO v_transaction;
            INSERT INTO credit_allocations (user_id, transaction_id, credit_id, amount)
            VALUES (v_grant.user_id, v_transaction, v_grant.id, -v_free);
            v_count := v_count + 1;
        END IF;
        UPDATE credits SET expired_credits = expired_credits + v_free, is_open = reserved_credits > 0,
            updated_at = now() WHERE id = v_grant.id;
    END LOOP;
    RETURN v_count;
END $$;

-- Grants in use whose figures are not what the ledger and the reservations say: there are none, or something is broken.
CREATE FUNCTION credits_disagreements() RETURNS TABLE (user_id uuid, credit_id uuid) LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.user_id, c.id FROM credits c
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(a.amount), 0) AS amount FROM credit_allocations a
        WHERE a.user_id = c.user_id AND a.credit_id = c.id
    ) ledger CROSS JOIN LATERAL (
        SELECT coalesce(sum(h.amount), 0) AS amount
        FROM credit_holds h JOIN credit_reservations r ON r.id = h.reservation_id AND r.status = 'held'
        WHERE h.user_id = c.user_id AND h.credit_id = c.id
    ) held
    WHERE c.is_open AND (c.total_credits - c.used_credits - c.expired_credits <> ledger.amount
        OR c.reserved_credits <> held.amount)
$$;

-- As before, and the usage record tells the model's base and how the job ended: what estimates are learnt from. An
-- estimate is in credits now, by the tier's rate, and so is what the lane is charged.
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
            batch_size, compute_seconds, credits_consumed, model_base, outcome)
        VALUES (p_job.user_id, p_job.item_id::text, 'generate', p_job.model_name, p_job.tier, p_job.steps,
            p_job.width, p_job.height, 1, p_seconds, v_charged, coalesce((
                SELECT m.base FROM models m WHERE m.key = ANY (p_job.model_keys) AND m.type = 'main' LIMIT 1
            ), ''), p_outcome);
    END IF;
    UPDATE job_attempts SET outcome = p_attempt_outcome, ended_at = clock_timestamp(), gpu_seconds = p_seconds
    WHERE id = p_job.current_attempt RETURNING lane_charge INTO v_lane_charge;
    UPDATE session_queue SET status = p_outcome, status_sequence = status_sequence + 1, current_attempt = NULL,
        completed_at = clock_timestamp(), session = p_session, error_type = p_error_type,
        error_message = p_error_message, error_traceback = p_error_traceback
    WHERE item_id = p_job.item_id;
    UPDATE queue_lanes SET running = running - 1,
        virtual_time = virtual_time + v_lane_charge * (ceil(p_seconds * (
            SELECT t.credits_per_second FROM gpu_tiers t WHERE t.tier = p_job.tier
        ))::double precision / p_job.estimate - 1)
    WHERE tier = p_job.tier AND user_id = p_job.user_id;
    RETURN v_charged;
END $$;

-- Classes of jobs that take about as long: half powers of two of the area, quarter powers of two of the steps. No
-- whole number of pixels or steps lies on an edge, so that code which counts in doubles finds the same class.
CREATE FUNCTION _estimate_size(p_width integer, p_height integer) RETURNS integer LANGUAGE sql IMMUTABLE AS $$
    SELECT round(2 * ln(greatest(p_width::double precision * p_height, 4096) / 4096) / ln(2::double precision))::integer
$$;
CREATE FUNCTION _estimate_steps(p_steps integer) RETURNS integer LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_steps < 1 THEN -1
        ELSE round(4 * ln(p_steps::double precision) / ln(2::double precision))::integer END
$$;

-- Learns from the last p_records completed jobs of p_days days how long jobs of each class take: the 25th, 50th and
-- 90th percentile of their GPU seconds. One person counts with 50 jobs of a class at most. Returns the classes learnt.
CREATE FUNCTION credits_learn_estimates(p_days integer, p_records integer) RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_count integer;
BEGIN
    WITH recent AS (
        SELECT user_id, model_base, gpu_tier, _estimate_size(width, height) AS size_class,
            _estimate_steps(steps) AS steps_class, compute_seconds, created_at
        FROM usage_records WHERE outcome = 'completed' AND created_at > now() - make_interval(days => p_days)
        ORDER BY created_at DESC LIMIT p_records
    ), counted AS (
        SELECT *, row_number() OVER (PARTITION BY model_base, gpu_tier, size_class, steps_class, user_id
            ORDER BY created_at DESC) AS nth FROM recent
    ), learnt AS (
        SELECT model_base, gpu_tier, size_class, steps_class, count(*)::integer AS samples,
            percentile_cont(ARRAY[0.25, 0.5, 0.9]) WITHIN GROUP (ORDER BY compute_seconds) AS seconds
        FROM counted WHERE nth <= 50 GROUP BY model_base, gpu_tier, size_class, steps_class
    )
    INSERT INTO credit_estimates AS e (model_base, gpu_tier, size_class, steps_class, samples, low_seconds,
        likely_seconds, high_seconds)
    SELECT model_base, gpu_tier, size_class, steps_class, samples, seconds[1], seconds[2], seconds[3] FROM learnt
    ON CONFLICT (model_base, gpu_tier, size_class, steps_class) DO UPDATE SET samples = excluded.samples,
        low_seconds = excluded.low_seconds, likely_seconds = excluded.likely_seconds,
        high_seconds = excluded.high_seconds, learnt_at = now();
    GET DIAGNOSTICS v_count = ROW_COUNT;
    DELETE FROM credit_estimates WHERE learnt_at < now() - make_interval(days => p_days);
    RETURN v_count;
END $$;

-- An idempotency key holds for a day.
CREATE FUNCTION queue_forget_keys() RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM enqueue_keys WHERE created_at < now() - interval '1 day'
$$;

REVOKE ALL ON FUNCTION _credits_granted(uuid, text), _credits_low(uuid), _credits_take_back(uuid, uuid, text, text),
    credits_revoke(uuid, text, text), _credits_tell_low(uuid), _estimate_size(integer, integer),
    _estimate_steps(integer), credits_learn_estimates(integer, integer), queue_forget_keys(), credits_disagreements()
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION credits_learn_estimates(integer, integer), queue_forget_keys(), credits_disagreements()
    TO invokeai_worker;
