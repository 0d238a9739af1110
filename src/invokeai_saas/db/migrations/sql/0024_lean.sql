-- What belongs to the ledger belongs to an account, which every movement has locked already: checking that foreign key
-- writes nothing, where checking one on users locked a second row.
ALTER TABLE credits DROP CONSTRAINT fk_credits_user_id, ADD CONSTRAINT fk_credits_user_id
    FOREIGN KEY (user_id) REFERENCES credit_accounts (user_id) ON DELETE RESTRICT NOT VALID;
ALTER TABLE credits VALIDATE CONSTRAINT fk_credits_user_id;
ALTER TABLE credit_transactions DROP CONSTRAINT fk_credit_transactions_user_id, ADD CONSTRAINT fk_credit_transactions_user_id
    FOREIGN KEY (user_id) REFERENCES credit_accounts (user_id) ON DELETE RESTRICT NOT VALID;
ALTER TABLE credit_transactions VALIDATE CONSTRAINT fk_credit_transactions_user_id;
ALTER TABLE credit_reservations DROP CONSTRAINT fk_credit_reservations_user_id, ADD CONSTRAINT fk_credit_reservations_user_id
    FOREIGN KEY (user_id) REFERENCES credit_accounts (user_id) ON DELETE RESTRICT NOT VALID;
ALTER TABLE credit_reservations VALIDATE CONSTRAINT fk_credit_reservations_user_id;
ALTER TABLE usage_records DROP CONSTRAINT fk_usage_records_user_id, ADD CONSTRAINT fk_usage_records_user_id
    FOREIGN KEY (user_id) REFERENCES credit_accounts (user_id) ON DELETE RESTRICT NOT VALID;
ALTER TABLE usage_records VALIDATE CONSTRAINT fk_usage_records_user_id;

-- Room in each page for the row's next version, so that no index has to hear of it.
ALTER TABLE credit_reservations SET (fillfactor = 60);
ALTER TABLE credits SET (fillfactor = 50);
ALTER TABLE credit_accounts SET (fillfactor = 50);

-- Sets credits aside for a job. The grant that expires first mostly has them all; if not, several share.
CREATE OR REPLACE FUNCTION _credits_reserve(p_user uuid, p_item bigint, p_amount integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_reservation uuid := gen_random_uuid();
    v_credit uuid;
    v_free integer;
BEGIN
    INSERT INTO credit_reservations (id, user_id, item_id, amount) VALUES (v_reservation, p_user, p_item, p_amount);
    SELECT id, total_credits - used_credits - reserved_credits - expired_credits INTO v_credit, v_free
    FROM credits
    WHERE user_id = p_user AND valid_from <= now() AND valid_until > now()
      AND total_credits - used_credits - reserved_credits - expired_credits > 0
    ORDER BY valid_until, created_at, id LIMIT 1;
    IF v_free >= p_amount THEN
        UPDATE credits SET reserved_credits = reserved_credits + p_amount, updated_at = now() WHERE id = v_credit;
        INSERT INTO credit_holds (user_id, reservation_id, credit_id, amount)
        VALUES (p_user, v_reservation, v_credit, p_amount);
    ELSIF _credits_draw(p_user, v_reservation, p_amount) > 0 THEN
        RAISE EXCEPTION 'insufficient credits' USING ERRCODE = 'SC402';
    END IF;
END $$;

-- Resolves a reservation once: charges p_cost (0 releases everything) and frees the rest. What the reservation
-- lacks is taken from available credits; what neither covers is not charged, so no balance goes below zero.
CREATE OR REPLACE FUNCTION _credits_settle(p_user uuid, p_item bigint, p_cost integer, p_description text)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_id uuid;
    v_held integer;
    v_charged integer := p_cost;
    v_credit uuid;
    v_left integer := 0;
    v_transaction uuid := gen_random_uuid();
BEGIN
    UPDATE credit_reservations SET resolved_at = clock_timestamp(),
        status = CASE WHEN p_cost > 0 THEN 'settled' ELSE 'released' END
    WHERE item_id = p_item AND status = 'held' AND amount >= p_cost RETURNING id, amount INTO v_id, v_held;
    IF NOT FOUND THEN  -- it took longer than what was set aside for it; or it is resolved
        v_charged := least(p_cost, _credits_extend(p_user, p_item, p_cost));
        UPDATE credit_reservations SET resolved_at = clock_timestamp(), status = 'settled'
        WHERE item_id = p_item AND status = 'held' RETURNING id, amount INTO v_id, v_held;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'reservation of job % is already resolved', p_item USING ERRCODE = 'SC409';
        END IF;
    END IF;
    IF v_charged > 0 THEN
        INSERT INTO credit_transactions (id, user_id, amount, transaction_type, description, reference_id)
        VALUES (v_transaction, p_user, -v_charged, 'settlement', p_description, p_item::text);
    END IF;
    SELECT credit_id INTO v_credit FROM credit_holds WHERE reservation_id = v_id AND amount = v_held;
    IF FOUND THEN  -- one grant holds all of it
        UPDATE credits SET reserved_credits = reserved_credits - v_held, used_credits = used_credits + v_charged,
            updated_at = now()
        WHERE id = v_credit
        RETURNING CASE WHEN valid_until > now() THEN total_credits - used_credits - expired_credits ELSE 0 END
        INTO v_left;
        INSERT INTO credit_allocations (user_id, transaction_id, credit_id, amount)
        SELECT p_user, v_transaction, v_credit, -v_charged WHERE v_charged > 0;
    ELSE
        WITH parts AS (
            SELECT h.credit_id, h.amount, greatest(0, least(h.amount, v_charged - (sum(h.amount)
                OVER (ORDER BY c.valid_until, c.created_at, c.id) - h.amount)))::integer AS used
            FROM credit_holds h JOIN credits c ON c.id = h.credit_id WHERE h.reservation_id = v_id
        ), freed AS (
            UPDATE credits c SET reserved_credits = c.reserved_credits - p.amount,
                used_credits = c.used_credits + p.used, updated_at = now()
            FROM parts p WHERE c.id = p.credit_id
        ) INSERT INTO credit_allocations (user_id, transaction_id, credit_id, amount)
        SELECT p_user, v_transaction, credit_id, -used FROM parts WHERE used > 0;
    END IF;
    IF v_charged > 0 AND v_left < 10 THEN  -- otherwise this grant alone says that they are not low
        UPDATE credit_accounts SET low_since = now()
        WHERE user_id = p_user AND low_since IS NULL AND _credits_low(p_user);
        IF FOUND THEN
            PERFORM _credits_tell_low(p_user);
        END IF;
    END IF;
    RETURN v_charged;
END $$;
