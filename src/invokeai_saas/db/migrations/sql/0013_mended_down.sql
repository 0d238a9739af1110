DROP FUNCTION queue_drop_removed(), install_return(bigint, uuid, integer, text),
    install_reserve(bigint, uuid, bigint), install_on_disk(bigint[]);
CREATE OR REPLACE FUNCTION install_claim(p_stage text, p_lease double precision, p_tries integer)
RETURNS SETOF model_installs
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_open text[] := CASE p_stage WHEN 'download' THEN ARRAY['waiting', 'downloading']
                                  ELSE ARRAY['downloads_done', 'running'] END;
    v_id bigint;
    v_job model_installs;
BEGIN
    SELECT i.id INTO v_id FROM model_installs i
    WHERE i.status IN ('waiting', 'downloading', 'downloads_done', 'running') AND i.status = ANY (v_open)
      AND (i.lease_until IS NULL OR i.lease_until < now())
    ORDER BY (SELECT count(*) FROM model_installs o WHERE o.user_id = i.user_id AND o.lease_until > now()
                AND o.status IN ('waiting', 'downloading', 'downloads_done', 'running')), i.created_at, i.id
    LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF v_id IS NULL THEN
        RETURN;
    END IF;
    -- The row that is answered still tells what was stored, for whoever cleans up behind it.
    SELECT * INTO v_job FROM model_installs i WHERE i.id = v_id;
    IF v_job.attempts >= p_tries THEN
        UPDATE model_installs i SET status = 'error', error_type = 'GivenUp', claim = NULL, lease_until = NULL,
            attempts = 0, error = 'This could not be finished after several tries.',
            parts = CASE p_stage WHEN 'identify' THEN _install_anew(i.parts) ELSE i.parts END
        WHERE i.id = v_id;
        v_job.status := 'error';
        v_job.claim := gen_random_uuid();  -- nobody's: nothing more can be said about it
        RETURN NEXT v_job;
        RETURN;
    END IF;
    RETURN QUERY UPDATE model_installs i SET
        status = CASE p_stage WHEN 'download' THEN 'downloading' ELSE 'running' END,
        claim = gen_random_uuid(), attempts = i.attempts + 1,
        lease_until = now() + make_interval(secs => p_lease)
    WHERE i.id = v_id RETURNING i.*;
END $$;
CREATE OR REPLACE FUNCTION queue_job_status_event(p_item bigint) RETURNS jsonb LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    SELECT _queue_status_event(j.user_id, j.item_id) FROM session_queue j WHERE j.item_id = p_item
$$;
CREATE OR REPLACE FUNCTION _queue_status(p_user uuid) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('queue_id', 'default', 'item_id', r.item_id, 'batch_id', r.batch_id,
            'session_id', r.session_id, 'user_pending', c -> 'pending', 'user_in_progress', c -> 'in_progress') || c
    FROM _queue_counts(p_user, NULL) c LEFT JOIN LATERAL (
        SELECT item_id, batch_id, session_id FROM session_queue
        WHERE user_id = p_user AND status = 'in_progress' ORDER BY started_at LIMIT 1
    ) r ON true
$$;
CREATE OR REPLACE FUNCTION _queue_counts(p_user uuid, p_batch uuid) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF p_batch IS NULL THEN
        RETURN (SELECT _queue_counted(coalesce(sum(pending), 0), coalesce(sum(running), 0),
            coalesce(sum(completed), 0), coalesce(sum(failed), 0), coalesce(sum(canceled), 0))
            FROM queue_lanes WHERE user_id = p_user);
    END IF;
    RETURN (SELECT _queue_counted(count(*) FILTER (WHERE status = 'pending'),
        count(*) FILTER (WHERE status = 'in_progress'), count(*) FILTER (WHERE status = 'completed'),
        count(*) FILTER (WHERE status = 'failed'), count(*) FILTER (WHERE status = 'canceled'))
        FROM session_queue WHERE user_id = p_user AND batch_id = p_batch);
END $$;
CREATE OR REPLACE FUNCTION queue_delete(p_items bigint[]) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    v_tier text;
    v_batches uuid[];
    v_count integer;
BEGIN
    FOR v_tier IN SELECT l.tier FROM queue_lanes l WHERE l.user_id = app_user() ORDER BY l.tier FOR UPDATE LOOP END LOOP;
    WITH gone AS (
        DELETE FROM session_queue WHERE user_id = app_user() AND item_id = ANY (p_items)
          AND status IN ('completed', 'failed', 'canceled') RETURNING batch_id
    ) SELECT array_agg(DISTINCT batch_id), count(*) INTO v_batches, v_count FROM gone;
    DELETE FROM job_batches b WHERE b.user_id = app_user() AND b.batch_id = ANY (v_batches)
      AND NOT EXISTS (SELECT 1 FROM session_queue q WHERE q.user_id = b.user_id AND q.batch_id = b.batch_id);
    RETURN v_count;
END $$;
DROP POLICY tenant ON session_queue;
CREATE POLICY tenant ON session_queue TO invokeai_api USING (user_id = app_user()) WITH CHECK (user_id = app_user());
DROP INDEX ix_session_queue_removed;
ALTER TABLE session_queue DROP COLUMN removed;
