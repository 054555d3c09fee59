"""As the app role, with its own SQL, nobody gets an approval that people did not give.

Each attack is refused by the guard it names; with that guard taken down by the owner the very same
statements go through, which proves that the attack is real and that this guard is what stops it.
"""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection, connections
from psycopg import IsolationLevel
from psycopg.conninfo import make_conninfo

from approvals import selectors, services
from core import clock
from core.identity.models import User
from core.identity.services import create_tenant
from core.ids import uuid7
from core.money import Money
from core.tenancy import bound
from tests import emptying
from tests.approvals import attacks, attacks_on_authority, attacks_on_levels
from tests.approvals.factories import NOON, add_chain, decide, registered_subject, submit
from tests.approvals.statements import Attack
from tests.conftest import make_user

EVERY = [*attacks.ALL, *attacks_on_authority.ALL, *attacks_on_levels.ALL]
World = dict[str, Any]
LARGE = Money(Decimal(20_000_000), "USD")


def _people() -> dict[str, User]:
    check = "treasury_checker"
    people = {
        "maker": make_user("maker", "treasury_maker"),
        "both": make_user("both", "treasury_maker", check, person_number="P-both"),
        "both2": make_user("both2", check, person_number="P-both"),
        "c1": make_user("c1", check, person_number="P-c1"),
        "c1b": make_user("c1b", check, person_number="P-c1"),
        "c2": make_user("c2", check),
        "c3": make_user("c3", check),
        "boss": make_user("boss", "treasury_manager"),
        "auditor": make_user("auditor", "auditor"),
        "robot": make_user("robot", check, is_service=True),
        "gone": make_user("gone", check),
    }
    people["gone"].is_active = False
    people["gone"].save()
    return people


def _requests(people: dict[str, User]) -> World:
    maker, c1 = people["maker"], people["c1"]
    made = {
        "small": submit(maker=maker),
        "large": submit(maker=people["both"], amount=LARGE),
        "half": submit(maker=maker, amount=LARGE),
        "done": submit(maker=maker),
        "returned": submit(maker=maker),
        "rejected": submit(maker=maker),
        "cancelled": submit(maker=maker),
        "voided": submit(maker=maker),
        "rupees": submit(
            maker=maker,
            amount=Money(Decimal(850_000_000), "INR"),
            usd_equivalent=Decimal(11_000_000),
            usd_rate=Decimal("0.0129"),
            usd_rate_at=clock.now(),
        ),
    }
    made["chain"] = submit(maker=maker, action="chained")
    made["unrated"] = submit(maker=maker, amount=Money(Decimal(100), "INR"))
    decide(made["returned"], c1, "CHANGES")
    decide(made["half"], c1)
    decide(made["done"], c1)
    decide(made["rejected"], c1, "REJECT")
    services.cancel(request_id=made["cancelled"].pk, actor=None, reason="Not needed.")
    submit(maker=maker, subject_id=made["voided"].subject_id, subject_version=2)
    with clock.frozen(NOON - timedelta(days=3)):
        cutoff_at = clock.now() + timedelta(hours=1)
        made["late"] = submit(maker=maker, amount=LARGE, cutoff_at=cutoff_at)
        made["expired"] = submit(maker=maker, cutoff_at=cutoff_at)
        decide(made["late"], c1)
    services.expire(request_id=made["expired"].pk, now=NOON)
    world: World = {name: request.pk for name, request in made.items()}
    world["small_subject"] = made["small"].subject_id
    world["done_subject"] = made["done"].subject_id
    return world


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """Committed people and requests in every state; attacks always roll back."""
    with django_db_blocker.unblock(), registered_subject():
        tenant = create_tenant(slug="north", name="North Remit")
        other = create_tenant(slug="south", name="South Remit")
        with bound(other.id):
            foreigner = make_user("foreigner", "treasury_checker")
        with bound(tenant.id, actor="system:test"):
            services.install_default_rules()
            people = _people()
            add_chain(people["boss"], action="chained")
            requests = _requests(people)
        ids = {name: person.pk for name, person in people.items()}
        yield {
            **requests, **ids, "tenant": tenant.id, "other": other.id, "new": uuid7(),
            "foreigner": foreigner.pk, "nobody": "",
        }  # fmt: skip
        connections.close_all()
        emptying.empty()


def _app_conninfo() -> str:
    facts = connection.settings_dict
    return make_conninfo(
        settings.TMS_OWNER_CONNINFO, user=facts["USER"], password=facts["PASSWORD"]
    )


def run(conninfo: str, attack: Attack, world: World, *, walls: tuple[str, ...] = ()) -> int:
    """Run an attack to its end and roll back; return how many rows its last statement touched."""
    with psycopg.connect(conninfo) as attacker:
        attacker.isolation_level = IsolationLevel[attack.isolation.replace(" ", "_")]
        with attacker.transaction(force_rollback=True):
            for wall in walls:
                attacker.execute(wall)
            attacker.execute(
                "SELECT set_config('app.tenant', %s, true), set_config('app.actor', %s, true)",
                [str(world["tenant"]), str(world[attack.actor])],
            )
            touched = 0
            for statement in attack.statements:
                touched = attacker.execute(statement, world).rowcount
            attacker.execute("SET CONSTRAINTS ALL IMMEDIATE")
            return touched


def _named(attack: Attack) -> str:
    return attack.name.replace(" ", "-")


@pytest.mark.parametrize("attack", EVERY, ids=_named)
def test_the_database_refuses_to(attack: Attack, world: World) -> None:
    with pytest.raises(psycopg.Error) as refused:
        run(_app_conninfo(), attack, world)
    found = {refused.value.diag.constraint_name, refused.value.sqlstate}
    assert attack.guard in found, refused.value


@pytest.mark.parametrize("attack", EVERY, ids=_named)
def test_without_its_guard_one_could(attack: Attack, world: World) -> None:
    touched = run(settings.TMS_OWNER_CONNINFO, attack, world, walls=attack.walls)
    assert touched != 0


@pytest.mark.parametrize("attack", [found for found in EVERY if found.walls], ids=_named)
def test_even_the_owner_is_refused_while_the_guard_stands(attack: Attack, world: World) -> None:
    with pytest.raises(psycopg.Error):
        run(settings.TMS_OWNER_CONNINFO, attack, world)


def test_the_script_is_long_enough() -> None:
    assert len(EVERY) >= 60
    assert len({attack.name for attack in EVERY}) == len(EVERY)


def test_each_of_two_walls_alone_stops_the_maker(world: World) -> None:
    attack = next(found for found in attacks.DECIDING if found.name == "approve as the maker")
    for wall, other in (attack.walls, attack.walls[::-1]):
        with pytest.raises(psycopg.errors.CheckViolation) as refused:
            run(settings.TMS_OWNER_CONNINFO, attack, world, walls=(wall,))
        assert refused.value.diag.constraint_name in {
            "approvals_other_person", "decision_maker_is_not_checker",
        }, other  # fmt: skip


def test_other_rooms_can_ask_whether_exactly_this_was_approved(world: World) -> None:
    question = (
        "SELECT approvals_is_approved(subject_type, subject_id, subject_version, {content})"
        " FROM approvals_approvalrequest WHERE id = %s"
    )
    answers = {}
    with bound(world["tenant"]), connection.cursor() as cursor:
        for name in ("done", "half", "small", "rejected", "voided", "cancelled", "expired"):
            cursor.execute(question.format(content="content"), [world[name]])
            answers[name] = cursor.fetchone()[0]
        changed = """content || '{"amount": "1"}'"""
        cursor.execute(question.format(content=changed), [world["done"]])
        answers["done, changed"] = cursor.fetchone()[0]
    assert answers == dict.fromkeys(answers, False) | {"done": True}


def test_the_declared_and_the_enforced_requirement_are_one(world: World) -> None:
    with bound(world["tenant"]):
        large = selectors.require_request(world["large"])
        assert (large.required_count, large.required_manager_count) == (2, 0)
