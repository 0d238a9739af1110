DROP FUNCTION billing_sweep(integer), billing_grant_months(integer), _billing_take(payments, integer, numeric),
    _billing_grants(payments), billing_take_back(text, bigint, boolean), _billing_bought_with(text, text),
    billing_apply_invoice(uuid, jsonb), billing_sync_subscriptions(uuid, jsonb), billing_lock_customer(text),
    stripe_event_replay(text), stripe_event_ended(text, text, text), stripe_event_claim(), billing_request_sync(),
    stripe_event_store(text, text, timestamptz, jsonb), billing_set_customer(text), queue_refresh_lanes(uuid),
    _billing_month(timestamptz, integer), _billing_at(jsonb);
REVOKE USAGE ON SCHEMA public FROM invokeai_billing;
DROP TABLE account_lapses, payments, invoices, stripe_events, stripe_customers, credit_packs;
ALTER TABLE user_subscriptions DROP COLUMN billing_interval, DROP COLUMN next_plan_id, DROP COLUMN next_interval;
