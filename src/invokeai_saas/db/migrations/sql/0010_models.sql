-- People's own models: where their files lie, cover pictures, which belong together, and how they are installed.
--
-- The api role writes no row of models: a DELETE is held to USING alone, and that shows shared models to everybody.
-- It calls the functions below, which know whose a model is and who of our staff may change the shared ones.

ALTER TABLE models
    ADD COLUMN cover_key TEXT,
    ADD COLUMN files JSONB DEFAULT '[]' NOT NULL,
    ADD COLUMN missing BOOLEAN DEFAULT 'false' NOT NULL;

CREATE TABLE model_relationships (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID,
    model_key_1 VARCHAR(64) NOT NULL,
    model_key_2 VARCHAR(64) NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_model_relationships PRIMARY KEY (id),
    CONSTRAINT ck_model_relationships_different CHECK (model_key_1 <> model_key_2),
    CONSTRAINT fk_model_relationships_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT fk_model_relationships_model_key_1 FOREIGN KEY(model_key_1) REFERENCES models (key) ON DELETE CASCADE,
    CONSTRAINT fk_model_relationships_model_key_2 FOREIGN KEY(model_key_2) REFERENCES models (key) ON DELETE CASCADE
);
CREATE UNIQUE INDEX uq_model_relationships_pair ON model_relationships (user_id, model_key_1, model_key_2)
    NULLS NOT DISTINCT;
CREATE INDEX ix_model_relationships_model_key_1 ON model_relationships (model_key_1);
CREATE INDEX ix_model_relationships_model_key_2 ON model_relationships (model_key_2);

-- An install and, later, a new look at what was installed. `claim` names the process that has it in hand, whose word
-- counts until `lease_until`: like an attempt at a job, any other's is refused and changes nothing.
CREATE TABLE model_installs (
    id BIGINT NOT NULL,
    user_id UUID NOT NULL,
    shared BOOLEAN DEFAULT 'false' NOT NULL,
    kind VARCHAR(10) DEFAULT 'install' NOT NULL,
    status VARCHAR(20) DEFAULT 'waiting' NOT NULL,
    source JSONB NOT NULL,
    source_text TEXT NOT NULL,
    access_token TEXT,
    config_in JSONB DEFAULT '{}' NOT NULL,
    model_key VARCHAR(64) NOT NULL,
    parts JSONB DEFAULT '[]' NOT NULL,
    bytes BIGINT DEFAULT '0' NOT NULL,
    total_bytes BIGINT DEFAULT '0' NOT NULL,
    config_out JSONB,
    error_type TEXT,
    error TEXT,
    claim UUID,
    lease_until TIMESTAMP WITH TIME ZONE,
    attempts INTEGER DEFAULT '0' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_model_installs PRIMARY KEY (id),
    CONSTRAINT ck_model_installs_kind CHECK (kind IN ('install', 'identify')),
    CONSTRAINT ck_model_installs_status CHECK (status IN ('waiting', 'downloading', 'downloads_done', 'running',
        'paused', 'completed', 'error', 'cancelled')),
    CONSTRAINT fk_model_installs_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX ix_model_installs_user_id ON model_installs (user_id, created_at);
CREATE INDEX ix_model_installs_open ON model_installs (created_at)
    WHERE status IN ('waiting', 'downloading', 'downloads_done', 'running');
-- The same source is installed once at a time.
CREATE UNIQUE INDEX uq_model_installs_live ON model_installs (user_id, shared, source_text)
    WHERE kind = 'install' AND status IN ('waiting', 'downloading', 'downloads_done', 'running', 'paused');

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['model_relationships', 'model_installs'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO invokeai_owner USING (true) WITH CHECK (true)', t);
    END LOOP;
END $$;
CREATE POLICY tenant ON model_relationships TO invokeai_api
    USING (app_user() IS NOT NULL AND (user_id IS NULL OR user_id = app_user())) WITH CHECK (user_id = app_user());
CREATE POLICY tenant ON model_installs TO invokeai_api
    USING (user_id = app_user()) WITH CHECK (user_id = app_user());
CREATE TRIGGER touch_updated_at BEFORE UPDATE ON model_installs
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

GRANT SELECT ON model_relationships TO invokeai_api;
-- Not the access token: it is written here and read by who downloads, nobody else.
GRANT SELECT (id, user_id, shared, kind, status, source, source_text, config_in, model_key, parts, bytes, total_bytes,
    config_out, error_type, error, claim, lease_until, attempts, created_at, updated_at) ON model_installs TO invokeai_api;
GRANT INSERT (id, user_id, shared, kind, status, source, source_text, access_token, config_in, model_key, parts),
    UPDATE (status, access_token, parts, bytes, error_type, error, claim, lease_until, attempts), DELETE
    ON model_installs TO invokeai_api;

CREATE FUNCTION _catalog_is_staff() RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT EXISTS (SELECT 1 FROM users WHERE id = app_user() AND role = 'admin' AND is_active) $$;

-- Whether the person of this transaction may change what belongs to p_owner (NULL: to everybody).
CREATE FUNCTION _catalog_writable(p_owner uuid) RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT CASE WHEN p_owner IS NULL THEN _catalog_is_staff() ELSE p_owner = app_user() END $$;

CREATE FUNCTION catalog_change_model(p_key text, p_changes jsonb) RETURNS jsonb
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE models m SET name = n.record ->> 'name', base = n.record ->> 'base', type = n.record ->> 'type',
        format = n.record ->> 'format', record = n.record
    FROM (
        SELECT o.key, o.record || p_changes || jsonb_build_object('key', o.key, 'path', o.path, 'hash', o.hash,
            'file_size', o.file_size, 'cover_image', o.record -> 'cover_image') AS record
        FROM models o WHERE o.key = p_key AND _catalog_writable(o.user_id) FOR UPDATE
    ) n WHERE m.key = n.key RETURNING m.record
$$;

-- Answers the key of the cover before: its file goes when the transaction is committed.
CREATE FUNCTION catalog_set_cover(p_key text, p_cover text, p_url text)
RETURNS TABLE (found boolean, old_cover text)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE models m SET cover_key = p_cover, record = m.record || jsonb_build_object('cover_image', p_url)
    FROM (SELECT o.key, o.cover_key FROM models o WHERE o.key = p_key AND _catalog_writable(o.user_id) FOR UPDATE) o
    WHERE m.key = o.key RETURNING true, o.cover_key
$$;

CREATE FUNCTION catalog_delete_model(p_key text) RETURNS TABLE (found boolean, files jsonb, cover_key text)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM models m WHERE m.key = p_key AND _catalog_writable(m.user_id) RETURNING true, m.files, m.cover_key
$$;

-- Links two models: for everybody when both are shared, else for the person alone, who must own one of them.
-- Foreign keys see all people's models, so who may see them is asked here.
CREATE FUNCTION catalog_relate(p_one text, p_other text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_seen integer;
    v_owner uuid;
BEGIN
    SELECT count(*), max(m.user_id::text)::uuid INTO v_seen, v_owner FROM models m
    WHERE m.key IN (p_one, p_other) AND app_user() IS NOT NULL AND (m.user_id IS NULL OR m.user_id = app_user());
    IF v_seen <> 2 THEN
        RETURN 'unknown';
    ELSIF NOT _catalog_writable(v_owner) THEN
        RETURN 'refused';
    END IF;
    INSERT INTO model_relationships (user_id, model_key_1, model_key_2)
    VALUES (v_owner, least(p_one, p_other), greatest(p_one, p_other)) ON CONFLICT DO NOTHING;
    RETURN 'done';
END $$;

CREATE FUNCTION catalog_unrelate(p_one text, p_other text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_seen integer;
    v_owner uuid;
BEGIN
    SELECT count(*), max(m.user_id::text)::uuid INTO v_seen, v_owner FROM models m
    WHERE m.key IN (p_one, p_other) AND app_user() IS NOT NULL AND (m.user_id IS NULL OR m.user_id = app_user());
    IF v_seen <> 2 THEN
        RETURN 'unknown';
    ELSIF NOT _catalog_writable(v_owner) THEN
        RETURN 'refused';
    END IF;
    DELETE FROM model_relationships r WHERE r.user_id IS NOT DISTINCT FROM v_owner
        AND r.model_key_1 = least(p_one, p_other) AND r.model_key_2 = greatest(p_one, p_other);
    RETURN 'done';
END $$;

-- Files that the object store holds, for the sweep that looks whether they are there: a page of models after p_after.
CREATE FUNCTION catalog_file_lists(p_after text, p_limit integer)
RETURNS TABLE (key text, files jsonb, missing boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT m.key::text, m.files, m.missing FROM models m
    WHERE m.key > p_after AND jsonb_array_length(m.files) > 0 ORDER BY m.key LIMIT p_limit
$$;

CREATE FUNCTION catalog_mark_missing(p_key text, p_missing boolean) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS
$$ UPDATE models m SET missing = p_missing WHERE m.key = p_key AND m.missing <> p_missing $$;

-- Bytes of the files that a failed download has left in the object store, for another try.
CREATE FUNCTION _install_kept(p_parts jsonb) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(sum((p ->> 'bytes')::bigint), 0)::bigint FROM jsonb_array_elements(p_parts) p
    WHERE p ->> 'status' = 'completed'
$$;

-- The files of an install whose model was refused: they are removed, and another try downloads them again.
CREATE FUNCTION _install_anew(p_parts jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(jsonb_agg(p || '{"status": "waiting", "bytes": 0, "key": null, "etag": null}'), '[]')
    FROM jsonb_array_elements(p_parts) p
$$;

-- Bytes that a person may still store under their plan; NULL for no limit, negative where the plan has no models of
-- one's own. What their other installs will take is counted as taken.
CREATE FUNCTION install_room(p_user uuid, p_except bigint) RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    SELECT CASE
        WHEN p.id IS NULL OR NOT 'custom' = ANY (p.model_access) THEN -1
        WHEN p.max_storage_gb IS NULL THEN NULL
        ELSE greatest(0, p.max_storage_gb * 1073741824
            - coalesce((SELECT g.bytes FROM gallery_state g WHERE g.user_id = p_user), 0)
            - coalesce((SELECT sum(m.file_size) FROM models m WHERE m.user_id = p_user), 0)
            - coalesce((SELECT sum(CASE WHEN i.status = 'error' THEN _install_kept(i.parts)
                                        ELSE greatest(i.total_bytes, i.bytes) END) FROM model_installs i
                        WHERE i.user_id = p_user AND NOT i.shared AND i.kind = 'install' AND i.id <> p_except
                          AND i.status NOT IN ('completed', 'cancelled')), 0))::bigint
    END
    FROM (SELECT p_user AS id) u
    LEFT JOIN user_subscriptions s ON s.user_id = u.id AND s.status IN ('trialing', 'active', 'past_due')
        AND s.current_period_end > now()
    LEFT JOIN subscription_plans p ON p.id = s.plan_id
$$;

CREATE FUNCTION install_my_room() RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$ SELECT install_room(app_user(), 0) $$;

-- The next install to work on, or none. Parameters: p_stage: 'download', or 'identify' for what a worker does;
-- p_lease: seconds; p_tries: claims of one stage after which it is given up: its process died each time.
-- The person with the fewest in hand goes first, then the oldest.
CREATE FUNCTION install_claim(p_stage text, p_lease double precision, p_tries integer)
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

-- Prolongs the lease and leaves how far it is. Answers 'ok', or what has become of the install: it is out of hand then.
CREATE FUNCTION install_beat(p_id bigint, p_claim uuid, p_lease double precision, p_parts jsonb, p_bytes bigint,
    p_total bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE model_installs i SET parts = coalesce(p_parts, i.parts), bytes = coalesce(p_bytes, i.bytes),
        total_bytes = coalesce(p_total, i.total_bytes), lease_until = now() + make_interval(secs => p_lease)
    WHERE i.id = p_id AND i.claim = p_claim AND i.status IN ('downloading', 'running');
    IF FOUND THEN
        RETURN 'ok';
    END IF;
    RETURN coalesce((SELECT CASE WHEN i.status IN ('paused', 'cancelled') THEN i.status ELSE 'lost' END
                     FROM model_installs i WHERE i.id = p_id), 'cancelled');
END $$;

CREATE FUNCTION install_downloaded(p_id bigint, p_claim uuid, p_parts jsonb, p_bytes bigint) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE model_installs i SET status = 'downloads_done', parts = p_parts, bytes = p_bytes, total_bytes = p_bytes,
        access_token = NULL, claim = NULL, lease_until = NULL, attempts = 0
    WHERE i.id = p_id AND i.claim = p_claim AND i.status = 'downloading' RETURNING true
$$;

CREATE FUNCTION install_fail(p_id bigint, p_claim uuid, p_type text, p_error text) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE model_installs i SET status = 'error', error_type = p_type, error = p_error, claim = NULL,
        lease_until = NULL, attempts = 0, access_token = NULL,
        parts = CASE i.status WHEN 'running' THEN _install_anew(i.parts) ELSE i.parts END
    WHERE i.id = p_id AND i.claim = p_claim AND i.status IN ('downloading', 'running') RETURNING true
$$;

-- Gives it back: something of ours was away, or this process is going. It is no lost try.
CREATE FUNCTION install_return(p_id bigint, p_claim uuid) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE model_installs i SET claim = NULL, lease_until = now() + interval '5 seconds', attempts = i.attempts - 1
    WHERE i.id = p_id AND i.claim = p_claim AND i.status IN ('downloading', 'running') RETURNING true
$$;

-- Registers what was identified, as the person's own or for everybody, or renews it after a second look.
-- Answers the record; NULL when the install was no longer this claim's, or its model is gone.
CREATE FUNCTION install_finish(p_id bigint, p_claim uuid, p_record jsonb, p_files jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_job model_installs;
    v_record jsonb;
BEGIN
    SELECT * INTO v_job FROM model_installs i
    WHERE i.id = p_id AND i.claim = p_claim AND i.status = 'running' FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF v_job.shared AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = v_job.user_id AND u.role = 'admin') THEN
        RAISE EXCEPTION 'only staff may offer models to everybody' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF v_job.kind = 'install' THEN
        INSERT INTO models AS m (key, user_id, name, base, type, format, path, hash, file_size, record, files)
        VALUES (v_job.model_key, CASE WHEN v_job.shared THEN NULL ELSE v_job.user_id END, p_record ->> 'name',
            p_record ->> 'base', p_record ->> 'type', p_record ->> 'format', p_record ->> 'path',
            p_record ->> 'hash', (p_record ->> 'file_size')::bigint, p_record, p_files)
        RETURNING m.record INTO v_record;
    ELSE
        UPDATE models m SET base = n.record ->> 'base', type = n.record ->> 'type', format = n.record ->> 'format',
            record = n.record
        FROM (
            SELECT o.key, p_record || jsonb_build_object('key', o.key, 'path', o.path, 'hash', o.hash,
                'file_size', o.file_size) || (
                    SELECT coalesce(jsonb_object_agg(f.key, f.value), '{}') FROM jsonb_each(o.record) f
                    WHERE f.key IN ('name', 'description', 'cover_image', 'source', 'source_type', 'source_url',
                        'source_api_response') OR (f.key = 'trigger_phrases' AND p_record ? 'trigger_phrases')
                ) AS record
            FROM models o WHERE o.key = v_job.model_key
              AND o.user_id IS NOT DISTINCT FROM CASE WHEN v_job.shared THEN NULL ELSE v_job.user_id END FOR UPDATE
        ) n WHERE m.key = n.key RETURNING m.record INTO v_record;
    END IF;
    UPDATE model_installs i SET status = 'completed', config_out = v_record, claim = NULL, lease_until = NULL,
        bytes = i.total_bytes
    WHERE i.id = p_id;
    RETURN v_record;
END $$;

REVOKE ALL ON FUNCTION _install_kept(jsonb), _install_anew(jsonb), install_room(uuid, bigint), install_my_room(), install_claim(text, double precision, integer),
    install_beat(bigint, uuid, double precision, jsonb, bigint, bigint), install_downloaded(bigint, uuid, jsonb, bigint),
    install_fail(bigint, uuid, text, text), install_return(bigint, uuid), install_finish(bigint, uuid, jsonb, jsonb),
    catalog_change_model(text, jsonb), catalog_set_cover(text, text, text), catalog_delete_model(text),
    catalog_relate(text, text), catalog_unrelate(text, text), catalog_file_lists(text, integer),
    catalog_mark_missing(text, boolean), _catalog_writable(uuid), _catalog_is_staff() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION catalog_change_model(text, jsonb), catalog_set_cover(text, text, text),
    catalog_delete_model(text), catalog_relate(text, text), catalog_unrelate(text, text), install_my_room() TO invokeai_api;
GRANT EXECUTE ON FUNCTION install_room(uuid, bigint), install_claim(text, double precision, integer),
    install_beat(bigint, uuid, double precision, jsonb, bigint, bigint), install_downloaded(bigint, uuid, jsonb, bigint),
    install_fail(bigint, uuid, text, text), install_return(bigint, uuid), install_finish(bigint, uuid, jsonb, jsonb),
    catalog_file_lists(text, integer), catalog_mark_missing(text, boolean) TO invokeai_worker;
