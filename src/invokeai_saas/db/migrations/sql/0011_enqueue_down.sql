DROP FUNCTION queue_enqueue_as(uuid, uuid, jsonb, jsonb, text, text, boolean, jsonb, integer, text[]);
DROP FUNCTION queue_enqueue(uuid, jsonb, jsonb, text, text, boolean, jsonb, integer, text[]);
