"""Products, eligibility and mandates: checked here, changed by two people."""

from dataclasses import dataclass, fields
from datetime import date, time
from decimal import Decimal
from typing import Final, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import IntegrityError, transaction

from calendars.selectors import calendar_data
from core.errors import Invalid
from treasury.errors import AlreadyKnown
from treasury.models import (
    SweepEligibility,
    SweepKind,
    SweepLine,
    SweepMandate,
    SweepProduct,
)
from treasury.selectors import accounts as account_selectors

CENT: Final = Decimal("0.01")
Row = TypeVar("Row", SweepProduct, SweepMandate, SweepEligibility, SweepLine)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductIn:
    """A product to record; `rate` is a yearly share on 360 days, for a bill its discount."""

    code: str
    name: str
    kind: str
    cutoff_local: time
    timezone: str
    calendar: str
    rate: Decimal
    settlement_days: int = 0
    tenor_days: int = 1
    increment: Decimal = CENT
    minimum: Decimal = Decimal(0)
    cap: Decimal | None = None
    is_green: bool = False
    for_all_companies: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MandateIn:
    """A mandate to record; without `product` it holds for every product."""

    name: str
    account_id: UUID
    order_max: Decimal
    day_max: Decimal
    valid_from: date
    valid_until: date
    product: str = ""


def add_product(*, product: ProductIn) -> SweepProduct:
    """Record a product.

    Raises:
        Invalid: zone, increment, limits, rate or days cannot be right.
        CalendarUnknown: its calendar is not installed.
        AlreadyKnown: there is one of that code.
    """
    facts = {one.name: getattr(product, one.name) for one in fields(ProductIn)}
    return save_product(product=SweepProduct(**facts))


def add_mandate(*, mandate: MandateIn) -> SweepMandate:
    """Record a mandate.

    Raises:
        AccountUnknown: there is no such account.
        Invalid: no such product, not a dollar account, limits or days that cannot be right.
        AlreadyKnown: there is one of that name.
    """
    facts = {one.name: getattr(mandate, one.name) for one in fields(MandateIn)}
    account, code = account_selectors.account(facts.pop("account_id")), facts.pop("product")
    product = SweepProduct.objects.filter(code=code).first()
    if code and product is None:
        raise Invalid(f"There is no product {code}.", field="product")
    return save_mandate(mandate=SweepMandate(account=account, product=product, **facts))


@transaction.atomic
def save_product(*, product: SweepProduct) -> SweepProduct:
    """Record a product, or store a corrected one; its code stays.

    Raises:
        Invalid: zone, increment, limits, rate or days cannot be right.
        CalendarUnknown: its calendar is not installed.
        AlreadyKnown: there is one of that code.
    """
    try:
        ZoneInfo(product.timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise Invalid(f"{product.timezone} is no time zone.", field="timezone") from error
    calendar_data(product.calendar)
    _check_numbers(product)
    if product.kind not in SweepKind.values:
        raise Invalid("Choose how the product pays back.", field="kind")
    if product.kind == SweepKind.OVERNIGHT and product.is_green:
        raise Invalid("The overnight product is the fallback, not the green one.", field="is_green")
    return saved(product, f"There is a product {product.code} already.")


def _check_numbers(product: SweepProduct) -> None:
    for name in ("increment", "minimum", "cap", "rate"):
        value = getattr(product, name)
        if value is not None and not value.is_finite():
            raise Invalid(f"{name} is a finite number.", field=name)
    if product.increment < CENT or product.increment % CENT:
        raise Invalid("An increment is a multiple of a cent.", field="increment")
    if product.minimum < 0 or (product.cap is not None and product.cap < 0):
        raise Invalid("Limits are not negative.", field="minimum")
    if not -1 < product.rate < 1:
        raise Invalid("Write the rate as a share: 0.0385 for 3.85 %.", field="rate")
    if product.kind == SweepKind.BILL and product.rate < 0:
        raise Invalid(
            "A bill costs no more than it pays back: its rate is not negative.", field="rate"
        )


@transaction.atomic
def save_mandate(*, mandate: SweepMandate) -> SweepMandate:
    """Record a mandate, or store changed terms.

    Raises:
        Invalid: not a dollar account, limits or days that cannot be right.
        AlreadyKnown: there is one of that name.
    """
    if mandate.account.currency != "USD":
        raise Invalid("Sweeps are of dollars.", field="account")
    for name in ("order_max", "day_max"):
        value = getattr(mandate, name)
        if not value.is_finite() or value < 0:
            raise Invalid(f"{name} is an amount, or zero.", field=name)
    if mandate.day_max < mandate.order_max:
        raise Invalid("A day allows at least one whole order.", field="day_max")
    if mandate.valid_until < mandate.valid_from:
        raise Invalid("It ends before it begins.", field="valid_until")
    return saved(mandate, f"There is a mandate named {mandate.name} already.")


@transaction.atomic
def save_eligibility(*, eligibility: SweepEligibility) -> SweepEligibility:
    """Record that a company may deal in a product.

    Raises:
        AlreadyKnown: it may already.
    """
    return saved(eligibility, "This company may deal in it already.")


def saved(row: Row, taken: str) -> Row:
    """Store a row.

    Raises:
        AlreadyKnown: with the words `taken`, where another row has its name.
        Invalid: the database does not allow it.
    """
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        if "duplicate" in str(error) or "unique" in str(error):
            raise AlreadyKnown(taken) from error
        raise Invalid("The database does not allow this.", field="row") from error
    return row
