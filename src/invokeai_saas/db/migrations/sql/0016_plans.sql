-- A function in SQL that cannot be inlined is parsed and planned anew at every call (until PostgreSQL 18); one in
-- PL/pgSQL keeps its plans for as long as its connection lives. These are called several times a job. Nothing that
-- they do has changed.

CREATE OR REPLACE FUNCTION _credits_available(p_user uuid) RETURNS integer LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT coalesce(sum(total_credits - used_credits - reserved_credits - expired_credits), 0)::integer
        FROM credits WHERE user_id = p_user AND valid_from <= now() AND valid_until > now());
END $$;

CREATE OR REPLACE FUNCTION _queue_plan(p_user uuid) RETURNS subscription_plans LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_plan subscription_plans;
BEGIN
    SELECT p.* INTO v_plan FROM user_subscriptions s JOIN subscription_plans p ON p.id = s.plan_id
    WHERE s.user_id = p_user AND s.status IN ('trialing', 'active', 'past_due') AND s.current_period_end > now();
    RETURN v_plan;
END $$;

CREATE OR REPLACE FUNCTION _queue_lock_lane(p_tier text, p_user uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM queue_lanes WHERE tier = p_tier AND user_id = p_user FOR UPDATE;
END $$;

CREATE OR REPLACE FUNCTION _queue_join_lane(p_tier text, p_user uuid, p_lanes integer, p_jobs integer)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO queue_lanes AS l (tier, user_id, pending, max_running, weight, virtual_time)
    SELECT p_tier, p_user, p_jobs, p_lanes, least(coalesce(p_lanes, 8), 8), virtual_clock
    FROM gpu_tiers WHERE tier = p_tier
    ON CONFLICT (tier, user_id) DO UPDATE SET
        virtual_time = CASE WHEN l.pending = 0 AND l.running = 0
            THEN greatest(l.virtual_time, excluded.virtual_time) ELSE l.virtual_time END,
        pending = l.pending + excluded.pending, max_running = excluded.max_running, weight = excluded.weight;
END $$;

CREATE OR REPLACE FUNCTION _queue_prefers(p_tier text, p_user uuid, p_loaded text[]) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN cardinality(p_loaded) > 0 AND (SELECT coalesce(bool_or(n.model_keys && p_loaded), false)
        FROM _queue_waiting(p_tier, p_user) n);
END $$;

CREATE OR REPLACE FUNCTION _queue_next(p_tier text, p_user uuid, p_loaded text[]) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT n.item_id FROM _queue_waiting(p_tier, p_user) n
        ORDER BY n.priority DESC, NOT (n.model_keys && p_loaded), n.position LIMIT 1);
END $$;

CREATE OR REPLACE FUNCTION _queue_status(p_user uuid) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_counts jsonb := _queue_counts(p_user, NULL);
    v_running record;
BEGIN
    SELECT item_id, batch_id, session_id INTO v_running FROM session_queue
    WHERE user_id = p_user AND status = 'in_progress' AND NOT removed ORDER BY started_at LIMIT 1;
    RETURN jsonb_build_object('queue_id', 'default', 'item_id', v_running.item_id, 'batch_id', v_running.batch_id,
        'session_id', v_running.session_id, 'user_pending', v_counts -> 'pending',
        'user_in_progress', v_counts -> 'in_progress') || v_counts;
END $$;

-- The payload of InvokeAI's queue_item_status_changed for one job, less its timestamp.
CREATE OR REPLACE FUNCTION _queue_status_event(p_user uuid, p_item bigint) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT jsonb_build_object(
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
    WHERE j.user_id = p_user AND j.item_id = p_item);
END $$;

CREATE OR REPLACE FUNCTION queue_job_status_event(p_item bigint) RETURNS jsonb LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    RETURN (SELECT _queue_status_event(j.user_id, j.item_id) FROM session_queue j WHERE j.item_id = p_item
        AND NOT (j.removed AND j.status IN ('pending', 'in_progress')));
END $$;

-- As before. A job that keeps nothing writes nothing.
CREATE OR REPLACE FUNCTION _queue_record_images(p_job session_queue, p_images jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF jsonb_array_length(p_images) = 0 THEN
        RETURN;
    END IF;
    INSERT INTO images AS i (image_name, user_id, image_origin, image_category, width, height, session_id, node_id,
        item_id, metadata, is_intermediate, has_workflow, workflow, graph, s3_key, s3_thumbnail_key, file_size_bytes,
        kind, duration_seconds, fps)
    SELECT r.image_name, p_job.user_id, r.image_origin, r.image_category, r.width, r.height, r.session_id, r.node_id,
        p_job.item_id, r.metadata, r.is_intermediate, r.workflow IS NOT NULL OR r.graph IS NOT NULL, r.workflow,
        r.graph, r.s3_key, r.s3_thumbnail_key, r.file_size_bytes, coalesce(r.kind, 'image'), r.duration_seconds, r.fps
    FROM jsonb_array_elements(p_images) e, jsonb_populate_record(NULL::images, e - 'board_id') r
    ON CONFLICT (image_name) DO NOTHING;
    INSERT INTO board_images (user_id, image_name, board_id)
    SELECT p_job.user_id, r ->> 'image_name', b.board_id
    FROM jsonb_array_elements(p_images) r
    JOIN boards b ON b.user_id = p_job.user_id AND b.board_id::text = r ->> 'board_id'  -- as text: it may be anything
    FOR KEY SHARE OF b
    ON CONFLICT (user_id, image_name) DO NOTHING;
    INSERT INTO board_images (user_id, image_name, board_id)
    SELECT p_job.user_id, r.image_name, r.board_id
    FROM (SELECT e ->> 'image_name' AS image_name, CASE
              WHEN e ->> 'board_id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN (e ->> 'board_id')::uuid
          END AS board_id FROM jsonb_array_elements(p_images) e) r
    WHERE EXISTS (SELECT 1 FROM organisation_members m WHERE m.user_id = p_job.user_id)
      AND _board_is_open(r.board_id, p_job.user_id)
    ON CONFLICT (user_id, image_name) DO NOTHING;
END $$;
