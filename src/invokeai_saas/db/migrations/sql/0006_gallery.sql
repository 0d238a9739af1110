-- The gallery at size: videos among the pictures, a picture's board beside it, and a version of each person's gallery.
--
-- board_images stays the truth of what lies where. images.board_id mirrors it, so that one index holds a board's
-- pictures in the order in which they are shown. gallery_state.version grows with every change of what a gallery
-- shows: it is the validator of conditional requests, and says whether a count that a process remembers still holds.

ALTER TABLE images
    ADD COLUMN kind VARCHAR(10) DEFAULT 'image' NOT NULL,
    ADD COLUMN duration_seconds DOUBLE PRECISION,
    ADD COLUMN fps DOUBLE PRECISION,
    ADD COLUMN board_id UUID,
    ADD CONSTRAINT ck_images_name CHECK (image_name ~ '^[A-Za-z0-9._-]+$'),  -- lists of names are written unescaped
    ADD CONSTRAINT ck_images_kind CHECK (kind IN ('image', 'video')),
    ADD CONSTRAINT ck_images_duration CHECK ((kind = 'video') = (duration_seconds IS NOT NULL));

ALTER TABLE boards ADD COLUMN cover_video_name VARCHAR(255);
GRANT UPDATE (cover_video_name) ON boards TO invokeai_api;

CREATE TABLE gallery_state (
    user_id UUID NOT NULL,
    version BIGINT DEFAULT '0' NOT NULL,
    bytes BIGINT DEFAULT '0' NOT NULL,
    CONSTRAINT pk_gallery_state PRIMARY KEY (user_id),
    CONSTRAINT fk_gallery_state_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
ALTER TABLE gallery_state ENABLE ROW LEVEL SECURITY;
ALTER TABLE gallery_state FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON gallery_state TO invokeai_owner USING (true) WITH CHECK (true);
CREATE POLICY tenant ON gallery_state TO invokeai_api USING (user_id = app_user()) WITH CHECK (user_id = app_user());
GRANT SELECT ON gallery_state TO invokeai_api;

UPDATE images i SET board_id = b.board_id FROM board_images b
WHERE b.user_id = i.user_id AND b.image_name = i.image_name;
INSERT INTO gallery_state (user_id, version, bytes)
SELECT u.id, 1, coalesce(sum(i.file_size_bytes), 0) FROM users u LEFT JOIN images i ON i.user_id = u.id GROUP BY u.id;

DROP INDEX ix_images_gallery;
CREATE INDEX ix_images_gallery ON images (user_id, starred DESC, created_at DESC, image_name DESC)
    INCLUDE (image_category, kind) WHERE NOT is_intermediate;
-- Two, because `board_id IS NULL` would not count as equality when the planner looks for the order.
CREATE INDEX ix_images_uncategorised ON images (user_id, starred DESC, created_at DESC, image_name DESC)
    INCLUDE (image_category, kind) WHERE NOT is_intermediate AND board_id IS NULL;
CREATE INDEX ix_images_board ON images (user_id, board_id, starred DESC, created_at DESC, image_name DESC)
    INCLUDE (image_category, kind) WHERE NOT is_intermediate AND board_id IS NOT NULL;

CREATE FUNCTION gallery_mirror_board() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        UPDATE images i SET board_id = NULL FROM gone g WHERE i.user_id = g.user_id AND i.image_name = g.image_name;
    ELSE
        UPDATE images i SET board_id = c.board_id FROM changed c
        WHERE i.user_id = c.user_id AND i.image_name = c.image_name AND i.board_id IS DISTINCT FROM c.board_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER mirror_board_insert AFTER INSERT ON board_images REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION gallery_mirror_board();
CREATE TRIGGER mirror_board_update AFTER UPDATE ON board_images REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION gallery_mirror_board();
CREATE TRIGGER mirror_board_delete AFTER DELETE ON board_images REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION gallery_mirror_board();

-- The row of gallery_state is the last lock that a transaction takes: its triggers run after its statements. A person
-- who is being deleted has no row in users any more, and gets none here.
CREATE FUNCTION gallery_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_TABLE_NAME = 'images' AND TG_OP = 'DELETE' THEN
        PERFORM _gallery_bump(array_agg(c.user_id), array_agg(c.bytes)) FROM (
            SELECT user_id, -sum(file_size_bytes)::bigint AS bytes FROM changed GROUP BY user_id ORDER BY user_id) c;
    ELSIF TG_TABLE_NAME = 'images' AND TG_OP = 'INSERT' THEN
        PERFORM _gallery_bump(array_agg(c.user_id), array_agg(c.bytes)) FROM (
            SELECT user_id, sum(file_size_bytes)::bigint AS bytes FROM changed GROUP BY user_id ORDER BY user_id) c;
    ELSE
        PERFORM _gallery_bump(array_agg(c.user_id), array_agg(0::bigint)) FROM (
            SELECT DISTINCT user_id FROM changed ORDER BY user_id) c;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION _gallery_bump(p_users uuid[], p_bytes bigint[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO gallery_state AS s (user_id, version, bytes)
    SELECT u.id, 1, greatest(c.bytes, 0) FROM unnest(p_users, p_bytes) AS c (user_id, bytes)
    JOIN users u ON u.id = c.user_id ORDER BY u.id
    ON CONFLICT (user_id) DO UPDATE SET version = s.version + 1,
        bytes = s.bytes + (SELECT c.bytes FROM unnest(p_users, p_bytes) AS c (user_id, bytes)
                           WHERE c.user_id = s.user_id)
$$;

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['images', 'boards'] LOOP
        EXECUTE format('CREATE TRIGGER gallery_insert AFTER INSERT ON %I REFERENCING NEW TABLE AS changed'
            ' FOR EACH STATEMENT EXECUTE FUNCTION gallery_changed()', t);
        EXECUTE format('CREATE TRIGGER gallery_update AFTER UPDATE ON %I REFERENCING NEW TABLE AS changed'
            ' FOR EACH STATEMENT EXECUTE FUNCTION gallery_changed()', t);
        EXECUTE format('CREATE TRIGGER gallery_delete AFTER DELETE ON %I REFERENCING OLD TABLE AS changed'
            ' FOR EACH STATEMENT EXECUTE FUNCTION gallery_changed()', t);
    END LOOP;
END $$;

-- As before, and videos too. The board's id is left out of the row: it may be any text, and is looked up below.
CREATE OR REPLACE FUNCTION _queue_record_images(p_job session_queue, p_images jsonb) RETURNS void LANGUAGE sql AS $$
    INSERT INTO images AS i (image_name, user_id, image_origin, image_category, width, height, session_id, node_id,
        item_id, metadata, is_intermediate, has_workflow, workflow, graph, s3_key, s3_thumbnail_key, file_size_bytes,
        kind, duration_seconds, fps)
    SELECT r.image_name, p_job.user_id, r.image_origin, r.image_category, r.width, r.height, r.session_id, r.node_id,
        p_job.item_id, r.metadata, r.is_intermediate, r.workflow IS NOT NULL OR r.graph IS NOT NULL, r.workflow,
        r.graph, r.s3_key, r.s3_thumbnail_key, r.file_size_bytes, coalesce(r.kind, 'image'), r.duration_seconds, r.fps
    FROM jsonb_array_elements(p_images) e, jsonb_populate_record(NULL::images, e - 'board_id') r
    ON CONFLICT (image_name) DO NOTHING;
    INSERT INTO board_images (user_id, image_name, board_id)
    SELECT p_job.user_id, r ->> 'image_name', b.board_id
    FROM jsonb_array_elements(p_images) r
    JOIN boards b ON b.user_id = p_job.user_id AND b.board_id::text = r ->> 'board_id'  -- as text: it may be anything
    FOR KEY SHARE OF b
    ON CONFLICT (user_id, image_name) DO NOTHING
$$;

REVOKE ALL ON FUNCTION gallery_mirror_board(), gallery_changed(), _gallery_bump(uuid[], bigint[]) FROM PUBLIC;
