-- The business in figures. Nothing here changes money or credits: the functions read over everybody, and answer sums alone,
-- never a person. Days and months are those of UTC; a period is from p_from to before p_to.

-- When a subscription ended: its row may be written again later, so the row's own time says nothing.
ALTER TABLE user_subscriptions ADD COLUMN ended_at TIMESTAMP WITH TIME ZONE;
UPDATE user_subscriptions SET ended_at = least(updated_at, current_period_end) WHERE status IN ('canceled', 'expired');

CREATE FUNCTION subscription_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.ended_at := CASE WHEN NEW.status IN ('canceled', 'expired')
        THEN coalesce(NEW.ended_at, least(now(), NEW.current_period_end)) END;
    RETURN NEW;
END $$;
CREATE TRIGGER ended BEFORE INSERT OR UPDATE OF status ON user_subscriptions
    FOR EACH ROW EXECUTE FUNCTION subscription_ended();

-- How long workers were there, each for a GPU: the time that is paid for, of which jobs are a part.
CREATE TABLE gpu_worker_days (
    worker_id VARCHAR(100) NOT NULL,
    day DATE NOT NULL,
    tier VARCHAR(30) NOT NULL,
    seconds DOUBLE PRECISION NOT NULL,
    CONSTRAINT pk_gpu_worker_days PRIMARY KEY (worker_id, day, tier),
    CONSTRAINT ck_gpu_worker_days_seconds CHECK (seconds >= 0)
);
CREATE INDEX ix_gpu_worker_days_day ON gpu_worker_days (day);

-- A worker that was silent for longer was not there. One of several tiers is there for each of them in equal parts.
CREATE FUNCTION gpu_worker_was_there() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_seconds double precision := extract(epoch FROM NEW.seen_at - OLD.seen_at);
BEGIN
    IF v_seconds > 0 AND v_seconds <= 300 THEN
        INSERT INTO gpu_worker_days AS d (worker_id, day, tier, seconds)
        SELECT NEW.id, (NEW.seen_at AT TIME ZONE 'UTC')::date, t.tier, v_seconds / count(*) OVER ()
        FROM (SELECT DISTINCT unnest(NEW.tiers) AS tier) t
        ON CONFLICT (worker_id, day, tier) DO UPDATE SET seconds = d.seconds + excluded.seconds;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER was_there AFTER UPDATE OF seen_at ON gpu_workers
    FOR EACH ROW EXECUTE FUNCTION gpu_worker_was_there();

-- Rows come in the order of their time, so that a few bytes for each hundred pages find a period.
CREATE INDEX ix_images_created_at ON images USING brin (created_at);
CREATE INDEX ix_usage_records_created_at ON usage_records USING brin (created_at);
CREATE INDEX ix_credit_transactions_created_at ON credit_transactions USING brin (created_at);
-- What was bought and taken back is few rows among many jobs'.
CREATE INDEX ix_credit_transactions_bought ON credit_transactions (created_at)
    WHERE transaction_type IN ('grant', 'refund');

-- Who asks: the owner, or staff at work.
CREATE FUNCTION _figures_check() RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF session_user <> 'invokeai_owner' AND NOT staff_present() THEN
        RAISE EXCEPTION 'nobody is at work' USING ERRCODE = 'insufficient_privilege';
    END IF;
END $$;

-- Money ---------------------------------------------------------------------------------------------------------------

-- What is left of a payment. A disputed one counts as given back whole.
CREATE FUNCTION _figures_net(p_payment payments) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_payment.status = 'disputed' THEN 0 ELSE p_payment.amount - p_payment.refunded END
$$;

-- Payments of each day or month. What was given back counts where it was paid: when it was given back is not kept.
CREATE FUNCTION figures_money(p_from timestamptz, p_to timestamptz, p_unit text)
RETURNS TABLE (period date, paid numeric, refunded numeric, payments bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM _figures_check();
    RETURN QUERY
    SELECT t.start::date, coalesce(sum(y.amount), 0), coalesce(sum(y.amount - _figures_net(y)), 0), count(y.id)
    FROM generate_series(date_trunc(p_unit, p_from AT TIME ZONE 'UTC'), p_to AT TIME ZONE 'UTC' - interval '1 microsecond',
        ('1 ' || p_unit)::interval) AS t (start)
    LEFT JOIN payments y ON y.created_at >= p_from AND y.created_at < p_to
        AND date_trunc(p_unit, y.created_at AT TIME ZONE 'UTC') = t.start
    GROUP BY t.start ORDER BY t.start;
END $$;

-- Plans that people are on now, and what those that are sold bring in a month: a year is a twelfth of its price. Plans that
-- were agreed on with one customer are told together.
CREATE FUNCTION figures_subscriptions()
RETURNS TABLE (plan text, plan_type text, billing_interval text, people bigint, monthly_usd numeric)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM _figures_check();
    RETURN QUERY
    SELECT CASE WHEN p.customer_id IS NULL THEN p.slug ELSE 'agreed' END::text, p.plan_type::text,
        s.billing_interval::text, count(*),
        coalesce(sum(CASE WHEN p.plan_type <> 'paid' THEN 0 WHEN s.billing_interval = 'year' THEN p.annual_price / 12
            WHEN s.billing_interval = 'month' OR p.customer_id IS NOT NULL THEN p.monthly_price ELSE 0 END), 0)
    FROM user_subscriptions s JOIN subscription_plans p ON p.id = s.plan_id
    WHERE s.status IN ('trialing', 'active', 'past_due') AND s.current_period_end > now()
    GROUP BY 1, 2, 3 ORDER BY min(p.monthly_price) NULLS LAST, 1, 3;
END $$;

-- Sold subscriptions that were alive when each month began, and how many of those ended in it. Whoever changed to another
-- one within a day has not left.
CREATE FUNCTION figures_churn(p_from timestamptz, p_to timestamptz)
RETURNS TABLE (month date, alive bigint, ended bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM _figures_check();
    RETURN QUERY
    WITH sold AS (
        SELECT s.id, s.user_id, s.created_at, s.ended_at FROM user_subscriptions s
        JOIN subscription_plans p ON p.id = s.plan_id
        WHERE p.plan_type = 'paid' AND (s.billing_interval IS NOT NULL OR p.customer_id IS NOT NULL)
    ), left_us AS (
        SELECT s.id FROM sold s WHERE s.ended_at IS NOT NULL AND NOT EXISTS (
            SELECT FROM sold o WHERE o.user_id = s.user_id AND o.id <> s.id
              AND o.created_at <= s.ended_at + interval '1 day' AND (o.ended_at IS NULL OR o.ended_at > s.ended_at))
    ), months AS (
        SELECT t.start, t.start AT TIME ZONE 'UTC' AS begins, (t.start + interval '1 month') AT TIME ZONE 'UTC' AS ends
        FROM generate_series(date_trunc('month', p_from AT TIME ZONE 'UTC'),
            p_to AT TIME ZONE 'UTC' - interval '1 microsecond', interval '1 month') AS t (start)
    )
    SELECT m.start::date, count(s.id), count(l.id) FILTER (WHERE s.ended_at < m.ends)
    FROM months m LEFT JOIN sold s ON s.created_at < m.begins AND (s.ended_at IS NULL OR s.ended_at >= m.begins)
    LEFT JOIN left_us l ON l.id = s.id
    GROUP BY m.start ORDER BY m.start;
END $$;

-- Use -----------------------------------------------------------------------------------------------------------------

-- People whose jobs used credits on each day, and those jobs.
CREATE FUNCTION figures_activity(p_from timestamptz, p_to timestamptz)
RETURNS TABLE (day date, people bigint, jobs bigint, credits bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM _figures_check();
    RETURN QUERY
    SELECT t.start::date, count(DISTINCT u.user_id), count(u.id), coalesce(sum(u.credits_consumed), 0)::bigint
    FROM generate_series(date_trunc('day', p_from AT TIME ZONE 'UTC'), p_to AT TIME ZONE 'UTC' - interval '1 microsecond',
        interval '1 day') AS t (start)
    LEFT JOIN usage_records u ON u.created_at >= p_from AND u.created_at < p_to
        AND date_trunc('day', u.created_at AT TIME ZONE 'UTC') = t.start
    GROUP BY t.start ORDER BY t.start;
END $$;

-- The same people, each once in the whole period.
CREATE FUNCTION figures_active_people(p_from timestamptz, p_to timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM _figures_check();
    RETURN (SELECT count(DISTINCT user_id) FROM usage_records WHERE created_at >= p_from AND created_at < p_to);
END $$;

-- Pictures that jobs made in each hour, those that were deleted since left out.
CREATE FUNCTION figures_pictures(p_from timestamptz, p_to timestamptz) RETURNS TABLE (hour timestamptz, pictures bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM _figures_check();
    RETURN QUERY
    SELECT t.start, count(i.image_name)
    FROM generate_series(date_trunc('hour', p_from), p_to - interval '1 microsecond', interval '1 hour') AS t (start)
    LEFT JOIN images i ON i.created_at >= p_from AND i.created_at < p_to AND date_trunc('hour', i.created_at) = t.start
        AND i.item_id IS NOT NULL AND NOT i.is_intermediate
    GROUP BY t.start ORDER BY t.start;
END $$;

-- Movements of credits in the period by where they came from, and what is left of them now.
CREATE FUNCTION figures_credits(p_from timestamptz, p_to timestamptz)
RETURNS TABLE (source text, granted bigint, used bigint, expired bigint, taken_back bigint, outstanding bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM _figures_check();
    RETURN QUERY
    WITH moved AS (
        SELECT c.source, t.transaction_type AS type, a.amount FROM credit_transactions t
        JOIN credit_allocations a ON a.transaction_id = t.id JOIN credits c ON c.id = a.credit_id
        WHERE t.created_at >= p_from AND t.created_at < p_to
        UNION ALL
        SELECT c.source, 'outstanding', c.total_credits - c.used_credits - c.expired_credits FROM credits c WHERE c.is_open
    )
    SELECT m.source::text,
        coalesce(sum(m.amount) FILTER (WHERE m.type IN ('grant', 'adjustment') AND m.amount > 0), 0)::bigint,
        coalesce(-sum(m.amount) FILTER (WHERE m.type = 'settlement'), 0)::bigint,
        coalesce(-sum(m.amount) FILTER (WHERE m.type = 'expiry'), 0)::bigint,
        coalesce(-sum(m.amount) FILTER (WHERE m.type IN ('refund', 'adjustment') AND m.amount < 0), 0)::bigint,
        coalesce(sum(m.amount) FILTER (WHERE m.type = 'outstanding'), 0)::bigint
    FROM moved m GROUP BY m.source ORDER BY m.source;
END $$;

-- GPU time of each tier: what jobs were charged for, and how long workers were there for it on those days.
CREATE FUNCTION figures_gpu(p_from timestamptz, p_to timestamptz)
RETURNS TABLE (tier text, jobs bigint, credits bigint, gpu_seconds numeric, worker_seconds numeric)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM _figures_check();
    RETURN QUERY
    WITH charged AS (
        SELECT u.gpu_tier, count(*) AS jobs, sum(u.credits_consumed) AS credits, sum(u.compute_seconds) AS seconds
        FROM usage_records u WHERE u.created_at >= p_from AND u.created_at < p_to GROUP BY u.gpu_tier
    ), there AS (
        SELECT d.tier, sum(d.seconds) AS seconds FROM gpu_worker_days d
        WHERE d.day >= (p_from AT TIME ZONE 'UTC')::date AND d.day < (p_to AT TIME ZONE 'UTC')::date GROUP BY d.tier
    )
    SELECT g.tier::text, coalesce(c.jobs, 0), coalesce(c.credits, 0)::bigint, coalesce(c.seconds, 0),
        coalesce(w.seconds, 0)::numeric
    FROM gpu_tiers g LEFT JOIN charged c ON c.gpu_tier = g.tier LEFT JOIN there w ON w.tier = g.tier
    ORDER BY g.usd_per_hour;
END $$;

-- Revenue as credits are used ------------------------------------------------------------------------------------------
--
-- A payment's money, less what was given back of it, is earned as its credits are used or expire; credits that were taken
-- back earn nothing, and the others then earn what is left. A year is twelve parts, one for each month's grant; parts that
-- were never granted are earned when the year ends. A payment without credits is earned evenly over its period, or at once
-- when it has none. Later refunds therefore change earlier months, as they should: that money was not earned.

-- Each payment: its part that its grants so far carry, over how many credits, and what no grant carries yet. An invoice is
-- one person's; asked for the person too, the planner takes all grants for a single row, and compares each with each.
CREATE FUNCTION _figures_payments()
RETURNS TABLE (payment_id uuid, origin text, net numeric, carried numeric, credits numeric, parts integer, grants bigint)
LANGUAGE sql STABLE AS $$
    WITH bought AS (
        SELECT y.id, count(c.id) AS grants, sum(c.total_credits) - coalesce(sum(b.taken), 0) AS credits
        FROM payments y
        JOIN credit_transactions t ON t.transaction_type = 'grant'
            AND t.reference_id LIKE 'invoice:%' AND split_part(t.reference_id, ':', 2) = y.stripe_invoice_id
        JOIN credit_allocations a ON a.transaction_id = t.id JOIN credits c ON c.id = a.credit_id
        LEFT JOIN (
            SELECT ra.credit_id, -sum(ra.amount) AS taken FROM credit_transactions rt
            JOIN credit_allocations ra ON ra.transaction_id = rt.id WHERE rt.transaction_type = 'refund' GROUP BY ra.credit_id
        ) b ON b.credit_id = c.id
        GROUP BY y.id
    ), counted AS (
        SELECT y.id, CASE WHEN y.kind = 'pack' THEN 'pack' ELSE coalesce(p.slug, 'subscription') END::text AS origin,
            _figures_net(y) AS net, coalesce(b.credits, 0) AS credits, coalesce(b.grants, 0) AS grants,
            CASE WHEN y.billing_interval = 'year' AND y.period_start IS NOT NULL AND y.kind = 'subscription'
                AND b.grants > 0 THEN 12 ELSE 1 END AS parts
        FROM payments y LEFT JOIN bought b ON b.id = y.id LEFT JOIN subscription_plans p ON p.id = y.plan_id
    )
    SELECT id, origin, net, net * least(grants, parts) / parts, credits, parts, grants FROM counted
$$;

-- What a credit of each grant earns; nought for those that nobody paid for, and for those of agreed plans, whose money
-- comes by other ways than Stripe and is not known here.
CREATE FUNCTION _figures_grants() RETURNS TABLE (credit_id uuid, origin text, usd numeric) LANGUAGE sql STABLE AS $$
    WITH paid AS (
        SELECT a.credit_id, f.origin, f.carried / nullif(f.credits, 0) AS usd
        FROM _figures_payments() f JOIN payments y ON y.id = f.payment_id
        JOIN credit_transactions t ON t.transaction_type = 'grant'
            AND t.reference_id LIKE 'invoice:%' AND split_part(t.reference_id, ':', 2) = y.stripe_invoice_id
        JOIN credit_allocations a ON a.transaction_id = t.id
    )
    SELECT c.id, coalesce(p.origin, CASE c.source WHEN 'subscription' THEN 'agreed' ELSE c.source END::text),
        coalesce(p.usd, 0)
    FROM credits c LEFT JOIN paid p ON p.credit_id = c.id
$$;

-- What a payment has earned by a moment beside its credits' use. p_gone: its part whose credits were all taken back;
-- p_to_come: its months that no grant carries yet.
CREATE FUNCTION _figures_by(p_at timestamptz, p_payment payments, p_grants bigint, p_net numeric, p_gone numeric,
    p_to_come numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN p_payment.created_at >= p_at THEN 0
        WHEN p_grants = 0 AND p_payment.period_start IS NOT NULL THEN p_net * least(1, greatest(0,
            extract(epoch FROM p_at - p_payment.period_start)
            / extract(epoch FROM p_payment.period_end - p_payment.period_start)))
        WHEN p_grants = 0 THEN p_net
        ELSE p_gone + CASE WHEN p_payment.period_end < p_at THEN p_to_come ELSE 0 END
    END
$$;

-- The same of all payments in a period.
CREATE FUNCTION _figures_timed(p_from timestamptz, p_to timestamptz) RETURNS TABLE (origin text, usd numeric)
LANGUAGE sql STABLE AS $$
    SELECT f.origin, sum(_figures_by(p_to, y, f.grants, f.net, g.gone, f.net - f.carried)
        - _figures_by(p_from, y, f.grants, f.net, g.gone, f.net - f.carried))
    FROM _figures_payments() f JOIN payments y ON y.id = f.payment_id
    CROSS JOIN LATERAL (SELECT CASE WHEN f.credits = 0 THEN f.carried ELSE 0 END AS gone) g
    GROUP BY f.origin
$$;

-- Revenue of the period by what was bought (a plan, a pack, or a gift) and by the tier where it was used. `way` is used,
-- expired, or time: what was earned beside credits.
CREATE FUNCTION figures_revenue(p_from timestamptz, p_to timestamptz)
RETURNS TABLE (origin text, way text, tier text, credits bigint, gpu_seconds numeric, usd numeric)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM _figures_check();
    RETURN QUERY
    SELECT g.origin, CASE t.transaction_type WHEN 'settlement' THEN 'used' ELSE 'expired' END, u.gpu_tier::text,
        -sum(a.amount)::bigint, coalesce(sum(u.compute_seconds * -a.amount / nullif(u.credits_consumed, 0)), 0),
        sum(-a.amount * g.usd)
    FROM credit_transactions t JOIN credit_allocations a ON a.transaction_id = t.id
    JOIN _figures_grants() g ON g.credit_id = a.credit_id
    LEFT JOIN usage_records u ON t.transaction_type = 'settlement' AND u.user_id = t.user_id AND u.job_id = t.reference_id
        AND u.created_at >= p_from AND u.created_at < p_to  -- written in the same transaction
    WHERE t.transaction_type IN ('settlement', 'expiry') AND t.created_at >= p_from AND t.created_at < p_to
    GROUP BY 1, 2, 3
    UNION ALL
    SELECT e.origin, 'time', NULL, 0, 0, e.usd FROM _figures_timed(p_from, least(p_to, now())) e WHERE e.usd <> 0
    ORDER BY 1, 2, 3;
END $$;

-- What was paid for and is not earned yet: credits that are left, and months that are to come.
CREATE FUNCTION figures_deferred() RETURNS TABLE (origin text, credits bigint, usd numeric)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM _figures_check();
    RETURN QUERY
    SELECT d.origin, sum(d.credits)::bigint, sum(d.usd) FROM (
        SELECT g.origin, (c.total_credits - c.used_credits - c.expired_credits)::bigint AS credits,
            (c.total_credits - c.used_credits - c.expired_credits) * g.usd AS usd
        FROM credits c JOIN _figures_grants() g ON g.credit_id = c.id WHERE c.is_open
        UNION ALL
        SELECT f.origin, 0, CASE WHEN f.grants = 0 THEN f.net ELSE f.net - f.carried
            + CASE WHEN f.credits = 0 THEN f.carried ELSE 0 END END
        FROM _figures_payments() f
        UNION ALL
        SELECT e.origin, 0, -e.usd FROM _figures_timed('-infinity', now()) e
    ) d GROUP BY d.origin ORDER BY d.origin;
END $$;

REVOKE ALL ON FUNCTION subscription_ended(), gpu_worker_was_there(), _figures_check(), _figures_net(payments),
    _figures_payments(), _figures_grants(), _figures_by(timestamptz, payments, bigint, numeric, numeric, numeric),
    _figures_timed(timestamptz, timestamptz),
    figures_money(timestamptz, timestamptz, text), figures_subscriptions(), figures_churn(timestamptz, timestamptz),
    figures_activity(timestamptz, timestamptz), figures_active_people(timestamptz, timestamptz),
    figures_pictures(timestamptz, timestamptz), figures_credits(timestamptz, timestamptz),
    figures_gpu(timestamptz, timestamptz), figures_revenue(timestamptz, timestamptz), figures_deferred() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    figures_money(timestamptz, timestamptz, text), figures_subscriptions(), figures_churn(timestamptz, timestamptz),
    figures_activity(timestamptz, timestamptz), figures_active_people(timestamptz, timestamptz),
    figures_pictures(timestamptz, timestamptz), figures_credits(timestamptz, timestamptz),
    figures_gpu(timestamptz, timestamptz), figures_revenue(timestamptz, timestamptz), figures_deferred() TO invokeai_staff;
