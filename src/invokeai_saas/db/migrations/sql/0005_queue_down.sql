DROP FUNCTION _queue_plan, _queue_lock_lane, _queue_join_lane, queue_enqueue, _queue_insert, queue_claim,
    _queue_candidates, _queue_prefers, _queue_next, _queue_waiting, _queue_count_passed_over, _queue_start,
    _queue_lock_attempt, queue_heartbeat, _queue_end, _queue_record_images, queue_finish, _queue_requeue,
    queue_return, _queue_reap_one, queue_reap, queue_delete, queue_cancel, _queue_counts, _wire_time, _queue_status,
    _queue_status_event, queue_job_status_event, queue_my_status_event, queue_my_status, queue_worker_seen,
    queue_forget_workers, queue_backlog;
