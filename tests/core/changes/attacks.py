"""Statements that the app role might send to steer money alone, and the guard that stops each.

`guard` is the constraint that must refuse the last statement; `walls` are what the owner takes
down for the negative control, after which the same statements must go through.
"""

from dataclasses import dataclass

GOVERNED = "core_governed"
NO_PRIVILEGE = "42501"


@dataclass(frozen=True, slots=True)
class Attack:
    """Statements as the app role; `under` is what the transaction claims to be approved."""

    name: str
    statement: str
    guard: str
    walls: tuple[str, ...]
    under: str = "nothing"


def _off(table: str, *triggers: str) -> tuple[str, ...]:
    return tuple(f"ALTER TABLE {table} DISABLE TRIGGER {name}" for name in triggers)


def _governed(name: str, table: str, statement: str, under: str = "nothing") -> Attack:
    return Attack(name, statement, GOVERNED, _off(table, "governed"), under)


ACCOUNT = "treasury_bankaccount"
ROW = "WHERE id = %(account)s"
USER_GROUP = "(SELECT id FROM auth_group WHERE name = 'treasury_manager')"

STATIC = [
    _governed(
        "swap the number of an account",
        ACCOUNT,
        f"UPDATE {ACCOUNT} SET number = 'v1:other' {ROW}",
    ),
    _governed(
        "lower the floor of an account",
        ACCOUNT,
        f"UPDATE {ACCOUNT} SET min_balance = 0, overdraft_limit = 9000000 {ROW}",
    ),
    _governed(
        "move an account to another bank",
        ACCOUNT,
        f"UPDATE {ACCOUNT} SET bank_id = %(bank2)s {ROW}",
    ),
    _governed(
        "open an account",
        ACCOUNT,
        f"INSERT INTO {ACCOUNT} SELECT (jsonb_populate_record(NULL::{ACCOUNT}, to_jsonb(a) ||"
        " jsonb_build_object('id', gen_random_uuid(), 'label', 'Mine', 'number_index', 'x'))).*"
        f" FROM {ACCOUNT} a {ROW}",
    ),
    _governed(
        "remove a bank",
        "treasury_bank",
        "DELETE FROM treasury_bank WHERE id = %(bank2)s",
    ),
    _governed(
        "send payments over another line",
        "treasury_bank",
        "UPDATE treasury_bank SET connection = 'mine'",
    ),
    _governed(
        "rename a company",
        "treasury_legalentity",
        "UPDATE treasury_legalentity SET name = 'Mine Limited'",
    ),
    _governed(
        "point a line elsewhere",
        "integrations_bankconnection",
        "UPDATE integrations_bankconnection SET base_url = 'https://example.test'",
    ),
    _governed(
        "change the secret of a line",
        "integrations_bankconnection",
        "UPDATE integrations_bankconnection SET secret = 'v1:other'",
    ),
    _governed(
        "let a bank's debits be read as credits",
        "integrations_bankprofile",
        'UPDATE integrations_bankprofile SET reading = \'{"mt_reversals": "own"}\'',
    ),
    _governed(
        "let a line speak another dialect",
        "integrations_bankconnection",
        "UPDATE integrations_bankconnection SET profile_id = NULL",
    ),
    _governed(
        "confirm a holiday",
        "calendars_holiday",
        "UPDATE calendars_holiday SET status = 'CANCELLED', decided_by_id = %(clerk)s,"
        " decided_at = now()",
    ),
    _governed(
        "declare a holiday",
        "calendars_holiday",
        "INSERT INTO calendars_holiday (id, tenant_id, calendar_id, date, name, kind, status,"
        " source, decision_reason) SELECT gen_random_uuid(), tenant_id, id, '2026-11-25', 'Mine',"
        " 'ADHOC', 'PROVISIONAL', '', '' FROM calendars_calendar LIMIT 1",
    ),
    _governed(
        "move a cut-off",
        "calendars_railwindow",
        "UPDATE calendars_railwindow SET effective_to = effective_from + 1"
        " WHERE effective_to IS NULL",
    ),
    _governed("retime a rail", "calendars_rail", "UPDATE calendars_rail SET settlement_days = 9"),
    _governed(
        "widen a calendar's knowledge",
        "calendars_calendar",
        "UPDATE calendars_calendar SET coverage_end = '2036-12-31'",
    ),
    _governed(
        "open the weekend",
        "calendars_weekendrule",
        "UPDATE calendars_weekendrule SET closed_weekdays = 0",
    ),
]

CONTROL = [
    _governed(
        "set a policy",
        "core_policyversion",
        "INSERT INTO core_policyversion (id, tenant_id, key, version, value, reason, changed_at)"
        " VALUES (gen_random_uuid(), %(tenant)s, 'DUAL_CHECKER_THRESHOLD_USD', 99,"
        """ '"999999999"', 'mine', now())""",
    ),
    _governed(
        "add an approval rule",
        "approvals_approvalrule",
        "INSERT INTO approvals_approvalrule (id, tenant_id, action, currency, rail,"
        " step, required_count, role, created_at) VALUES (gen_random_uuid(), %(tenant)s, '', '',"
        " 'X', 1, 1, 'treasury_checker', now())",
    ),
    _governed(
        "give oneself a role",
        "core_user_groups",
        f"INSERT INTO core_user_groups (user_id, group_id) VALUES (%(clerk)s, {USER_GROUP})",
    ),
    _governed(
        "turn a role into another",
        "core_user_groups",
        f"UPDATE core_user_groups SET group_id = {USER_GROUP} WHERE user_id = %(clerk)s",
    ),
    _governed(
        "take a role away",
        "core_user_groups",
        "DELETE FROM core_user_groups WHERE user_id = %(checker)s",
    ),
    _governed(
        "give oneself a permission",
        "core_user_user_permissions",
        "INSERT INTO core_user_user_permissions (user_id, permission_id)"
        " SELECT %(clerk)s, min(id) FROM auth_permission",
    ),
    _governed(
        "switch somebody on",
        "core_user",
        "UPDATE core_user SET is_active = true WHERE id = %(gone)s",
    ),
    _governed(
        "become somebody else",
        "core_user",
        "UPDATE core_user SET person_number = 'P-other' WHERE id = %(clerk)s",
    ),
    _governed(
        "become a superuser",
        "core_user",
        "UPDATE core_user SET is_superuser = true WHERE id = %(clerk)s",
    ),
    Attack(
        "rename a role",
        "UPDATE auth_group SET name = 'treasury_manager2' WHERE name = 'treasury_manager'",
        NO_PRIVILEGE,
        (),
    ),
]

CHANGES = "core_changerequest"
REQUESTS = [
    _governed(
        "write under a change that waits",
        ACCOUNT,
        f"UPDATE {ACCOUNT} SET min_balance = 250000 {ROW}",
        "waiting",
    ),
    _governed(
        "write under a change that nobody made",
        ACCOUNT,
        f"UPDATE {ACCOUNT} SET min_balance = 250000 {ROW}",
        "nobody",
    ),
    _governed(
        "write something else than what was approved",
        ACCOUNT,
        f"UPDATE {ACCOUNT} SET min_balance = 250001 {ROW}",
        "approved",
    ),
    _governed(
        "write more than what was approved",
        ACCOUNT,
        f"UPDATE {ACCOUNT} SET overdraft_limit = 100, is_active = false {ROW}",
        "approved",
    ),
    _governed(
        "write what was approved to another row",
        ACCOUNT,
        f"UPDATE {ACCOUNT} SET overdraft_limit = 100 WHERE id = %(account2)s",
        "approved",
    ),
    _governed(
        "write a number that was not approved",
        ACCOUNT,
        f"UPDATE {ACCOUNT} SET overdraft_limit = 100, number = 'v1:x' {ROW}",
        "approved",
    ),
    _governed(
        "remove what was approved to change",
        "treasury_bank",
        "DELETE FROM treasury_bank WHERE id = %(bank2)s",
        "approved",
    ),
    Attack(
        "keep a draft",
        f"UPDATE {ACCOUNT} SET min_balance = 1 {ROW}",
        "core_draft_never_lasts",
        _off("core_changedraft", "never_lasts"),
        "draft",
    ),
    Attack(
        "change what was proposed",
        f"UPDATE {CHANGES} SET rows = '[]' WHERE id = %(waiting)s",
        "core_change_frozen",
        _off(CHANGES, "guard_change"),
    ),
    Attack(
        "change why it was proposed",
        f"UPDATE {CHANGES} SET reason = 'mine', state = 'CANCELLED', decided_at = now()"
        " WHERE id = %(waiting)s",
        "core_change_frozen",
        _off(CHANGES, "guard_change"),
    ),
    Attack(
        "call it applied",
        f"UPDATE {CHANGES} SET state = 'APPLIED', decided_at = now() WHERE id = %(waiting)s",
        "core_change_needs_approval",
        _off(CHANGES, "guard_change"),
    ),
    Attack(
        "bring a rejected change back",
        f"UPDATE {CHANGES} SET state = 'PROPOSED', decided_at = NULL WHERE id = %(rejected)s",
        "core_change_edges",
        _off(CHANGES, "guard_change"),
    ),
    Attack(
        "insert an applied change",
        f"INSERT INTO {CHANGES} SELECT (jsonb_populate_record(NULL::{CHANGES}, to_jsonb(c) ||"
        " jsonb_build_object('id', gen_random_uuid(), 'row_id', 'x', 'state', 'APPLIED',"
        f" 'decided_at', now()))).* FROM {CHANGES} c WHERE id = %(waiting)s",
        "core_change_born_proposed",
        _off(CHANGES, "guard_change"),
    ),
    Attack(
        "delete a change",
        f"DELETE FROM {CHANGES} WHERE id = %(rejected)s",
        NO_PRIVILEGE,
        _off(CHANGES, "guard_delete"),
    ),
    Attack(
        "close the tenant again",
        "UPDATE core_tenant SET opened_at = NULL WHERE id = %(tenant)s",
        "core_tenant_stays_open",
        _off("core_tenant", "guard_tenant"),
    ),
]

ALL = [*STATIC, *CONTROL, *REQUESTS]
