"""As the app role, with its own SQL, nobody steers money alone in an opened tenant.

Each attack is refused by the guard it names; with that guard taken down by the owner the very same
statement goes through, which proves that the attack is real and that this guard is what stops it.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.conf import settings
from django.db import connection, connections
from psycopg.conninfo import make_conninfo

from approvals import changes as desk
from approvals import registry
from core.changes.models import ChangeRequest, ChangeState
from core.changes.services import open_tenant, propose_change
from core.identity.services import create_tenant
from core.ids import uuid7
from core.tenancy import bound
from integrations import services as lines
from tests.conftest import make_user
from tests.core.changes import attacks
from tests.core.changes.attacks import Attack
from tests.core.changes.conftest import House, furnished
from treasury.services import static

World = dict[str, Any]


def _second_account(house: House) -> Any:
    return static.open_account(
        account=static.AccountIn(
            entity=house.entity,
            bank=house.bank,
            label="Euro reserve",
            currency="EUR",
            number="FR1420041010050500013M02606",
            timezone="Europe/Paris",
        )
    )


def _approved_but_not_applied(house: House) -> ChangeRequest:
    """Approve a change while nobody listens: the only moment at which its values may be written."""
    hooks = registry.hooks_for(desk.SUBJECT)
    registry.register(desk.SUBJECT, registry.SubjectHooks(on_approved=lambda _outcome: None))
    try:
        return house.decide(
            _proposed(house, "bankaccount", house.account.pk, overdraft_limit="100")
        )
    finally:
        registry.register(desk.SUBJECT, hooks)


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """A committed, opened tenant with changes in every state; attacks always roll back."""
    with django_db_blocker.unblock():
        tenant = create_tenant(slug="north", name="North Remit")
        with bound(tenant.id, actor="system:test"):
            house = furnished(tenant.id)
            account2 = _second_account(house)
            bank2 = static.create_bank(bic="BNPAFRPP", name="Spare Bank")
            lines.save_profile(wish=lines.ProfileIn(code="house", name="House bank"))
            lines.save_connection(
                wish=lines.ConnectionIn(
                    code="line",
                    name="Line",
                    kind="HTTP",
                    base_url="https://bank.example",
                    profile="house",
                )
            )
            lines.save_route(wish=lines.RouteIn(home="line", connection="line"))
            gone = make_user("gone", "treasury_checker")
            gone.is_active = False
            gone.save()
            open_tenant(actor=house.admin)
            approved = _approved_but_not_applied(house)
            rejected = house.decide(
                _proposed(house, "legalentity", house.entity.pk, town="Leeds"), outcome="REJECT"
            )
            waiting = _proposed(house, "bankaccount", account2.pk, min_balance="1")
        yield {
            "tenant": tenant.id, "account": house.account.pk, "account2": account2.pk,
            "bank2": bank2.pk, "clerk": house.clerk.pk, "checker": house.checker.pk,
            "gone": gone.pk, "waiting": waiting.pk, "rejected": rejected.pk,
            "approved": approved.pk, "nobody": uuid7(), "draft": "draft", "nothing": "",
        }  # fmt: skip
        connections.close_all()
        with psycopg.connect(settings.TMS_OWNER_CONNINFO, autocommit=True) as owner:
            owner.execute("TRUNCATE core_tenant, django_session CASCADE")


def _proposed(house: House, model: str, row_id: UUID, **values: str) -> ChangeRequest:
    with bound(house.tenant, actor=house.clerk.pk):
        return propose_change(
            model=model, row_id=row_id, values=values, maker=house.clerk, reason="A reason."
        )


def _app_conninfo() -> str:
    facts = connection.settings_dict
    return make_conninfo(
        settings.TMS_OWNER_CONNINFO, user=facts["USER"], password=facts["PASSWORD"]
    )


def run(conninfo: str, attack: Attack, world: World, walls: tuple[str, ...] = ()) -> int:
    """Run an attack to its end and roll back; return how many rows it touched."""
    with psycopg.connect(conninfo) as attacker, attacker.transaction(force_rollback=True):
        for wall in walls:
            attacker.execute(wall)
        attacker.execute(
            "SELECT set_config('app.tenant', %(tenant)s::text, true),"
            " set_config('app.actor', %(clerk)s::text, true),"
            f" set_config('app.change', %({attack.under})s::text, true)",
            world,
        )
        touched = attacker.execute(attack.statement, world).rowcount
        attacker.execute("SET CONSTRAINTS ALL IMMEDIATE")
        return touched


def _named(attack: Attack) -> str:
    return attack.name.replace(" ", "-")


@pytest.mark.parametrize("attack", attacks.ALL, ids=_named)
def test_the_database_refuses_to(attack: Attack, world: World) -> None:
    with pytest.raises(psycopg.Error) as refused:
        run(_app_conninfo(), attack, world)
    found = {refused.value.diag.constraint_name, refused.value.sqlstate}
    assert attack.guard in found, refused.value


@pytest.mark.parametrize("attack", attacks.ALL, ids=_named)
def test_without_its_guard_one_could(attack: Attack, world: World) -> None:
    assert run(settings.TMS_OWNER_CONNINFO, attack, world, attack.walls) != 0


def test_exactly_what_was_approved_goes_through(world: World) -> None:
    """The guards refuse because of what is written, not because nothing ever passes."""
    exact = Attack(
        "exact",
        f"UPDATE {attacks.ACCOUNT} SET overdraft_limit = 100.0 {attacks.ROW}",
        "",
        (),
        "approved",
    )
    assert run(_app_conninfo(), exact, world) == 1


def test_one_person_switches_somebody_off(world: World) -> None:
    off = Attack("off", "UPDATE core_user SET is_active = false WHERE id = %(checker)s", "", ())
    assert run(_app_conninfo(), off, world) == 1


def test_a_tenant_is_neither_deleted_nor_moved(world: World) -> None:
    """Keys wait for the commit: without this a tenant could be replaced by an unopened twin."""
    for statement in (
        "DELETE FROM core_tenant WHERE id = %(tenant)s",
        "UPDATE core_tenant SET id = %(nobody)s WHERE id = %(tenant)s",
    ):
        for conninfo in (_app_conninfo(), settings.TMS_OWNER_CONNINFO):
            with pytest.raises(psycopg.Error):
                run(conninfo, Attack("twin", statement, "", ()), world)


def test_the_declared_and_the_enforced_machine_are_one(world: World) -> None:
    with bound(world["tenant"]), connection.cursor() as cursor:
        cursor.execute("SELECT source, target FROM core_change_edges()")
        enforced = set(cursor.fetchall())
    declared = {
        (str(edge.source), str(edge.target))
        for edge in ChangeRequest().get_all_state_transitions()  # type: ignore[attr-defined]
    }
    assert declared == enforced
    assert {state for edge in enforced for state in edge} == set(ChangeState.values)
