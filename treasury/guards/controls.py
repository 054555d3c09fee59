"""What is asked before money leaves: cool-off, limits over 24 hours, and the emergency freeze.

The services ask the same functions, so that page, refusal and guard never disagree. Cool-off runs
on the database's own clock.
"""

_PATH = "SET search_path = pg_catalog, public, pg_temp"

QUESTIONS = f"""
-- A policy as it is in force; its default where the tenant never changed it.
CREATE OR REPLACE FUNCTION treasury_policy(name text, standard text) RETURNS text
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT coalesce((SELECT v.value #>> '{{}}' FROM core_policyversion v WHERE v.key = name
                      ORDER BY v.version DESC LIMIT 1), standard)
$$;

-- Dollars at the newest rate of any age; NULL without any rate.
CREATE OR REPLACE FUNCTION treasury_worth_usd(amount numeric, currency text) RETURNS numeric
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT CASE WHEN treasury_worth_usd.currency = 'USD' THEN amount ELSE amount * (
        SELECT r.usd_per_unit FROM treasury_usdrate r
         WHERE r.currency = treasury_worth_usd.currency ORDER BY r.as_of DESC LIMIT 1) END
$$;

-- Who is paid, told apart by account number: typing it in again makes nobody new.
CREATE OR REPLACE FUNCTION treasury_payee(p treasury_proposal) RETURNS text
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT CASE WHEN p.beneficiary_id IS NULL THEN p.credit_account_id::text
                ELSE (SELECT b.number_index FROM treasury_beneficiary b
                       WHERE b.id = p.beneficiary_id) END
$$;

-- Until when a payment rests because the account it goes to is new or was changed. Approved with
-- broken glass it does not rest.
CREATE OR REPLACE FUNCTION treasury_cools_until(p treasury_proposal) RETURNS timestamptz
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT max(rests.until) FROM (
        SELECT changed.at
               + treasury_policy('COOL_OFF_HOURS', '24')::integer * interval '1 hour' AS until
          FROM (SELECT b.changed_at AS at FROM treasury_beneficiary b
                 WHERE b.id = p.beneficiary_id
                UNION ALL
                SELECT a.changed_at FROM treasury_bankaccount a
                 WHERE a.id = p.credit_account_id) changed) rests
     WHERE rests.until > clock_timestamp()
       AND NOT EXISTS (
           SELECT 1 FROM approvals_approvalrequest q
            WHERE q.subject_type = 'treasury.proposal' AND q.subject_id = p.id
              AND q.subject_version = p.version AND q.state = 'APPROVED'
              AND q.break_glass IS NOT NULL)
$$;

-- What left or waits to leave in the 24 hours before this proposal, this one included, by whom
-- it concerns. NULL: a worth is unknown.
CREATE OR REPLACE FUNCTION treasury_rolling(p treasury_proposal)
RETURNS TABLE (scope text, usd numeric)
LANGUAGE sql STABLE {_PATH} AS $$
    WITH own AS (
        SELECT treasury_worth_usd(p.amount, p.currency) AS usd, treasury_payee(p) AS payee,
               u.person_number AS person,
               -- All logins of the person: whoever is the same person counts as the same person.
               ARRAY(SELECT l.id FROM core_user l WHERE l.person_number = u.person_number) AS logins
          FROM (SELECT 1) AS always LEFT JOIN core_user u ON u.id = p.maker_id
    ), scope AS (
        SELECT s.name FROM own, unnest(ARRAY['beneficiary', 'maker', 'account', 'split']) AS s(name)
         WHERE CASE s.name
               WHEN 'beneficiary' THEN p.beneficiary_id IS NOT NULL
               WHEN 'maker' THEN own.person IS NOT NULL
               WHEN 'split' THEN treasury_policy('SPLITTING_COUNTS', 'beneficiaries') = 'all'
                    OR treasury_policy('SPLITTING_COUNTS', 'beneficiaries') = 'beneficiaries'
                       AND p.beneficiary_id IS NOT NULL
               ELSE true END
    ), asked AS (
        SELECT bool_or(name IN ('beneficiary', 'split')) AS by_payee FROM scope
    ), earlier AS MATERIALIZED (
        -- Read once for all scopes; who is paid is looked up only where a scope asks.
        SELECT q.debit_account_id = p.debit_account_id AS same_account,
               CASE WHEN own.person IS NULL THEN q.maker_id IS NULL
                    ELSE coalesce(q.maker_id = ANY (own.logins), false) END AS same_person,
               CASE WHEN asked.by_payee THEN coalesce(treasury_payee(q) = own.payee, false)
               END AS same_payee,
               coalesce(q.usd_equivalent, treasury_worth_usd(q.amount, q.currency)) AS usd
          FROM own, asked, treasury_proposal q
         WHERE q.id <> p.id
           AND q.state IN ('PENDING', 'APPROVED', 'EXECUTING', 'SENT', 'CONFIRMED', 'SETTLED')
           AND q.submitted_at > p.submitted_at - interval '24 hours'
           AND q.submitted_at <= p.submitted_at
           AND (q.submitted_at, q.id) < (p.submitted_at, p.id)
    )
    SELECT scope.name, (
        SELECT CASE WHEN count(*) = count(e.usd) THEN own.usd + coalesce(sum(e.usd), 0) END
          FROM earlier e
         WHERE CASE scope.name
               WHEN 'beneficiary' THEN e.same_payee
               WHEN 'maker' THEN e.same_person
               WHEN 'account' THEN e.same_account
               ELSE e.same_person AND e.same_payee AND e.same_account END)
      FROM own, scope
$$;

CREATE OR REPLACE FUNCTION treasury_over_limit(p treasury_proposal)
RETURNS TABLE (scope text, usd numeric, ceiling numeric)
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT r.scope, r.usd, l.ceiling
      FROM treasury_rolling(p) r
      JOIN (VALUES
            ('beneficiary',
             treasury_policy('OUTFLOW_24H_BENEFICIARY_USD_MAX', '50000000')::numeric),
            ('maker', treasury_policy('OUTFLOW_24H_MAKER_USD_MAX', '500000000')::numeric),
            ('account', treasury_policy('OUTFLOW_24H_ACCOUNT_USD_MAX', '500000000')::numeric)
           ) AS l(scope, ceiling) ON l.scope = r.scope
     WHERE l.ceiling > 0 AND r.usd > l.ceiling
$$;

-- The worth that approval rules compare: payments split in parts count together.
CREATE OR REPLACE FUNCTION treasury_rule_usd(p treasury_proposal) RETURNS numeric
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT CASE WHEN bool_or(r.usd IS NULL) THEN NULL
                ELSE greatest(treasury_worth_usd(p.amount, p.currency), max(r.usd)) END
      FROM (SELECT treasury_worth_usd(p.amount, p.currency) AS usd
            UNION ALL SELECT s.usd FROM treasury_rolling(p) s WHERE s.scope = 'split') r
$$;

-- Payments of one account, maker or payee are counted one after the other.
CREATE OR REPLACE FUNCTION treasury_count_alone(p treasury_proposal) RETURNS void
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    key bigint;
BEGIN
    FOR key IN
        SELECT DISTINCT hashtextextended(p.tenant_id || ':' || part.word, 0)
          FROM unnest(ARRAY['account ' || p.debit_account_id, 'maker ' || p.maker_id,
                            'payee ' || treasury_payee(p)]) AS part(word)
         WHERE part.word IS NOT NULL ORDER BY 1
    LOOP
        PERFORM pg_advisory_xact_lock(key);
    END LOOP;
END $$;

-- Several in one transaction: all their locks in one order, or two such transactions would each
-- hold what the other one waits for.
CREATE OR REPLACE FUNCTION treasury_count_together(ids uuid[]) RETURNS void
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    key bigint;
BEGIN
    FOR key IN
        SELECT DISTINCT hashtextextended(p.tenant_id || ':' || part.word, 0)
          FROM treasury_proposal p, LATERAL
               unnest(ARRAY['account ' || p.debit_account_id, 'maker ' || p.maker_id,
                            'payee ' || treasury_payee(p)]) AS part(word)
         WHERE p.id = ANY(ids) AND part.word IS NOT NULL ORDER BY 1
    LOOP
        PERFORM pg_advisory_xact_lock(key);
    END LOOP;
END $$;
"""

STAMP = f"""
-- Provisioning by the system opens accounts ready for use; whatever a person does, and any later
-- change, lets payments to the account rest.
CREATE OR REPLACE FUNCTION treasury_stamp_account() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    person core_user := treasury_acting_person();
    material text[] := ARRAY['number_index', 'is_iban', 'currency', 'clearing_code', 'bank_id',
                             'entity_id'];
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.changed_at := CASE WHEN person.id IS NOT NULL THEN clock_timestamp() END;
        NEW.changed_by_id := person.id;
    ELSIF (NEW.is_active AND NOT OLD.is_active)
       OR EXISTS (SELECT 1 FROM unnest(material) AS field
                   WHERE to_jsonb(NEW) -> field IS DISTINCT FROM to_jsonb(OLD) -> field) THEN
        NEW.changed_at := clock_timestamp();
        NEW.changed_by_id := person.id;
    ELSE
        NEW.changed_at := OLD.changed_at;
        NEW.changed_by_id := OLD.changed_by_id;
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS stamp ON treasury_bankaccount;
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON treasury_bankaccount
    FOR EACH ROW EXECUTE FUNCTION treasury_stamp_account();
"""

FREEZE = f"""
CREATE OR REPLACE FUNCTION treasury_is_frozen() RETURNS boolean
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT EXISTS (SELECT 1 FROM treasury_freeze f WHERE f.state <> 'RELEASED')
$$;

CREATE OR REPLACE FUNCTION treasury_freeze_content(f treasury_freeze) RETURNS jsonb
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT jsonb_build_object(
        'freeze', f.id, 'version', f.version, 'frozen_by', f.frozen_by_id,
        'frozen_at', f.frozen_at, 'reason', f.reason, 'release_asked_by', f.release_asked_by_id,
        'release_reason', f.release_reason)
$$;

-- Two people besides who stopped it: who asks for the release and who approves it.
CREATE OR REPLACE FUNCTION treasury_releasers(f treasury_freeze) RETURNS bigint
LANGUAGE sql STABLE {_PATH} AS $$
    SELECT count(DISTINCT people.person) FROM (
        SELECT u.person_number AS person FROM core_user u WHERE u.id = f.release_asked_by_id
        UNION ALL
        SELECT d.checker_person FROM approvals_decision d
          JOIN approvals_approvalrequest q ON q.id = d.request_id
         WHERE q.subject_type = 'treasury.freeze' AND q.subject_id = f.id
           AND q.subject_version = f.version AND d.outcome = 'APPROVE'
           AND d.content_hash = q.content_hash) people
     WHERE people.person IS DISTINCT FROM (
        SELECT u.person_number FROM core_user u WHERE u.id = f.frozen_by_id)
$$;

CREATE OR REPLACE FUNCTION treasury_guard_freeze() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
DECLARE
    may_change text[] := ARRAY['state', 'version', 'release_asked_by_id', 'release_asked_at',
                               'release_reason', 'released_at'];
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a freeze is released, never deleted'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'FROZEN'
           OR NEW.frozen_by_id::text IS DISTINCT FROM current_setting('app.actor', true) THEN
            RAISE EXCEPTION 'a person freezes in their own name' USING ERRCODE = 'check_violation';
        END IF;
        -- Wait for what is leaving this very moment; nothing leaves after the commit.
        PERFORM pg_advisory_xact_lock(hashtextextended('treasury.freeze:' || NEW.tenant_id, 0));
        RETURN NEW;
    END IF;
    IF to_jsonb(NEW) - may_change IS DISTINCT FROM to_jsonb(OLD) - may_change
       OR OLD.state = 'RELEASED' OR NEW.version < OLD.version
       OR (OLD.state, NEW.state) NOT IN (('FROZEN', 'FROZEN'), ('FROZEN', 'RELEASING'),
           ('RELEASING', 'RELEASING'), ('RELEASING', 'FROZEN'), ('RELEASING', 'RELEASED')) THEN
        RAISE EXCEPTION 'a freeze does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'RELEASED' AND NOT (
        treasury_freeze_content(NEW) = treasury_freeze_content(OLD)
        AND approvals_is_approved(
            'treasury.freeze', NEW.id, NEW.version, treasury_freeze_content(NEW))
        AND treasury_releasers(NEW) >= 2) THEN
        RAISE EXCEPTION 'two other people release what one person stopped'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard ON treasury_freeze;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE ON treasury_freeze
    FOR EACH ROW EXECUTE FUNCTION treasury_guard_freeze();

CREATE OR REPLACE FUNCTION treasury_guard_frozen() RETURNS trigger
LANGUAGE plpgsql {_PATH} AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(
        hashtextextended('treasury.freeze:' || NEW.tenant_id, 0));
    IF treasury_is_frozen() THEN
        RAISE EXCEPTION 'all outflows are stopped' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS frozen ON treasury_transfer;
CREATE TRIGGER frozen BEFORE INSERT ON treasury_transfer
    FOR EACH ROW EXECUTE FUNCTION treasury_guard_frozen();
DROP TRIGGER IF EXISTS frozen ON treasury_proposal;
CREATE TRIGGER frozen BEFORE UPDATE ON treasury_proposal
    FOR EACH ROW WHEN (NEW.state = 'EXECUTING' AND OLD.state <> 'EXECUTING')
    EXECUTE FUNCTION treasury_guard_frozen();
DROP TRIGGER IF EXISTS frozen ON integrations_message;
CREATE TRIGGER frozen BEFORE INSERT ON integrations_message
    FOR EACH ROW WHEN (NEW.direction = 'OUT') EXECUTE FUNCTION treasury_guard_frozen();
DROP TRIGGER IF EXISTS frozen_sending ON integrations_message;
CREATE TRIGGER frozen_sending BEFORE UPDATE ON integrations_message
    FOR EACH ROW WHEN (NEW.state = 'SENDING' AND OLD.state = 'QUEUED')
    EXECUTE FUNCTION treasury_guard_frozen();
"""

TRIGGERS = {
    "treasury_bankaccount.stamp",
    "treasury_freeze.guard",
    "treasury_transfer.frozen",
    "treasury_proposal.frozen",
    "integrations_message.frozen",
    "integrations_message.frozen_sending",
}
