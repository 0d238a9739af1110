-- What is sold, what was paid for it, and what Stripe told us. Stripe is the truth about money, the ledger about credits.
--
-- The API keeps what Stripe sends and opens pages at Stripe's; it moves no credit and changes no plan. The scheduler,
-- with a role of its own that no worker has, asks Stripe for each object again and applies what it is now, which is why
-- neither the order of events matters nor how often one comes. Lock order: account, then lane, job, payment.

ALTER TABLE user_subscriptions ADD COLUMN billing_interval VARCHAR(10),
    ADD COLUMN next_plan_id UUID,
    ADD COLUMN next_interval VARCHAR(10),
    ADD CONSTRAINT ck_user_subscriptions_intervals
        CHECK (billing_interval IN ('month', 'year') AND next_interval IN ('month', 'year')),
    ADD CONSTRAINT fk_user_subscriptions_next_plan_id FOREIGN KEY (next_plan_id)
        REFERENCES subscription_plans (id) ON DELETE RESTRICT;

CREATE TABLE credit_packs (
    slug VARCHAR(50) NOT NULL,
    name VARCHAR(100) NOT NULL,
    credits INTEGER NOT NULL,
    price NUMERIC(10, 2) NOT NULL,
    valid_days INTEGER NOT NULL,
    is_active BOOLEAN DEFAULT true NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_credit_packs PRIMARY KEY (slug),
    CONSTRAINT ck_credit_packs_figures CHECK (credits > 0 AND price > 0 AND valid_days > 0)
);
INSERT INTO credit_packs (slug, name, credits, price, valid_days) VALUES
    ('pack-1000', '1,000 credits', 1000, 5, 60),
    ('pack-5000', '5,000 credits', 5000, 25, 60),
    ('pack-15000', '15,000 credits', 15000, 75, 60);

CREATE TABLE stripe_customers (
    user_id UUID NOT NULL,
    customer_id VARCHAR(255) NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_stripe_customers PRIMARY KEY (user_id),
    CONSTRAINT uq_stripe_customers_customer_id UNIQUE (customer_id),
    CONSTRAINT fk_stripe_customers_user_id FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE TABLE stripe_events (
    id VARCHAR(255) NOT NULL,
    type VARCHAR(100) NOT NULL,
    payload JSONB NOT NULL,
    status VARCHAR(10) DEFAULT 'waiting' NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    error TEXT,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    applied_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_stripe_events PRIMARY KEY (id),
    CONSTRAINT ck_stripe_events_status CHECK (status IN ('waiting', 'applied', 'ignored', 'failed'))
);
CREATE INDEX ix_stripe_events_due_at ON stripe_events (due_at) WHERE status = 'waiting';
CREATE INDEX ix_stripe_events_received_at ON stripe_events (received_at);

CREATE TABLE invoices (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    stripe_invoice_id VARCHAR(255) NOT NULL,
    number VARCHAR(100),
    status VARCHAR(20) NOT NULL,
    description TEXT NOT NULL,
    amount NUMERIC(10, 2) NOT NULL,
    amount_paid NUMERIC(10, 2) NOT NULL,
    currency VARCHAR(3) NOT NULL,
    hosted_url TEXT,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_invoices PRIMARY KEY (id),
    CONSTRAINT uq_invoices_stripe_invoice_id UNIQUE (stripe_invoice_id),
    CONSTRAINT fk_invoices_user_id FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE RESTRICT
);
CREATE INDEX ix_invoices_user_id_created_at ON invoices (user_id, created_at);

CREATE TABLE payments (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    kind VARCHAR(20) NOT NULL,
    stripe_payment_intent_id VARCHAR(255),
    stripe_invoice_id VARCHAR(255) NOT NULL,
    stripe_subscription_id VARCHAR(255),
    amount NUMERIC(10, 2) NOT NULL,
    refunded NUMERIC(10, 2) DEFAULT '0' NOT NULL,
    currency VARCHAR(3) NOT NULL,
    status VARCHAR(20) NOT NULL,
    description TEXT NOT NULL,
    plan_id UUID,
    billing_interval VARCHAR(10),
    period_start TIMESTAMP WITH TIME ZONE,
    period_end TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_payments PRIMARY KEY (id),
    CONSTRAINT ck_payments_kind CHECK (kind IN ('subscription', 'pack')),
    CONSTRAINT ck_payments_status CHECK (status IN ('paid', 'partly_refunded', 'refunded', 'disputed')),
    CONSTRAINT ck_payments_amounts CHECK (amount >= 0 AND refunded >= 0 AND refunded <= amount),
    CONSTRAINT uq_payments_stripe_payment_intent_id UNIQUE (stripe_payment_intent_id),
    CONSTRAINT uq_payments_stripe_invoice_id UNIQUE (stripe_invoice_id),
    CONSTRAINT fk_payments_user_id FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE RESTRICT,
    CONSTRAINT fk_payments_plan_id FOREIGN KEY (plan_id) REFERENCES subscription_plans (id) ON DELETE RESTRICT
);
CREATE INDEX ix_payments_user_id_created_at ON payments (user_id, created_at);
CREATE INDEX ix_payments_years ON payments (period_end) WHERE billing_interval = 'year';

-- People whose trial led to nothing, and until when what they made is kept.
CREATE TABLE account_lapses (
    user_id UUID NOT NULL,
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    delete_after TIMESTAMP WITH TIME ZONE NOT NULL,
    marked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_account_lapses PRIMARY KEY (user_id),
    CONSTRAINT fk_account_lapses_user_id FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['stripe_customers', 'stripe_events', 'invoices', 'payments', 'account_lapses'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO invokeai_owner USING (true) WITH CHECK (true)', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['stripe_customers', 'invoices', 'payments', 'account_lapses'] LOOP
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO invokeai_api USING (user_id = app_user()) WITH CHECK (user_id = app_user())', t);
        EXECUTE format('GRANT SELECT ON %I TO invokeai_api', t);
    END LOOP;
END $$;
GRANT SELECT ON credit_packs TO invokeai_api;
GRANT USAGE ON SCHEMA public TO invokeai_billing;
CREATE TRIGGER touch_updated_at BEFORE UPDATE ON credit_packs FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

-- A moment that Stripe names in seconds.
CREATE FUNCTION _billing_at(p_seconds jsonb) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT to_timestamp((p_seconds #>> '{}')::double precision)
$$;

-- The n-th month from a moment on, in UTC: the 31st becomes the last day of shorter months, as with Stripe.
CREATE FUNCTION _billing_month(p_from timestamptz, p_months integer) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT (p_from AT TIME ZONE 'UTC' + make_interval(months => p_months)) AT TIME ZONE 'UTC'
$$;

-- Moves a person's waiting jobs to the lane that their plan gives them, after the plan has changed. What runs, runs on.
-- Without a plan nothing is moved: what waits was paid for when it was queued.
CREATE FUNCTION queue_refresh_lanes(p_user uuid) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_plan subscription_plans;
    v_tier text;
    v_count integer;
    v_moved integer := 0;
BEGIN
    PERFORM _credits_lock(p_user);
    v_plan := _queue_plan(p_user);
    IF v_plan.id IS NULL OR NOT EXISTS (SELECT 1 FROM queue_lanes WHERE user_id = p_user) THEN
        RETURN 0;
    END IF;
    FOR v_tier IN SELECT l.tier FROM queue_lanes l WHERE l.user_id = p_user ORDER BY l.tier FOR UPDATE LOOP END LOOP;
    FOR v_tier IN
        SELECT l.tier FROM queue_lanes l WHERE l.user_id = p_user AND l.tier <> v_plan.gpu_tier AND l.pending > 0
    LOOP
        UPDATE session_queue SET tier = v_plan.gpu_tier
        WHERE user_id = p_user AND tier = v_tier AND status = 'pending';
        GET DIAGNOSTICS v_count = ROW_COUNT;
        UPDATE queue_lanes SET pending = pending - v_count WHERE user_id = p_user AND tier = v_tier;
        v_moved := v_moved + v_count;
    END LOOP;
    PERFORM _queue_join_lane(v_plan.gpu_tier, p_user, v_plan.max_queues, v_moved);
    RETURN v_moved;
END $$;

-- What the API may do -------------------------------------------------------------------------------------------------

-- Remembers which customer of Stripe's the caller is; answers the one that holds, the first that was ever said.
CREATE FUNCTION billing_set_customer(p_customer text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO stripe_customers (user_id, customer_id) VALUES (app_user(), p_customer) ON CONFLICT (user_id) DO NOTHING;
    RETURN (SELECT customer_id FROM stripe_customers WHERE user_id = app_user());
END $$;

-- Keeps an event whose signature was verified; false when it is known. It is applied later, from Stripe's own word.
CREATE FUNCTION stripe_event_store(p_id text, p_type text, p_created timestamptz, p_payload jsonb)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO stripe_events (id, type, created_at, payload) VALUES (p_id, p_type, p_created, p_payload)
    ON CONFLICT (id) DO NOTHING;
    RETURN FOUND;
END $$;

-- Asks for the caller's subscription to be read from Stripe now, without waiting for an event.
CREATE FUNCTION billing_request_sync() RETURNS void LANGUAGE sql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    INSERT INTO stripe_events (id, type, created_at, payload)
    SELECT 'sync:' || gen_random_uuid(), 'sync.requested', now(),
        jsonb_build_object('data', jsonb_build_object('object', jsonb_build_object('customer', customer_id)))
    FROM stripe_customers WHERE user_id = app_user()
$$;

-- What the scheduler may do -------------------------------------------------------------------------------------------

-- The next event that is due, set aside for a while: longer after each try that failed.
CREATE FUNCTION stripe_event_claim() RETURNS TABLE (id text, type text, payload jsonb, attempts integer)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE stripe_events e SET attempts = e.attempts + 1,
        due_at = now() + make_interval(secs => least(3600, 15 * 2 ^ least(e.attempts, 8)))
    WHERE e.id = (
        SELECT d.id FROM stripe_events d WHERE d.status = 'waiting' AND d.due_at <= now()
        ORDER BY d.due_at LIMIT 1 FOR UPDATE SKIP LOCKED
    ) RETURNING e.id::text, e.type::text, e.payload, e.attempts
$$;

-- Says what became of an event. One that failed is tried again until p_final.
CREATE FUNCTION stripe_event_ended(p_id text, p_status text, p_error text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE stripe_events SET status = p_status, error = left(p_error, 1000),
        applied_at = CASE WHEN p_status IN ('applied', 'ignored') THEN now() END
    WHERE id = p_id
$$;

-- Applies an event again, at an operator's wish; false when there is none.
CREATE FUNCTION stripe_event_replay(p_id text) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE stripe_events SET status = 'waiting', attempts = 0, due_at = now(), error = NULL, applied_at = NULL
    WHERE id = p_id;
    RETURN FOUND;
END $$;

-- Whose a customer of Stripe's is; and nobody else reads or applies anything of theirs until the transaction ends.
CREATE FUNCTION billing_lock_customer(p_customer text) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('stripe:' || p_customer, 0));
    RETURN (SELECT user_id FROM stripe_customers WHERE customer_id = p_customer);
END $$;

-- Makes our subscriptions what Stripe's are. p_subscriptions: [{id, customer, plan_id, status, interval, start, end,
-- cancel_at_period_end, next_plan_id, next_interval}], at most one of them alive, and that one last.
CREATE FUNCTION billing_sync_subscriptions(p_user uuid, p_subscriptions jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_one jsonb;
    v_alive boolean;
BEGIN
    PERFORM _credits_lock(p_user);
    FOR v_one IN SELECT value FROM jsonb_array_elements(p_subscriptions) LOOP
        v_alive := v_one ->> 'status' IN ('active', 'past_due');
        IF v_alive THEN  -- it takes the place of a trial, or of what an admin gave
            UPDATE user_subscriptions SET status = 'canceled'
            WHERE user_id = p_user AND status IN ('trialing', 'active', 'past_due')
              AND stripe_subscription_id IS DISTINCT FROM v_one ->> 'id';
            DELETE FROM account_lapses WHERE user_id = p_user;
        END IF;
        INSERT INTO user_subscriptions AS s (user_id, plan_id, stripe_subscription_id, stripe_customer_id, status,
            billing_interval, current_period_start, current_period_end, cancel_at_period_end, next_plan_id, next_interval)
        VALUES (p_user, (v_one ->> 'plan_id')::uuid, v_one ->> 'id', v_one ->> 'customer', v_one ->> 'status',
            v_one ->> 'interval', _billing_at(v_one -> 'start'), _billing_at(v_one -> 'end'),
            (v_one ->> 'cancel_at_period_end')::boolean, (v_one ->> 'next_plan_id')::uuid, v_one ->> 'next_interval')
        ON CONFLICT (stripe_subscription_id) DO UPDATE SET plan_id = excluded.plan_id, status = excluded.status,
            billing_interval = excluded.billing_interval, current_period_start = excluded.current_period_start,
            current_period_end = excluded.current_period_end, cancel_at_period_end = excluded.cancel_at_period_end,
            next_plan_id = excluded.next_plan_id, next_interval = excluded.next_interval
        WHERE s.user_id = p_user;
    END LOOP;
    PERFORM queue_refresh_lanes(p_user);
END $$;

-- Keeps an invoice as it is now, and, once it is paid, its payment and the credits that were bought with it.
-- p_invoice: {id, number, status, description, amount, paid (cents), currency, url, created, subscription, intent,
--   paid_at, plan_id, interval, start, end (of a period that is paid as a whole), parts, pack}
-- parts: [{plan_id, share, until}]: what of a month's credits a change of plan brings; below zero for the old plan.
-- pack: {credits, days}
-- A grant outlives its month by two hours where the subscription goes on: so long can Stripe take to collect a renewal.
CREATE FUNCTION billing_apply_invoice(p_user uuid, p_invoice jsonb) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_id text := p_invoice ->> 'id';
    v_paid_at timestamptz := _billing_at(p_invoice -> 'paid_at');
    v_start timestamptz := _billing_at(p_invoice -> 'start');
    v_end timestamptz := _billing_at(p_invoice -> 'end');
    v_credits integer;
    v_until timestamptz;
BEGIN
    PERFORM _credits_lock(p_user);
    INSERT INTO invoices (user_id, stripe_invoice_id, number, status, description, amount, amount_paid, currency,
        hosted_url, created_at)
    VALUES (p_user, v_id, p_invoice ->> 'number', p_invoice ->> 'status', p_invoice ->> 'description',
        (p_invoice ->> 'amount')::numeric / 100, (p_invoice ->> 'paid')::numeric / 100, p_invoice ->> 'currency',
        p_invoice ->> 'url', _billing_at(p_invoice -> 'created'))
    ON CONFLICT (stripe_invoice_id) DO UPDATE SET status = excluded.status, amount_paid = excluded.amount_paid,
        number = excluded.number, hosted_url = excluded.hosted_url;
    IF p_invoice ->> 'status' <> 'paid' THEN
        RETURN false;
    END IF;
    INSERT INTO payments (user_id, kind, stripe_payment_intent_id, stripe_invoice_id, stripe_subscription_id, amount,
        currency, status, description, plan_id, billing_interval, period_start, period_end, created_at)
    VALUES (p_user, CASE WHEN p_invoice ? 'pack' THEN 'pack' ELSE 'subscription' END, p_invoice ->> 'intent', v_id,
        p_invoice ->> 'subscription', (p_invoice ->> 'paid')::numeric / 100, p_invoice ->> 'currency', 'paid',
        p_invoice ->> 'description', (p_invoice ->> 'plan_id')::uuid, p_invoice ->> 'interval', v_start, v_end, v_paid_at)
    ON CONFLICT (stripe_invoice_id) DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF p_invoice ? 'pack' THEN
        PERFORM credits_grant(p_user, (p_invoice #>> '{pack,credits}')::integer, 'pack', v_paid_at,
            v_paid_at + make_interval(days => (p_invoice #>> '{pack,days}')::integer), 'invoice:' || v_id,
            p_invoice ->> 'description');
        RETURN true;
    END IF;
    SELECT coalesce(sum((part ->> 'share')::numeric * coalesce(p.monthly_credits, 0)), 0), max(_billing_at(part -> 'until'))
    INTO v_credits, v_until
    FROM jsonb_array_elements(p_invoice -> 'parts') part JOIN subscription_plans p ON p.id = (part ->> 'plan_id')::uuid;
    IF v_start IS NOT NULL THEN
        v_until := least(_billing_month(v_start, 1), v_end);
        SELECT v_credits + coalesce(p.monthly_credits, 0) INTO v_credits FROM subscription_plans p
        WHERE p.id = (p_invoice ->> 'plan_id')::uuid;
    END IF;
    IF v_credits > 0 THEN
        PERFORM credits_grant(p_user, v_credits, 'subscription', coalesce(v_start, v_paid_at),
            v_until + interval '2 hours', 'invoice:' || v_id, p_invoice ->> 'description');
    END IF;
    RETURN true;
END $$;

-- Takes back what is left of the credits that a payment bought: as much of them as was given back of the money, once for
-- each time that more was given back, and never what is used or reserved. A disputed payment counts as given back whole.
CREATE FUNCTION billing_take_back(p_intent text, p_refunded bigint, p_disputed boolean) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_payment payments;
    v_covered numeric;
    v_total integer;
    v_taken integer;
    v_want integer;
    v_took integer := 0;
BEGIN
    SELECT * INTO v_payment FROM payments WHERE stripe_payment_intent_id = p_intent;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    PERFORM _credits_lock(v_payment.user_id);
    SELECT * INTO v_payment FROM payments WHERE id = v_payment.id FOR UPDATE;
    v_covered := CASE WHEN p_disputed THEN v_payment.amount ELSE least(v_payment.amount, p_refunded / 100.0) END;
    IF v_covered > (CASE WHEN v_payment.status = 'disputed' THEN v_payment.amount ELSE v_payment.refunded END) THEN
        SELECT coalesce(sum(t.amount), 0) INTO v_total FROM credit_transactions t
        WHERE t.user_id = v_payment.user_id AND t.transaction_type = 'grant'
          AND _billing_bought_with(t.reference_id, v_payment.stripe_invoice_id);
        SELECT coalesce(-sum(t.amount), 0) INTO v_taken FROM credit_transactions t
        WHERE t.user_id = v_payment.user_id AND t.transaction_type = 'refund'
          AND t.reference_id LIKE 'refund:' || v_payment.id || ':%';
        v_want := floor(v_total * v_covered / v_payment.amount) - v_taken;
        v_took := _billing_take(v_payment, v_want, v_covered);
    END IF;
    UPDATE payments SET refunded = greatest(refunded, least(amount, p_refunded / 100.0)),
        status = CASE WHEN p_disputed OR status = 'disputed' THEN 'disputed'
            WHEN p_refunded >= amount * 100 THEN 'refunded' WHEN p_refunded > 0 THEN 'partly_refunded' ELSE status END
    WHERE id = v_payment.id;
    RETURN v_took;
END $$;

-- Whether a grant's reference is of what an invoice bought: its first month, or a later one of its year.
CREATE FUNCTION _billing_bought_with(p_reference text, p_invoice text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT p_reference = 'invoice:' || p_invoice OR starts_with(p_reference, 'invoice:' || p_invoice || ':')
$$;

CREATE FUNCTION _billing_take(p_payment payments, p_want integer, p_covered numeric) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_grant record;
    v_free integer;
    v_transaction uuid;
BEGIN
    SELECT least(greatest(p_want, 0), coalesce(
        sum(c.total_credits - c.used_credits - c.reserved_credits - c.expired_credits), 0))::integer INTO v_free
    FROM credits c WHERE c.id IN (SELECT _billing_grants(p_payment));
    IF v_free = 0 THEN
        RETURN 0;
    END IF;
    INSERT INTO credit_transactions (user_id, amount, transaction_type, description, reference_id)
    VALUES (p_payment.user_id, -v_free, 'refund', 'Taken back with the payment: ' || p_payment.description,
        'refund:' || p_payment.id || ':' || p_covered)
    RETURNING id INTO v_transaction;
    p_want := v_free;
    FOR v_grant IN
        SELECT c.id, c.total_credits - c.used_credits - c.reserved_credits - c.expired_credits AS free FROM credits c
        WHERE c.id IN (SELECT _billing_grants(p_payment)) ORDER BY c.valid_until, c.id
    LOOP
        CONTINUE WHEN p_want = 0 OR v_grant.free = 0;
        INSERT INTO credit_allocations (user_id, transaction_id, credit_id, amount)
        VALUES (p_payment.user_id, v_transaction, v_grant.id, -least(p_want, v_grant.free));
        UPDATE credits SET expired_credits = expired_credits + least(p_want, v_grant.free) WHERE id = v_grant.id;
        p_want := p_want - least(p_want, v_grant.free);
    END LOOP;
    RETURN v_free;
END $$;

CREATE FUNCTION _billing_grants(p_payment payments) RETURNS SETOF uuid LANGUAGE sql STABLE AS $$
    SELECT a.credit_id FROM credit_transactions t JOIN credit_allocations a ON a.transaction_id = t.id
    WHERE t.user_id = p_payment.user_id AND t.transaction_type = 'grant'
      AND _billing_bought_with(t.reference_id, p_payment.stripe_invoice_id)
$$;

-- The later months of years that are paid: each month's credits when it begins, of the plan that the person is on then.
CREATE FUNCTION billing_grant_months(p_limit integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    v_due record;
    v_count integer := 0;
BEGIN
    FOR v_due IN
        SELECT y.user_id, y.stripe_invoice_id, y.description, p.monthly_credits, m.number,
            _billing_month(y.period_start, m.number) AS starts,
            least(_billing_month(y.period_start, m.number + 1), y.period_end) AS ends
        FROM payments y
        JOIN user_subscriptions s ON s.stripe_subscription_id = y.stripe_subscription_id AND s.user_id = y.user_id
        JOIN subscription_plans p ON p.id = s.plan_id
        CROSS JOIN generate_series(1, 11) AS m (number)
        WHERE y.billing_interval = 'year' AND y.period_end > now() AND y.status IN ('paid', 'partly_refunded')
          AND s.status = 'active' AND s.billing_interval = 'year' AND p.monthly_credits > 0
          AND s.current_period_start = y.period_start
          AND _billing_month(y.period_start, m.number) <= now() AND _billing_month(y.period_start, m.number + 1) > now()
          AND NOT EXISTS (
            SELECT 1 FROM credit_transactions t WHERE t.user_id = y.user_id AND t.transaction_type = 'grant'
              AND t.reference_id = 'invoice:' || y.stripe_invoice_id || ':' || m.number)
        ORDER BY y.user_id LIMIT p_limit
    LOOP
        PERFORM credits_grant(v_due.user_id, v_due.monthly_credits, 'subscription', v_due.starts,
            v_due.ends + interval '2 hours', 'invoice:' || v_due.stripe_invoice_id || ':' || v_due.number,
            v_due.description);
        v_count := v_count + 1;
    END LOOP;
    RETURN v_count;
END $$;

-- Plans that have run out are written down as such, and trials that led to nothing begin to be counted: generation has
-- stopped, everything can be read for p_days days, then it is marked for deletion. Answers how many were marked now.
-- A subscription of Stripe's is left three days for the news of its renewal.
CREATE FUNCTION billing_sweep(p_days integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    v_marked integer;
BEGIN
    UPDATE user_subscriptions SET status = 'expired'
    WHERE status IN ('trialing', 'active', 'past_due') AND current_period_end <= now()
      AND (stripe_subscription_id IS NULL OR status = 'past_due' OR current_period_end <= now() - interval '3 days');
    DELETE FROM account_lapses l WHERE EXISTS (
        SELECT 1 FROM user_subscriptions s WHERE s.user_id = l.user_id
          AND s.status IN ('trialing', 'active', 'past_due') AND s.current_period_end > now());
    INSERT INTO account_lapses (user_id, since, delete_after)
    SELECT s.user_id, max(s.trial_end), max(s.trial_end) + make_interval(days => p_days) FROM user_subscriptions s
    WHERE s.trial_end <= now() AND NOT EXISTS (
        SELECT 1 FROM user_subscriptions o JOIN subscription_plans p ON p.id = o.plan_id
        WHERE o.user_id = s.user_id AND (p.plan_type <> 'trial' OR o.current_period_end > now()))
      AND NOT EXISTS (SELECT 1 FROM payments y WHERE y.user_id = s.user_id)
    GROUP BY s.user_id ON CONFLICT (user_id) DO NOTHING;
    UPDATE account_lapses l SET marked_at = now()
    WHERE l.marked_at IS NULL AND l.delete_after <= now()
      AND NOT EXISTS (SELECT 1 FROM payments y WHERE y.user_id = l.user_id);
    GET DIAGNOSTICS v_marked = ROW_COUNT;
    RETURN v_marked;
END $$;

REVOKE ALL ON FUNCTION _billing_at(jsonb), _billing_month(timestamptz, integer), queue_refresh_lanes(uuid),
    billing_set_customer(text), stripe_event_store(text, text, timestamptz, jsonb), billing_request_sync(),
    stripe_event_claim(), stripe_event_ended(text, text, text), stripe_event_replay(text), billing_lock_customer(text),
    billing_sync_subscriptions(uuid, jsonb), billing_apply_invoice(uuid, jsonb),
    billing_take_back(text, bigint, boolean), _billing_bought_with(text, text),
    _billing_take(payments, integer, numeric), _billing_grants(payments), billing_grant_months(integer),
    billing_sweep(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION billing_set_customer(text), stripe_event_store(text, text, timestamptz, jsonb),
    billing_request_sync() TO invokeai_api;
GRANT EXECUTE ON FUNCTION stripe_event_claim(), stripe_event_ended(text, text, text), stripe_event_replay(text),
    billing_lock_customer(text), billing_sync_subscriptions(uuid, jsonb), billing_apply_invoice(uuid, jsonb),
    billing_take_back(text, bigint, boolean), billing_grant_months(integer), billing_sweep(integer)
    TO invokeai_billing;
