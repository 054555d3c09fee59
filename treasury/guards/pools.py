"""Cash pools: who may be in one, that a run is its record, and that loans are money that moved.

A member has the pool's currency and is not its header; an account moves money in one active pool
only; nothing is pooled across India's border. A run and its moves say what the record says, and
each move is the proposal that people approve. A loan is a settled transfer of exactly its amount.
"""

from typing import Final

from treasury.engine.pool_pairs import BAI2_CODES, CODES
from treasury.engine.pool_rules import NO_CROSS_BORDER

_PATH = "SET search_path = pg_catalog, public, pg_temp"
_CODES: Final = ", ".join(f"'{code}'" for code in CODES)
_BAI2: Final = ", ".join(f"'{code}'" for code in BAI2_CODES)
_CLOSED: Final = ", ".join(f"'{country}'" for country in sorted(NO_CROSS_BORDER))

PLACES = f"""
-- Pools are few and change seldom: their rules are looked at one change after the other.
CREATE OR REPLACE FUNCTION treasury_pools_alone(tenant uuid) RETURNS void
LANGUAGE sql VOLATILE {_PATH} AS $$
    SELECT pg_advisory_xact_lock(hashtextextended('cash pools ' || tenant, 17))
$$;

-- Whether a country that lets nothing be pooled across its border lies between two accounts.
CREATE OR REPLACE FUNCTION treasury_pool_is_closed(one uuid, other uuid) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT EXISTS (
        SELECT 1 FROM treasury_bankaccount a JOIN treasury_bank ab ON ab.id = a.bank_id
          JOIN treasury_legalentity ae ON ae.id = a.entity_id
         CROSS JOIN treasury_bankaccount c JOIN treasury_bank cb ON cb.id = c.bank_id
          JOIN treasury_legalentity ce ON ce.id = c.entity_id
         WHERE a.id = one AND c.id = other
           AND (ab.country, ae.country) <> (cb.country, ce.country)
           AND ARRAY[ab.country, ae.country, cb.country, ce.country]::text[]
               && ARRAY[{_CLOSED}]::text[])
$$;

-- In which other active pool an account has a place already, among those that move money or among
-- the notional ones.
CREATE OR REPLACE FUNCTION treasury_pool_elsewhere(account uuid, besides uuid, notional boolean)
RETURNS text LANGUAGE sql STABLE {_PATH} AS $$
    SELECT p.code FROM treasury_cashpool p
     WHERE p.is_active AND p.id <> besides
       AND (p.kind = 'NOTIONAL') = treasury_pool_elsewhere.notional
       AND (p.header_id = treasury_pool_elsewhere.account AND p.kind <> 'NOTIONAL'
            OR EXISTS (SELECT 1 FROM treasury_cashpoolmember m
                        WHERE m.pool_id = p.id AND m.account_id = treasury_pool_elsewhere.account))
     ORDER BY p.code LIMIT 1
$$;

CREATE OR REPLACE FUNCTION treasury_guard_cash_pool() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    taken text;
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a cash pool is switched off, never deleted'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM treasury_pools_alone(NEW.tenant_id);
    IF TG_OP = 'UPDATE' AND (NEW.kind, NEW.currency, NEW.code) <> (OLD.kind, OLD.currency, OLD.code)
    THEN
        RAISE EXCEPTION 'a cash pool keeps its code, kind and currency'
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.header_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM treasury_bankaccount a
         WHERE a.id = NEW.header_id AND a.currency = NEW.currency AND a.tenant_id = NEW.tenant_id)
    THEN
        RAISE EXCEPTION 'the header holds the currency of its pool'
            USING ERRCODE = 'check_violation';
    END IF;
    IF NOT treasury_is_whole(NEW.header_floor, NEW.currency) THEN
        RAISE EXCEPTION '% has fewer decimals', NEW.currency USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT 1 FROM treasury_cashpoolmember m
                WHERE m.pool_id = NEW.id AND m.account_id = NEW.header_id) THEN
        RAISE EXCEPTION 'the header is no member of its pool' USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT 1 FROM treasury_cashpoolmember m
                WHERE m.pool_id = NEW.id AND m.is_poolable
                  AND treasury_pool_is_closed(m.account_id, NEW.header_id)) THEN
        RAISE EXCEPTION 'nothing is pooled across this border' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.is_active THEN
        IF NEW.kind <> 'NOTIONAL' THEN
            taken := treasury_pool_elsewhere(NEW.header_id, NEW.id, false);
        END IF;
        taken := coalesce(taken, (
            SELECT min(treasury_pool_elsewhere(m.account_id, NEW.id, NEW.kind = 'NOTIONAL'))
              FROM treasury_cashpoolmember m WHERE m.pool_id = NEW.id));
        IF taken IS NOT NULL THEN
            RAISE EXCEPTION 'an account has its place in % already', taken
                USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard ON treasury_cashpool;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE ON treasury_cashpool
    FOR EACH ROW EXECUTE FUNCTION treasury_guard_cash_pool();

CREATE OR REPLACE FUNCTION treasury_guard_pool_member() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    p treasury_cashpool;
    taken text;
BEGIN
    PERFORM treasury_pools_alone(NEW.tenant_id);
    IF TG_OP = 'UPDATE' AND (NEW.pool_id, NEW.account_id) <> (OLD.pool_id, OLD.account_id) THEN
        RAISE EXCEPTION 'a member keeps its pool and account' USING ERRCODE = 'check_violation';
    END IF;
    SELECT * INTO p FROM treasury_cashpool WHERE id = NEW.pool_id AND tenant_id = NEW.tenant_id;
    IF NOT EXISTS (
        SELECT 1 FROM treasury_bankaccount a
         WHERE a.id = NEW.account_id AND a.currency = p.currency AND a.tenant_id = p.tenant_id)
    THEN
        RAISE EXCEPTION 'a member holds the currency of its pool'
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.account_id = p.header_id THEN
        RAISE EXCEPTION 'the header is no member of its pool' USING ERRCODE = 'check_violation';
    END IF;
    IF NOT (treasury_is_whole(NEW.target, p.currency)
            AND treasury_is_whole(NEW.minimum, p.currency)
            AND treasury_is_whole(NEW.multiple, p.currency)
            AND treasury_is_whole(coalesce(NEW.lower, 0), p.currency)
            AND treasury_is_whole(coalesce(NEW.upper, 0), p.currency)) THEN
        RAISE EXCEPTION '% has fewer decimals', p.currency USING ERRCODE = 'check_violation';
    END IF;
    IF p.kind = 'ZERO_BALANCE' AND NEW.target <> 0 THEN
        RAISE EXCEPTION 'a zero-balance pool leaves nothing' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.is_poolable AND treasury_pool_is_closed(NEW.account_id, p.header_id) THEN
        RAISE EXCEPTION 'nothing is pooled across this border' USING ERRCODE = 'check_violation';
    END IF;
    -- Also where no header says from where: notional pools look from account to account.
    IF NEW.is_poolable AND p.kind = 'NOTIONAL' AND EXISTS (
        SELECT 1 FROM treasury_cashpoolmember m
         WHERE m.pool_id = p.id AND m.id <> NEW.id AND m.is_poolable
           AND treasury_pool_is_closed(m.account_id, NEW.account_id)) THEN
        RAISE EXCEPTION 'nothing is pooled across this border' USING ERRCODE = 'check_violation';
    END IF;
    IF p.is_active THEN
        taken := treasury_pool_elsewhere(NEW.account_id, p.id, p.kind = 'NOTIONAL');
        IF taken IS NOT NULL THEN
            RAISE EXCEPTION 'the account has its place in % already', taken
                USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard ON treasury_cashpoolmember;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON treasury_cashpoolmember
    FOR EACH ROW EXECUTE FUNCTION treasury_guard_pool_member();
"""

RUNS = f"""
CREATE OR REPLACE FUNCTION treasury_guard_pool_run() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    inputs jsonb := NEW.record::jsonb -> 'inputs';
    outcome jsonb := NEW.record::jsonb -> 'outcome';
BEGIN
    IF NEW.record_sha256 <> encode(sha256(convert_to(NEW.record, 'UTF8')), 'hex')
       OR inputs ->> 'pool' IS DISTINCT FROM NEW.pool_id::text
       OR (inputs ->> 'day')::date IS DISTINCT FROM NEW.day
       OR (inputs ->> 'decided_at')::timestamptz IS DISTINCT FROM NEW.decided_at
       OR (outcome ->> 'header_before')::numeric IS DISTINCT FROM NEW.header_before
       OR (outcome ->> 'header_after')::numeric IS DISTINCT FROM NEW.header_after
       OR (outcome ->> 'swept')::numeric IS DISTINCT FROM NEW.swept
       OR (outcome ->> 'funded')::numeric IS DISTINCT FROM NEW.funded
       OR (outcome ->> 'short')::numeric IS DISTINCT FROM NEW.short THEN
        RAISE EXCEPTION 'a run says what its record says' USING ERRCODE = 'check_violation';
    END IF;
    IF NOT EXISTS (
        SELECT 1 FROM treasury_cashpool p
         WHERE p.id = NEW.pool_id AND p.tenant_id = NEW.tenant_id AND p.is_active
           AND NOT p.is_bank_run AND p.kind <> 'NOTIONAL'
           AND inputs -> 'header' ->> 'account' = p.header_id::text
           AND inputs ->> 'currency' = p.currency
           AND NEW.rate = p.intercompany_rate AND NEW.day_count = p.day_count) THEN
        RAISE EXCEPTION 'only an active pool of ours that moves money is run'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard ON treasury_poolrun;
CREATE TRIGGER guard BEFORE INSERT ON treasury_poolrun
    FOR EACH ROW EXECUTE FUNCTION treasury_guard_pool_run();

CREATE OR REPLACE FUNCTION treasury_guard_pool_move() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    r treasury_poolrun;
    p treasury_cashpool;
BEGIN
    SELECT * INTO r FROM treasury_poolrun WHERE id = NEW.run_id;
    SELECT * INTO p FROM treasury_cashpool WHERE id = r.pool_id;
    IF NOT EXISTS (
        SELECT 1 FROM jsonb_array_elements(r.record::jsonb #> '{{outcome,lines}}') line
         WHERE line ->> 'account' = NEW.account_id::text
           AND line ->> 'direction' = NEW.direction AND line ->> 'reason' = NEW.reason
           AND (line ->> 'before')::numeric = NEW.before
           AND (line ->> 'target')::numeric = NEW.target
           AND (line ->> 'wanted')::numeric = NEW.wanted
           AND (line ->> 'amount')::numeric = NEW.amount
           AND (line ->> 'after')::numeric = NEW.after) THEN
        RAISE EXCEPTION 'a move says what the record of its run says'
            USING ERRCODE = 'check_violation';
    END IF;
    IF NOT treasury_is_whole(NEW.amount, p.currency) THEN
        RAISE EXCEPTION '% has fewer decimals', p.currency USING ERRCODE = 'check_violation';
    END IF;
    -- Banks and companies move after they were let into the pool.
    IF NEW.amount > 0 AND treasury_pool_is_closed(NEW.account_id, p.header_id) THEN
        RAISE EXCEPTION 'nothing is pooled across this border' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.proposal_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM treasury_proposal f
         WHERE f.id = NEW.proposal_id AND f.state = 'PENDING' AND f.purpose = 'POOL'
           AND f.amount = NEW.amount AND f.currency = p.currency AND f.value_date = r.day
           AND (f.debit_account_id, f.credit_account_id) = (
               CASE NEW.direction WHEN 'UP' THEN NEW.account_id ELSE p.header_id END,
               CASE NEW.direction WHEN 'UP' THEN p.header_id ELSE NEW.account_id END)) THEN
        RAISE EXCEPTION 'a move is exactly what is proposed' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard ON treasury_poolmove;
CREATE TRIGGER guard BEFORE INSERT ON treasury_poolmove
    FOR EACH ROW EXECUTE FUNCTION treasury_guard_pool_move();
"""

LOANS = f"""
CREATE OR REPLACE FUNCTION treasury_is_bank_sweep(e treasury_bankentry) RETURNS boolean
LANGUAGE sql IMMUTABLE {_PATH} AS $$
    SELECT e.transaction_code IN ({_CODES})
        OR e.best_source LIKE 'BAI2%' AND e.transaction_code IN ({_BAI2})
$$;

CREATE OR REPLACE FUNCTION treasury_guard_pool_pair() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM treasury_cashpool p
          JOIN treasury_bankentry d ON d.id = NEW.debit_entry_id
          JOIN treasury_bankentry c ON c.id = NEW.credit_entry_id
          JOIN treasury_cashpoolmember m ON m.pool_id = p.id
           AND (m.account_id, p.header_id) IN (
               (d.account_id, c.account_id), (c.account_id, d.account_id))
         WHERE p.id = NEW.pool_id AND p.is_bank_run
           AND NEW.rate = p.intercompany_rate AND NEW.day_count = p.day_count
           AND d.amount = -NEW.amount AND c.amount = NEW.amount
           AND d.value_date = NEW.value_date AND c.value_date = NEW.value_date
           AND d.status = 'BOOK' AND d.state = 'COUNTED'
           AND c.status = 'BOOK' AND c.state = 'COUNTED'
           AND treasury_is_bank_sweep(d) AND treasury_is_bank_sweep(c)) THEN
        RAISE EXCEPTION 'a pair is two booked sides of one sweep that the bank made'
            USING ERRCODE = 'check_violation';
    END IF;
    -- No key can say it: whether a pair stands is written on its entries and its loan. Their rows
    -- are held, so that of two at one instant the second sees the first.
    PERFORM 1 FROM treasury_bankentry e WHERE e.id IN (NEW.debit_entry_id, NEW.credit_entry_id)
      ORDER BY e.id FOR NO KEY UPDATE;
    IF EXISTS (
        SELECT 1 FROM treasury_poolpair x
          JOIN treasury_bankentry d ON d.id = x.debit_entry_id AND d.state = 'COUNTED'
          JOIN treasury_bankentry c ON c.id = x.credit_entry_id AND c.state = 'COUNTED'
         WHERE (x.debit_entry_id = NEW.debit_entry_id OR x.credit_entry_id = NEW.credit_entry_id)
           AND NOT EXISTS (SELECT 1 FROM treasury_intercompanyentry l
                            WHERE l.pair_id = x.id AND l.kind = 'REVERSAL')) THEN
        RAISE EXCEPTION 'an entry is in one standing pair' USING ERRCODE = 'unique_violation';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard ON treasury_poolpair;
CREATE TRIGGER guard BEFORE INSERT ON treasury_poolpair
    FOR EACH ROW EXECUTE FUNCTION treasury_guard_pool_pair();

-- What a loan may say, from the settled transfer or from the bank's own pair.
CREATE OR REPLACE FUNCTION treasury_is_lent(e treasury_intercompanyentry) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT EXISTS (
        SELECT 1 FROM treasury_transfer t
          JOIN treasury_proposal f ON f.id = t.proposal_id
          JOIN treasury_poolmove m ON m.proposal_id = f.id
          JOIN treasury_poolrun r ON r.id = m.run_id
          JOIN treasury_bankaccount d ON d.id = f.debit_account_id
          JOIN treasury_bankaccount c ON c.id = f.credit_account_id
          JOIN treasury_bankentry b ON b.id = t.debit_entry_id
         WHERE t.id = e.transfer_id AND f.state = 'SETTLED' AND f.purpose = 'POOL'
           AND f.amount = e.amount AND f.currency = e.currency
           AND d.entity_id = e.lender_id AND c.entity_id = e.borrower_id
           AND b.value_date = e.value_date AND r.rate = e.rate AND r.day_count = e.day_count)
    OR EXISTS (
        SELECT 1 FROM treasury_poolpair x
          JOIN treasury_cashpool p ON p.id = x.pool_id
          JOIN treasury_bankentry d ON d.id = x.debit_entry_id
          JOIN treasury_bankentry c ON c.id = x.credit_entry_id
          JOIN treasury_bankaccount da ON da.id = d.account_id
          JOIN treasury_bankaccount ca ON ca.id = c.account_id
         WHERE x.id = e.pair_id AND x.amount = e.amount AND p.currency = e.currency
           AND da.entity_id = e.lender_id AND ca.entity_id = e.borrower_id
           AND x.value_date = e.value_date AND x.rate = e.rate AND x.day_count = e.day_count)
$$;

-- A reversal undoes its loan whole, once the money is back or the bank took its entry back.
CREATE OR REPLACE FUNCTION treasury_is_undone(e treasury_intercompanyentry) RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT EXISTS (
        SELECT 1 FROM treasury_intercompanyentry l
          LEFT JOIN treasury_transfer t ON t.id = l.transfer_id
          LEFT JOIN treasury_proposal f ON f.id = t.proposal_id
          LEFT JOIN treasury_bankentry b ON b.id = t.return_entry_id
          LEFT JOIN treasury_poolpair x ON x.id = l.pair_id
          LEFT JOIN treasury_bankentry xd ON xd.id = x.debit_entry_id
          LEFT JOIN treasury_bankentry xc ON xc.id = x.credit_entry_id
         WHERE l.id = e.reverses_id AND l.kind = 'LOAN'
           AND l.transfer_id IS NOT DISTINCT FROM e.transfer_id
           AND l.pair_id IS NOT DISTINCT FROM e.pair_id
           AND (l.lender_id, l.borrower_id) = (e.borrower_id, e.lender_id)
           AND (l.amount, l.currency, l.rate, l.day_count)
               = (e.amount, e.currency, e.rate, e.day_count)
           AND (f.state = 'RETURNED' AND b.value_date = e.value_date
                OR (xd.state <> 'COUNTED' OR xc.state <> 'COUNTED')
                   AND e.value_date = l.value_date))
$$;

CREATE OR REPLACE FUNCTION treasury_guard_intercompany() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
BEGIN
    IF NOT treasury_is_whole(NEW.amount, NEW.currency) THEN
        RAISE EXCEPTION '% has fewer decimals', NEW.currency USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.kind = 'LOAN' AND NOT treasury_is_lent(NEW)
       OR NEW.kind <> 'LOAN' AND NOT treasury_is_undone(NEW) THEN
        RAISE EXCEPTION 'an intercompany entry is money that moved, exactly'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard ON treasury_intercompanyentry;
CREATE TRIGGER guard BEFORE INSERT ON treasury_intercompanyentry
    FOR EACH ROW EXECUTE FUNCTION treasury_guard_intercompany();
"""

# ISO 4217: currencies without decimals, and with three; every other one that we hold has two.
_UNITS = f"""
CREATE OR REPLACE FUNCTION treasury_is_whole(amount numeric, currency text) RETURNS boolean
LANGUAGE sql IMMUTABLE {_PATH} AS $$
    SELECT amount = round(amount, CASE
        WHEN currency IN ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF',
                          'UGX', 'UYI', 'VND', 'VUV', 'XAF', 'XOF', 'XPF') THEN 0
        WHEN currency IN ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') THEN 3
        WHEN currency IN ('CLF', 'UYW') THEN 4 ELSE 2 END)
$$;
"""

POOLS = _UNITS + PLACES + RUNS + LOANS
TRIGGERS = {
    "treasury_cashpool.guard",
    "treasury_cashpoolmember.guard",
    "treasury_poolrun.guard",
    "treasury_poolrun.append_only",
    "treasury_poolmove.guard",
    "treasury_poolmove.append_only",
    "treasury_poolpair.guard",
    "treasury_poolpair.append_only",
    "treasury_intercompanyentry.guard",
    "treasury_intercompanyentry.append_only",
}
