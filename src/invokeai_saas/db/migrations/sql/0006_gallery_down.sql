CREATE OR REPLACE FUNCTION _queue_record_images(p_job session_queue, p_images jsonb) RETURNS void LANGUAGE sql AS $$
    INSERT INTO images AS i (image_name, user_id, image_origin, image_category, width, height, session_id, node_id,
        item_id, metadata, is_intermediate, has_workflow, workflow, graph, s3_key, s3_thumbnail_key, file_size_bytes)
    SELECT r.image_name, p_job.user_id, r.image_origin, r.image_category, r.width, r.height, r.session_id, r.node_id,
        p_job.item_id, r.metadata, r.is_intermediate, r.workflow IS NOT NULL OR r.graph IS NOT NULL, r.workflow,
        r.graph, r.s3_key, r.s3_thumbnail_key, r.file_size_bytes
    FROM jsonb_array_elements(p_images) e, jsonb_populate_record(NULL::images, e - 'board_id') r
    ON CONFLICT (image_name) DO NOTHING;
    INSERT INTO board_images (user_id, image_name, board_id)
    SELECT p_job.user_id, r ->> 'image_name', b.board_id
    FROM jsonb_array_elements(p_images) r
    JOIN boards b ON b.user_id = p_job.user_id AND b.board_id::text = r ->> 'board_id'
    FOR KEY SHARE OF b
    ON CONFLICT (user_id, image_name) DO NOTHING
$$;
DROP TRIGGER gallery_insert ON images;
DROP TRIGGER gallery_update ON images;
DROP TRIGGER gallery_delete ON images;
DROP TRIGGER gallery_insert ON boards;
DROP TRIGGER gallery_update ON boards;
DROP TRIGGER gallery_delete ON boards;
DROP TRIGGER mirror_board_insert ON board_images;
DROP TRIGGER mirror_board_update ON board_images;
DROP TRIGGER mirror_board_delete ON board_images;
DROP FUNCTION gallery_changed(), gallery_mirror_board(), _gallery_bump(uuid[], bigint[]);
DROP TABLE gallery_state;
DROP INDEX ix_images_board;
DROP INDEX ix_images_uncategorised;
DROP INDEX ix_images_gallery;
DELETE FROM images WHERE kind = 'video';
ALTER TABLE boards DROP COLUMN cover_video_name;
ALTER TABLE images DROP CONSTRAINT ck_images_name, DROP COLUMN kind, DROP COLUMN duration_seconds, DROP COLUMN fps, DROP COLUMN board_id;
CREATE INDEX ix_images_gallery ON images (user_id, starred DESC, created_at DESC, image_name DESC)
    INCLUDE (image_category) WHERE NOT is_intermediate;
