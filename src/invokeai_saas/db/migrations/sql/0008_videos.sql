-- Videos from people's disks.
GRANT INSERT (image_name, user_id, image_origin, image_category, width, height, session_id, metadata, is_intermediate,
    has_workflow, workflow, graph, s3_key, s3_thumbnail_key, file_size_bytes) ON images TO invokeai_api;
GRANT INSERT (kind, duration_seconds, fps) ON images TO invokeai_api;
