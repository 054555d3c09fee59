"""The rules of money movement as the database holds them.

Kept as SQL text and applied by a migration. `treasury_proposal_content` is the only builder of
what checkers approve: account numbers enter as keyed digests, so a changed number changes the hash.
"""

from treasury.guards import (
    asking,
    batches,
    controls,
    days,
    parts,
    periods,
    pools,
    recalls,
    reported_batches,
    sealing,
    sweep_batches,
    sweep_lines,
    sweeps,
)

EDGES = (
    ("DRAFT", "PENDING"),
    ("DRAFT", "CANCELLED"),
    ("PENDING", "PENDING"),
    ("PENDING", "APPROVED"),
    ("PENDING", "REJECTED"),
    ("PENDING", "CANCELLED"),
    ("PENDING", "EXPIRED"),
    ("APPROVED", "EXECUTING"),
    ("APPROVED", "CANCELLED"),
    ("APPROVED", "EXPIRED"),
    ("EXECUTING", "SENT"),
    ("EXECUTING", "FAILED"),
    ("SENT", "CONFIRMED"),
    ("SENT", "FAILED"),
    ("CONFIRMED", "SETTLED"),
    ("CONFIRMED", "RETURNED"),
    ("SETTLED", "RETURNED"),
    ("FAILED", "EXECUTING"),
    ("FAILED", "CONFIRMED"),
)

_EDGE_ROWS = ", ".join(f"('{source}', '{target}')" for source, target in EDGES)

CONTENT = """
CREATE OR REPLACE FUNCTION treasury_proposal_content(p treasury_proposal) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT jsonb_build_object(
        'proposal', p.id, 'reference', p.reference, 'version', p.version, 'purpose', p.purpose,
        'amount', p.amount::text, 'currency', p.currency, 'rail', p.rail,
        'charge_bearer', p.charge_bearer, 'value_date', p.value_date,
        'debit_account', p.debit_account_id, 'debit_number', d.number_index, 'debit_bank', db.bic)
        || CASE WHEN p.beneficiary_id IS NULL THEN (
            SELECT jsonb_build_object(
                'credit_account', p.credit_account_id, 'credit_number', c.number_index,
                'credit_bank', cb.bic, 'credit_clearing', c.clearing_code, 'creditor', e.name)
              FROM treasury_bankaccount c JOIN treasury_bank cb ON cb.id = c.bank_id
              JOIN treasury_legalentity e ON e.id = c.entity_id
             WHERE c.id = p.credit_account_id)
        WHEN p.credit_account_id IS NULL THEN (
            SELECT jsonb_build_object(
                'beneficiary', b.id, 'credit_number', b.number_index, 'credit_bank', b.bank_bic,
                'credit_clearing', b.clearing_code, 'creditor', b.name, 'creditor_town', b.town,
                'creditor_country', b.country, 'payment_purpose', b.payment_purpose)
              FROM treasury_beneficiary b WHERE b.id = p.beneficiary_id)
        END
        -- What was proposed before orders were sealed keeps the content that people approved.
        || CASE WHEN p.order_seal = '' THEN '{}' ELSE jsonb_build_object('order', p.order_seal) END
      FROM treasury_bankaccount d JOIN treasury_bank db ON db.id = d.bank_id
     WHERE d.id = p.debit_account_id
$$;
"""

BENEFICIARY = """
-- The person behind the present transaction, if it is one of the tenant's people.
CREATE OR REPLACE FUNCTION treasury_acting_person() RETURNS core_user
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT u FROM core_user u WHERE u.id::text = current_setting('app.actor', true)
$$;

CREATE OR REPLACE FUNCTION treasury_guard_beneficiary() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    person core_user := treasury_acting_person();
    material text[] := ARRAY[
        'name', 'currency', 'bank_bic', 'is_iban', 'number_index', 'clearing_code', 'street',
        'building_number', 'post_code', 'town', 'country', 'payment_purpose', 'is_typed_in'];
    changed boolean;
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a beneficiary is blocked, never deleted'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- To let a blocked one be paid again is as grave as a new number.
    changed := TG_OP = 'INSERT' OR (NEW.state = 'ACTIVE' AND OLD.state <> 'ACTIVE')
        OR EXISTS (SELECT 1 FROM unnest(material) AS field
                    WHERE to_jsonb(NEW) -> field IS DISTINCT FROM to_jsonb(OLD) -> field);
    IF changed THEN
        NEW.changed_at := clock_timestamp();
        NEW.changed_by_id := person.id;
        NEW.is_verified := false;
        NEW.verified_by_id := NULL;
        RETURN NEW;
    END IF;
    NEW.changed_at := OLD.changed_at;
    NEW.changed_by_id := OLD.changed_by_id;
    NEW.verified_by_id := OLD.verified_by_id;
    IF NEW.is_verified AND NOT OLD.is_verified THEN
        IF person.id IS NULL OR person.is_service OR EXISTS (
            SELECT 1 FROM core_user u WHERE u.id = OLD.changed_by_id
               AND u.person_number = person.person_number) THEN
            RAISE EXCEPTION 'another person verifies what somebody wrote'
                USING ERRCODE = 'check_violation';
        END IF;
        NEW.verified_by_id := person.id;
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard ON treasury_beneficiary;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE ON treasury_beneficiary
    FOR EACH ROW EXECUTE FUNCTION treasury_guard_beneficiary();
"""

PROPOSAL = f"""
{sweep_lines.RELEASE}
CREATE OR REPLACE FUNCTION treasury_guard_proposal() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    content jsonb;
    frozen text[] := ARRAY['state', 'content_hash', 'submitted_at', 'closed_at', 'closing_reason',
                           'usd_equivalent'];
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a proposal is never deleted' USING ERRCODE = 'insufficient_privilege';
    END IF;
    content := treasury_proposal_content(NEW);
    IF content IS NULL THEN
        RAISE EXCEPTION 'a proposal names an account of its tenant and who is paid'
            USING ERRCODE = 'check_violation';
    END IF;
    -- What was sent stays as it was sent, also when an account is renumbered later.
    NEW.content_hash := CASE
        WHEN TG_OP = 'UPDATE' AND (NEW.state = 'CONFIRMED'
            OR OLD.state NOT IN ('DRAFT', 'PENDING', 'APPROVED', 'FAILED'))
            THEN OLD.content_hash
        ELSE approvals_content_hash(
            NEW.tenant_id, 'treasury.proposal', NEW.id, NEW.version, content) END;
    IF NOT EXISTS (SELECT 1 FROM treasury_bankaccount a WHERE a.id = NEW.debit_account_id
                      AND a.currency = NEW.currency)
       OR (NEW.credit_account_id IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM treasury_bankaccount a
                            WHERE a.id = NEW.credit_account_id AND a.currency = NEW.currency))
       OR (NEW.beneficiary_id IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM treasury_beneficiary b
                            WHERE b.id = NEW.beneficiary_id AND b.currency = NEW.currency)) THEN
        RAISE EXCEPTION 'both accounts hold the currency of the proposal'
            USING ERRCODE = 'check_violation';
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'DRAFT' THEN
            RAISE EXCEPTION 'a proposal is born as DRAFT, not as %', NEW.state
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (VALUES {_EDGE_ROWS}) THEN
        RAISE EXCEPTION 'a proposal does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF to_jsonb(NEW) - frozen <> to_jsonb(OLD) - frozen
       AND NOT (OLD.state = 'DRAFT' AND NEW.state = 'DRAFT')
       AND NOT (OLD.state = 'PENDING' AND NEW.state = 'PENDING' AND NEW.version = OLD.version + 1
                AND to_jsonb(NEW) -> 'maker_id' = to_jsonb(OLD) -> 'maker_id'
                AND NEW.reference = OLD.reference AND NEW.tenant_id = OLD.tenant_id) THEN
        RAISE EXCEPTION 'a submitted proposal changes only as a new version while it is PENDING'
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state IN ('APPROVED', 'EXECUTING') AND NEW.content_hash <> OLD.content_hash THEN
        RAISE EXCEPTION 'an account of the proposal changed after it was submitted'
            USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state = 'PENDING' AND NEW.state = 'APPROVED'
       AND NOT treasury_is_released(NEW, content) THEN
        RAISE EXCEPTION 'proposal % has not been approved by enough people', NEW.reference
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'EXECUTING' AND OLD.state <> 'EXECUTING'
       AND NOT (treasury_is_released(NEW, content)
                AND EXISTS (SELECT 1 FROM treasury_transfer t WHERE t.proposal_id = NEW.id)) THEN
        RAISE EXCEPTION 'proposal % has no approved transfer to execute', NEW.reference
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'EXECUTING' AND OLD.state <> 'EXECUTING' THEN
        IF treasury_cools_until(NEW) IS NOT NULL THEN
            RAISE EXCEPTION 'proposal % rests: the account it pays was changed', NEW.reference
                USING ERRCODE = 'check_violation';
        END IF;
        IF EXISTS (SELECT 1 FROM treasury_beneficiary b
                    WHERE b.id = NEW.beneficiary_id AND b.state <> 'ACTIVE') THEN
            RAISE EXCEPTION 'proposal % pays a blocked beneficiary', NEW.reference
                USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard ON treasury_proposal;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE ON treasury_proposal
    FOR EACH ROW EXECUTE FUNCTION treasury_guard_proposal();
"""

TRANSFER = """
CREATE OR REPLACE FUNCTION treasury_guard_transfer() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    p treasury_proposal;
    usd numeric;
    entity uuid;
    over record;
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a transfer is never deleted' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.proposal_id, NEW.end_to_end_id, NEW.uetr, NEW.tenant_id)
           <> (OLD.proposal_id, OLD.end_to_end_id, OLD.uetr, OLD.tenant_id) THEN
            RAISE EXCEPTION 'a transfer keeps its identifiers' USING ERRCODE = 'check_violation';
        END IF;
        IF NEW.bank_status_rank < OLD.bank_status_rank AND NEW.attempt = OLD.attempt THEN
            RAISE EXCEPTION 'the bank status of a transfer never falls back'
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    SELECT * INTO p FROM treasury_proposal WHERE id = NEW.proposal_id FOR UPDATE;
    IF p.state IS DISTINCT FROM 'APPROVED'
       OR NOT treasury_is_released(p, treasury_proposal_content(p))
       OR (p.purpose = 'SWEEP' AND NEW.end_to_end_id <> p.reference) THEN
        RAISE EXCEPTION 'only an approved proposal becomes a transfer'
            USING ERRCODE = 'check_violation';
    END IF;
    PERFORM treasury_count_alone(p);
    SELECT * INTO over FROM treasury_over_limit(p) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'proposal % takes its % above the limit of 24 hours', p.reference,
            over.scope USING ERRCODE = 'check_violation';
    END IF;
    -- A sweep order is released by its mandate or by its own approval, whose amount it is.
    IF p.purpose = 'SWEEP' THEN
        RETURN NEW;
    END IF;
    -- Counted again with the newest rate, together with the parts of a split payment: a request
    -- that understated its worth fails here.
    usd := treasury_rule_usd(p);
    SELECT a.entity_id INTO entity FROM treasury_bankaccount a WHERE a.id = p.debit_account_id;
    IF approvals_required('fund_movement', usd, p.currency, p.rail, entity) > (
        SELECT count(DISTINCT d.checker_person) FROM approvals_decision d
          JOIN approvals_approvalrequest q ON q.id = d.request_id
         WHERE q.subject_type = 'treasury.proposal' AND q.subject_id = p.id
           AND q.subject_version = p.version AND d.outcome = 'APPROVE'
           AND d.content_hash = q.content_hash) THEN
        RAISE EXCEPTION 'proposal % needs more approvals for its amount', p.reference
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS guard ON treasury_transfer;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE ON treasury_transfer
    FOR EACH ROW EXECUTE FUNCTION treasury_guard_transfer();
"""

# One text calls what another one makes.
_BODIES_ARE_CHECKED_LATER = "SET LOCAL check_function_bodies = false;"
ALL = (
    _BODIES_ARE_CHECKED_LATER
    + CONTENT
    + BENEFICIARY
    + controls.QUESTIONS
    + controls.STAMP
    + controls.FREEZE
    + PROPOSAL
    + TRANSFER
    + sealing.OUTBOUND
    + recalls.RECALL
    + asking.ASKING
    + periods.QUESTIONS
    + periods.ACCEPTANCE
    + days.FUNCTIONS
    + days.KEEPING
    + sweeps.SWEEPS
    + batches.BATCHES
)
POOLS = _BODIES_ARE_CHECKED_LATER + pools.POOLS
SWEEP_LINES = (
    _BODIES_ARE_CHECKED_LATER
    + sealing.SEAL
    + sealing.GUARD
    + PROPOSAL
    + TRANSFER
    + sweeps.QUESTIONS
    + sweeps.ORDER
)
QUESTIONS = controls.QUESTIONS
PARTS = parts.PARTS
SWEEPS = _BODIES_ARE_CHECKED_LATER + sweeps.SWEEPS
SWEEP_UNIVERSES = sweeps.DECISION + sweeps.UNIVERSE
SWEEP_BATCHES = _BODIES_ARE_CHECKED_LATER + reported_batches.ARRIVING + sweep_batches.SWEEP_BATCHES
TRIGGERS = {
    "treasury_beneficiary.guard",
    "treasury_proposal.guard",
    "treasury_riskreading.append_only",
    "treasury_entrypart.append_only",
    "treasury_entrypart.parts_are_whole",
    "treasury_uploadedproposal.append_only",
    "treasury_transfer.guard",
    "treasury_transferstatus.append_only",
    *controls.TRIGGERS,
    *sealing.TRIGGERS,
    *days.TRIGGERS,
    *recalls.TRIGGERS,
    *periods.TRIGGERS,
    *asking.TRIGGERS,
    *sweeps.TRIGGERS,
    *batches.TRIGGERS,
    *pools.TRIGGERS,
}
