"""What the demo's excess dollars may be swept into, and how much without asking."""

from collections.abc import Mapping, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from core import policies
from tms.demo.accounts import DemoAccount
from tms.demo.payees import FUND
from treasury.policies import COOL_OFF_HOURS, MAX_BALANCE_AGE_MINUTES
from treasury.selectors import beneficiaries
from treasury.services import sweeps

NEW_YORK: Final = "America/New_York"
CALENDAR: Final = "FED"
SWEPT: Final = "USD Operating"
PAID_BY_US: Final = "FED_RRP"
ORDER_MAX: Final = Decimal(40_000_000)
DAY_MAX: Final = Decimal(60_000_000)
MANDATE_DAYS: Final = 365
# The demo's banks write once a day, and not at weekends: four days bridge a long one.
BALANCE_AGE_MINUTES: Final = 5_760
COOL_OFF_HOURS_OF_DEMO: Final = 1
# Rates to practise with.
PRODUCTS: Final = (
    sweeps.ProductIn(
        code="FED_RRP",
        name="Overnight government money fund",
        kind="OVERNIGHT",
        cutoff_local=time(13, 15),
        timezone=NEW_YORK,
        calendar=CALENDAR,
        rate=Decimal("0.0350"),
        for_all_companies=True,
    ),
    sweeps.ProductIn(
        code="TBILL_4W",
        name="Four-week Treasury bill",
        kind="BILL",
        cutoff_local=time(14, 0),
        timezone=NEW_YORK,
        calendar=CALENDAR,
        rate=Decimal("0.0385"),
        settlement_days=1,
        tenor_days=28,
        increment=Decimal(100),
        for_all_companies=True,
    ),
    sweeps.ProductIn(
        code="CARBON_NOTE",
        name="Green term note",
        kind="NOTE",
        cutoff_local=time(12, 0),
        timezone=NEW_YORK,
        calendar=CALENDAR,
        rate=Decimal("0.0360"),
        settlement_days=2,
        tenor_days=28,
        increment=Decimal(1_000),
        cap=Decimal(10_000_000),
        is_green=True,
    ),
)


def make_sweeps(
    *, accounts: Sequence[DemoAccount], ids: Mapping[str, UUID], today: date
) -> tuple[str, ...]:
    """Make products and a mandate for the operating account; return the products' codes."""
    for product in PRODUCTS:
        sweeps.add_product(product=product)
    for one in accounts:
        if one.role.label == SWEPT:
            sweeps.add_mandate(
                mandate=sweeps.MandateIn(
                    name=f"Sweeps of {SWEPT}",
                    account_id=ids[one.number],
                    order_max=ORDER_MAX,
                    day_max=DAY_MAX,
                    valid_from=today,
                    valid_until=today + timedelta(days=MANDATE_DAYS),
                )
            )
    policies.write_version(
        policy=MAX_BALANCE_AGE_MINUTES,
        value=BALANCE_AGE_MINUTES,
        actor=None,
        reason="The demo's banks write once a day.",
    )
    return tuple(product.code for product in PRODUCTS)


def make_line(*, accounts: Sequence[DemoAccount], ids: Mapping[str, UUID]) -> None:
    """Let overnight money go to the fund through our own bank; the rest is a connector's.

    The fund is a new payee: payments to it rest at first, like those to any other; in the demo for
    an hour, so that they are seen to leave on its first day.
    """
    policies.write_version(
        policy=COOL_OFF_HOURS,
        value=COOL_OFF_HOURS_OF_DEMO,
        actor=None,
        reason="The demo's payees are all new.",
    )
    fund = beneficiaries.beneficiaries().get(name=FUND)
    for one in accounts:
        if one.role.label == SWEPT:
            sweeps.add_line(
                line=sweeps.LineIn(
                    name=f"Overnight money of {SWEPT}",
                    account_id=ids[one.number],
                    product=PAID_BY_US,
                    beneficiary=fund.pk,
                    note_to_bank="AML REVIEWED",
                )
            )
