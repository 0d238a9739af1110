-- Every change of a job is told with the counts of all its person's jobs. A lane knows what waits and runs; now it
-- knows what has ended too, so that nobody counts a history of a hundred thousand jobs twice a job.

ALTER TABLE queue_lanes ADD COLUMN completed integer DEFAULT 0 NOT NULL, ADD COLUMN failed integer DEFAULT 0 NOT NULL,
    ADD COLUMN canceled integer DEFAULT 0 NOT NULL;
ALTER TABLE queue_lanes DROP CONSTRAINT ck_queue_lanes_counts;
ALTER TABLE queue_lanes ADD CONSTRAINT ck_queue_lanes_counts
    CHECK (pending >= 0 AND running >= 0 AND completed >= 0 AND failed >= 0 AND canceled >= 0);
DROP INDEX ix_queue_lanes_clock;  -- a tier's clock stands in gpu_tiers; each change of a lane wrote this in vain

UPDATE queue_lanes l SET completed = n.completed, failed = n.failed, canceled = n.canceled FROM (
    SELECT tier, user_id, count(*) FILTER (WHERE status = 'completed') AS completed,
        count(*) FILTER (WHERE status = 'failed') AS failed, count(*) FILTER (WHERE status = 'canceled') AS canceled
    FROM session_queue WHERE status IN ('completed', 'failed', 'canceled') GROUP BY tier, user_id
) n WHERE l.tier = n.tier AND l.user_id = n.user_id;

-- An ended job never changes its status again: it is counted when it ends, and no longer when its row goes.
CREATE FUNCTION _queue_count_ended() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE queue_lanes SET completed = completed + (NEW.status = 'completed')::integer,
        failed = failed + (NEW.status = 'failed')::integer, canceled = canceled + (NEW.status = 'canceled')::integer
    WHERE tier = NEW.tier AND user_id = NEW.user_id;
    RETURN NULL;
END $$;
CREATE TRIGGER count_ended AFTER UPDATE OF status ON session_queue FOR EACH ROW
    WHEN (NEW.status IN ('completed', 'failed', 'canceled') AND OLD.status IN ('pending', 'in_progress'))
    EXECUTE FUNCTION _queue_count_ended();

CREATE FUNCTION _queue_count_gone() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE queue_lanes l SET completed = l.completed - n.completed, failed = l.failed - n.failed,
        canceled = l.canceled - n.canceled
    FROM (
        SELECT tier, user_id, count(*) FILTER (WHERE status = 'completed') AS completed,
            count(*) FILTER (WHERE status = 'failed') AS failed, count(*) FILTER (WHERE status = 'canceled') AS canceled
        FROM gone GROUP BY tier, user_id
    ) n WHERE l.tier = n.tier AND l.user_id = n.user_id;
    RETURN NULL;
END $$;
CREATE TRIGGER count_gone AFTER DELETE ON session_queue REFERENCING OLD TABLE AS gone FOR EACH STATEMENT
    EXECUTE FUNCTION _queue_count_gone();

-- Counts of jobs by status: all of a person's from their lanes, those of one batch counted.
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

CREATE FUNCTION _queue_counted(
    p_pending bigint, p_running bigint, p_completed bigint, p_failed bigint, p_canceled bigint
) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_object('pending', p_pending, 'in_progress', p_running, 'waiting', 0, 'completed', p_completed,
        'failed', p_failed, 'canceled', p_canceled,
        'total', p_pending + p_running + p_completed + p_failed + p_canceled)
$$;

-- Lanes first, in their order: deleting changes their counts.
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

REVOKE ALL ON FUNCTION _queue_count_ended(), _queue_count_gone(),
    _queue_counted(bigint, bigint, bigint, bigint, bigint) FROM PUBLIC;
