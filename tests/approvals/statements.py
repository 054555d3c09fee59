"""Rows that the app role might write, and the statements that attacks are made of."""

from dataclasses import dataclass

REQUEST_ROW = {
    "id": "gen_random_uuid()", "tenant_id": "%(tenant)s", "action": "'fund_movement'",
    "subject_type": "'test.thing'", "subject_id": "gen_random_uuid()", "subject_version": "1",
    "title": "'Forged'", "content": """'{"amount": "5.00"}'""", "content_hash": "repeat('0', 64)",
    "maker_id": "NULL", "maker_label": "'system'", "submitted_by": "'system'",
    "involved_persons": "'{}'", "entity": "NULL", "needs": "'[]'", "flags": "'[]'",
    "break_glass": "NULL",
    "amount": "5", "currency": "'USD'", "rail": "''",
    "usd_equivalent": "NULL", "usd_rate": "NULL", "usd_rate_at": "NULL",
    "required_count": "1", "required_manager_count": "0", "policy_snapshot": "'{}'",
    "state": "'PENDING'", "submitted_at": "now()", "cutoff_at": "NULL", "decided_at": "NULL",
    "escalation_interval": "interval '30 minutes'", "escalation_level": "0",
    "next_escalation_at": "NULL", "reason": "''", "managers_from_level": "0",
}  # fmt: skip
DECISION_ROW = {
    "id": "gen_random_uuid()", "tenant_id": "%(tenant)s", "request_id": "%(small)s",
    "maker_id": "%(maker)s", "checker_id": "%(c1)s", "checker_person": "'P-forged'",
    "as_role": "'treasury_checker'", "position": "0", "step_up_id": "NULL", "acknowledged": "'{}'",
    "delegation_id": "NULL",
    "outcome": "'APPROVE'", "reason": "''",
    "content_hash": "(SELECT content_hash FROM approvals_approvalrequest WHERE id = %(small)s)",
    "auth_method": "'forged'", "auth_at": "now()", "ip": "NULL", "decided_at": "now()",
}  # fmt: skip
REQUESTS, DECISIONS, RULES = (
    "approvals_approvalrequest",
    "approvals_decision",
    "approvals_approvalrule",
)
NO_PRIVILEGE = "42501"
# The door of the test database: a second factor of the actor for the content of a request.
PROOF = (
    "door.step_up(nullif(current_setting('app.actor'), '')::uuid,"
    " (SELECT content_hash FROM approvals_approvalrequest WHERE id = {}))"
)
OTHERS_PROOF = (
    "door.step_up(%(c3)s, (SELECT content_hash FROM approvals_approvalrequest"
    " WHERE id = %(large)s))"
)
LARGE = ("large", "half", "late", "new")  # above the dual threshold


def off(table: str, *triggers: str) -> tuple[str, ...]:
    """Return what switches triggers of a table off."""
    return tuple(f"ALTER TABLE {table} DISABLE TRIGGER {name}" for name in triggers)


def without(table: str, *constraints: str) -> tuple[str, ...]:
    """Return what drops constraints of a table."""
    return tuple(f"ALTER TABLE {table} DROP CONSTRAINT {name}" for name in constraints)


def insert(table: str, row: dict[str, str], **changes: str) -> str:
    values = row | changes
    return f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(values.values())})"


def request(**changes: str) -> str:
    return insert(REQUESTS, REQUEST_ROW, **changes)


def decision(of: str = "small", **changes: str) -> str:
    content_hash = f"(SELECT content_hash FROM {REQUESTS} WHERE id = %({of})s)"
    facts = {
        "request_id": f"%({of})s",
        "content_hash": content_hash,
        "step_up_id": PROOF.format(f"%({of})s") if of in LARGE else "NULL",
    }
    return insert(DECISIONS, DECISION_ROW, **facts | changes)


def change(of: str, assignments: str) -> str:
    return f"UPDATE {REQUESTS} SET {assignments} WHERE id = %({of})s"


def close(of: str, state: str, at: str = "greatest(now(), submitted_at)") -> str:
    return change(of, f"state = '{state}', decided_at = {at}")


@dataclass(frozen=True, kw_only=True)
class Attack:
    """What is tried, as whom, what refuses it, and what must be taken down to let it through."""

    name: str
    guard: str
    statements: tuple[str, ...]
    walls: tuple[str, ...] = ()
    actor: str = "c1"
    isolation: str = "READ COMMITTED"


UPDATE_OFF = off(REQUESTS, "guard_update")
INSERT_OFF = off(REQUESTS, "guard_insert")
DECISION_OFF = off(DECISIONS, "guard_insert")
