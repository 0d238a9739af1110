-- What the scheduler and the workers publish. Sums alone, never a person.

-- Each tier: jobs that wait, jobs that could start now and the seconds of GPU time that they are estimated at, jobs that
-- run, and workers of the last minute. A worker of several tiers is counted in each.
CREATE FUNCTION watching_queue() RETURNS TABLE (tier text, waiting bigint, ready bigint, backlog_seconds double precision,
    running bigint, workers bigint, busy bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY
    WITH lanes AS (
        SELECT l.tier, sum(l.pending)::bigint AS waiting, sum(l.running)::bigint AS running
        FROM queue_lanes l WHERE l.pending > 0 OR l.running > 0 GROUP BY l.tier
    ), present AS (
        SELECT t.tier, count(*) AS workers, count(*) FILTER (WHERE EXISTS (
            SELECT FROM job_attempts a WHERE a.worker_id = w.id AND a.outcome IS NULL)) AS busy
        FROM gpu_workers w, LATERAL (SELECT DISTINCT unnest(w.tiers) AS tier) t
        WHERE w.seen_at > now() - interval '1 minute' GROUP BY t.tier
    )
    SELECT g.tier::text, coalesce(l.waiting, 0), coalesce(b.jobs, 0),
        coalesce(b.credits, 0)::double precision / g.credits_per_second::double precision,
        coalesce(l.running, 0), coalesce(p.workers, 0), coalesce(p.busy, 0)
    FROM gpu_tiers g LEFT JOIN lanes l ON l.tier = g.tier LEFT JOIN present p ON p.tier = g.tier
    LEFT JOIN queue_backlog() b ON b.tier = g.tier
    ORDER BY g.tier;
END $$;

-- The scheduler, which has the billing role, reads one figure of these: what plans bring in a month.
CREATE OR REPLACE FUNCTION _figures_check() RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF session_user NOT IN ('invokeai_owner', 'invokeai_billing') AND NOT staff_present() THEN
        RAISE EXCEPTION 'nobody is at work' USING ERRCODE = 'insufficient_privilege';
    END IF;
END $$;

-- People whose jobs used credits within a day; pictures and credits of the last hour; dollars that plans bring in a month;
-- bytes of people's pictures and videos.
CREATE FUNCTION watching_business() RETURNS TABLE (active_people bigint, pictures bigint, credits bigint,
    monthly_usd numeric, stored_bytes bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT
        (SELECT count(DISTINCT u.user_id) FROM usage_records u WHERE u.created_at > now() - interval '1 day'),
        (SELECT count(*) FROM images i WHERE i.created_at > now() - interval '1 hour'
            AND i.item_id IS NOT NULL AND NOT i.is_intermediate),
        (SELECT coalesce(sum(u.credits_consumed), 0)::bigint FROM usage_records u
            WHERE u.created_at > now() - interval '1 hour'),
        (SELECT coalesce(sum(f.monthly_usd), 0) FROM figures_subscriptions() f),
        (SELECT coalesce(sum(s.bytes), 0)::bigint FROM gallery_state s);
END $$;

-- The trace that a batch was queued under (W3C traceparent), where the API keeps any. It says so before it queues.
ALTER TABLE job_batches ADD COLUMN trace VARCHAR(55);
ALTER TABLE job_batches ALTER COLUMN trace SET DEFAULT nullif(current_setting('app.trace', true), '');

-- Asked by a worker that traces, of the job in hand.
CREATE FUNCTION watching_trace(p_attempt uuid) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN (SELECT b.trace FROM job_attempts a JOIN session_queue q ON q.item_id = a.item_id
        JOIN job_batches b ON b.user_id = q.user_id AND b.batch_id = q.batch_id
        WHERE a.id = p_attempt AND a.outcome IS NULL);
END $$;

REVOKE ALL ON FUNCTION watching_queue(), watching_business(), watching_trace(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION watching_queue(), watching_trace(uuid) TO invokeai_worker;
GRANT EXECUTE ON FUNCTION watching_business() TO invokeai_billing;
