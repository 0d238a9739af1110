DROP FUNCTION figures_deferred(), figures_revenue(timestamptz, timestamptz), _figures_timed(timestamptz, timestamptz),
    _figures_by(timestamptz, payments, bigint, numeric, numeric, numeric), _figures_grants(),
    _figures_payments(), figures_gpu(timestamptz, timestamptz), figures_credits(timestamptz, timestamptz),
    figures_pictures(timestamptz, timestamptz), figures_active_people(timestamptz, timestamptz),
    figures_activity(timestamptz, timestamptz), figures_churn(timestamptz, timestamptz), figures_subscriptions(),
    figures_money(timestamptz, timestamptz, text), _figures_net(payments), _figures_check();
DROP INDEX ix_credit_transactions_bought, ix_credit_transactions_created_at, ix_usage_records_created_at, ix_images_created_at;
DROP TRIGGER was_there ON gpu_workers;
DROP FUNCTION gpu_worker_was_there();
DROP TABLE gpu_worker_days;
DROP TRIGGER ended ON user_subscriptions;
DROP FUNCTION subscription_ended();
ALTER TABLE user_subscriptions DROP COLUMN ended_at;
