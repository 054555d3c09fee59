"""The feed of positions: what had news is told, once, with everything reckoned in."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from core.events import Event, publish
from core.events.models import OutboxEvent
from core.events.relay import sequence_committed
from core.tenancy import Tenant, bound
from tests.treasury.bank.conftest import NOW
from tests.treasury.bank.paper import IBAN
from treasury.models import BankAccount, FlowSource
from treasury.selectors import position_news, positions
from treasury.services import reported
from treasury.services.flows import FlowIn, put_expected_flow
from treasury.services.position_feed import tell_positions
from treasury.services.reported import ReportedBalance
from treasury.tasks import tell_positions as beat


@pytest.fixture
def fed(tenant: Tenant, account: BankAccount) -> Any:
    """Give places to what is committed, tell positions, and return what was told."""
    tell_positions(tenant=tenant.id)

    def feed() -> list[dict[str, Any]]:
        sequence_committed(tenant=tenant.id)
        told = tell_positions(tenant=tenant.id)
        rows = OutboxEvent.objects.filter(topic="cash_positions").order_by("-id")[:told]
        return [row.payload for row in rows]

    return feed


def report(name: str, amount: str, *, code: str = "CLBD") -> None:
    reported.record_balance(
        balance=ReportedBalance(
            event_id=name, account=IBAN, currency="EUR", balance_type=code,
            amount=Decimal(amount), as_of=NOW,
        )
    )  # fmt: skip


def test_the_first_time_all_accounts_are_told(
    tenant: Tenant, account: BankAccount, open_account: Any
) -> None:
    open_account("123456", label="second")
    assert tell_positions(tenant=tenant.id) == 2
    keys = OutboxEvent.objects.filter(topic="cash_positions").values_list("aggregate", flat=True)
    assert str(account.pk) in keys


def test_news_of_an_account_tells_its_position_as_the_desk_shows_it(
    fed: Any, account: BankAccount, open_account: Any
) -> None:
    open_account("123456", label="quiet")
    report("ev-1", "1000.00")
    put_expected_flow(
        flow=FlowIn(
            account_id=account.pk, source=FlowSource.TRANSFER, source_ref="T1",
            amount=Decimal("-250.00"), value_date=NOW.date(), description="out",
        )
    )  # fmt: skip
    (told,) = fed()
    (shown,) = positions.positions(on=NOW.date(), accounts=[account])
    free = positions.available(account_id=account.pk, on=NOW.date(), now=NOW)
    assert told["account_id"] == str(account.pk)
    assert (told["currency"], told["balance_type"], told["on"]) == ("EUR", "CLBD", "2026-11-24")
    for name, amount in (
        ("balance", shown.balance),
        ("booked", shown.booked),
        ("expected_out", shown.expected_out),
        ("projected", shown.projected),
        ("available", free.amount),
    ):
        assert Decimal(told[name]) == amount, name
    assert Decimal(told["available"]) == 750


def test_the_newest_stated_balance_is_told_beside_what_is_booked(fed: Any) -> None:
    report("ev-1", "1000.00")
    report("ev-2", "900.00", code="ITAV")
    (told,) = fed()
    assert (told["balance_type"], Decimal(told["balance"])) == ("ITAV", 900)
    assert (Decimal(told["available"]), Decimal(told["booked"])) == (900, 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dealt(Event):
    """As the fx room says it, which this one does not know."""

    topic: ClassVar[str] = "fx.deal.instruction"
    legs: list[dict[str, Any]]


def test_a_deals_legs_name_the_accounts(fed: Any, account: BankAccount, open_account: Any) -> None:
    other = open_account("123456", label="other")
    open_account("123457", label="quiet")
    publish(Dealt(legs=[{"account_id": account.pk}, {"account_id": other.pk}]))
    publish(Dealt(legs=[]))
    assert {one["account_id"] for one in fed()} == {str(account.pk), str(other.pk)}


def test_several_news_are_one_position_and_no_news_is_none(fed: Any) -> None:
    for number in range(3):
        report(f"ev-{number}", f"{number}.00")
    assert len(fed()) == 1
    assert fed() == []


def test_what_has_no_place_yet_is_told_once_it_has(tenant: Tenant, fed: Any) -> None:
    """The place is given after the commit: whoever commits late is not passed by."""
    report("ev-1", "1.00")
    assert tell_positions(tenant=tenant.id) == 0
    assert len(fed()) == 1


def test_news_of_nobody_is_passed_by_however_much_there_is(
    fed: Any, account: BankAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(position_news, "READ_MAX", 2)
    for _ in range(5):
        publish(Dealt(legs=[]))
    assert fed() == []
    publish(Dealt(legs=[{"account_id": account.pk}]))
    assert len(fed()) == 1
    assert fed() == []


def test_a_closed_account_is_told_no_more(fed: Any, account: BankAccount) -> None:
    report("ev-1", "1.00")
    BankAccount.objects.update(is_active=False)
    assert fed() == []


def test_a_tenant_hears_of_its_own_accounts_only(
    fed: Any, account: BankAccount, other_tenant: Tenant
) -> None:
    report("ev-1", "1.00")
    fed()
    beat()
    with bound(other_tenant.id, actor="system:test"):
        assert not OutboxEvent.objects.filter(topic="cash_positions").exists()
