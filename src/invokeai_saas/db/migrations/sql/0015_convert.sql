-- Single-file checkpoints become folders. A worker writes the folder beside the file, then the model's row is turned to
-- it in one statement, then the file goes: at every moment the row names files that are whole.

ALTER TABLE model_installs DROP CONSTRAINT ck_model_installs_kind;
ALTER TABLE model_installs ADD CONSTRAINT ck_model_installs_kind CHECK (kind IN ('install', 'identify', 'convert'));
-- One at a time for each model.
CREATE UNIQUE INDEX uq_model_installs_converting ON model_installs (user_id, model_key)
    WHERE kind = 'convert' AND status IN ('waiting', 'downloading', 'downloads_done', 'running', 'paused');

-- Turns a model's row to its new files; what its person says of it stays. The install stays in hand until the old files
-- are gone (install_converted): `config_out` tells whoever takes it over that this has happened.
-- NULL when the install is no longer this claim's, or the model is gone or is another by now.
CREATE FUNCTION install_convert(p_id bigint, p_claim uuid, p_record jsonb, p_files jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_job model_installs;
    v_record jsonb;
BEGIN
    SELECT * INTO v_job FROM model_installs i
    WHERE i.id = p_id AND i.claim = p_claim AND i.kind = 'convert' AND i.status = 'running' FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF v_job.shared AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = v_job.user_id AND u.role = 'admin') THEN
        RAISE EXCEPTION 'only staff may change what is offered to everybody' USING ERRCODE = 'insufficient_privilege';
    END IF;
    UPDATE models m SET base = n.record ->> 'base', type = n.record ->> 'type', format = n.record ->> 'format',
        path = n.record ->> 'path', hash = n.record ->> 'hash', file_size = (n.record ->> 'file_size')::bigint,
        record = n.record, files = p_files, missing = false
    FROM (
        SELECT o.key, p_record || jsonb_build_object('key', o.key) || (
                SELECT coalesce(jsonb_object_agg(f.key, f.value), '{}') FROM jsonb_each(o.record) f
                WHERE f.key IN ('name', 'description', 'cover_image', 'source', 'source_type', 'source_url',
                    'source_api_response', 'trigger_phrases', 'default_settings') AND p_record ? f.key
            ) AS record
        FROM models o WHERE o.key = v_job.model_key AND o.format = 'checkpoint'
          AND o.files -> 0 -> 'key' = v_job.parts -> 0 -> 'key'
          AND o.user_id IS NOT DISTINCT FROM CASE WHEN v_job.shared THEN NULL ELSE v_job.user_id END FOR UPDATE
    ) n WHERE m.key = n.key RETURNING m.record INTO v_record;
    IF v_record IS NOT NULL THEN
        UPDATE model_installs i SET config_out = v_record WHERE i.id = p_id;
    END IF;
    RETURN v_record;
END $$;

-- The old files are gone, and with them what there was to do.
CREATE FUNCTION install_converted(p_id bigint, p_claim uuid) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE model_installs i SET status = 'completed', claim = NULL, lease_until = NULL
    WHERE i.id = p_id AND i.claim = p_claim AND i.kind = 'convert' AND i.status = 'running'
      AND i.config_out IS NOT NULL RETURNING true
$$;

REVOKE ALL ON FUNCTION install_convert(bigint, uuid, jsonb, jsonb), install_converted(bigint, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION install_convert(bigint, uuid, jsonb, jsonb), install_converted(bigint, uuid) TO invokeai_worker;
