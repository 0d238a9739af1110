-- Credits that were returned stay, and are not counted as bought; nothing more is returned. What takes them back numbers
-- what it writes, as since 0031: there may be a second time.
CREATE OR REPLACE FUNCTION billing_take_back(p_intent text, p_refunded bigint, p_disputed boolean) RETURNS integer
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
          AND _billing_bought_with(t.reference_id, v_payment.stripe_invoice_id)
          AND t.reference_id NOT LIKE '%:returned:%';
        SELECT coalesce(-sum(t.amount), 0) INTO v_taken FROM credit_transactions t
        WHERE t.user_id = v_payment.user_id AND t.transaction_type = 'refund'
          AND t.reference_id LIKE 'refund:' || v_payment.id || ':%';
        SELECT v_taken - coalesce(sum(t.amount), 0) INTO v_taken FROM credit_transactions t
        WHERE t.user_id = v_payment.user_id AND t.transaction_type = 'grant'
          AND t.reference_id LIKE 'invoice:' || v_payment.stripe_invoice_id || ':returned:%';
        v_want := floor(v_total * v_covered / v_payment.amount) - v_taken;
        v_took := _billing_take(v_payment, v_want, v_covered);
    END IF;
    UPDATE payments SET refunded = greatest(refunded, least(amount, p_refunded / 100.0)),
        status = CASE WHEN p_disputed OR status = 'disputed' THEN 'disputed'
            WHEN p_refunded >= amount * 100 THEN 'refunded' WHEN p_refunded > 0 THEN 'partly_refunded' ELSE status END
    WHERE id = v_payment.id;
    RETURN v_took;
END $$;
CREATE OR REPLACE FUNCTION _figures_payments()
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
ALTER TABLE payments DROP COLUMN disputed_at;
DROP FUNCTION _billing_grant_missed(payments);
DROP FUNCTION _billing_return(payments, integer);
DROP FUNCTION _billing_returned_with(text, text);
