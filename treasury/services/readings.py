"""Readings of risk, as the room that measures them hands them down."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import transaction

from core.errors import Invalid
from treasury.models import RiskReading
from treasury.selectors import accounts as account_selectors

_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_AMOUNTS: Final = ("var_amount", "expected_shortfall", "base_amount", "var_bps")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingIn:
    """One measurement; losses are positive amounts of the account's currency.

    `inputs_sha256` is the digest of the flows it was computed from. `var_bps` is None where too
    few observations allow no number, or where the base is not positive.
    """

    account_id: UUID
    as_of: date
    observed_at: datetime
    method: str
    confidence: Decimal
    observations: int
    var_amount: Decimal | None
    expected_shortfall: Decimal | None
    base_amount: Decimal | None
    base_kind: str
    var_bps: Decimal | None
    inputs_sha256: str


@transaction.atomic
def record_risk_reading(*, reading: ReadingIn) -> RiskReading:
    """Keep a measurement for good; the same one again (account, method, instant) changes nothing.

    Raises:
        AccountUnknown: there is no such account.
        Invalid: a number is negative or not finite, a digest or an instant has the wrong form, or
            another measurement carries the same instant.
    """
    account = account_selectors.account(reading.account_id)
    _check(reading)
    facts = {name: getattr(reading, name) for name in ReadingIn.__slots__}
    facts.pop("account_id")
    # Two workers may record the same measurement at once: the unique key decides.
    RiskReading.objects.bulk_create([RiskReading(account=account, **facts)], ignore_conflicts=True)
    kept = RiskReading.objects.get(
        account=account, method=reading.method, observed_at=reading.observed_at
    )
    if (kept.inputs_sha256, kept.as_of) != (reading.inputs_sha256, reading.as_of):
        raise Invalid("Another measurement carries this instant.", field="observed_at")
    return kept


def _check(reading: ReadingIn) -> None:
    if reading.observed_at.tzinfo is None:
        raise Invalid("The instant of a reading has a time zone.", field="observed_at")
    for name in _AMOUNTS:
        value = getattr(reading, name)
        if value is not None and not value.is_finite():
            raise Invalid(f"{name} is a finite number.", field=name)
        if value is not None and value < 0 and name != "base_amount":
            raise Invalid(f"{name} is a loss: a positive number, or zero.", field=name)
    if not Decimal(0) < reading.confidence < Decimal(1):
        raise Invalid("The confidence is a share between 0 and 1.", field="confidence")
    if reading.var_bps is not None and not (
        reading.var_amount is not None and reading.base_amount and reading.base_amount > 0
    ):
        raise Invalid("A share needs the amount and a positive base.", field="var_bps")
    if not _DIGEST.fullmatch(reading.inputs_sha256):
        raise Invalid("The digest is 64 lower-case hexadecimal digits.", field="inputs_sha256")
