"""Statements against limits, delegations, warnings and broken glass."""

from tests.approvals.statements import (
    DECISION_OFF,
    DECISIONS,
    INSERT_OFF,
    NO_PRIVILEGE,
    REQUESTS,
    Attack,
    change,
    decision,
    off,
    request,
)

DELEGATIONS, LIMITS, VIEWINGS, REVIEWS = (
    "approvals_delegation",
    "approvals_authoritylimit",
    "approvals_viewing",
    "approvals_breakglassreview",
)
DELEGATION_OFF = off(DELEGATIONS, "guard_insert")
GLASS = """'{"incident": "INC-7", "reason": "rail_outage", "words": "Down."}'"""


def _delegation(
    delegator: str = "%(c3)s", delegate: str = "%(c1)s", days: str = "1", revoked: str = "NULL"
) -> str:
    return (
        f"INSERT INTO {DELEGATIONS} (id, tenant_id, delegator_id, delegate_id, action, rail,"
        " starts_at, ends_at, reason, created_at, revoked_at) VALUES (gen_random_uuid(),"
        f" %(tenant)s, {delegator}, {delegate}, '', '', now(), now() + interval '{days} days',"
        f" 'Leave', now(), {revoked})"
    )


def _try(name: str, guard: str, *statements: str, walls: tuple[str, ...] = ()) -> Attack:
    return Attack(name=name, guard=guard, statements=statements, walls=walls)


ALL = [
    _try(
        "delegate in another's name",
        "approvals_delegation_own",
        _delegation(),
        walls=DELEGATION_OFF,
    ),
    _try(
        "delegate for a month",
        "approvals_delegation_short",
        _delegation("%(c1)s", "%(c2)s", days="30"),
        walls=DELEGATION_OFF,
    ),
    _try(
        "delegate to one's other login",
        "approvals_delegation_to_checker",
        _delegation("%(c1)s", "%(c1b)s"),
        walls=DELEGATION_OFF,
    ),
    _try(
        "delegate to somebody who may not check",
        "approvals_delegation_to_checker",
        _delegation("%(c1)s", "%(auditor)s"),
        walls=DELEGATION_OFF,
    ),
    _try(
        "delegate on what was delegated",
        "approvals_delegation_once",
        _delegation("%(c1)s", "%(c2)s"),
        "SELECT set_config('app.actor', %(c2)s::text, true)",
        _delegation("%(c2)s", "%(c3)s"),
        walls=DELEGATION_OFF,
    ),
    _try(
        "lengthen a delegation",
        "approvals_delegation_frozen",
        _delegation("%(c1)s", "%(c2)s"),
        f"UPDATE {DELEGATIONS} SET ends_at = ends_at + interval '1 year'",
        walls=off(DELEGATIONS, "guard_update"),
    ),
    _try(
        "decide by a delegation that nobody approved",
        "approvals_delegated",
        "SELECT set_config('app.actor', %(c3)s::text, true)",
        _delegation(),
        "SELECT set_config('app.actor', %(c1)s::text, true)",
        decision("small", delegation_id=f"(SELECT id FROM {DELEGATIONS} LIMIT 1)"),
        walls=DECISION_OFF,
    ),
    _try(
        "approve without acknowledging the warning",
        "approvals_acknowledged",
        request(
            id="%(new)s",
            maker_id="%(maker)s",
            submitted_by="'x'",
            flags="""'[{"code": "typed", "words": "Typed in.", "severity": "ack"}]'""",
        ),
        "SELECT set_config('app.actor', %(c2)s::text, true)",
        decision("new", checker_id="%(c2)s"),
        walls=DECISION_OFF,
    ),
    _try(
        "drop the warning after submission",
        "approvals_frozen",
        change("half", "flags = '[]', break_glass = '{}'"),
        walls=off(REQUESTS, "guard_update"),
    ),
    _try(
        "break the glass for no reason",
        "approvals_break_glass_reason",
        request(break_glass="""'{"incident": "INC-7", "reason": "hurry"}'"""),
        walls=INSERT_OFF,
    ),
    _try(
        "approve over broken glass with a code",
        "approvals_break_glass_key",
        request(id="%(new)s", maker_id="%(maker)s", break_glass=GLASS),
        "SELECT set_config('app.actor', %(c2)s::text, true)",
        decision("new", checker_id="%(c2)s"),
        walls=DECISION_OFF,
    ),
    _try(
        "invent a review",
        "approvals_review_born",
        f"INSERT INTO {REVIEWS} (id, tenant_id, request_id, opened_at, due_at, findings)"
        " VALUES (gen_random_uuid(), %(tenant)s, %(small)s, now(), now(), '')",
        walls=off(REVIEWS, "guard_insert"),
    ),
    _try(
        "look with another's eyes",
        "approvals_own_eyes",
        f"INSERT INTO {VIEWINGS} (id, tenant_id, request_id, viewer_id, content_hash, viewed_at)"
        f" SELECT gen_random_uuid(), tenant_id, id, %(c2)s, content_hash, now() FROM {REQUESTS}"
        " WHERE id = %(small)s",
        walls=off(VIEWINGS, "guard_insert"),
    ),
    _try(
        "raise a limit",
        NO_PRIVILEGE,
        f"INSERT INTO {LIMITS} (id, tenant_id, person_id, per_day_usd, reason, created_by_id,"
        " created_at) VALUES (gen_random_uuid(), %(tenant)s, %(c1)s, 5, 'x', %(c2)s, now())",
        f"UPDATE {LIMITS} SET per_day_usd = NULL",
        walls=off(LIMITS, "append_only"),
    ),
    _try(
        "delete a delegation",
        NO_PRIVILEGE,
        _delegation("%(c1)s", "%(c2)s"),
        f"DELETE FROM {DELEGATIONS}",
        walls=off(DELEGATIONS, "guard_delete"),
    ),
    _try(
        "acknowledge afterwards",
        NO_PRIVILEGE,
        f"UPDATE {DECISIONS} SET acknowledged = '{{x}}' WHERE request_id = %(half)s",
        walls=off(DECISIONS, "append_only"),
    ),
]
