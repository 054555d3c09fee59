"""Dollar rates, handed down by the fx room or a feed."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db import transaction

from core.errors import Invalid
from core.money import minor_units
from treasury.errors import RateRefused
from treasury.models import UsdRate

USD_PER_UNIT_MAX: Final = Decimal(10_000_000)
_TEN_PLACES: Final = Decimal("0.0000000001")


@transaction.atomic
def record_usd_rate(
    *, currency: str, usd_per_unit: Decimal, as_of: datetime, source: str
) -> UsdRate:
    """Record what one unit of `currency` is worth in dollars; the same again changes nothing.

    Raises:
        Invalid: not a currency, not a positive finite rate, or a time without zone.
        RateRefused: another rate was recorded for the same instant.
    """
    minor_units(currency)
    if not usd_per_unit.is_finite() or not _TEN_PLACES <= usd_per_unit < USD_PER_UNIT_MAX:
        raise Invalid(f"{usd_per_unit} is not a rate.", field="usd_per_unit")
    if as_of.tzinfo is None:
        raise Invalid("A rate has a time with zone.", field="as_of")
    if currency == "USD":
        raise Invalid("A dollar is a dollar: no rate is recorded for it.", field="currency")
    rate = usd_per_unit.quantize(_TEN_PLACES)
    row = UsdRate(currency=currency, usd_per_unit=rate, as_of=as_of, source=source)
    UsdRate.objects.bulk_create([row], ignore_conflicts=True)
    stored = UsdRate.objects.get(currency=currency, as_of=as_of)
    if stored.usd_per_unit != rate:
        raise RateRefused(
            f"{currency} was recorded as {stored.usd_per_unit} for that instant.",
            currency=currency,
        )
    return stored
