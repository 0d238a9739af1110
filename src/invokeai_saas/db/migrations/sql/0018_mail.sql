-- Mail to people: an outbox, reminders that the records themselves give rise to, and the links that mails carry.
--
-- A mail is a row before it is anything else, written in the transaction that gives rise to it. The scheduler sends it
-- with the auth role: mails carry addresses and links that log people in, and no GPU worker has any business there.

ALTER TABLE users
    ADD COLUMN language VARCHAR(5) DEFAULT 'en' NOT NULL,
    ADD COLUMN email_verified_at TIMESTAMP WITH TIME ZONE,
    ADD CONSTRAINT ck_users_language CHECK (language IN ('en', 'ko'));

CREATE TABLE mail_outbox (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    kind VARCHAR(30) NOT NULL,
    key VARCHAR(255) NOT NULL,
    data JSONB DEFAULT '{}' NOT NULL,
    state VARCHAR(10) DEFAULT 'waiting' NOT NULL,
    attempts INTEGER DEFAULT '0' NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    error TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_mail_outbox PRIMARY KEY (id),
    CONSTRAINT uq_mail_outbox_user_id_kind_key UNIQUE (user_id, kind, key),
    CONSTRAINT ck_mail_outbox_kind CHECK (kind IN ('welcome', 'verify_email', 'reset_password', 'trial_ending', 'receipt',
        'payment_failed', 'low_credits', 'tester_granted', 'deletion_warning')),
    CONSTRAINT ck_mail_outbox_state CHECK (state IN ('waiting', 'sent', 'failed')),
    CONSTRAINT ck_mail_outbox_sent CHECK ((state = 'sent') = (sent_at IS NOT NULL)),
    CONSTRAINT ck_mail_outbox_data CHECK (jsonb_typeof(data) = 'object' AND octet_length(data::text) <= 16384),
    CONSTRAINT fk_mail_outbox_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX ix_mail_outbox_due ON mail_outbox (due_at) WHERE state = 'waiting';
CREATE INDEX ix_mail_outbox_failed ON mail_outbox (created_at) WHERE state = 'failed';

-- Links of mails, as digests. One is good for the address that it was sent to, once, until it expires.
CREATE TABLE mail_links (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    purpose VARCHAR(20) NOT NULL,
    digest BYTEA NOT NULL,
    email VARCHAR(255) NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_mail_links PRIMARY KEY (id),
    CONSTRAINT uq_mail_links_digest UNIQUE (digest),
    CONSTRAINT ck_mail_links_purpose CHECK (purpose IN ('verify_email', 'reset_password')),
    CONSTRAINT fk_mail_links_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX ix_mail_links_user_id ON mail_links (user_id, purpose);
CREATE INDEX ix_mail_links_expires_at ON mail_links (expires_at);

-- Who asks for a new password is written down before anybody looks whether there is such a person: both cost the same.
CREATE TABLE password_reset_requests (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    email VARCHAR(255) NOT NULL,
    requested_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_password_reset_requests PRIMARY KEY (id)
);

CREATE INDEX ix_user_subscriptions_trial_end ON user_subscriptions (trial_end) WHERE trial_end IS NOT NULL;

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['mail_outbox', 'mail_links', 'password_reset_requests'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO invokeai_owner USING (true) WITH CHECK (true)', t);
    END LOOP;
END $$;

CREATE POLICY tenant ON mail_outbox TO invokeai_api USING (user_id = app_user()) WITH CHECK (user_id = app_user());
CREATE POLICY auth_all ON mail_links TO invokeai_auth USING (true) WITH CHECK (true);
CREATE POLICY auth_all ON password_reset_requests TO invokeai_auth USING (true) WITH CHECK (true);

GRANT SELECT ON mail_outbox TO invokeai_api;
GRANT SELECT, INSERT, DELETE ON mail_links, password_reset_requests TO invokeai_auth;
GRANT UPDATE ON password_reset_requests TO invokeai_auth;  -- which locking rows asks for
GRANT INSERT (language), UPDATE (language, email_verified_at) ON users TO invokeai_auth;

-- Writes a mail down; answers its id, or NULL when this person has one of this kind and key already.
CREATE FUNCTION mail_enqueue(p_user uuid, p_kind text, p_key text, p_data jsonb) RETURNS uuid
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO mail_outbox (user_id, kind, key, data) VALUES (p_user, p_kind, p_key, p_data)
    ON CONFLICT (user_id, kind, key) DO NOTHING RETURNING id
$$;

-- Takes mails that are due, for p_lease seconds: after that they are due again, unless mail_sent or mail_failed came.
-- An attempt that nobody ended counts; after p_tries of them a mail is given up.
CREATE FUNCTION mail_claim(p_limit integer, p_lease double precision, p_tries integer)
RETURNS TABLE (id uuid, user_id uuid, kind text, data jsonb, attempt integer, created_at timestamptz, email text,
    name text, language text, verified boolean)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH due AS (
        SELECT o.id FROM mail_outbox o WHERE o.state = 'waiting' AND o.due_at <= now()
        ORDER BY o.due_at LIMIT p_limit FOR UPDATE SKIP LOCKED
    ), given_up AS (
        UPDATE mail_outbox o SET state = 'failed',
            error = coalesce(o.error, 'the process that sent it went away each time')
        FROM due WHERE o.id = due.id AND o.attempts >= p_tries
    ), taken AS (
        UPDATE mail_outbox o SET attempts = o.attempts + 1, due_at = now() + make_interval(secs => p_lease)
        FROM due WHERE o.id = due.id AND o.attempts < p_tries
        RETURNING o.id, o.user_id, o.kind, o.data, o.attempts, o.created_at
    )
    SELECT t.id, t.user_id, t.kind, t.data, t.attempts, t.created_at, u.email, u.name, u.language,
        u.email_verified_at IS NOT NULL
    FROM taken t JOIN users u ON u.id = t.user_id ORDER BY t.created_at
$$;

-- Both answer whether the attempt was still the current one.
CREATE FUNCTION mail_sent(p_id uuid, p_attempt integer) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH done AS (
        UPDATE mail_outbox SET state = 'sent', sent_at = now(), error = NULL
        WHERE id = p_id AND attempts = p_attempt AND state = 'waiting' RETURNING 1
    ) SELECT EXISTS (SELECT FROM done)
$$;

-- Tried again after 30 seconds, and after twice as long each time, up to six hours.
CREATE FUNCTION mail_failed(p_id uuid, p_attempt integer, p_error text, p_final boolean) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH done AS (
        UPDATE mail_outbox SET error = left(p_error, 1000), state = CASE WHEN p_final THEN 'failed' ELSE state END,
            due_at = now() + make_interval(secs => least(21600, 30 * 2.0 ^ least(p_attempt - 1, 10)))
        WHERE id = p_id AND attempts = p_attempt AND state = 'waiting' RETURNING 1
    ) SELECT EXISTS (SELECT FROM done)
$$;

-- When a person's data is deleted; NULL while it is not going to be: 30 days after a trial that led to nothing else,
-- and never before seven days after the first warning, or after now while there was none.
CREATE FUNCTION billing_deletion_at(p_user uuid) RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT greatest(
        max(s.trial_end) + interval '30 days',
        coalesce(
            (SELECT min(o.created_at) FROM mail_outbox o WHERE o.user_id = p_user AND o.kind = 'deletion_warning'), now()
        ) + interval '7 days')
    FROM user_subscriptions s
    WHERE s.user_id = p_user AND s.trial_end <= now()
      AND NOT EXISTS (
        SELECT FROM user_subscriptions o JOIN subscription_plans p ON p.id = o.plan_id
        WHERE o.user_id = p_user AND (p.plan_type <> 'trial' OR o.trial_end > now()))
      AND NOT EXISTS (SELECT FROM credits c WHERE c.user_id = p_user AND c.source NOT IN ('trial', 'adjustment'))
    HAVING max(s.trial_end) IS NOT NULL
$$;

-- What a person has left, with what running jobs hold: those may give it back.
CREATE FUNCTION _mail_unspent(p_user uuid) RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce(sum(total_credits - used_credits - expired_credits), 0)::integer FROM credits
    WHERE user_id = p_user AND valid_from <= now() AND valid_until > now()
$$;

-- End and credits of a trial that runs; no row where there is none.
CREATE FUNCTION billing_trial(p_user uuid) RETURNS TABLE (trial_ends timestamptz, credits integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT s.trial_end, _mail_unspent(p_user) FROM user_subscriptions s
    WHERE s.user_id = p_user AND s.status = 'trialing' AND s.trial_end > now()
$$;

-- Two days before a trial ends. Trials of two days or less are told at their start what this would say.
CREATE FUNCTION mail_remind_trials(p_limit integer) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH ending AS (
        SELECT s.id, s.user_id, s.trial_end FROM user_subscriptions s
        WHERE s.status = 'trialing' AND s.trial_end > now() AND s.trial_end <= now() + interval '2 days'
          AND s.current_period_start < s.trial_end - interval '2 days'
          AND NOT EXISTS (SELECT FROM mail_outbox o
            WHERE o.user_id = s.user_id AND o.kind = 'trial_ending' AND o.key = s.id::text)
        ORDER BY s.trial_end LIMIT p_limit
    ), told AS (
        SELECT mail_enqueue(user_id, 'trial_ending', id::text, jsonb_build_object(
            'ends_at', trial_end, 'credits', _mail_unspent(user_id))) AS id
        FROM ending
    ) SELECT count(id)::integer FROM told
$$;

-- Seven days and one day before data is deleted. Whoever was overlooked for two months is left alone.
CREATE FUNCTION mail_remind_deletions(p_limit integer) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH ended AS (
        SELECT s.id, s.user_id, billing_deletion_at(s.user_id) AS delete_at FROM user_subscriptions s
        WHERE s.trial_end <= now() - interval '23 days' AND s.trial_end > now() - interval '90 days'
          AND NOT EXISTS (SELECT FROM mail_outbox o
            WHERE o.user_id = s.user_id AND o.kind = 'deletion_warning' AND o.key = s.id || ':1')
    ), due AS (
        SELECT user_id, delete_at,
            id || CASE WHEN delete_at <= now() + interval '1 day' THEN ':1' ELSE ':7' END AS key
        FROM ended WHERE delete_at <= now() + interval '7 days'
    ), told AS (
        SELECT mail_enqueue(user_id, 'deletion_warning', key, jsonb_build_object('delete_at', delete_at)) AS id
        FROM due d WHERE NOT EXISTS (SELECT FROM mail_outbox o
            WHERE o.user_id = d.user_id AND o.kind = 'deletion_warning' AND o.key = d.key)
        LIMIT p_limit
    ) SELECT count(id)::integer FROM told
$$;

REVOKE ALL ON FUNCTION mail_enqueue(uuid, text, text, jsonb), mail_claim(integer, double precision, integer),
    mail_sent(uuid, integer), mail_failed(uuid, integer, text, boolean), billing_deletion_at(uuid),
    billing_trial(uuid), mail_remind_trials(integer), mail_remind_deletions(integer), _mail_unspent(uuid)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mail_enqueue(uuid, text, text, jsonb) TO invokeai_api, invokeai_auth, invokeai_worker;
GRANT EXECUTE ON FUNCTION mail_claim(integer, double precision, integer), mail_sent(uuid, integer),
    mail_failed(uuid, integer, text, boolean), billing_trial(uuid) TO invokeai_auth;
GRANT EXECUTE ON FUNCTION billing_deletion_at(uuid), mail_remind_trials(integer), mail_remind_deletions(integer)
    TO invokeai_worker;
