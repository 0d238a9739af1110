DROP FUNCTION queue_enqueue(uuid, jsonb, jsonb, text, text, boolean, jsonb, integer, text[]);
