-- A queue that was cleared shows nothing any more, and installs give up, or stop where a plan's room ends.

-- ---- jobs that were removed from the list while they ran

-- Hidden from their person at once. They keep their row, and with it their attempt, reservation and lane, until their
-- worker has stopped and settled them; the scheduler takes the row away then.
ALTER TABLE session_queue ADD COLUMN removed BOOLEAN DEFAULT 'false' NOT NULL;
CREATE INDEX ix_session_queue_removed ON session_queue (user_id, completed_at) WHERE removed;
DROP POLICY tenant ON session_queue;
CREATE POLICY tenant ON session_queue TO invokeai_api
    USING (user_id = app_user() AND NOT removed) WITH CHECK (user_id = app_user());

-- Removes the tenant's ended jobs from the list, and batches that have none left; running ones that were asked to stop
-- are hidden until they have. What was charged stays in the ledger.
CREATE OR REPLACE FUNCTION queue_delete(p_items bigint[]) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    v_tier text;
    v_batches uuid[];
    v_count integer;
    v_running integer;
BEGIN
    FOR v_tier IN SELECT l.tier FROM queue_lanes l WHERE l.user_id = app_user() ORDER BY l.tier FOR UPDATE LOOP END LOOP;
    WITH gone AS (
        DELETE FROM session_queue WHERE user_id = app_user() AND item_id = ANY (p_items)
          AND status IN ('completed', 'failed', 'canceled') RETURNING batch_id
    ) SELECT array_agg(DISTINCT batch_id), count(*) INTO v_batches, v_count FROM gone;
    UPDATE session_queue SET removed = true WHERE user_id = app_user() AND item_id = ANY (p_items)
      AND status = 'in_progress' AND cancel_requested AND NOT removed;
    GET DIAGNOSTICS v_running = ROW_COUNT;
    DELETE FROM job_batches b WHERE b.user_id = app_user() AND b.batch_id = ANY (v_batches)
      AND NOT EXISTS (SELECT 1 FROM session_queue q WHERE q.user_id = b.user_id AND q.batch_id = b.batch_id);
    RETURN v_count + v_running;
END $$;

-- Takes away what was removed and has ended. A minute later: its worker tells its person of the end first.
CREATE FUNCTION queue_drop_removed() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    v_before timestamptz := now() - interval '1 minute';
    v_people uuid[] := ARRAY(SELECT DISTINCT q.user_id FROM session_queue q
        WHERE q.removed AND q.status NOT IN ('pending', 'in_progress') AND q.completed_at < v_before);
    v_job record;
    v_count integer := 0;
BEGIN
    PERFORM 1 FROM queue_lanes l WHERE l.user_id = ANY (v_people) ORDER BY l.tier, l.user_id FOR UPDATE;
    FOR v_job IN
        DELETE FROM session_queue q WHERE q.user_id = ANY (v_people) AND q.removed
          AND q.status NOT IN ('pending', 'in_progress') AND q.completed_at < v_before RETURNING q.user_id, q.batch_id
    LOOP
        v_count := v_count + 1;
        DELETE FROM job_batches b WHERE b.user_id = v_job.user_id AND b.batch_id = v_job.batch_id
          AND NOT EXISTS (SELECT 1 FROM session_queue q WHERE q.user_id = b.user_id AND q.batch_id = b.batch_id);
    END LOOP;
    RETURN v_count;
END $$;

-- Jobs by status: all of a person's from their lanes, less the few that are hidden; those of one batch counted.
CREATE OR REPLACE FUNCTION _queue_counts(p_user uuid, p_batch uuid) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF p_batch IS NULL THEN
        RETURN (SELECT _queue_counted(l.pending, l.running - h.running, l.completed - h.completed,
                l.failed - h.failed, l.canceled - h.canceled)
            FROM (SELECT coalesce(sum(pending), 0) AS pending, coalesce(sum(running), 0) AS running,
                    coalesce(sum(completed), 0) AS completed, coalesce(sum(failed), 0) AS failed,
                    coalesce(sum(canceled), 0) AS canceled
                FROM queue_lanes WHERE user_id = p_user) l,
                (SELECT count(*) FILTER (WHERE status = 'in_progress') AS running,
                    count(*) FILTER (WHERE status = 'completed') AS completed,
                    count(*) FILTER (WHERE status = 'failed') AS failed,
                    count(*) FILTER (WHERE status = 'canceled') AS canceled
                FROM session_queue WHERE user_id = p_user AND removed) h);
    END IF;
    RETURN (SELECT _queue_counted(count(*) FILTER (WHERE status = 'pending'),
        count(*) FILTER (WHERE status = 'in_progress'), count(*) FILTER (WHERE status = 'completed'),
        count(*) FILTER (WHERE status = 'failed'), count(*) FILTER (WHERE status = 'canceled'))
        FROM session_queue WHERE user_id = p_user AND batch_id = p_batch AND NOT removed);
END $$;

CREATE OR REPLACE FUNCTION _queue_status(p_user uuid) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('queue_id', 'default', 'item_id', r.item_id, 'batch_id', r.batch_id,
            'session_id', r.session_id, 'user_pending', c -> 'pending', 'user_in_progress', c -> 'in_progress') || c
    FROM _queue_counts(p_user, NULL) c LEFT JOIN LATERAL (
        SELECT item_id, batch_id, session_id FROM session_queue
        WHERE user_id = p_user AND status = 'in_progress' AND NOT removed ORDER BY started_at LIMIT 1
    ) r ON true
$$;

-- Nothing is told of a job that runs and was removed from the list; of its end something is, so that the page lets go
-- of its progress.
CREATE OR REPLACE FUNCTION queue_job_status_event(p_item bigint) RETURNS jsonb LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    SELECT _queue_status_event(j.user_id, j.item_id) FROM session_queue j WHERE j.item_id = p_item
      AND NOT (j.removed AND j.status IN ('pending', 'in_progress'))
$$;

-- ---- installs

-- The next install to work on, or none. Parameters: p_stage: 'download', or 'identify' for what a worker does;
-- p_lease: seconds; p_tries: claims of one stage after which it is given up: its process died each time.
-- The person with the fewest in hand goes first, then the oldest.
CREATE OR REPLACE FUNCTION install_claim(p_stage text, p_lease double precision, p_tries integer)
RETURNS SETOF model_installs
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_open text[] := CASE p_stage WHEN 'download' THEN ARRAY['waiting', 'downloading']
                                  ELSE ARRAY['downloads_done', 'running'] END;
    v_id bigint;
    v_job model_installs;
    v_error text := 'This could not be finished: what worked on it stopped ' || p_tries || ' times. Try it once more; if that'
        || ' fails too, the file may be damaged, so choose another one.';
BEGIN
    SELECT i.id INTO v_id FROM model_installs i
    WHERE i.status IN ('waiting', 'downloading', 'downloads_done', 'running') AND i.status = ANY (v_open)
      AND (i.lease_until IS NULL OR i.lease_until < now())
    ORDER BY (SELECT count(*) FROM model_installs o WHERE o.user_id = i.user_id AND o.claim IS NOT NULL
                AND o.lease_until > now()
                AND o.status IN ('waiting', 'downloading', 'downloads_done', 'running')), i.created_at, i.id
    LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF v_id IS NULL THEN
        RETURN;
    END IF;
    -- The row that is answered still tells what was stored, for whoever cleans up behind it.
    SELECT * INTO v_job FROM model_installs i WHERE i.id = v_id;
    IF v_job.attempts >= p_tries THEN
        UPDATE model_installs i SET status = 'error', error_type = 'GivenUp', claim = NULL, lease_until = NULL,
            attempts = 0, error = v_error, access_token = NULL,
            parts = CASE p_stage WHEN 'identify' THEN _install_anew(i.parts) ELSE i.parts END
        WHERE i.id = v_id;
        v_job.status := 'error';
        v_job.error := v_error;
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

-- Gives it back. Parameters: p_why: what was away, as a sentence for its person; NULL when this process is going, which
-- is no lost try. One that something was away for waits longer each time, and fails at the last of p_tries; what it has
-- stored is kept for another try. Answers 'waiting' or 'error'; NULL when it was not this claim's any more.
CREATE FUNCTION install_return(p_id bigint, p_claim uuid, p_tries integer, p_why text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_attempts integer;
BEGIN
    SELECT i.attempts INTO v_attempts FROM model_installs i
    WHERE i.id = p_id AND i.claim = p_claim AND i.status IN ('downloading', 'running') FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    ELSIF p_why IS NULL THEN
        UPDATE model_installs SET claim = NULL, lease_until = now() + interval '5 seconds',
            attempts = greatest(0, v_attempts - 1) WHERE id = p_id;
        RETURN 'waiting';
    ELSIF v_attempts < p_tries THEN
        UPDATE model_installs SET claim = NULL,
            lease_until = now() + make_interval(secs => 30 * 4 ^ (v_attempts - 1)) WHERE id = p_id;
        RETURN 'waiting';
    END IF;
    UPDATE model_installs SET status = 'error', error_type = 'ServiceAway', error = p_why, claim = NULL,
        lease_until = NULL, attempts = 0, access_token = NULL WHERE id = p_id;
    RETURN 'error';
END $$;

-- Counts what an install will take as taken, if there is room for it. Answers the bytes that there are for it, with
-- those it has; NULL for no limit. A person's installs ask one after the other, so that two at once do not take the
-- same room. Whether the plan has models of one's own is asked when a download begins, and not here.
CREATE FUNCTION install_reserve(p_id bigint, p_claim uuid, p_bytes bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_user uuid;
    v_room bigint;
BEGIN
    SELECT i.user_id INTO v_user FROM model_installs i
    WHERE i.id = p_id AND i.claim = p_claim AND i.status = 'downloading' AND NOT i.shared;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('model_installs ' || v_user, 0));
    v_room := install_room(v_user, p_id);
    IF v_room < 0 THEN
        RETURN NULL;
    ELSIF v_room IS NULL OR p_bytes <= v_room THEN
        UPDATE model_installs i SET total_bytes = greatest(i.total_bytes, p_bytes)
        WHERE i.id = p_id AND i.claim = p_claim;
    END IF;
    RETURN v_room;
END $$;

-- Which of these installs may still go on with what lies on a scheduler's disk.
CREATE FUNCTION install_on_disk(p_ids bigint[]) RETURNS SETOF bigint LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    SELECT i.id FROM model_installs i
    WHERE i.id = ANY (p_ids) AND i.status IN ('waiting', 'downloading', 'paused')
$$;

REVOKE ALL ON FUNCTION queue_drop_removed(), install_return(bigint, uuid, integer, text),
    install_reserve(bigint, uuid, bigint), install_on_disk(bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION queue_drop_removed(), install_return(bigint, uuid, integer, text),
    install_reserve(bigint, uuid, bigint), install_on_disk(bigint[]) TO invokeai_worker;
