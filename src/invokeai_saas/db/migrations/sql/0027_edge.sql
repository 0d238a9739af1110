-- Files whose rows are gone, until the store and every cache before it have forgotten them. Written in the transaction that
-- deletes the rows, and done by the scheduler: nothing is lost when a process dies in between.
--
-- `folder` is the person's; without `keys` all that lies below it is meant. Rows of a `batch` are purged together, and a
-- batch never gets other rows: what is sent again is what was sent before.
CREATE TABLE removed_files (
    id BIGINT GENERATED ALWAYS AS IDENTITY NOT NULL,
    folder VARCHAR(100) NOT NULL,
    keys TEXT[] NOT NULL,
    batch UUID,
    tries INTEGER DEFAULT '0' NOT NULL,
    removed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_removed_files PRIMARY KEY (id)
);
CREATE INDEX ix_removed_files_due_at ON removed_files (due_at);

ALTER TABLE removed_files ENABLE ROW LEVEL SECURITY;
ALTER TABLE removed_files FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON removed_files TO invokeai_owner USING (true) WITH CHECK (true);

-- Files of the caller's. They wait a little for others of the same person: one path for all of them is cheaper.
CREATE FUNCTION edge_removed(p_keys text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_folder text := 'users/' || app_user() || '/';
BEGIN
    IF v_folder IS NULL OR EXISTS (SELECT FROM unnest(p_keys) k WHERE NOT starts_with(k, v_folder)) THEN
        RAISE EXCEPTION 'not a file of the caller''s' USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO removed_files (folder, keys, due_at)
    SELECT v_folder, array_agg(k.key ORDER BY k.n), now() + interval '15 seconds'
    FROM unnest(p_keys) WITH ORDINALITY AS k (key, n) GROUP BY (k.n - 1) / 1000;
END $$;

-- Everything of somebody who is being deleted; their files are gone from the store.
CREATE FUNCTION edge_removed_person(p_user uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO removed_files (folder, keys, due_at) VALUES ('users/' || p_user || '/', '{}', now())
$$;

-- A batch for p_lease seconds: one whose lease ran out, or a new one of what is due.
CREATE FUNCTION edge_claim(p_lease double precision, p_limit integer)
RETURNS TABLE (batch uuid, id bigint, folder text, keys text[], tries integer, age double precision)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_batch uuid;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('edge_claim', 0));
    SELECT r.batch INTO v_batch FROM removed_files r WHERE r.batch IS NOT NULL AND r.due_at <= now()
    ORDER BY r.due_at, r.id LIMIT 1;
    IF v_batch IS NULL THEN
        v_batch := gen_random_uuid();
        UPDATE removed_files r SET batch = v_batch WHERE r.id IN (
            SELECT f.id FROM removed_files f WHERE f.batch IS NULL AND f.due_at <= now() ORDER BY f.id LIMIT p_limit);
    END IF;
    RETURN QUERY UPDATE removed_files r SET due_at = now() + make_interval(secs => p_lease), tries = r.tries + 1
    WHERE r.batch = v_batch
    RETURNING r.batch, r.id, r.folder::text, r.keys, r.tries, extract(epoch FROM now() - r.removed_at)::double precision;
END $$;

CREATE FUNCTION edge_done(p_batch uuid, p_ids bigint[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM removed_files WHERE batch = p_batch AND id = ANY (p_ids)
$$;

CREATE FUNCTION edge_wait(p_batch uuid, p_seconds double precision) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE removed_files SET due_at = now() + make_interval(secs => p_seconds) WHERE batch = p_batch
$$;

REVOKE ALL ON FUNCTION edge_removed(text[]), edge_removed_person(uuid), edge_claim(double precision, integer),
    edge_done(uuid, bigint[]), edge_wait(uuid, double precision) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION edge_removed(text[]) TO invokeai_api;
-- The billing role is the scheduler's alone: what workers know of strangers' files is what their job names.
GRANT EXECUTE ON FUNCTION edge_removed_person(uuid), edge_claim(double precision, integer), edge_done(uuid, bigint[]),
    edge_wait(uuid, double precision) TO invokeai_billing;
