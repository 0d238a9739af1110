DROP FUNCTION staff_storage(uuid), staff_replay_event(text, text), staff_cancel_job(bigint, text),
    _staff_cancel(uuid, bigint[]), staff_unblock(uuid, text), staff_block(uuid, text),
    staff_edit_pack(text, jsonb, text), staff_edit_plan(uuid, jsonb, text), staff_end_agreed_plan(uuid, text),
    _staff_changes(jsonb, jsonb), staff_set_agreed_plan(uuid, jsonb, timestamptz, text),
    billing_grant_agreed(uuid, integer), tester_sweep(integer), _tester_close(uuid), staff_revoke_tester(uuid, uuid, text),
    staff_grant_tester(uuid, timestamptz, text, uuid), staff_give_credits(uuid, integer, integer, text, uuid),
    _staff_clear_plan(uuid, uuid), _staff_lock(uuid), _staff_note(text, uuid, text, text, text, jsonb);

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['users', 'auth_sessions', 'user_subscriptions', 'subscription_plans', 'credits',
        'credit_transactions', 'usage_records', 'payments', 'invoices', 'stripe_customers', 'stripe_events',
        'account_lapses', 'session_queue', 'job_attempts', 'queue_lanes', 'organisations', 'organisation_members'] LOOP
        EXECUTE format('DROP POLICY staff_reads ON %I', t);
    END LOOP;
END $$;

-- Plans that were agreed on are plans like others then, which are not on offer.
DROP POLICY tenant ON subscription_plans;
DROP POLICY owner_all ON subscription_plans;
ALTER TABLE subscription_plans NO FORCE ROW LEVEL SECURITY;
ALTER TABLE subscription_plans DISABLE ROW LEVEL SECURITY;
ALTER TABLE subscription_plans DROP COLUMN customer_id;
DROP INDEX ix_users_created_at_id, ix_session_queue_failed;
DROP TABLE tester_plan_grants, staff_sessions, staff_credentials, audit_log;
DROP FUNCTION staff_end_session(bytea), staff_session(bytea),
    staff_open_session(uuid, bigint, bytea, text, text), staff_login_facts(text),
    audit_operator(text, uuid, text, text, text, jsonb),
    _audit(uuid, text, text, uuid, text, text, text, jsonb), staff_present(), _staff_id();
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM invokeai_staff;
REVOKE ALL ON SCHEMA public FROM invokeai_staff;
