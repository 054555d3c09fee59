"""A remittance company with a rupee drawing account and a dollar nostro, on a Friday morning."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from calendars import services as calendars
from core import clock
from core.tenancy import Tenant
from tests.liquidity.books import book, state_balance, weekly_outflows
from tests.scenes import scene
from treasury.models import BankAccount, LegalEntity
from treasury.services import static

# Friday 20 November 2026, 09:00 in Kolkata. The Tuesday after is a bank holiday in Mumbai.
FRIDAY = datetime(2026, 11, 20, 3, 30, tzinfo=UTC)
# What leaves on Monday, Tuesday, ... Sunday: 100.00 more each day.
BY_WEEKDAY = ["1000.00", "1100.00", "1200.00", "1300.00", "1400.00", "1500.00", "1600.00"]
OpenAccount = Callable[..., BankAccount]


@pytest.fixture(autouse=True)
def now() -> Iterator[datetime]:
    with clock.frozen(FRIDAY):
        yield FRIDAY


@scene
def entity(tenant: Tenant) -> LegalEntity:
    calendars.install_reference_calendars(years=(2026, 2027))
    wish = static.EntityIn(
        name="North Remit Ltd", lei="5493001KJTIIGC8Y1R12", town="London", country="GB"
    )
    return static.create_entity(entity=wish)


@scene
def open_account(entity: LegalEntity) -> OpenAccount:
    bank = static.create_bank(bic="HDFCINBBXXX", name="A bank in Mumbai")

    def make(label: str, **more: Any) -> BankAccount:
        facts: dict[str, Any] = {
            "entity": entity,
            "bank": bank,
            "label": label,
            "currency": "INR",
            "number": f"5010{abs(hash(label)) % 10**9:09d}",
            "clearing_code": "HDFC0000001",
            "timezone": "Asia/Kolkata",
            **more,
        }
        return static.open_account(account=static.AccountIn(**facts))

    return make


@scene
def new_account(open_account: OpenAccount) -> BankAccount:
    """A rupee account without any past."""
    return open_account("INR new", kind="VOSTRO_RDA", rda_procedure="DDA")


@scene
def account(open_account: OpenAccount) -> BankAccount:
    """A rupee account: 120 days of the same week, 5,000.00 at last night's close, floor 500."""
    made = open_account(
        "INR payouts", kind="VOSTRO_RDA", rda_procedure="DDA", min_balance=Decimal(500)
    )
    book(made, weekly_outflows(FRIDAY.date(), days=120, by_weekday=BY_WEEKDAY))
    state_balance(made, "5000.00", as_of=datetime(2026, 11, 19, 18, 30, tzinfo=UTC))
    return made
