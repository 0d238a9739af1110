-- Videos from people's disks: rows of pictures, with what only a video has.
GRANT INSERT (kind, duration_seconds, fps) ON images TO invokeai_api;
