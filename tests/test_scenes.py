"""Each test finds its scenes as they were built, whatever the one before did to them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction

from core import clock
from core.identity.models import User
from core.tenancy import Tenant, current_scope, once_per_transaction
from tests.conftest import make_user
from tests.scenes import STAGE, prepare, scene

AFTERNOON: Final = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)
built: list[UUID | None] = []


@pytest.fixture
def afternoon() -> Iterator[None]:
    with clock.frozen(AFTERNOON):
        yield


@scene
def built_once(tenant: Tenant, maker: User) -> User:
    built.append(tenant.pk)
    return make_user("built", "auditor")


@pytest.mark.parametrize("time", range(3))
def test_what_a_test_does_to_its_scene_is_gone(built_once: User, maker: User, time: int) -> None:
    assert User.objects.count() == 2
    assert (built_once.display_name, maker.display_name) == ("Built", "Maker")
    assert once_per_transaction("how often", lambda: time) == time
    make_user("another", "auditor")
    User.objects.filter(pk=maker.pk).update(display_name="Somebody else")
    built_once.display_name = maker.display_name = "Somebody else"
    with pytest.raises(IntegrityError), transaction.atomic():
        make_user("maker", "treasury_maker")
    assert built_once.tenant_id is not None
    assert built.count(built_once.tenant_id) == 1


def test_the_next_test_finds_what_this_one_stands_on(
    built_once: User, request: pytest.FixtureRequest
) -> None:
    lying = list(STAGE.layers)
    prepare(request.node)
    assert len(lying) == 3
    assert [*STAGE.layers] == lying


@pytest.fixture(scope="module")
def shared() -> int:
    return len(STAGE.layers)


def test_what_several_tests_share_finds_nothing_lying(shared: int, built_once: User) -> None:
    assert shared == 0


def test_a_smaller_scene_finds_nothing_of_the_larger_one(maker: User) -> None:
    assert list(User.objects.all()) == [maker]
    assert len(STAGE.layers) == 2


@scene
def now(tenant: Tenant) -> datetime:
    return clock.now()


def test_another_clock_builds_another_scene(afternoon: None, tenant: Tenant, now: datetime) -> None:
    assert now == AFTERNOON
    assert current_scope() is not None


def test_a_free_clock_builds_it_anew(tenant: Tenant, now: datetime) -> None:
    assert now != AFTERNOON


@pytest.mark.django_db
def test_who_asks_for_no_scene_finds_none() -> None:
    assert (STAGE.layers, STAGE.session, current_scope()) == ([], None, None)
    assert not Tenant.objects.exists()


def test_alone_it_is_built_anew(anew: None, tenant: Tenant) -> None:
    assert STAGE.session is None
    assert tenant.pk not in built
    assert connection.in_atomic_block
