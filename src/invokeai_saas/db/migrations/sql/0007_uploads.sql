-- Pictures from people's disks, downloads of many at once, and what the scheduler clears away of both.

-- A row leads to its files, so a person's rows may name none but their own: what the API's role writes is held to it.
GRANT INSERT (image_name, user_id, image_origin, image_category, width, height, session_id, metadata, is_intermediate,
    has_workflow, workflow, graph, s3_key, s3_thumbnail_key, file_size_bytes) ON images TO invokeai_api;
CREATE POLICY own_files ON images AS RESTRICTIVE TO invokeai_api USING (true) WITH CHECK (
    starts_with(s3_key, 'users/' || user_id || '/') AND starts_with(s3_thumbnail_key, 'users/' || user_id || '/'));

CREATE TABLE bulk_downloads (
    id UUID NOT NULL,
    user_id UUID NOT NULL,
    item_name VARCHAR(400) NOT NULL,
    state VARCHAR(10) DEFAULT 'preparing' NOT NULL,
    s3_key VARCHAR(512) NOT NULL,
    file_size_bytes BIGINT,
    alive_until TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_bulk_downloads PRIMARY KEY (id),
    CONSTRAINT ck_bulk_downloads_state CHECK (state IN ('preparing', 'ready', 'failed')),
    CONSTRAINT ck_bulk_downloads_size CHECK ((state = 'ready') = (file_size_bytes IS NOT NULL)),
    CONSTRAINT ck_bulk_downloads_key CHECK (starts_with(s3_key, 'users/' || user_id || '/downloads/')),
    CONSTRAINT uq_bulk_downloads_user_id_item_name UNIQUE (user_id, item_name),
    CONSTRAINT fk_bulk_downloads_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX ix_bulk_downloads_alive_until ON bulk_downloads (alive_until) WHERE state = 'preparing';
CREATE INDEX ix_bulk_downloads_expires_at ON bulk_downloads (expires_at);
CREATE INDEX ix_bulk_downloads_s3_key ON bulk_downloads (s3_key);
ALTER TABLE bulk_downloads ENABLE ROW LEVEL SECURITY;
ALTER TABLE bulk_downloads FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON bulk_downloads TO invokeai_owner USING (true) WITH CHECK (true);
CREATE POLICY tenant ON bulk_downloads TO invokeai_api USING (user_id = app_user()) WITH CHECK (user_id = app_user());
GRANT SELECT, INSERT (id, user_id, item_name, s3_key, alive_until, expires_at),
    UPDATE (state, file_size_bytes, alive_until, expires_at) ON bulk_downloads TO invokeai_api;

-- Downloads whose process went silent, now failed.
CREATE FUNCTION gallery_reap_downloads(p_limit integer) RETURNS TABLE (owner_id uuid, name text)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE bulk_downloads d SET state = 'failed' WHERE d.id IN (
        SELECT id FROM bulk_downloads WHERE state = 'preparing' AND alive_until < now()
        ORDER BY alive_until LIMIT p_limit FOR UPDATE SKIP LOCKED)
    RETURNING d.user_id, d.item_name::text
$$;

-- Forgets downloads whose time is over; answers where their files lie.
CREATE FUNCTION gallery_drop_downloads(p_limit integer) RETURNS SETOF text
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM bulk_downloads d WHERE d.id IN (
        SELECT id FROM bulk_downloads WHERE state <> 'preparing' AND expires_at < now()
        ORDER BY expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED)
    RETURNING d.s3_key::text
$$;

-- Those of the keys that no row names. A picture's name is its file's, so each key is one look at an index.
CREATE FUNCTION gallery_unnamed_files(p_keys text[]) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT k.key FROM unnest(p_keys) AS k (key)
    CROSS JOIN LATERAL (SELECT regexp_replace(k.key, '^.*/|\.[^./]*$', '', 'g') AS stem) s
    WHERE NOT EXISTS (SELECT 1 FROM images i WHERE i.image_name IN (s.stem || '.png', s.stem || '.mp4')
                      AND k.key IN (i.s3_key, i.s3_thumbnail_key))
      AND NOT EXISTS (SELECT 1 FROM bulk_downloads d WHERE d.s3_key = k.key)
$$;

REVOKE ALL ON FUNCTION gallery_reap_downloads(integer), gallery_drop_downloads(integer),
    gallery_unnamed_files(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gallery_reap_downloads(integer), gallery_drop_downloads(integer),
    gallery_unnamed_files(text[]) TO invokeai_worker;
