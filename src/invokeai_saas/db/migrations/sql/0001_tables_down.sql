DROP TABLE job_attempts, session_queue, job_batches, queue_lanes, gpu_workers, models, client_state, board_images,
    boards, images, usage_records, credit_holds, credit_allocations, credit_reservations, credit_transactions,
    credits, credit_accounts, user_subscriptions, subscription_plans, gpu_tiers, auth_sessions, local_credentials,
    users;
