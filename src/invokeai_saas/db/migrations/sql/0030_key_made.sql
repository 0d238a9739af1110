-- Who makes an API key is told by mail, in case it was somebody else.
ALTER TABLE mail_outbox DROP CONSTRAINT ck_mail_outbox_kind;
ALTER TABLE mail_outbox ADD CONSTRAINT ck_mail_outbox_kind CHECK (kind IN ('welcome', 'verify_email', 'reset_password',
    'trial_ending', 'receipt', 'payment_failed', 'low_credits', 'tester_granted', 'deletion_warning', 'export_ready',
    'deletion_requested', 'account_deleted', 'password_changed', 'key_made')) NOT VALID;
ALTER TABLE mail_outbox VALIDATE CONSTRAINT ck_mail_outbox_kind;
