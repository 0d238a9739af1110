DROP FUNCTION billing_start_trial(uuid, bytea), api_keys_alive(uuid[]), api_key_find(bytea);
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
    IF NOT v_plan.model_access @> p_families::varchar[] THEN
        RAISE EXCEPTION 'families' USING ERRCODE = 'SC403', DETAIL = json_build_object('families', ARRAY(
            SELECT f FROM unnest(p_families) f WHERE f <> ALL (v_plan.model_access) ORDER BY f))::text;
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

DROP FUNCTION _plan_includes(subscription_plans);
DROP TABLE trial_claims, api_keys;
