-- A dispute that ends well gives back the credits that it took, and the months that began meanwhile.

ALTER TABLE payments ADD COLUMN disputed_at TIMESTAMP WITH TIME ZONE;
UPDATE payments SET disputed_at = created_at WHERE status = 'disputed';

-- Whether a grant's reference is of credits that a payment had bought, and that were returned after a dispute.
CREATE FUNCTION _billing_returned_with(p_reference text, p_invoice text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT starts_with(p_reference, 'invoice:' || p_invoice || ':returned:')
$$;

-- As before; but the same sum can be taken a second time, after it was returned.
CREATE OR REPLACE FUNCTION _billing_take(p_payment payments, p_want integer, p_covered numeric) RETURNS integer
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
    SELECT p_payment.user_id, -v_free, 'refund', 'Taken back with the payment: ' || p_payment.description,
        'refund:' || p_payment.id || ':' || p_covered || coalesce(':' || nullif(count(*), 0), '')
    FROM credit_transactions t
    WHERE t.user_id = p_payment.user_id AND t.transaction_type = 'refund'
      AND starts_with(t.reference_id, 'refund:' || p_payment.id || ':')
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

-- Grants again what was taken, for as long as that would still have been good then.
CREATE FUNCTION _billing_return(p_payment payments, p_amount integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_left interval;
    v_times bigint;
BEGIN
    SELECT max(c.valid_until - t.created_at) INTO v_left
    FROM credit_transactions t
    JOIN credit_allocations a ON a.transaction_id = t.id JOIN credits c ON c.id = a.credit_id
    WHERE t.user_id = p_payment.user_id AND t.transaction_type = 'refund'
      AND starts_with(t.reference_id, 'refund:' || p_payment.id || ':')
      AND t.created_at >= coalesce(p_payment.disputed_at, '-infinity');
    SELECT count(*) INTO v_times FROM credit_transactions t
    WHERE t.user_id = p_payment.user_id AND t.transaction_type = 'grant'
      AND _billing_returned_with(t.reference_id, p_payment.stripe_invoice_id);
    PERFORM credits_grant(p_payment.user_id, p_amount, p_payment.kind, p_payment.created_at,
        now() + greatest(v_left, interval '1 day'),
        'invoice:' || p_payment.stripe_invoice_id || ':returned:' || v_times + 1,
        'Returned with the payment: ' || p_payment.description);
END $$;

-- Months of a paid year that ran in a dispute, while none were granted: each for its own length from now. The year may have
-- been renewed meanwhile, or changed for a month at its end.
CREATE FUNCTION _billing_grant_missed(p_payment payments) RETURNS void LANGUAGE sql AS $$
    SELECT credits_grant(p_payment.user_id, p.monthly_credits, 'subscription', now(),
        now() + (_billing_month(p_payment.period_start, m.number + 1) - _billing_month(p_payment.period_start, m.number))
            + interval '2 hours',
        'invoice:' || p_payment.stripe_invoice_id || ':' || m.number, p_payment.description)
    FROM user_subscriptions s
    JOIN subscription_plans p ON p.id = s.plan_id
    CROSS JOIN generate_series(1, 11) AS m (number)
    WHERE p_payment.billing_interval = 'year' AND p.monthly_credits > 0
      AND s.user_id = p_payment.user_id AND s.stripe_subscription_id = p_payment.stripe_subscription_id
      AND s.status = 'active' AND (s.current_period_start >= p_payment.period_end
        OR s.billing_interval = 'year' AND s.current_period_start = p_payment.period_start)
      AND _billing_month(p_payment.period_start, m.number + 1) > p_payment.disputed_at
      AND _billing_month(p_payment.period_start, m.number) <= now()
$$;

-- Takes back what is left of the credits that a payment bought: as much of them as was given back of the money, once for
-- each time that more was given back, and never what is used or reserved. A payment whose money a dispute has taken
-- counts as given back whole. When the money is ours again, what was taken is returned.
CREATE OR REPLACE FUNCTION billing_take_back(p_intent text, p_refunded bigint, p_disputed boolean) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_payment payments;
    v_covered numeric;
    v_bought integer;
    v_returned integer;
    v_taken integer;
    v_due integer;
    v_took integer := 0;
BEGIN
    SELECT * INTO v_payment FROM payments WHERE stripe_payment_intent_id = p_intent;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    PERFORM _credits_lock(v_payment.user_id);
    SELECT * INTO v_payment FROM payments WHERE id = v_payment.id FOR UPDATE;
    v_covered := CASE WHEN p_disputed THEN v_payment.amount ELSE least(v_payment.amount, p_refunded / 100.0) END;
    IF v_covered <> (CASE WHEN v_payment.status = 'disputed' THEN v_payment.amount ELSE v_payment.refunded END) THEN
        SELECT coalesce(sum(t.amount) FILTER (WHERE NOT r.again), 0), coalesce(sum(t.amount) FILTER (WHERE r.again), 0)
        INTO v_bought, v_returned
        FROM credit_transactions t
        CROSS JOIN LATERAL (SELECT _billing_returned_with(t.reference_id, v_payment.stripe_invoice_id) AS again) r
        WHERE t.user_id = v_payment.user_id AND t.transaction_type = 'grant'
          AND _billing_bought_with(t.reference_id, v_payment.stripe_invoice_id);
        SELECT coalesce(-sum(t.amount), 0) INTO v_taken FROM credit_transactions t
        WHERE t.user_id = v_payment.user_id AND t.transaction_type = 'refund'
          AND starts_with(t.reference_id, 'refund:' || v_payment.id || ':');
        v_due := floor(v_bought * v_covered / v_payment.amount) - (v_taken - v_returned);
        IF v_payment.status = 'disputed' AND NOT p_disputed THEN
            -- What it took, less what is due for money that was given back meanwhile. What was given back before has been
            -- settled: of months that were granted since, nothing is due for it.
            SELECT coalesce(sum(t.amount), 0)
                + floor(v_bought * greatest(v_covered - v_payment.refunded, 0) / v_payment.amount)
            INTO v_due FROM credit_transactions t
            WHERE t.user_id = v_payment.user_id AND t.transaction_type = 'refund'
              AND starts_with(t.reference_id, 'refund:' || v_payment.id || ':') AND t.created_at >= v_payment.disputed_at;
        END IF;
        IF v_due > 0 THEN
            v_took := _billing_take(v_payment, v_due, v_covered);
        ELSIF v_due < 0 THEN
            PERFORM _billing_return(v_payment, -v_due);
            v_took := v_due;
        END IF;
    END IF;
    UPDATE payments SET refunded = least(amount, p_refunded / 100.0),
        status = CASE WHEN p_disputed THEN 'disputed' WHEN p_refunded >= amount * 100 THEN 'refunded'
            WHEN p_refunded > 0 THEN 'partly_refunded' ELSE 'paid' END,
        disputed_at = CASE WHEN p_disputed THEN coalesce(disputed_at, now()) END
    WHERE id = v_payment.id;
    IF v_payment.status = 'disputed' AND NOT p_disputed AND p_refunded < v_payment.amount * 100 THEN
        PERFORM _billing_grant_missed(v_payment);
    END IF;
    RETURN v_took;
END $$;

-- As before; but what was returned is no month of a year.
CREATE OR REPLACE FUNCTION _figures_payments()
RETURNS TABLE (payment_id uuid, origin text, net numeric, carried numeric, credits numeric, parts integer, grants bigint)
LANGUAGE sql STABLE AS $$
    WITH bought AS (
        SELECT y.id,
            count(c.id) FILTER (WHERE NOT _billing_returned_with(t.reference_id, y.stripe_invoice_id)) AS grants,
            sum(c.total_credits) - coalesce(sum(b.taken), 0) AS credits
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

REVOKE ALL ON FUNCTION _billing_returned_with(text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION _billing_return(payments, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION _billing_grant_missed(payments) FROM PUBLIC;
