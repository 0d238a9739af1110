CREATE OR REPLACE FUNCTION _credits_reserve(p_user uuid, p_item bigint, p_amount integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_reservation uuid;
BEGIN
    INSERT INTO credit_reservations (user_id, item_id, amount) VALUES (p_user, p_item, p_amount)
    RETURNING id INTO v_reservation;
    IF _credits_draw(p_user, v_reservation, p_amount) > 0 THEN
        RAISE EXCEPTION 'insufficient credits' USING ERRCODE = 'SC402';
    END IF;
END $$;

CREATE OR REPLACE FUNCTION _credits_settle(p_user uuid, p_item bigint, p_cost integer, p_description text)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_id uuid;
    v_charged integer;
    v_transaction uuid := gen_random_uuid();
BEGIN
    SELECT id, amount INTO v_id, v_charged FROM credit_reservations
    WHERE item_id = p_item AND status = 'held' FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'reservation of job % is already resolved', p_item USING ERRCODE = 'SC409';
    END IF;
    IF p_cost > v_charged THEN
        v_charged := _credits_extend(p_user, p_item, p_cost);
    ELSE
        v_charged := p_cost;
    END IF;
    WITH parts AS (
        SELECT h.credit_id, h.amount, greatest(0, least(h.amount, v_charged - (sum(h.amount)
            OVER (ORDER BY c.valid_until, c.created_at, c.id) - h.amount)))::integer AS used
        FROM credit_holds h JOIN credits c ON c.id = h.credit_id WHERE h.reservation_id = v_id
    ), freed AS (
        UPDATE credits c SET reserved_credits = c.reserved_credits - p.amount,
            used_credits = c.used_credits + p.used, updated_at = now()
        FROM parts p WHERE c.id = p.credit_id
    ), header AS (
        INSERT INTO credit_transactions (id, user_id, amount, transaction_type, description, reference_id)
        SELECT v_transaction, p_user, -v_charged, 'settlement', p_description, p_item::text WHERE v_charged > 0
    ), resolved AS (
        UPDATE credit_reservations SET resolved_at = clock_timestamp(),
            status = CASE WHEN v_charged > 0 THEN 'settled' ELSE 'released' END
        WHERE id = v_id
    ) INSERT INTO credit_allocations (user_id, transaction_id, credit_id, amount)
    SELECT p_user, v_transaction, credit_id, -used FROM parts WHERE used > 0;
    IF v_charged > 0 THEN
        UPDATE credit_accounts SET low_since = now()
        WHERE user_id = p_user AND low_since IS NULL AND _credits_low(p_user);
        IF FOUND THEN
            PERFORM _credits_tell_low(p_user);
        END IF;
    END IF;
    RETURN v_charged;
END $$;

ALTER TABLE credit_accounts RESET (fillfactor);
ALTER TABLE credits RESET (fillfactor);
ALTER TABLE credit_reservations RESET (fillfactor);
ALTER TABLE usage_records DROP CONSTRAINT fk_usage_records_user_id, ADD CONSTRAINT fk_usage_records_user_id
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE RESTRICT NOT VALID;
ALTER TABLE usage_records VALIDATE CONSTRAINT fk_usage_records_user_id;
ALTER TABLE credit_reservations DROP CONSTRAINT fk_credit_reservations_user_id, ADD CONSTRAINT fk_credit_reservations_user_id
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE RESTRICT NOT VALID;
ALTER TABLE credit_reservations VALIDATE CONSTRAINT fk_credit_reservations_user_id;
ALTER TABLE credit_transactions DROP CONSTRAINT fk_credit_transactions_user_id, ADD CONSTRAINT fk_credit_transactions_user_id
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE RESTRICT NOT VALID;
ALTER TABLE credit_transactions VALIDATE CONSTRAINT fk_credit_transactions_user_id;
ALTER TABLE credits DROP CONSTRAINT fk_credits_user_id, ADD CONSTRAINT fk_credits_user_id
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE RESTRICT NOT VALID;
ALTER TABLE credits VALIDATE CONSTRAINT fk_credits_user_id;
