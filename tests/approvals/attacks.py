"""Statements that the app role might send to get money out alone, and the guard that stops each.

`guard` is the constraint (or SQLSTATE) that must refuse the last statement; `walls` are what the
owner takes down for the negative control, after which the same statements must go through.
"""

from typing import Any

from tests.approvals.statements import (
    DECISION_OFF,
    DECISIONS,
    INSERT_OFF,
    NO_PRIVILEGE,
    OTHERS_PROOF,
    PROOF,
    REQUESTS,
    RULES,
    UPDATE_OFF,
    Attack,
    change,
    close,
    decision,
    off,
    request,
    without,
)


def _frozen(name: str, assignments: str) -> Attack:
    return Attack(
        name=f"change the {name} after submission",
        guard="approvals_frozen",
        statements=(change("half", assignments),),
        walls=UPDATE_OFF,
    )


def _closing(name: str, guard: str, *statements: str, **more: Any) -> Attack:
    return Attack(name=name, guard=guard, statements=statements, **{"walls": UPDATE_OFF, **more})


CLOSING = [
    _closing("approve what nobody approved", "approvals_enough_people", close("small", "APPROVED")),
    _closing("approve with one of two", "approvals_enough_people", close("half", "APPROVED")),
    _closing("lower the requirement", "approvals_only_up", change("half", "required_count = 1")),
    _closing(
        "lower the requirement and approve at once",
        "approvals_only_up",
        change("half", "required_count = 1, state = 'APPROVED', decided_at = now()"),
    ),
    _closing(
        "lower the USD-equivalent",
        "approvals_only_up",
        change("rupees", "usd_equivalent = 10000, usd_rate = 0.00001"),
    ),
    _closing(
        "forget the USD-equivalent", "approvals_only_up", change("rupees", "usd_equivalent = NULL")
    ),
    _closing(
        "make the rate look fresh again",
        "approvals_only_up",
        change("rupees", "usd_rate_at = NULL, usd_rate = NULL, usd_equivalent = NULL"),
    ),
    _closing("turn a rejection round", "approvals_edges", close("rejected", "APPROVED")),
    _closing(
        "reopen a rejection",
        "approvals_edges",
        change("rejected", "state = 'PENDING', decided_at = NULL"),
    ),
    _closing(
        "reopen an approval",
        "approvals_edges",
        change("done", "state = 'PENDING', decided_at = NULL"),
    ),
    _closing(
        "lower what the steps need",
        "approvals_only_up",
        change("half", """needs = '[{"step": 1, "count": 1, "manager_count": 0}]'"""),
    ),
    _closing("forget what the steps need", "approvals_only_up", change("half", "needs = '[]'")),
    _closing("skip a step of the chain", "approvals_only_up", change("chain", "needs = needs - 1")),
    _closing(
        "send back in nobody's name", "approvals_rejected_by_somebody", close("small", "RETURNED")
    ),
    _closing(
        "turn a request for changes into an approval",
        "approvals_edges",
        close("returned", "APPROVED"),
    ),
    _closing("revive what was voided", "approvals_edges", close("voided", "APPROVED")),
    _closing("revive what expired", "approvals_edges", close("expired", "APPROVED")),
    _closing("revive what was cancelled", "approvals_edges", close("cancelled", "APPROVED")),
    _closing(
        "invent a state",
        "approvals_edges",
        close("small", "SETTLED"),
        walls=(*UPDATE_OFF, *without(REQUESTS, "approval_request_state_known")),
    ),
    _closing(
        "change the content after the approval",
        "approvals_closed_is_closed",
        change("done", """content = '{"amount": "9"}'"""),
    ),
    _closing(
        "change the amount while cancelling",
        "approvals_frozen",
        change("done", "state = 'CANCELLED', amount = 9000000, usd_equivalent = 9000000"),
    ),
    _closing(
        "rewrite the reason of a closed request",
        "approvals_closed_is_closed",
        change("rejected", "reason = 'fine'"),
    ),
    _closing(
        "close before the submission",
        "approvals_closed_in_time",
        close("small", "CANCELLED", "now() - interval '9 years'"),
    ),
    _closing(
        "expire what has no cut-off", "approvals_expires_at_cutoff", close("small", "EXPIRED")
    ),
    _closing(
        "reject in nobody's name", "approvals_rejected_by_somebody", close("small", "REJECTED")
    ),
    _closing(
        "approve after the cut-off",
        "approvals_before_cutoff",
        decision("late", checker_id="%(c2)s"),
        close("late", "APPROVED", "cutoff_at"),
        actor="c2",
    ),
    _closing(
        "hide the missing decisions behind a temporary table",
        NO_PRIVILEGE,
        f"CREATE TEMP TABLE {DECISIONS} (LIKE public.{DECISIONS})",
        decision("small"),
        close("small", "APPROVED"),
        walls=(
            "ALTER FUNCTION approvals_guard_request_update() SET search_path = pg_catalog, public",
            "ALTER FUNCTION approvals_open_step(uuid, jsonb) SET search_path = pg_catalog, public",
        ),
    ),
    _closing(
        "act on a frozen snapshot",
        "approvals_isolation",
        close("small", "CANCELLED"),
        isolation="REPEATABLE READ",
        walls=(
            (
                "CREATE OR REPLACE FUNCTION approvals_require_fresh_snapshot() RETURNS void"
                " LANGUAGE sql AS 'SELECT NULL'"
            ),
        ),
    ),
    Attack(
        name="delete a request",
        guard=NO_PRIVILEGE,
        walls=off(REQUESTS, "guard_delete"),
        statements=(f"DELETE FROM {REQUESTS} WHERE id = %(small)s",),
    ),
    Attack(
        name="empty the requests",
        guard=NO_PRIVILEGE,
        statements=(f"TRUNCATE {REQUESTS} CASCADE",),
    ),
]

FROZEN = [
    _frozen("content", """content = '{"amount": "1"}'"""),
    _frozen("content hash", "content_hash = repeat('0', 64)"),
    _frozen("amount", "amount = 12000000, usd_equivalent = 20000000"),
    _frozen("currency", "currency = 'JPY'"),
    _frozen("rail", "rail = 'CHAPS'"),
    _frozen("action", "action = 'sweep'"),
    _frozen("maker", "maker_id = NULL"),
    _frozen("people involved", "involved_persons = '{}'"),
    _frozen("hand that submitted it", "submitted_by = 'system'"),
    _frozen("cut-off", "cutoff_at = now() + interval '9 years'"),
    _frozen("submission time", "submitted_at = submitted_at - interval '1 hour'"),
    _frozen("subject", "subject_id = gen_random_uuid()"),
    _frozen("version", "subject_version = 7"),
    _frozen("title", "title = 'Harmless'"),
    _frozen("policies it was made under", "policy_snapshot = '{}'"),
]


def _birth(name: str, guard: str, *walls: str, **changes: str) -> Attack:
    return Attack(name=name, guard=guard, statements=(request(**changes),), walls=walls)


BIRTH = [
    _birth(
        "be born approved",
        "approvals_born_pending",
        *INSERT_OFF,
        state="'APPROVED'",
        decided_at="now()",
    ),
    _birth(
        "slip in behind a later version",
        "approvals_version_rises",
        *INSERT_OFF,
        subject_id="%(done_subject)s",
        subject_version="0",
    ),
    _birth(
        "wait twice for one subject",
        "approval_request_one_pending",
        "DROP INDEX approval_request_one_pending",
        subject_id="%(small_subject)s",
        subject_version="2",
    ),
    _birth(
        "name a maker of another tenant",
        "approvals_maker_known",
        *INSERT_OFF,
        *without(REQUESTS, f"{REQUESTS}_maker_id_same_tenant"),
        maker_id="%(foreigner)s",
    ),
    _birth(
        "move nothing",
        "approval_request_amount_positive",
        *without(REQUESTS, "approval_request_amount_positive"),
        amount="0",
    ),
    _birth(
        "move a negative amount",
        "approval_request_amount_positive",
        *without(REQUESTS, "approval_request_amount_positive"),
        amount="-5",
    ),
    _birth(
        "move not-a-number",
        "approval_request_amount_positive",
        *without(REQUESTS, "approval_request_amount_positive"),
        amount="'NaN'",
    ),
    _birth(
        "name a currency without an amount",
        "approval_request_amount_positive",
        *without(REQUESTS, "approval_request_amount_positive"),
        amount="NULL",
    ),
    _birth(
        "move an amount of nothing",
        "approval_request_amount_positive",
        *without(REQUESTS, "approval_request_amount_positive", "approval_request_currency_code"),
        currency="''",
    ),
    _birth(
        "call twenty million dollars one dollar",
        "approval_request_usd_is_usd",
        *without(REQUESTS, "approval_request_usd_is_usd"),
        amount="20000000",
        usd_equivalent="1",
        usd_rate="0.00000001",
        usd_rate_at="now()",
    ),
    _birth(
        "understate the worth of another currency",
        "approval_request_usd_not_understated",
        *without(REQUESTS, "approval_request_usd_not_understated"),
        amount="20000000",
        currency="'EUR'",
        usd_equivalent="1",
        usd_rate="1.1",
        usd_rate_at="now()",
    ),
    _birth(
        "write for another tenant",
        NO_PRIVILEGE,
        f"ALTER TABLE {REQUESTS} NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE core_auditentry NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE core_auditpending NO FORCE ROW LEVEL SECURITY",
        tenant_id="%(other)s",
    ),
    Attack(
        name="ask for too few people",
        guard="approvals_enough_people",
        statements=(
            request(id="%(new)s", amount="20000000"),
            "SELECT set_config('app.actor', %(c2)s::text, true)",
            decision("new", maker_id="NULL", checker_id="%(c2)s"),
            close("new", "APPROVED"),
        ),
        walls=(*INSERT_OFF, *UPDATE_OFF),
    ),
    Attack(
        name="submit as the system and approve it oneself",
        guard="approvals_other_person",
        statements=(request(id="%(new)s"), decision("new", maker_id="NULL")),
        walls=DECISION_OFF,
    ),
    Attack(
        name="submit under another maker's name and approve it oneself",
        guard="approvals_other_person",
        statements=(request(id="%(new)s", maker_id="%(c3)s"), decision("new")),
        walls=DECISION_OFF,
    ),
]


def _by(actor: str, name: str, guard: str, *walls: str, of: str = "small", **row: str) -> Attack:
    row = {"checker_id": f"%({actor})s", **row}
    return Attack(
        name=name, guard=guard, actor=actor, statements=(decision(of, **row),),
        walls=walls or DECISION_OFF,
    )  # fmt: skip


STEP_UP_KEYS = (
    "approvals_decision_step_up_id_deecd744_fk_core_stepup_id",
    "approvals_decision_step_up_id_same_tenant",
)
DECIDING = [
    _by(
        "both",
        "approve as the maker",
        "approvals_other_person",
        *DECISION_OFF,
        *without(DECISIONS, "decision_maker_is_not_checker"),
        of="large",
        maker_id="%(both)s",
    ),
    _by(
        "both",
        "approve as the maker, naming another maker",
        "approvals_other_person",
        of="large",
    ),
    _by(
        "both",
        "approve as the maker, naming none",
        "approvals_other_person",
        of="large",
        maker_id="NULL",
    ),
    _by("both2", "approve as the maker's other login", "approvals_other_person", of="large"),
    _by("c1", "approve in another's name", "approvals_own_hand", checker_id="%(c2)s"),
    _by("nobody", "approve as nobody", "approvals_own_hand", checker_id="%(c2)s"),
    _by("auditor", "approve without the role", "approvals_may_check"),
    _by("robot", "approve as a service account", "approvals_may_check"),
    _by("gone", "approve after leaving the house", "approvals_may_check"),
    _by(
        "foreigner",
        "approve from another tenant",
        "approvals_may_check",
        *DECISION_OFF,
        *without(DECISIONS, f"{DECISIONS}_checker_id_same_tenant"),
    ),
    _by(
        "c1",
        "approve another content",
        "approvals_bound_to_content",
        content_hash="repeat('0', 64)",
    ),
    _by(
        "c1",
        "approve with the hash of another request",
        "approvals_bound_to_content",
        content_hash=f"(SELECT content_hash FROM {REQUESTS} WHERE id = %(large)s)",
    ),
    _by(
        "c1",
        "approve much without a second factor",
        "approvals_stepped_up",
        of="large",
        step_up_id="NULL",
    ),
    _by(
        "c1",
        "approve at an unknown rate without a second factor",
        "approvals_stepped_up",
        of="unrated",
    ),
    _by(
        "c1",
        "approve with a second factor for another content",
        "approvals_stepped_up",
        of="large",
        step_up_id=PROOF.format("%(half)s"),
    ),
    _by(
        "c2",
        "approve with somebody else's second factor",
        "approvals_stepped_up",
        of="large",
        step_up_id=OTHERS_PROOF,
    ),
    _by(
        "c1",
        "approve with a second factor that nobody showed",
        "approvals_stepped_up",
        *DECISION_OFF,
        *without(DECISIONS, *STEP_UP_KEYS),
        of="large",
        step_up_id="gen_random_uuid()",
    ),
    Attack(
        name="write a second factor oneself",
        guard=NO_PRIVILEGE,
        statements=(
            (
                "INSERT INTO core_stepup (id, tenant_id, user_id, method, content_hash,"
                " proved_at, proof) VALUES (gen_random_uuid(), %(tenant)s, %(c1)s, 'totp',"
                " repeat('0', 64), now(), '{}')"
            ),
        ),
    ),
    _by("c1", "approve out of turn", "approvals_in_turn", of="chain"),
    _by("c2", "decide on what was sent back", "approvals_decides_pending", of="returned"),
    _by(
        "c1",
        "ask for changes without saying which",
        "decision_reject_has_reason",
        *without(DECISIONS, "decision_reject_has_reason"),
        outcome="'CHANGES'",
    ),
    _by("c2", "decide on what is approved", "approvals_decides_pending", of="done"),
    _by("c2", "decide on what is rejected", "approvals_decides_pending", of="rejected"),
    _by(
        "c1",
        "approve twice",
        "decision_once_per_checker",
        *without(DECISIONS, "decision_once_per_checker", "decision_once_per_person"),
        of="half",
    ),
    _by(
        "c1b",
        "approve twice under two logins",
        "decision_once_per_person",
        *without(DECISIONS, "decision_once_per_person"),
        of="half",
    ),
    _by(
        "c1",
        "answer neither yes nor no",
        "decision_outcome_known",
        *without(DECISIONS, "decision_outcome_known"),
        outcome="'MAYBE'",
        reason="'Who knows.'",
    ),
    _by(
        "c1",
        "reject without a reason",
        "decision_reject_has_reason",
        *without(DECISIONS, "decision_reject_has_reason"),
        outcome="'REJECT'",
    ),
    Attack(
        name="turn one's rejection into an approval",
        guard=NO_PRIVILEGE,
        statements=(f"UPDATE {DECISIONS} SET outcome = 'APPROVE' WHERE request_id = %(rejected)s",),
        walls=off(DECISIONS, "append_only"),
    ),
    Attack(
        name="give one's approval to somebody else",
        guard=NO_PRIVILEGE,
        statements=(f"UPDATE {DECISIONS} SET checker_person = 'P-x' WHERE request_id = %(half)s",),
        walls=off(DECISIONS, "append_only"),
    ),
    Attack(
        name="delete a rejection",
        guard=NO_PRIVILEGE,
        statements=(f"DELETE FROM {DECISIONS} WHERE request_id = %(rejected)s",),
        walls=off(DECISIONS, "append_only"),
    ),
    Attack(name="empty the decisions", guard=NO_PRIVILEGE, statements=(f"TRUNCATE {DECISIONS}",)),
]

RULE_ROW = "INSERT INTO approvals_approvalrule (id, tenant_id, action, amount_above_usd, currency, rail, step, required_count, role, created_at) VALUES (gen_random_uuid(), %(tenant)s, '', {limit}, '', '', {step}, {count}, '{role}', now())"  # noqa: E501


def _rule(name: str, guard: str, limit: str, count: int, role: str, step: int = 1) -> Attack:
    statement = RULE_ROW.format(limit=limit, count=count, role=role, step=step)
    return Attack(name=name, guard=guard, statements=(statement,), walls=without(RULES, guard))


RULING = [
    Attack(
        name="raise the threshold of a rule",
        guard=NO_PRIVILEGE,
        walls=off(RULES, "append_only"),
        statements=(f"UPDATE {RULES} SET amount_above_usd = 1e15",),
    ),
    Attack(
        name="lower the count of a rule",
        guard=NO_PRIVILEGE,
        walls=off(RULES, "append_only"),
        statements=(f"UPDATE {RULES} SET required_count = 3 - required_count",),
    ),
    Attack(
        name="delete the rules",
        guard=NO_PRIVILEGE,
        walls=off(RULES, "append_only"),
        statements=(f"DELETE FROM {RULES}",),
    ),
    Attack(name="empty the rules", guard=NO_PRIVILEGE, statements=(f"TRUNCATE {RULES}",)),
    _rule(
        "rule that nobody needs to approve",
        "approval_rule_count_in_range",
        "7",
        0,
        "treasury_checker",
    ),
    _rule(
        "rule a step before the first",
        "approval_rule_step_in_range",
        "7",
        1,
        "treasury_checker",
        step=0,
    ),
    _rule("let the maker's role check", "approval_rule_role_checks", "7", 1, "treasury_maker"),
    _rule(
        "set a limit that no amount passes",
        "approval_rule_amount_finite",
        "'NaN'",
        1,
        "treasury_checker",
    ),
]

DDL = [
    Attack(name=name, guard=NO_PRIVILEGE, statements=(statement,))
    for name, statement in {
        "switch a guard off": f"ALTER TABLE {REQUESTS} DISABLE TRIGGER guard_update",
        "drop a guard": f"DROP TRIGGER guard_insert ON {DECISIONS}",
        "drop a constraint": f"ALTER TABLE {DECISIONS} DROP CONSTRAINT decision_once_per_person",
        "open the tenant wall": f"ALTER TABLE {REQUESTS} NO FORCE ROW LEVEL SECURITY",
        "drop the tenant policy": f"DROP POLICY tenant_wall ON {DECISIONS}",
        "replace a guard's question": "CREATE OR REPLACE FUNCTION approvals_required(action text,"
        " usd numeric, currency text, rail text) RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "rename the table away": f"ALTER TABLE {DECISIONS} RENAME TO old_decisions",
        "switch the wall off": f"ALTER TABLE {DECISIONS} DISABLE ROW LEVEL SECURITY",
    }.items()
]

ALL = [*CLOSING, *FROZEN, *BIRTH, *DECIDING, *RULING, *DDL]
