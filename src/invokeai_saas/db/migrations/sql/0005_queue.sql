-- The life of a job. Lock order everywhere: account, lane, job, attempt (the reservation last of all).
--
-- The fairness scheme is start-time fair queueing (Goyal, Vin and Cheng, 1996): each person's lane has a virtual
-- time that grows by the credits of service received over the lane's weight, and the runnable lane with the least
-- goes first. A tier's clock is the greatest virtual time at which a job was started; who was idle joins there, so
-- a pause neither saves up service nor costs any.

-- The live plan decides; caches never do.
CREATE FUNCTION _queue_plan(p_user uuid) RETURNS subscription_plans LANGUAGE sql STABLE AS $$
    SELECT p FROM user_subscriptions s JOIN subscription_plans p ON p.id = s.plan_id
    WHERE s.user_id = p_user AND s.status IN ('trialing', 'active', 'past_due') AND s.current_period_end > now()
$$;

CREATE FUNCTION _queue_lock_lane(p_tier text, p_user uuid) RETURNS void LANGUAGE sql AS $$
    SELECT 1 FROM queue_lanes WHERE tier = p_tier AND user_id = p_user FOR UPDATE
$$;

CREATE FUNCTION _queue_join_lane(p_tier text, p_user uuid, p_lanes integer, p_jobs integer)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO queue_lanes AS l (tier, user_id, pending, max_running, weight, virtual_time)
    SELECT p_tier, p_user, p_jobs, p_lanes, least(coalesce(p_lanes, 8), 8), virtual_clock
    FROM gpu_tiers WHERE tier = p_tier
    ON CONFLICT (tier, user_id) DO UPDATE SET
        virtual_time = CASE WHEN l.pending = 0 AND l.running = 0
            THEN greatest(l.virtual_time, excluded.virtual_time) ELSE l.virtual_time END,
        pending = l.pending + excluded.pending, max_running = excluded.max_running, weight = excluded.weight
$$;

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

CREATE FUNCTION _queue_waiting(p_tier text, p_user uuid) RETURNS SETOF session_queue LANGUAGE sql STABLE AS $$
    SELECT * FROM session_queue
    WHERE tier = p_tier AND user_id = p_user AND status = 'pending' AND (not_before IS NULL OR not_before <= now())
    ORDER BY priority DESC, position LIMIT 4
$$;

-- Whether one of a person's next four jobs wants a model that is loaded.
CREATE FUNCTION _queue_prefers(p_tier text, p_user uuid, p_loaded text[]) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT cardinality(p_loaded) > 0 AND coalesce(bool_or(n.model_keys && p_loaded), false)
    FROM _queue_waiting(p_tier, p_user) n
$$;

-- The next job of a person: priority, then age; of the first four of one priority, one whose model is loaded.
CREATE FUNCTION _queue_next(p_tier text, p_user uuid, p_loaded text[]) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT n.item_id FROM _queue_waiting(p_tier, p_user) n
    ORDER BY n.priority DESC, NOT (n.model_keys && p_loaded), n.position LIMIT 1
$$;

-- The lanes that could run, best first; `first_user` is the one whose turn it is by virtual time alone.
CREATE FUNCTION _queue_candidates(p_tier text, p_loaded text[], p_affinity double precision)
RETURNS TABLE (user_id uuid, first_user uuid) LANGUAGE sql STABLE AS $$
    WITH runnable AS (
        SELECT l.user_id, l.virtual_time, l.passed_over FROM queue_lanes l
        WHERE l.tier = p_tier AND l.pending > 0 AND (l.max_running IS NULL OR l.running < l.max_running)
          AND EXISTS (SELECT 1 FROM _queue_waiting(p_tier, l.user_id))  -- not all of them set aside for later
        ORDER BY l.virtual_time LIMIT 16
    ), turn AS (
        SELECT r.user_id, r.virtual_time, r.passed_over FROM runnable r ORDER BY r.virtual_time, r.user_id LIMIT 1
    )
    SELECT r.user_id, turn.user_id FROM runnable r, turn
    ORDER BY turn.passed_over < 4 AND r.virtual_time <= turn.virtual_time + p_affinity
        AND _queue_prefers(p_tier, r.user_id, p_loaded) DESC, r.virtual_time, r.user_id
$$;

-- Gives the next job of a tier to a worker, under a lease. Among people with a free lane the one with the least
-- virtual time goes first. Within a window (p_affinity, in credits per weight) a lane whose next jobs want a model
-- that the worker holds is preferred, but nobody is passed over more than four times in a row.
CREATE FUNCTION queue_claim(
    p_tier text, p_worker text, p_loaded text[], p_lease double precision, p_affinity double precision,
    p_deadline double precision
) RETURNS TABLE (
    attempt_id uuid, attempt_number integer, item_id bigint, user_id uuid, batch_id uuid, session_id uuid,
    origin text, destination text, graph jsonb, workflow jsonb, field_values jsonb, name_key bytea,
    created_at timestamptz, status_sequence integer, credits_per_second numeric
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_lane record;
    v_job session_queue;
    v_attempt uuid;
BEGIN
    FOR v_lane IN SELECT * FROM _queue_candidates(p_tier, p_loaded, p_affinity) LOOP
        PERFORM 1 FROM queue_lanes l
        WHERE l.tier = p_tier AND l.user_id = v_lane.user_id AND l.pending > 0
          AND (l.max_running IS NULL OR l.running < l.max_running)
        FOR UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND;
        SELECT * INTO v_job FROM session_queue q
        WHERE q.item_id = _queue_next(p_tier, v_lane.user_id, p_loaded) AND q.status = 'pending' FOR UPDATE;
        CONTINUE WHEN NOT FOUND;
        v_attempt := _queue_start(v_job, p_worker, p_lease, p_deadline);
        PERFORM _queue_count_passed_over(p_tier, v_lane.first_user, v_lane.user_id);
        RETURN QUERY
            SELECT v_attempt, v_job.attempts + 1, v_job.item_id, v_job.user_id, v_job.batch_id, v_job.session_id,
                b.origin, b.destination, b.graph, b.workflow, v_job.field_values, v_job.name_key,
                v_job.created_at, v_job.status_sequence + 1, t.credits_per_second
            FROM job_batches b, gpu_tiers t
            WHERE b.user_id = v_job.user_id AND b.batch_id = v_job.batch_id AND t.tier = v_job.tier;
        RETURN;
    END LOOP;
END $$;

-- A lane that is locked just now is not counted: waiting for it could end in a deadlock.
CREATE FUNCTION _queue_count_passed_over(p_tier text, p_first uuid, p_chosen uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE queue_lanes SET passed_over = 0 WHERE tier = p_tier AND user_id = p_chosen AND passed_over > 0;
    IF p_first <> p_chosen THEN
        UPDATE queue_lanes SET passed_over = passed_over + 1 WHERE ctid = (
            SELECT ctid FROM queue_lanes WHERE tier = p_tier AND user_id = p_first FOR UPDATE SKIP LOCKED
        );
    END IF;
END $$;

CREATE FUNCTION _queue_start(
    p_job session_queue, p_worker text, p_lease double precision, p_deadline double precision
) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    v_attempt uuid;
    v_lane queue_lanes;
BEGIN
    UPDATE queue_lanes SET pending = pending - 1, running = running + 1,
        virtual_time = virtual_time + p_job.estimate / weight
    WHERE tier = p_job.tier AND user_id = p_job.user_id RETURNING * INTO v_lane;
    INSERT INTO job_attempts (user_id, item_id, number, worker_id, lane_charge, started_at, lease_until)
    VALUES (p_job.user_id, p_job.item_id, p_job.attempts + 1, p_worker, p_job.estimate / v_lane.weight,
            clock_timestamp(), clock_timestamp() + make_interval(secs => p_lease))
    RETURNING id INTO v_attempt;
    UPDATE session_queue SET status = 'in_progress', attempts = attempts + 1, current_attempt = v_attempt,
        status_sequence = status_sequence + 1, started_at = clock_timestamp(), not_before = NULL
    WHERE item_id = p_job.item_id;
    UPDATE credit_reservations SET deadline = clock_timestamp() + make_interval(secs => p_deadline)
    WHERE item_id = p_job.item_id;
    UPDATE gpu_tiers SET virtual_clock = v_lane.virtual_time - p_job.estimate / v_lane.weight
    WHERE tier = p_job.tier AND virtual_clock < v_lane.virtual_time - p_job.estimate / v_lane.weight;
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
    v_worker text;
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
    WHERE id = p_attempt AND outcome IS NULL RETURNING worker_id INTO v_worker;
    IF NOT FOUND THEN
        RETURN 'lost';
    END IF;
    UPDATE gpu_workers SET seen_at = now() WHERE id = v_worker;
    RETURN CASE WHEN v_job.cancel_requested THEN 'cancel'
        WHEN ceil(p_seconds * v_rate) > v_held THEN 'spent' ELSE 'ok' END;
END $$;

-- Ends a job that is locked: money, usage, lane and state in one movement. Returns the credits charged.
-- The lane was charged the estimate when the job began; now it is corrected to what was used, by the weight of then.
CREATE FUNCTION _queue_end(
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

-- Writes the rows of a job's pictures: [{image_name, ..., board_id, metadata, workflow, graph}]. A retry's picture
-- has the name of the one before it, since names derive from the job; a board that is not the person's is left out.
CREATE FUNCTION _queue_record_images(p_job session_queue, p_images jsonb) RETURNS void LANGUAGE sql AS $$
    INSERT INTO images AS i (image_name, user_id, image_origin, image_category, width, height, session_id, node_id,
        item_id, metadata, is_intermediate, has_workflow, workflow, graph, s3_key, s3_thumbnail_key, file_size_bytes)
    SELECT r.image_name, p_job.user_id, r.image_origin, r.image_category, r.width, r.height, r.session_id, r.node_id,
        p_job.item_id, r.metadata, r.is_intermediate, r.workflow IS NOT NULL OR r.graph IS NOT NULL, r.workflow,
        r.graph, r.s3_key, r.s3_thumbnail_key, r.file_size_bytes
    FROM jsonb_populate_recordset(NULL::images, p_images) r
    ON CONFLICT (image_name) DO NOTHING;
    INSERT INTO board_images (user_id, image_name, board_id)
    SELECT p_job.user_id, r ->> 'image_name', b.board_id
    FROM jsonb_array_elements(p_images) r
    JOIN boards b ON b.user_id = p_job.user_id AND b.board_id::text = r ->> 'board_id'  -- as text: it may be anything
    FOR KEY SHARE OF b
    ON CONFLICT (user_id, image_name) DO NOTHING
$$;

-- The current attempt reports its end; any other is refused (accepted = false) and nothing changes. A job's
-- pictures come into being with its settlement: a failed job, which pays nothing, never has any.
CREATE FUNCTION queue_finish(
    p_attempt uuid, p_outcome text, p_seconds numeric, p_session jsonb, p_images jsonb,
    p_error_type text, p_error_message text, p_error_traceback text
) RETURNS TABLE (accepted boolean, charged integer, status_sequence integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_job session_queue := _queue_lock_attempt(p_attempt);
    v_cost integer := 0;
    v_charged integer;
BEGIN
    IF v_job.item_id IS NULL THEN
        RETURN QUERY SELECT false, 0, 0;
        RETURN;
    END IF;
    IF p_outcome IN ('completed', 'canceled') THEN
        SELECT greatest(1, ceil(p_seconds * credits_per_second))::integer INTO v_cost
        FROM gpu_tiers WHERE tier = v_job.tier;
        PERFORM _queue_record_images(v_job, coalesce(p_images, '[]'));
    END IF;
    v_charged := _queue_end(v_job, p_outcome, p_outcome, p_seconds, v_cost, p_session,
        p_error_type, p_error_message, p_error_traceback);
    RETURN QUERY SELECT true, v_charged, v_job.status_sequence + 1;
END $$;

-- Puts a locked, running job back among the waiting ones; its age and priority keep its place.
-- One that its person wants stopped ends instead, unpaid.
CREATE FUNCTION _queue_requeue(p_job session_queue, p_attempt_outcome text, p_not_before timestamptz)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_lane_charge double precision;
BEGIN
    IF p_job.cancel_requested THEN
        PERFORM _queue_end(p_job, 'canceled', p_attempt_outcome, 0, 0, NULL, NULL, NULL, NULL);
        RETURN 'canceled';
    END IF;
    UPDATE job_attempts SET outcome = p_attempt_outcome, ended_at = clock_timestamp()
    WHERE id = p_job.current_attempt RETURNING lane_charge INTO v_lane_charge;
    UPDATE session_queue SET status = 'pending', status_sequence = status_sequence + 1, current_attempt = NULL,
        started_at = NULL, not_before = p_not_before
    WHERE item_id = p_job.item_id;
    UPDATE queue_lanes SET pending = pending + 1, running = running - 1, virtual_time = virtual_time - v_lane_charge
    WHERE tier = p_job.tier AND user_id = p_job.user_id;
    UPDATE credit_reservations SET deadline = NULL WHERE item_id = p_job.item_id;
    RETURN 'pending';
END $$;

-- A worker hands its job back: because it drains, or because a backing service is away (p_away). This is none of
-- the job's lost attempts; in the second case it waits longer each time, up to 5 minutes, and fails at the twelfth.
CREATE FUNCTION queue_return(p_attempt uuid, p_away boolean) RETURNS TABLE (status text, tier text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_job session_queue := _queue_lock_attempt(p_attempt);
    v_aways integer;
BEGIN
    IF v_job.item_id IS NULL THEN
        RETURN;
    END IF;
    SELECT count(*) INTO v_aways FROM job_attempts a WHERE a.item_id = v_job.item_id AND a.outcome = 'away';
    IF NOT p_away THEN
        RETURN QUERY SELECT _queue_requeue(v_job, 'returned', NULL), v_job.tier::text;
    ELSIF v_aways >= 11 THEN
        PERFORM _queue_end(v_job, 'failed', 'away', 0, 0, NULL, 'ServiceAway',
            'A part of the service could not be reached for long. Nothing was charged; please try again.', NULL);
        RETURN QUERY SELECT 'failed', v_job.tier::text;
    ELSE
        RETURN QUERY SELECT _queue_requeue(v_job, 'away',
            now() + make_interval(secs => least(300, 5 * 2 ^ v_aways))), v_job.tier::text;
    END IF;
END $$;

-- Ends one attempt whose lease ran out or whose reservation's deadline has passed. A lost job waits again, or after
-- p_max lost attempts fails, unpaid; one past its deadline is stopped and pays the seconds it ran.
CREATE FUNCTION _queue_reap_one(p_attempt uuid, p_max integer) RETURNS session_queue LANGUAGE plpgsql AS $$
DECLARE
    v_job session_queue := _queue_lock_attempt(p_attempt);
    v_lost integer;
    v_seconds numeric;
BEGIN
    IF v_job.item_id IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT count(*) + 1 INTO v_lost FROM job_attempts a WHERE a.item_id = v_job.item_id AND a.outcome = 'lost';
    IF EXISTS (SELECT 1 FROM job_attempts a WHERE a.id = p_attempt AND a.lease_until < clock_timestamp()) THEN
        IF v_lost >= p_max AND NOT v_job.cancel_requested THEN
            PERFORM _queue_end(v_job, 'failed', 'lost', 0, 0, NULL, 'WorkerLost',
                'The machine working on this stopped ' || v_lost || ' times. Nothing was charged; please try again.', NULL);
        ELSE
            PERFORM _queue_requeue(v_job, 'lost', NULL);
        END IF;
    ELSIF EXISTS (SELECT 1 FROM credit_reservations r
                  WHERE r.item_id = v_job.item_id AND r.status = 'held' AND r.deadline < clock_timestamp()) THEN
        v_seconds := round(extract(epoch FROM clock_timestamp() - v_job.started_at), 3);
        PERFORM _queue_end(v_job, 'canceled', 'overdue', v_seconds,
            (SELECT greatest(1, ceil(v_seconds * credits_per_second))::integer FROM gpu_tiers WHERE tier = v_job.tier),
            NULL, 'JobTooLong', 'This took longer than a job may. Please try something smaller.', NULL);
    ELSE
        RETURN NULL;  -- it came back to life meanwhile
    END IF;
    SELECT * INTO v_job FROM session_queue WHERE item_id = v_job.item_id;
    RETURN v_job;
END $$;

-- Reaps one job a call. What cannot be reaped is left aside, with all its locks, and does not stand before the rest.
CREATE FUNCTION queue_reap(p_max integer) RETURNS TABLE (
    item_id bigint, user_id uuid, tier text, status text, status_sequence integer, batch_id uuid
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_attempt uuid;
    v_job session_queue;
BEGIN
    FOR v_attempt IN
        SELECT a.id FROM job_attempts a
        LEFT JOIN credit_reservations r ON r.item_id = a.item_id AND r.status = 'held'
        WHERE a.outcome IS NULL AND (a.lease_until < clock_timestamp() OR r.deadline < clock_timestamp())
        ORDER BY a.lease_until LIMIT 10
    LOOP
        BEGIN
            v_job := _queue_reap_one(v_attempt, p_max);
            IF v_job.item_id IS NULL THEN
                RAISE EXCEPTION 'nothing to reap' USING ERRCODE = 'SC410';
            END IF;
        EXCEPTION
            WHEN SQLSTATE 'SC410' THEN
                CONTINUE;
            WHEN OTHERS THEN
                RAISE WARNING 'attempt % cannot be reaped: % (%)', v_attempt, SQLERRM, SQLSTATE;
                CONTINUE;
        END;
        RETURN QUERY SELECT v_job.item_id, v_job.user_id, v_job.tier::text, v_job.status::text, v_job.status_sequence,
            v_job.batch_id;
        RETURN;
    END LOOP;
END $$;

-- Removes the tenant's ended jobs from the list, and batches that have none left. What was charged stays in the ledger.
CREATE FUNCTION queue_delete(p_items bigint[]) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    v_batches uuid[];
    v_count integer;
BEGIN
    WITH gone AS (
        DELETE FROM session_queue WHERE user_id = app_user() AND item_id = ANY (p_items)
          AND status IN ('completed', 'failed', 'canceled') RETURNING batch_id
    ) SELECT array_agg(DISTINCT batch_id), count(*) INTO v_batches, v_count FROM gone;
    DELETE FROM job_batches b WHERE b.user_id = app_user() AND b.batch_id = ANY (v_batches)
      AND NOT EXISTS (SELECT 1 FROM session_queue q WHERE q.user_id = b.user_id AND q.batch_id = b.batch_id);
    RETURN v_count;
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

CREATE FUNCTION queue_forget_workers() RETURNS void LANGUAGE sql SECURITY DEFINER
SET search_path = public, pg_temp AS $$ DELETE FROM gpu_workers WHERE seen_at < now() - interval '1 day' $$;

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
    queue_claim(text, text, text[], double precision, double precision, double precision),
    queue_heartbeat(uuid, double precision, double precision, double precision),
    queue_finish(uuid, text, numeric, jsonb, jsonb, text, text, text),
    queue_return(uuid, boolean), queue_reap(integer), queue_forget_workers(),
    queue_worker_seen(text, text[], text, text[]), queue_backlog(), queue_job_status_event(bigint)
    TO invokeai_worker;
