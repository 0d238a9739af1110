DROP FUNCTION _queue_plan, _queue_lock_lane, _queue_join_lane, queue_enqueue, _queue_insert, queue_claim,
    _queue_prefers, _queue_next, _queue_start, _queue_lock_attempt, queue_heartbeat, _queue_drop_images, _queue_end,
    queue_finish, _queue_requeue, queue_return, queue_reap, queue_cancel, queue_delete, gallery_record_image,
    queue_worker_seen, queue_backlog, _queue_counts, _queue_status_event, _wire_time, _queue_status,
    queue_job_status_event, queue_my_status_event, queue_my_status;
