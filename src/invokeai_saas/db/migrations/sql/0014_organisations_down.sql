DROP SCHEMA sharing CASCADE;
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
DROP TABLE organisation_members;
DROP TABLE organisations;
DROP FUNCTION app_organisation(), sharing_people(), organisation_names(), organisation_joined(), organisation_left();
ALTER TABLE gallery_state DROP COLUMN in_organisation;
REVOKE UPDATE (board_visibility) ON boards FROM invokeai_api;
-- The release before shares nothing.
UPDATE boards SET board_visibility = 'private' WHERE board_visibility <> 'private';
DROP TRIGGER close_board ON boards;
DROP TRIGGER place_on_board ON board_images;
DROP FUNCTION gallery_close_board(), gallery_place_on_board(), sharing_hold_board(uuid), _board_is_open(uuid, uuid),
    _organisation_shares(uuid);
DROP POLICY tenant ON board_images;
CREATE POLICY tenant ON board_images TO invokeai_api USING (user_id = app_user()) WITH CHECK (user_id = app_user());
DROP INDEX ix_board_images_board_user_id_board_id;
ALTER TABLE board_images DROP CONSTRAINT fk_board_images_board_user_id_board_id, DROP COLUMN board_user_id,
    ADD CONSTRAINT fk_board_images_user_id_board_id FOREIGN KEY(user_id, board_id)
        REFERENCES boards (user_id, board_id) ON DELETE CASCADE;
CREATE INDEX ix_board_images_user_id_board_id ON board_images (user_id, board_id);
