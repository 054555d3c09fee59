"""A company with an account whose daily flows are known to the cent, on a Friday morning."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from calendars import selectors as calendar_reads
from calendars import services as calendars
from core import clock
from core.tenancy import Tenant
from tests.liquidity.books import book, state_balance
from tests.scenes import scene
from treasury.models import BankAccount, LegalEntity
from treasury.services import static

# Friday 20 November 2026, 15:30 in London.
FRIDAY = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
TODAY = FRIDAY.date()
OpenAccount = Callable[..., BankAccount]


@pytest.fixture(autouse=True)
def now() -> Iterator[datetime]:
    with clock.frozen(FRIDAY):
        yield FRIDAY


@scene
def entity(tenant: Tenant) -> LegalEntity:
    calendars.install_reference_calendars(years=range(2024, 2028))
    wish = static.EntityIn(
        name="North Remit Ltd", lei="5493001KJTIIGC8Y1R12", town="London", country="GB"
    )
    return static.create_entity(entity=wish)


@scene
def open_account(entity: LegalEntity) -> OpenAccount:
    bank = static.create_bank(bic="SBNKUS33XXX", name="A bank in New York")

    def make(label: str, **more: Any) -> BankAccount:
        facts: dict[str, Any] = {
            "entity": entity,
            "bank": bank,
            "label": label,
            "currency": "USD",
            "number": f"4010{abs(hash(label)) % 10**6:06d}",
            "clearing_code": "021000021",
            "timezone": "America/New_York",
            "kind": "DDA",
            **more,
        }
        return static.open_account(account=static.AccountIn(**facts))

    return make


def business_days_before(day: date, count: int) -> list[date]:
    """Return the last `count` days before `day` on which dollars settle, oldest first."""
    calendar = calendar_reads.settlement_calendar("USD")
    found: list[date] = []
    while len(found) < count:
        day -= timedelta(days=1)
        if calendar.is_open(day):
            found.append(day)
    return found[::-1]


def amounts(count: int, *, seed: int = 1) -> list[str]:
    """Return daily flows with the tails of real ones."""
    draws = np.random.default_rng(seed).standard_t(4, size=count) * 10_000
    return [f"{value:.2f}" for value in draws]


def give_past(account: BankAccount, flows: list[str], *, until: date = TODAY) -> list[date]:
    """Book one flow on each of the last business days before `until`; return the days."""
    days = business_days_before(until, len(flows))
    book(account, list(zip(days, flows, strict=True)))
    return days


def close_yesterday(account: BankAccount, amount: str, *, until: date = TODAY) -> None:
    """Let the bank state the balance that the day before `until` closed with."""
    at = datetime(until.year, until.month, until.day, 5, tzinfo=UTC)  # midnight in New York
    row = state_balance(account, amount, as_of=at)
    row.on_date = until - timedelta(days=1)
    row.save(update_fields=["on_date"])


@scene
def account(open_account: OpenAccount) -> BankAccount:
    """A dollar account: 300 business days of flows, 10,000,000.00 at last night's close."""
    made = open_account("USD operating", min_balance=Decimal(500_000))
    give_past(made, amounts(300))
    close_yesterday(made, "10000000.00")
    return made
