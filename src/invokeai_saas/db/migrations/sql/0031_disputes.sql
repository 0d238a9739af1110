-- A dispute that ends well gives back the credits that it took.

-- Whether a grant's reference is of credits that a payment had bought, and that were returned after a dispute.
CREATE FUNCTION _billing_returned_with(p_reference text, p_invoice text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT starts_with(p_reference, 'invoice:' || p_invoice || ':returned:')
$$;

CREATE FUNCTION _billing_returns(p_payment payments) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT count(*) FROM credit_transactions t
    WHERE t.user_id = p_payment.user_id AND t.transaction_type = 'grant'
      AND _billing_returned_with(t.reference_id, p_payment.stripe_invoice_id)
$$;

-- What a second dispute takes has a reference of its own.
CREATE OR REPLACE FUNCTION _billing_take(p_payment payments, p_want integer, p_covered numeric) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_grant record;
    v_free integer;
    v_transaction uuid;
    v_returns bigint := _billing_returns(p_payment);
BEGIN
    SELECT least(greatest(p_want, 0), coalesce(
        sum(c.total_credits - c.used_credits - c.reserved_credits - c.expired_credits), 0))::integer INTO v_free
    FROM credits c WHERE c.id IN (SELECT _billing_grants(p_payment));
    IF v_free = 0 THEN
        RETURN 0;
    END IF;
    INSERT INTO credit_transactions (user_id, amount, transaction_type, description, reference_id)
    VALUES (p_payment.user_id, -v_free, 'refund', 'Taken back with the payment: ' || p_payment.description,
        'refund:' || p_payment.id || ':' || p_covered || CASE WHEN v_returns > 0 THEN ':' || v_returns ELSE '' END)
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

-- Grants again what a dispute took, for as long as it would still have been good when it was taken.
CREATE FUNCTION _billing_return(p_payment payments, p_amount integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_left interval;
BEGIN
    SELECT max(c.valid_until - t.created_at) INTO v_left
    FROM credit_transactions t
    JOIN credit_allocations a ON a.transaction_id = t.id JOIN credits c ON c.id = a.credit_id
    WHERE t.user_id = p_payment.user_id AND t.transaction_type = 'refund'
      AND starts_with(t.reference_id, 'refund:' || p_payment.id || ':');
    PERFORM credits_grant(p_payment.user_id, p_amount, p_payment.kind, p_payment.created_at,
        now() + greatest(v_left, interval '1 day'),
        'invoice:' || p_payment.stripe_invoice_id || ':returned:' || _billing_returns(p_payment) + 1,
        'Returned with the payment: ' || p_payment.description);
END $$;

-- Takes back what is left of the credits that a payment bought: as much of them as was given back of the money, once for
-- each time that more was given back, and never what is used or reserved. A payment whose money a dispute has taken
-- counts as given back whole; when the dispute ends well, what it took is returned.
CREATE OR REPLACE FUNCTION billing_take_back(p_intent text, p_refunded bigint, p_disputed boolean) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_payment payments;
    v_covered numeric;
    v_before numeric;
    v_bought integer;
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
    v_before := CASE WHEN v_payment.status = 'disputed' THEN v_payment.amount ELSE v_payment.refunded END;
    IF v_covered <> v_before THEN
        SELECT coalesce(sum(t.amount) FILTER (WHERE NOT _billing_returned_with(t.reference_id, v_payment.stripe_invoice_id)), 0),
            coalesce(-sum(t.amount) FILTER (WHERE _billing_returned_with(t.reference_id, v_payment.stripe_invoice_id)), 0)
        INTO v_bought, v_taken FROM credit_transactions t
        WHERE t.user_id = v_payment.user_id AND t.transaction_type = 'grant'
          AND _billing_bought_with(t.reference_id, v_payment.stripe_invoice_id);
        SELECT v_taken - coalesce(sum(t.amount), 0) INTO v_taken FROM credit_transactions t
        WHERE t.user_id = v_payment.user_id AND t.transaction_type = 'refund'
          AND starts_with(t.reference_id, 'refund:' || v_payment.id || ':');
        v_due := floor(v_bought * v_covered / v_payment.amount) - v_taken;
        IF v_covered > v_before THEN
            v_took := _billing_take(v_payment, v_due, v_covered);
        ELSIF v_due < 0 THEN
            PERFORM _billing_return(v_payment, -v_due);
            v_took := v_due;
        END IF;
    END IF;
    UPDATE payments SET refunded = least(amount, p_refunded / 100.0),
        status = CASE WHEN p_disputed THEN 'disputed' WHEN p_refunded >= amount * 100 THEN 'refunded'
            WHEN p_refunded > 0 THEN 'partly_refunded' ELSE 'paid' END
    WHERE id = v_payment.id;
    RETURN v_took;
END $$;

-- As before; but what was returned is no month of a year.
CREATE OR REPLACE FUNCTION _figures_payments()
RETURNS TABLE (payment_id uuid, origin text, net numeric, carried numeric, credits numeric, parts integer, grants bigint)
LANGUAGE sql STABLE AS $$
    WITH bought AS (
        SELECT y.id, count(c.id) FILTER (WHERE NOT _billing_returned_with(t.reference_id, y.stripe_invoice_id)) AS grants,
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
REVOKE ALL ON FUNCTION _billing_returns(payments) FROM PUBLIC;
REVOKE ALL ON FUNCTION _billing_return(payments, integer) FROM PUBLIC;
