DROP FUNCTION mail_remind_deletions(integer), mail_remind_trials(integer),
    billing_deletion_at(uuid), billing_trial(uuid), _mail_unspent(uuid), mail_failed(uuid, integer, text, boolean), mail_sent(uuid, integer),
    mail_claim(integer, double precision, integer), mail_enqueue(uuid, text, text, jsonb);
DROP INDEX ix_user_subscriptions_trial_end;
DROP TABLE password_reset_requests, mail_links, mail_outbox;
ALTER TABLE users DROP COLUMN email_verified_at, DROP COLUMN language;
