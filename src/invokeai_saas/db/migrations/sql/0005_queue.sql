-- The life of a job. Lock order everywhere: account, lane, job, attempt (the reservation last of all).
--
-- The fairness scheme is start-time fair queueing: each person's lane has a virtual time that grows by the
-- credits of service received over the lane's weight, and the runnable lane with the least goes first.

-- The live plan decides; caches never do.
CREATE FUNCTION _queue_plan(p_user uuid) RETURNS subscription_plans LANGUAGE sql STABLE AS $$
    SELECT p FROM user_subscriptions s JOIN subscription_plans p ON p.id = s.plan_id
    WHERE s.user_id = p_user AND s.status IN ('trialing', 'active', 'past_due') AND s.current_period_end > now()
$$;

CREATE FUNCTION _queue_lock_lane(p_tier text, p_user uuid) RETURNS void LANGUAGE sql AS $$
    SELECT 1 FROM queue_lanes WHERE tier = p_tier AND user_id = p_user FOR UPDATE
$$;

-- Adds waiting jobs to a lane. Who returns after a pause starts at the least active virtual time, not at an old one;
-- when nobody is active the clock stands where it stood: at the greatest virtual time there is.
CREATE FUNCTION _queue_join_lane(p_tier text, p_user uuid, p_lanes integer, p_jobs integer)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_least double precision;
BEGIN
    SELECT coalesce(
        (SELECT min(virtual_time) FROM queue_lanes WHERE tier = p_tier AND (pending > 0 OR running > 0)),
        (SELECT max(virtual_time) FROM queue_lanes WHERE tier = p_tier), 0) INTO v_least;
    INSERT INTO queue_lanes AS l (tier, user_id, pending, max_running, weight, virtual_time)
    VALUES (p_tier, p_user, p_jobs, p_lanes, least(coalesce(p_lanes, 8), 8), v_least)
    ON CONFLICT (tier, user_id) DO UPDATE SET
        virtual_time = CASE WHEN l.pending = 0 AND l.running = 0
            THEN greatest(l.virtual_time, excluded.virtual_time) ELSE l.virtual_time END,
        pending = l.pending + excluded.pending, max_running = excluded.max_running, weight = excluded.weight;
END $$;

-- Queues the jobs of one batch for the current tenant and reserves their credits: all of it or nothing.
-- p_jobs: [{item_id, session_id, estimate, model_keys, model_name, steps, width, height, field_values, retried_from}]
CREATE FUNCTION queue_enqueue(
    p_batch uuid, p_graph jsonb, p_workflow jsonb, p_origin text, p_destination text,
    p_prepend boolean, p_jobs jsonb, p_max_pending integer
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
BEGIN
    PERFORM _credits_lock(v_user);
    v_plan := _queue_plan(v_user);
    IF v_plan.id IS NULL THEN
        RAISE EXCEPTION 'no plan' USING ERRCODE = 'SC403';
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

CREATE FUNCTION _queue_insert(p_user uuid, p_batch uuid, p_tier text, p_priority integer, p_job jsonb)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO session_queue (
        item_id, user_id, batch_id, session_id, tier, priority, field_values, model_keys, model_name,
        steps, width, height, estimate, retried_from_item_id, name_key
    )
    SELECT (p_job ->> 'item_id')::bigint, p_user, p_batch, (p_job ->> 'session_id')::uuid, p_tier, p_priority,
        nullif(p_job -> 'field_values', 'null'::jsonb),
        ARRAY(SELECT jsonb_array_elements_text(p_job -> 'model_keys')), p_job ->> 'model_name',
        (p_job ->> 'steps')::integer, (p_job ->> 'width')::integer, (p_job ->> 'height')::integer,
        (p_job ->> 'estimate')::integer, (p_job ->> 'retried_from')::bigint,
        uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());
    PERFORM _credits_reserve(p_user, (p_job ->> 'item_id')::bigint, (p_job ->> 'estimate')::integer);
END $$;

-- Gives the next job of a tier to a worker, under a lease. Among people with a free lane the one with the least
-- virtual time goes first; within a window (p_affinity, in credits per weight) a lane whose next jobs want a model
-- that the worker holds is preferred, so nobody is passed over for longer than the window.
CREATE FUNCTION queue_claim(
    p_tier text, p_worker text, p_loaded text[], p_lease double precision, p_affinity double precision
) RETURNS TABLE (
    attempt_id uuid, attempt_number integer, item_id bigint, user_id uuid, batch_id uuid, session_id uuid,
    origin text, destination text, graph jsonb, workflow jsonb, field_values jsonb, name_key bytea,
    created_at timestamptz, status_sequence integer, credits_per_second numeric
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_user uuid;
    v_item bigint;
    v_attempt uuid;
    v_job session_queue;
BEGIN
    FOR v_user IN
        WITH runnable AS (
            SELECT l.user_id, l.virtual_time FROM queue_lanes l
            WHERE l.tier = p_tier AND l.pending > 0 AND (l.max_running IS NULL OR l.running < l.max_running)
            ORDER BY l.virtual_time LIMIT 16
        )
        SELECT r.user_id FROM runnable r
        ORDER BY (r.virtual_time > (SELECT min(virtual_time) FROM runnable) + p_affinity),
            NOT _queue_prefers(p_tier, r.user_id, p_loaded), r.virtual_time
    LOOP
        PERFORM 1 FROM queue_lanes l
        WHERE l.tier = p_tier AND l.user_id = v_user AND l.pending > 0
          AND (l.max_running IS NULL OR l.running < l.max_running)
        FOR UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND;
        v_item := _queue_next(p_tier, v_user, p_loaded);
        CONTINUE WHEN v_item IS NULL;
        SELECT * INTO v_job FROM session_queue q WHERE q.item_id = v_item AND q.status = 'pending' FOR UPDATE;
        CONTINUE WHEN NOT FOUND;
        v_attempt := _queue_start(v_job, p_worker, p_lease);
        RETURN QUERY
            SELECT v_attempt, v_job.attempts + 1, v_job.item_id, v_job.user_id, v_job.batch_id, v_job.session_id,
                b.origin, b.destination, b.graph, b.workflow, v_job.field_values, v_job.name_key,
                v_job.created_at, v_job.status_sequence + 1, t.credits_per_second
            FROM job_batches b, gpu_tiers t
            WHERE b.user_id = v_job.user_id AND b.batch_id = v_job.batch_id AND t.tier = v_job.tier;
        RETURN;
    END LOOP;
END $$;

-- Whether one of a person's next four jobs wants a model that is loaded.
CREATE FUNCTION _queue_prefers(p_tier text, p_user uuid, p_loaded text[]) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT cardinality(p_loaded) > 0 AND coalesce(bool_or(n.model_keys && p_loaded), false) FROM (
        SELECT model_keys FROM session_queue
        WHERE tier = p_tier AND user_id = p_user AND status = 'pending' ORDER BY priority DESC, position LIMIT 4
    ) n
$$;

-- The next job of a person: priority, then age; of the first four of one priority, one whose model is loaded.
CREATE FUNCTION _queue_next(p_tier text, p_user uuid, p_loaded text[]) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT n.item_id FROM (
        SELECT item_id, model_keys, priority, position FROM session_queue
        WHERE tier = p_tier AND user_id = p_user AND status = 'pending' ORDER BY priority DESC, position LIMIT 4
    ) n ORDER BY n.priority DESC, NOT (n.model_keys && p_loaded), n.position LIMIT 1
$$;

CREATE FUNCTION _queue_start(p_job session_queue, p_worker text, p_lease double precision)
RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    v_attempt uuid;
BEGIN
    INSERT INTO job_attempts (user_id, item_id, number, worker_id, started_at, lease_until)
    VALUES (p_job.user_id, p_job.item_id, p_job.attempts + 1, p_worker, clock_timestamp(),
            clock_timestamp() + make_interval(secs => p_lease))
    RETURNING id INTO v_attempt;
    UPDATE session_queue SET status = 'in_progress', attempts = attempts + 1, current_attempt = v_attempt,
        status_sequence = status_sequence + 1, started_at = clock_timestamp()
    WHERE item_id = p_job.item_id;
    UPDATE queue_lanes SET pending = pending - 1, running = running + 1,
        virtual_time = virtual_time + p_job.estimate / weight
    WHERE tier = p_job.tier AND user_id = p_job.user_id;
    UPDATE credit_reservations SET deadline = now() + interval '1 day' WHERE item_id = p_job.item_id;
    RETURN v_attempt;
END $$;

-- Locks what belongs to an attempt, in order. NULL when the attempt is no longer the current one.
CREATE FUNCTION _queue_lock_attempt(p_attempt uuid) RETURNS session_queue LANGUAGE plpgsql AS $$
DECLARE
    v_job session_queue;
BEGIN
    SELECT q.* INTO v_job FROM job_attempts a JOIN session_queue q ON q.item_id = a.item_id WHERE a.id = p_attempt;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    PERFORM _credits_lock(v_job.user_id);
    PERFORM _queue_lock_lane(v_job.tier, v_job.user_id);
    SELECT * INTO v_job FROM session_queue WHERE item_id = v_job.item_id FOR UPDATE;
    PERFORM 1 FROM job_attempts WHERE id = p_attempt FOR UPDATE;
    IF v_job.current_attempt IS DISTINCT FROM p_attempt THEN
        RETURN NULL;
    END IF;
    RETURN v_job;
END $$;

-- Prolongs a lease. Answers 'ok', 'cancel' (the person wants it stopped), 'spent' (credits ran out) or 'lost'.
-- p_seconds: seconds this attempt has run; p_ahead: seconds until the next heartbeat can be expected.
CREATE FUNCTION queue_heartbeat(
    p_attempt uuid, p_lease double precision, p_seconds double precision, p_ahead double precision
) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_job session_queue;
    v_rate numeric;
    v_held integer;
BEGIN
    SELECT q.* INTO v_job FROM job_attempts a JOIN session_queue q ON q.item_id = a.item_id
    WHERE a.id = p_attempt AND q.current_attempt = a.id;
    IF NOT FOUND THEN
        RETURN 'lost';
    END IF;
    SELECT credits_per_second INTO v_rate FROM gpu_tiers WHERE tier = v_job.tier;
    SELECT amount INTO v_held FROM credit_reservations WHERE item_id = v_job.item_id AND status = 'held';
    IF ceil((p_seconds + p_ahead) * v_rate) > v_held THEN
        v_job := _queue_lock_attempt(p_attempt);
        IF v_job.item_id IS NULL THEN
            RETURN 'lost';
        END IF;
        v_held := _credits_extend(v_job.user_id, v_job.item_id, ceil((p_seconds + p_ahead) * v_rate)::integer);
    END IF;
    UPDATE job_attempts SET lease_until = clock_timestamp() + make_interval(secs => p_lease)
    WHERE id = p_attempt AND outcome IS NULL;
    IF NOT FOUND THEN
        RETURN 'lost';
    END IF;
    RETURN CASE WHEN v_job.cancel_requested THEN 'cancel'
        WHEN ceil(p_seconds * v_rate) > v_held THEN 'spent' ELSE 'ok' END;
END $$;

-- Takes a job's failed pictures away and answers the keys of their files.
CREATE FUNCTION _queue_drop_images(p_item bigint) RETURNS text[] LANGUAGE sql AS $$
    WITH gone AS (DELETE FROM images WHERE item_id = p_item RETURNING s3_key, s3_thumbnail_key)
    SELECT coalesce(array_agg(k), '{}') FROM gone, LATERAL (VALUES (s3_key), (s3_thumbnail_key)) v(k)
$$;

-- Ends a job that is locked: money, usage, lane and state in one movement. Returns the credits charged.
CREATE FUNCTION _queue_end(
    p_job session_queue, p_outcome text, p_attempt_outcome text, p_seconds numeric, p_cost integer,
    p_session jsonb, p_error_type text, p_error_message text, p_error_traceback text
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_charged integer;
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
    WHERE id = p_job.current_attempt;
    UPDATE session_queue SET status = p_outcome, status_sequence = status_sequence + 1, current_attempt = NULL,
        completed_at = clock_timestamp(), session = p_session, error_type = p_error_type,
        error_message = p_error_message, error_traceback = p_error_traceback
    WHERE item_id = p_job.item_id;
    UPDATE queue_lanes SET running = running - 1,
        virtual_time = virtual_time + (ceil(p_seconds) - p_job.estimate) / weight
    WHERE tier = p_job.tier AND user_id = p_job.user_id;
    RETURN v_charged;
END $$;

-- The current attempt reports its end; any other is refused (accepted = false) and nothing changes.
CREATE FUNCTION queue_finish(
    p_attempt uuid, p_outcome text, p_seconds numeric, p_session jsonb,
    p_error_type text, p_error_message text, p_error_traceback text
) RETURNS TABLE (accepted boolean, charged integer, status_sequence integer, dropped_keys text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_job session_queue := _queue_lock_attempt(p_attempt);
    v_cost integer := 0;
    v_charged integer;
    v_dropped text[] := '{}';
BEGIN
    IF v_job.item_id IS NULL THEN
        RETURN QUERY SELECT false, 0, 0, v_dropped;
        RETURN;
    END IF;
    IF p_outcome IN ('completed', 'canceled') THEN  -- a failed job pays nothing
        SELECT greatest(1, ceil(p_seconds * credits_per_second))::integer INTO v_cost
        FROM gpu_tiers WHERE tier = v_job.tier;
    ELSE
        v_dropped := _queue_drop_images(v_job.item_id);
    END IF;
    v_charged := _queue_end(v_job, p_outcome, p_outcome, p_seconds, v_cost, p_session,
        p_error_type, p_error_message, p_error_traceback);
    RETURN QUERY SELECT true, v_charged, v_job.status_sequence + 1, v_dropped;
END $$;

-- Puts a locked, running job back among the waiting ones; its age and priority keep its place.
CREATE FUNCTION _queue_requeue(p_job session_queue, p_attempt_outcome text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE job_attempts SET outcome = p_attempt_outcome, ended_at = clock_timestamp() WHERE id = p_job.current_attempt;
    UPDATE session_queue SET status = 'pending', status_sequence = status_sequence + 1, current_attempt = NULL,
        started_at = NULL
    WHERE item_id = p_job.item_id;
    UPDATE queue_lanes SET pending = pending + 1, running = running - 1,
        virtual_time = virtual_time - p_job.estimate / weight
    WHERE tier = p_job.tier AND user_id = p_job.user_id;
    UPDATE credit_reservations SET deadline = NULL WHERE item_id = p_job.item_id;
END $$;

-- A draining worker hands its job back; this is not one of the job's lost attempts.
CREATE FUNCTION queue_return(p_attempt uuid) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    v_job session_queue := _queue_lock_attempt(p_attempt);
BEGIN
    IF v_job.item_id IS NULL THEN
        RETURN false;
    END IF;
    PERFORM _queue_requeue(v_job, 'returned');
    RETURN true;
END $$;

-- Ends leases that ran out: the job waits again, or after p_max lost attempts fails, unpaid.
-- One expired lease a call, so that a transaction never holds the locks of two people.
CREATE FUNCTION queue_reap(p_max integer) RETURNS TABLE (
    item_id bigint, user_id uuid, tier text, status text, status_sequence integer, batch_id uuid, dropped_keys text[]
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_attempt uuid;
    v_job session_queue;
    v_lost integer;
    v_status text := 'pending';
    v_dropped text[] := '{}';
BEGIN
    FOR v_attempt IN
        SELECT a.id FROM job_attempts a WHERE a.outcome IS NULL AND a.lease_until < clock_timestamp()
        ORDER BY a.lease_until LIMIT 10
    LOOP
        v_job := _queue_lock_attempt(v_attempt);
        PERFORM 1 FROM job_attempts a WHERE a.id = v_attempt AND a.outcome IS NULL AND a.lease_until < clock_timestamp();
        IF NOT FOUND OR v_job.item_id IS NULL THEN
            RETURN;  -- it came back to life meanwhile; the next call looks again
        END IF;
        SELECT count(*) + 1 INTO v_lost FROM job_attempts a WHERE a.item_id = v_job.item_id AND a.outcome = 'lost';
        IF v_job.cancel_requested THEN
            v_status := 'canceled';
            PERFORM _queue_end(v_job, 'canceled', 'lost', 0, 0, NULL, NULL, NULL, NULL);
        ELSIF v_lost >= p_max THEN
            v_status := 'failed';
            v_dropped := _queue_drop_images(v_job.item_id);
            PERFORM _queue_end(v_job, 'failed', 'lost', 0, 0, NULL, 'WorkerLost',
                'The machine working on this stopped ' || v_lost || ' times. Nothing was charged; please try again.', NULL);
        ELSE
            PERFORM _queue_requeue(v_job, 'lost');
        END IF;
        RETURN QUERY SELECT v_job.item_id, v_job.user_id, v_job.tier::text, v_status, v_job.status_sequence + 1,
            v_job.batch_id, v_dropped;
        RETURN;
    END LOOP;
END $$;

-- Cancels the tenant's jobs: waiting ones at once, running ones at their next step.
CREATE FUNCTION queue_cancel(p_items bigint[]) RETURNS TABLE (item_id bigint, status text, status_sequence integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_user uuid := app_user();
    v_tier text;
    v_job session_queue;
BEGIN
    PERFORM _credits_lock(v_user);
    FOR v_tier IN SELECT l.tier FROM queue_lanes l WHERE l.user_id = v_user ORDER BY l.tier FOR UPDATE LOOP END LOOP;
    FOR v_job IN
        SELECT * FROM session_queue q WHERE q.user_id = v_user AND q.item_id = ANY (p_items)
          AND q.status IN ('pending', 'in_progress') ORDER BY q.item_id FOR UPDATE
    LOOP
        IF v_job.status = 'pending' THEN
            PERFORM _credits_settle(v_user, v_job.item_id, 0, 'canceled');
            UPDATE session_queue q SET status = 'canceled', status_sequence = q.status_sequence + 1,
                completed_at = clock_timestamp() WHERE q.item_id = v_job.item_id;
            UPDATE queue_lanes l SET pending = l.pending - 1 WHERE l.tier = v_job.tier AND l.user_id = v_user;
            RETURN QUERY SELECT v_job.item_id, 'canceled', v_job.status_sequence + 1;
        ELSE
            UPDATE session_queue q SET cancel_requested = true WHERE q.item_id = v_job.item_id;
            RETURN QUERY SELECT v_job.item_id, 'in_progress', v_job.status_sequence;
        END IF;
    END LOOP;
END $$;

-- Removes the tenant's ended jobs from the list; what was charged for them stays in the ledger.
CREATE FUNCTION queue_delete(p_items bigint[]) RETURNS integer LANGUAGE sql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM session_queue WHERE user_id = app_user() AND item_id = ANY (p_items)
          AND status IN ('completed', 'failed', 'canceled') RETURNING 1
    ) SELECT count(*)::integer FROM gone
$$;

-- Records a picture of the job in hand. Refused (false) when the attempt is no longer the current one;
-- a retry overwrites its own earlier row, since the name derives from the job.
CREATE FUNCTION gallery_record_image(p_attempt uuid, p_image jsonb, p_metadata jsonb, p_workflow jsonb, p_graph jsonb)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_user uuid;
    v_item bigint;
BEGIN
    SELECT q.user_id, q.item_id INTO v_user, v_item
    FROM job_attempts a JOIN session_queue q ON q.item_id = a.item_id
    WHERE a.id = p_attempt AND q.current_attempt = a.id FOR SHARE OF q;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO images AS i (image_name, user_id, image_origin, image_category, width, height, session_id, node_id,
        item_id, metadata, is_intermediate, has_workflow, workflow, graph, s3_key, s3_thumbnail_key, file_size_bytes)
    SELECT r.image_name, v_user, r.image_origin, r.image_category, r.width, r.height, r.session_id, r.node_id,
        v_item, p_metadata, r.is_intermediate, p_workflow IS NOT NULL OR p_graph IS NOT NULL, p_workflow, p_graph,
        r.s3_key, r.s3_thumbnail_key, r.file_size_bytes
    FROM jsonb_populate_record(NULL::images, p_image) r
    ON CONFLICT (image_name) DO UPDATE SET file_size_bytes = excluded.file_size_bytes, width = excluded.width,
        height = excluded.height, metadata = excluded.metadata
    WHERE i.user_id = v_user AND i.item_id = v_item;
    INSERT INTO board_images (user_id, image_name, board_id)
    SELECT v_user, p_image ->> 'image_name', b.board_id FROM boards b
    WHERE b.user_id = v_user AND b.board_id::text = p_image ->> 'board_id'  -- a text: it may be anything
    ON CONFLICT (user_id, image_name) DO NOTHING;
    RETURN true;
END $$;

-- Counts of a person's jobs by status, and which one runs.
CREATE FUNCTION _queue_counts(p_user uuid, p_batch uuid) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'pending', count(*) FILTER (WHERE status = 'pending'),
        'in_progress', count(*) FILTER (WHERE status = 'in_progress'),
        'waiting', 0,
        'completed', count(*) FILTER (WHERE status = 'completed'),
        'failed', count(*) FILTER (WHERE status = 'failed'),
        'canceled', count(*) FILTER (WHERE status = 'canceled'),
        'total', count(*))
    FROM session_queue WHERE user_id = p_user AND (p_batch IS NULL OR batch_id = p_batch)
$$;

-- InvokeAI writes moments as UTC without a zone.
CREATE FUNCTION _wire_time(p_moment timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT to_char(p_moment AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS')
$$;

CREATE FUNCTION _queue_status(p_user uuid) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('queue_id', 'default', 'item_id', r.item_id, 'batch_id', r.batch_id,
            'session_id', r.session_id, 'user_pending', c -> 'pending', 'user_in_progress', c -> 'in_progress') || c
    FROM _queue_counts(p_user, NULL) c LEFT JOIN LATERAL (
        SELECT item_id, batch_id, session_id FROM session_queue
        WHERE user_id = p_user AND status = 'in_progress' ORDER BY started_at LIMIT 1
    ) r ON true
$$;

-- The payload of InvokeAI's queue_item_status_changed for one job, less its timestamp.
CREATE FUNCTION _queue_status_event(p_user uuid, p_item bigint) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'queue_id', 'default', 'item_id', j.item_id, 'batch_id', j.batch_id, 'session_id', j.session_id,
        'origin', b.origin, 'destination', b.destination, 'user_id', j.user_id,
        'status', j.status, 'status_sequence', j.status_sequence,
        'error_type', j.error_type, 'error_message', j.error_message, 'error_traceback', NULL,
        'created_at', _wire_time(j.created_at), 'updated_at', _wire_time(j.updated_at),
        'started_at', _wire_time(j.started_at), 'completed_at', _wire_time(j.completed_at),
        'batch_status', jsonb_build_object('queue_id', 'default', 'batch_id', j.batch_id,
            'origin', b.origin, 'destination', b.destination) || _queue_counts(p_user, j.batch_id),
        'queue_status', _queue_status(p_user))
    FROM session_queue j JOIN job_batches b USING (user_id, batch_id)
    WHERE j.user_id = p_user AND j.item_id = p_item
$$;

CREATE FUNCTION queue_job_status_event(p_item bigint) RETURNS jsonb LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    SELECT _queue_status_event(j.user_id, j.item_id) FROM session_queue j WHERE j.item_id = p_item
$$;

CREATE FUNCTION queue_my_status_event(p_item bigint) RETURNS jsonb LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$ SELECT _queue_status_event(app_user(), p_item) $$;

CREATE FUNCTION queue_my_status() RETURNS jsonb LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$ SELECT _queue_status(app_user()) $$;

CREATE FUNCTION queue_worker_seen(p_worker text, p_tiers text[], p_engine text, p_loaded text[])
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO gpu_workers (id, tiers, engine, loaded_models) VALUES (p_worker, p_tiers, p_engine, p_loaded)
    ON CONFLICT (id) DO UPDATE SET seen_at = now(), loaded_models = excluded.loaded_models, tiers = excluded.tiers
$$;

-- Jobs and seconds that could start now if there were a worker: the true scaling figure of each tier.
CREATE FUNCTION queue_backlog() RETURNS TABLE (tier text, jobs bigint, credits bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT l.tier::text, sum(n.jobs)::bigint, sum(n.credits)::bigint
    FROM queue_lanes l, LATERAL (
        SELECT count(*) AS jobs, coalesce(sum(j.estimate), 0) AS credits FROM (
            SELECT q.estimate FROM session_queue q
            WHERE q.tier = l.tier AND q.user_id = l.user_id AND q.status = 'pending'
            ORDER BY q.priority DESC, q.position
            LIMIT CASE WHEN l.max_running IS NULL THEN l.pending ELSE greatest(l.max_running - l.running, 0) END
        ) j
    ) n WHERE l.pending > 0 GROUP BY l.tier
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    queue_enqueue(uuid, jsonb, jsonb, text, text, boolean, jsonb, integer),
    queue_cancel(bigint[]), queue_delete(bigint[]), queue_my_status_event(bigint), queue_my_status()
    TO invokeai_api;
GRANT EXECUTE ON FUNCTION
    queue_claim(text, text, text[], double precision, double precision),
    queue_heartbeat(uuid, double precision, double precision, double precision),
    queue_finish(uuid, text, numeric, jsonb, text, text, text),
    queue_return(uuid), queue_reap(integer), gallery_record_image(uuid, jsonb, jsonb, jsonb, jsonb),
    queue_worker_seen(text, text[], text, text[]), queue_backlog(), queue_job_status_event(bigint)
    TO invokeai_worker;
