CREATE OR REPLACE FUNCTION queue_delete(p_items bigint[]) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
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

CREATE OR REPLACE FUNCTION _queue_counts(p_user uuid, p_batch uuid) RETURNS jsonb LANGUAGE sql STABLE AS $$
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

DROP FUNCTION _queue_counted(bigint, bigint, bigint, bigint, bigint);
DROP TRIGGER count_gone ON session_queue;
DROP TRIGGER count_ended ON session_queue;
DROP FUNCTION _queue_count_gone();
DROP FUNCTION _queue_count_ended();
CREATE INDEX ix_queue_lanes_clock ON queue_lanes (tier, virtual_time);
ALTER TABLE queue_lanes DROP CONSTRAINT ck_queue_lanes_counts;
ALTER TABLE queue_lanes ADD CONSTRAINT ck_queue_lanes_counts CHECK (pending >= 0 AND running >= 0);
ALTER TABLE queue_lanes DROP COLUMN completed, DROP COLUMN failed, DROP COLUMN canceled;
