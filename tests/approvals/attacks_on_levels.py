"""Statements against levels of escalation, dates, limits of broken glass, and lists."""

from tests.approvals.attacks_on_authority import GLASS, VIEWINGS
from tests.approvals.statements import (
    DECISION_OFF,
    INSERT_OFF,
    NO_PRIVILEGE,
    REQUESTS,
    UPDATE_OFF,
    Attack,
    change,
    decision,
    off,
    request,
    without,
)

LISTS = "approvals_decisionlist"
LIST_OFF = off(LISTS, "guard_insert")
DUE = "submitted_at + escalation_interval"


def _try(
    name: str, guard: str, *statements: str, walls: tuple[str, ...] = (), actor: str = "c1"
) -> Attack:
    return Attack(name=name, guard=guard, statements=statements, walls=walls, actor=actor)


LEVELS = [
    _try(
        "approve as a manager before it escalated",
        "approvals_level",
        decision("small", checker_id="%(boss)s"),
        walls=DECISION_OFF,
        actor="boss",
    ),
    _try(
        "escalate by hand",
        "approvals_escalates_by_itself",
        change("small", f"escalation_level = 1, escalated_at = {DUE}"),
        walls=UPDATE_OFF,
        actor="boss",
    ),
    _try(
        "escalate before its time",
        "approvals_escalates_in_time",
        change("small", "escalation_level = 2, escalated_at = submitted_at"),
        walls=UPDATE_OFF,
        actor="nobody",
    ),
    _try(
        "escalate without saying when",
        "approvals_escalates_in_time",
        change("small", "escalation_level = 1"),
        walls=UPDATE_OFF,
        actor="nobody",
    ),
    _try(
        "pretend that it escalated",
        "approvals_frozen",
        change("small", f"escalated_at = {DUE}"),
        walls=UPDATE_OFF,
        actor="nobody",
    ),
    _try(
        "open it to managers from the start",
        "approvals_frozen",
        change("small", "managers_from_level = 0"),
        walls=UPDATE_OFF,
    ),
    _try(
        "rewrite who may decide",
        "approvals_frozen",
        change("small", "policy_snapshot = policy_snapshot - 'deciders'"),
        walls=UPDATE_OFF,
    ),
    _try(
        "approve with yesterday's date",
        "approvals_decided_in_time",
        decision("small", decided_at="now() - interval '1 day'"),
        walls=DECISION_OFF,
    ),
]


def _glass(amount: str) -> str:
    return request(break_glass=GLASS, amount=amount, usd_equivalent=amount, usd_rate="1",
                   usd_rate_at="now()", maker_id="%(maker)s")  # fmt: skip


GLASSES = [
    _try(
        "break the glass for too much",
        "approvals_break_glass_limits",
        _glass("25000001"),
        walls=INSERT_OFF,
    ),
    _try(
        "break the glass a fourth time",
        "approvals_break_glass_limits",
        *[_glass("5")] * 4,
        walls=INSERT_OFF,
    ),
    _try(
        "break the glass for too much in a day",
        "approvals_break_glass_limits",
        *[_glass("25000000")] * 2,
        _glass("5"),
        walls=INSERT_OFF,
    ),
]


def _hash(name: str) -> str:
    return f"(SELECT content_hash FROM {REQUESTS} WHERE id = %({name})s)"


def _opened(*names: str) -> tuple[str, ...]:
    return tuple(
        f"INSERT INTO {VIEWINGS} (id, tenant_id, request_id, viewer_id, content_hash, viewed_at)"
        f" SELECT gen_random_uuid(), tenant_id, id, %(c1)s, content_hash, now() FROM {REQUESTS}"
        f" WHERE id = %({name})s ON CONFLICT DO NOTHING"
        for name in names
    )


def _list(*names: str, checker: str = "%(c1)s", proven: str = "") -> str:
    hashes = f"ARRAY[{', '.join(map(_hash, names))}]::text[]"
    proof = f"door.step_up({checker}, {proven or f'approvals_list_digest({hashes})'})"
    return (
        f"INSERT INTO {LISTS} (id, tenant_id, checker_id, step_up_id, content_hashes)"
        f" VALUES (gen_random_uuid(), %(tenant)s, {checker}, {proof}, {hashes})"
    )


THE_LIST = f"(SELECT id FROM {LISTS} ORDER BY id LIMIT 1)"
ITS_PROOF = f"(SELECT step_up_id FROM {LISTS} ORDER BY id LIMIT 1)"


def _by_list(name: str, **changes: str) -> str:
    return decision(name, **{"listed_id": THE_LIST, "step_up_id": ITS_PROOF, **changes})


LISTING = [
    _try(
        "list in another's name",
        "approvals_own_hand",
        _list("small", checker="%(c2)s"),
        walls=LIST_OFF,
    ),
    _try(
        "list what one never opened",
        "approvals_list_seen",
        *_opened("small"),
        _list("small", "rupees"),
        walls=LIST_OFF,
    ),
    _try(
        "list with a second factor for one of them",
        "approvals_stepped_up",
        *_opened("small", "rupees"),
        _list("small", "rupees", proven=_hash("small")),
        walls=LIST_OFF,
    ),
    _try(
        "list nothing",
        "approvals_list_length",
        _list(),
        walls=LIST_OFF,
    ),
    _try(
        "use one second factor for two lists",
        "decision_list_per_step_up",
        *_opened("small"),
        _list("small"),
        f"INSERT INTO {LISTS} (id, tenant_id, checker_id, step_up_id, content_hashes)"
        " SELECT gen_random_uuid(), tenant_id, checker_id, step_up_id, content_hashes"
        f" FROM {LISTS}",
        walls=without(LISTS, "decision_list_per_step_up"),
    ),
    _try(
        "lengthen a list",
        NO_PRIVILEGE,
        *_opened("small"),
        _list("small"),
        f"UPDATE {LISTS} SET content_hashes = content_hashes || {_hash('rupees')}::text",
        walls=off(LISTS, "append_only"),
    ),
    _try(
        "approve by a list what is not on it",
        "approvals_listed",
        *_opened("small"),
        _list("small"),
        _by_list("chain"),
        walls=DECISION_OFF,
    ),
    _try(
        "approve by somebody else's list",
        "approvals_listed",
        *_opened("small"),
        _list("small"),
        "SELECT set_config('app.actor', %(c2)s::text, true)",
        _by_list("small", checker_id="%(c2)s"),
        walls=DECISION_OFF,
    ),
    _try(
        "approve by a list with another proof",
        "approvals_listed",
        *_opened("small"),
        _list("small"),
        _by_list("small", step_up_id="NULL"),
        walls=DECISION_OFF,
    ),
    _try(
        "approve by a list what needs two people",
        "approvals_listed_alone",
        *_opened("small", "large"),
        _list("small", "large"),
        _by_list("large"),
        walls=DECISION_OFF,
    ),
    _try(
        "approve by a list without having read a note",
        "approvals_acknowledged",
        "SELECT set_config('app.actor', %(maker)s::text, true)",
        request(
            id="%(new)s",
            maker_id="%(maker)s",
            flags="""'[{"code": "first", "words": "First.", "severity": "info"}]'""",
        ),
        "SELECT set_config('app.actor', %(c1)s::text, true)",
        *_opened("new"),
        _list("new"),
        _by_list("new"),
        walls=DECISION_OFF,
    ),
]

ALL = [*LEVELS, *GLASSES, *LISTING]
