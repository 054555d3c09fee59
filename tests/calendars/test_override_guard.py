"""With its own SQL the app role moves no window alone: an override takes the hands of two people.

Each statement is refused by the guard it names; with that guard taken down by the owner the very
same statement goes through.
"""

from datetime import date, time
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.conf import settings

from calendars import services
from calendars.engine.rails import WindowKind
from core.ids import uuid7
from core.tenancy import bound
from tests.approvals.statements import NO_PRIVILEGE, Attack, off, without
from tests.approvals.test_attack import _app_conninfo, run
from tests.calendars.conftest import approve, override
from tests.conftest import make_user

OVERRIDES = "calendars_railwindowoverride"
APPROVED = (
    f"UPDATE {OVERRIDES} SET approved_by_id = %({{}})s, approved_at = now() WHERE id = %({{}})s"
)
ENTERED = (
    f"INSERT INTO {OVERRIDES} (id, tenant_id, rail_id, business_date, kind, revision, reason,"
    " source_url, entered_by_id, entered_at, approved_by_id, approved_at)"
    " SELECT gen_random_uuid(), tenant_id, rail_id, business_date, kind, 9, reason, '', {}, now(),"
    f" {{}}, {{}} FROM {OVERRIDES} WHERE id = %(waiting)s"
)


def _try(name: str, guard: str, statement: str, *walls: str, actor: str = "keeper") -> Attack:
    return Attack(name=name, guard=guard, statements=(statement,), walls=walls, actor=actor)


INSERTED, UPDATED = off(OVERRIDES, "guard_insert"), off(OVERRIDES, "guard_update")
ATTACKS = [
    _try(
        "enter it in force",
        "calendars_override_born_open",
        ENTERED.format("%(keeper)s", "%(second)s", "now()"),
        *INSERTED,
    ),
    _try(
        "enter it for somebody else",
        "calendars_override_own_hand",
        ENTERED.format("%(second)s", "NULL", "NULL"),
        *INSERTED,
    ),
    _try(
        "approve it for somebody else",
        "calendars_override_own_hand",
        APPROVED.format("second", "waiting"),
        *UPDATED,
    ),
    _try(
        "approve one's own",
        "calendars_override_other_person",
        APPROVED.format("keeper", "waiting"),
        *UPDATED,
        *without(OVERRIDES, "window_override_four_eyes"),
    ),
    _try(
        "approve one's own under another login",
        "calendars_override_other_person",
        APPROVED.format("keeper_again", "waiting"),
        *UPDATED,
        actor="keeper_again",
    ),
    _try(
        "approve it without looking after calendars",
        "calendars_override_other_person",
        APPROVED.format("maker", "waiting"),
        *UPDATED,
        actor="maker",
    ),
    _try(
        "move what is in force",
        "calendars_override_frozen",
        f"UPDATE {OVERRIDES} SET local_time = '23:00' WHERE id = %(in_force)s",
        *UPDATED,
    ),
    _try(
        "take it out of force",
        NO_PRIVILEGE,
        f"DELETE FROM {OVERRIDES} WHERE id = %(in_force)s",
        *off(OVERRIDES, "guard_delete"),
    ),
]


def _extension(to: time) -> services.OverrideRequest:
    return services.OverrideRequest(
        rail="T2",
        business_date=date(2026, 11, 24),
        kind=WindowKind.CUSTOMER,
        local_time=to,
        reason="Operator announced a delayed closing",
    )


@pytest.fixture
def world(committed_tenant: UUID) -> dict[str, Any]:
    with bound(committed_tenant, actor="system:test"):
        services.install_reference_calendars(years=(2026,))
        services.install_rails()
        people = {
            "keeper": make_user("keeper", "static_data", person_number="P-keeper"),
            "keeper_again": make_user("keeper2", "static_data", person_number="P-keeper"),
            "second": make_user("second", "static_data"),
            "maker": make_user("maker", "treasury_maker"),
        }
        in_force = override(_extension(time(19, 0)), people["keeper"])
        approve(in_force, people["second"])
        waiting = override(_extension(time(20, 0)), people["keeper"])
    ids: dict[str, Any] = {name: person.pk for name, person in people.items()}
    return ids | {
        "tenant": committed_tenant, "waiting": waiting.pk, "in_force": in_force.pk, "new": uuid7(),
    }  # fmt: skip


def test_no_window_moves_by_one_hand(world: dict[str, Any]) -> None:
    for attack in ATTACKS:
        with pytest.raises(psycopg.Error) as refused:
            run(_app_conninfo(), attack, world)
        found = {refused.value.diag.constraint_name, refused.value.sqlstate}
        assert attack.guard in found, (attack.name, refused.value)
        with pytest.raises(psycopg.Error):
            run(settings.TMS_OWNER_CONNINFO, attack, world)


def test_without_its_guard_one_hand_would_do(world: dict[str, Any]) -> None:
    for attack in ATTACKS:
        assert run(settings.TMS_OWNER_CONNINFO, attack, world, walls=attack.walls) != 0, attack.name
