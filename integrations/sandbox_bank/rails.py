"""Which way a payment leaves, when that way is open, and how long it takes."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from integrations.sandbox_bank.bankdays import DAYS_SEARCHED_MAX, FRIDAY, is_bank_day
from integrations.sandbox_bank.identifiers import same_bank


@dataclass(frozen=True, slots=True, kw_only=True)
class Rail:
    """Hours are local wall time of `zone`; a rail without `zone` never closes."""

    code: str
    accept_seconds: int
    settle_seconds: int
    amount_minor_max: int | None = None
    zone: str = ""
    days: str = ""
    opens: time = time(0)
    opens_day_before: bool = False
    closes: time = time(0)
    closes_on_friday: time | None = None


class Slot(NamedTuple):
    """When a payment may start, and the business date it then carries."""

    starts_at: datetime
    business_date: date


RAILS = {
    rail.code: rail
    for rail in (
        Rail(code="BOOK", accept_seconds=1, settle_seconds=2),
        Rail(code="SEPA_INST", accept_seconds=1, settle_seconds=5),
        Rail(
            code="FEDWIRE", accept_seconds=20, settle_seconds=120,
            amount_minor_max=999_999_999_999,
            zone="America/New_York", days="USD", opens=time(21), opens_day_before=True,
            closes=time(18, 45),
        ),
        Rail(
            code="CHAPS", accept_seconds=30, settle_seconds=300,
            zone="Europe/London", days="GBP", opens=time(6), closes=time(17, 40),
        ),
        Rail(
            code="T2", accept_seconds=30, settle_seconds=240,
            zone="Europe/Berlin", days="EUR", opens=time(2, 30), closes=time(17),
        ),
        Rail(
            code="SEPA_SCT", accept_seconds=60, settle_seconds=1800,
            amount_minor_max=99_999_999_999,
            zone="Europe/Berlin", days="EUR", opens=time(7), closes=time(14),
        ),
        Rail(
            code="UAEFTS", accept_seconds=30, settle_seconds=600, closes_on_friday=time(11),
            zone="Asia/Dubai", days="AED", opens=time(8), closes=time(15),
        ),
        Rail(
            code="RTGS_IN", accept_seconds=20, settle_seconds=180,
            zone="Asia/Kolkata", days="INR", opens=time(0, 30), closes=time(23, 30),
        ),
        Rail(
            code="SWIFT_GPI", accept_seconds=120, settle_seconds=3600,
            zone="Europe/London", days="EUR", opens=time(1), closes=time(20),
        ),
    )
}  # fmt: skip
_DOMESTIC = {
    "USD": ("US", "FEDWIRE"),
    "GBP": ("GB", "CHAPS"),
    "AED": ("AE", "UAEFTS"),
    "INR": ("IN", "RTGS_IN"),
}


def choose_rail(
    *,
    debtor_bic: str,
    creditor_bic: str,
    creditor_country: str,
    currency: str,
    service_level: str,
    instrument: str,
) -> str:
    """Return the code of the rail this payment travels on."""
    if same_bank(debtor_bic, creditor_bic):
        return "BOOK"
    if currency == "EUR":
        if instrument == "INST":
            return "SEPA_INST"
        return "SEPA_SCT" if service_level == "SEPA" else "T2"
    country, rail = _DOMESTIC.get(currency, ("", "SWIFT_GPI"))
    return rail if creditor_country in {"", country} else "SWIFT_GPI"


def next_slot(
    rail_code: str, *, now: datetime, not_before: date, zone: str, closes: time | None = None
) -> Slot:
    """Return the first moment from `now` at which a payment dated `not_before` may start.

    `zone` is the account's own zone; rails that never close count their days in it. `closes` is
    the cut-off of the account's own bank, where it is not that of the rail.
    """
    rail = RAILS[rail_code]
    if closes is not None:
        rail = replace(rail, closes=closes)
    if not rail.zone:
        local_midnight = datetime.combine(not_before, time(0), ZoneInfo(zone)).astimezone(UTC)
        starts = max(now, local_midnight)
        return Slot(starts, starts.astimezone(ZoneInfo(zone)).date())
    first = max(not_before, now.astimezone(ZoneInfo(rail.zone)).date())
    for ahead in range(DAYS_SEARCHED_MAX):
        day = first + timedelta(days=ahead)
        if not is_bank_day(rail.days, day):
            continue
        opens, shuts = _window(rail, day)
        if now < shuts:
            return Slot(max(now, opens), day)
    raise LookupError(f"{rail_code} does not open within {DAYS_SEARCHED_MAX} days")


def _window(rail: Rail, day: date) -> tuple[datetime, datetime]:
    zone = ZoneInfo(rail.zone)
    opening_day = day - timedelta(days=1) if rail.opens_day_before else day
    early = day.weekday() == FRIDAY and rail.closes_on_friday is not None
    closes = rail.closes_on_friday if early and rail.closes_on_friday else rail.closes
    opens_at = datetime.combine(opening_day, rail.opens, zone).astimezone(UTC)
    return opens_at, datetime.combine(day, closes, zone).astimezone(UTC)
