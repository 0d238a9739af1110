DROP FUNCTION gallery_reap_downloads(integer), gallery_drop_downloads(integer), gallery_unnamed_files(text[]);
DROP TABLE bulk_downloads;
DROP POLICY own_files ON images;
REVOKE INSERT (image_name, user_id, image_origin, image_category, width, height, session_id, metadata, is_intermediate,
    has_workflow, workflow, graph, s3_key, s3_thumbnail_key, file_size_bytes) ON images FROM invokeai_api;
