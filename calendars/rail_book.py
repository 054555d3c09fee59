"""The rails of the house as data: hours, cut-offs and confirmation times.

Times are local to the rail. Where a scheme publishes none, the row says that it is a default
to be replaced by the bank's own cut-off.
"""

from datetime import date, time

from calendars.constants import (
    EVERY_WEEKDAY,
    FRIDAY_ONLY,
    MONDAY_TO_FRIDAY,
    MONDAY_TO_THURSDAY,
)
from calendars.engine.rails import RailData, SlaPolicy, WindowKind, WindowRule

FEDWIRE_HOURS = date(2021, 3, 8)
CHAPS_EXTENDED_DAY = date(2016, 6, 20)
T2_START = date(2023, 3, 20)
SCT_DEFAULTS = date(2023, 3, 20)
UAE_WEEK = date(2022, 1, 1)
RTGS_AROUND_THE_CLOCK = date(2020, 12, 14)
DESK_DEFAULTS = date(2022, 1, 1)


def _window(
    kind: WindowKind,
    at: time,
    since: date,
    *,
    mask: int = MONDAY_TO_FRIDAY,
    day_offset: int = 0,
) -> WindowRule:
    return WindowRule(
        kind=kind, local_time=at, effective_from=since, weekday_mask=mask, day_offset=day_offset
    )


def _gpi(currency: str, tz: str, calendar: str, cutoff: time) -> RailData:
    # A messaging service, not a settlement system: the cut-off is the correspondent's. The
    # default stands in until that bank's own cut-off is entered.
    return RailData(
        code="SWIFT_GPI",
        name=f"SWIFT gpi, {currency} correspondent",
        currency=currency,
        tz=tz,
        calendar=calendar,
        windows=(
            _window(WindowKind.OPEN, time(0, 0), DESK_DEFAULTS),
            _window(WindowKind.CUSTOMER, cutoff, DESK_DEFAULTS),
        ),
        sla_minutes=480,
    )


FEDWIRE = RailData(
    code="FEDWIRE",
    name="Fedwire Funds Service",
    currency="USD",
    tz="America/New_York",
    calendar="FED",
    windows=(
        _window(WindowKind.OPEN, time(21, 0), FEDWIRE_HOURS, day_offset=-1),
        _window(WindowKind.CUSTOMER, time(18, 45), FEDWIRE_HOURS),
        _window(WindowKind.INTERBANK, time(19, 0), FEDWIRE_HOURS),
        _window(WindowKind.CLOSE, time(19, 0), FEDWIRE_HOURS),
    ),
    sla_minutes=30,
)
# The move of the CHAPS opening to 01:30, meant for September 2027, has no date yet: it becomes
# a row of its own when the Bank of England names the day.
CHAPS = RailData(
    code="CHAPS",
    name="CHAPS",
    currency="GBP",
    tz="Europe/London",
    calendar="UK_EW",
    windows=(
        _window(WindowKind.OPEN, time(6, 0), CHAPS_EXTENDED_DAY),
        _window(WindowKind.CUSTOMER, time(17, 40), CHAPS_EXTENDED_DAY),
        _window(WindowKind.INTERBANK, time(18, 0), CHAPS_EXTENDED_DAY),
        _window(WindowKind.CLOSE, time(18, 0), CHAPS_EXTENDED_DAY),
    ),
    sla_minutes=120,
)
T2 = RailData(
    code="T2",
    name="T2 (Eurosystem, formerly TARGET2)",
    currency="EUR",
    tz="Europe/Berlin",
    calendar="TARGET",
    windows=(
        _window(WindowKind.OPEN, time(2, 30), T2_START),
        _window(WindowKind.CUSTOMER, time(17, 0), T2_START),
        _window(WindowKind.INTERBANK, time(18, 0), T2_START),
        _window(WindowKind.CLOSE, time(18, 0), T2_START),
    ),
    sla_minutes=240,
)
SEPA_SCT = RailData(
    code="SEPA_SCT",
    name="SEPA credit transfer",
    currency="EUR",
    tz="Europe/Berlin",
    calendar="TARGET",
    windows=(
        _window(WindowKind.OPEN, time(0, 0), SCT_DEFAULTS),
        _window(WindowKind.CUSTOMER, time(14, 0), SCT_DEFAULTS),
    ),
    settlement_days=1,
    sla_minutes=240,
)
SEPA_INST = RailData(
    code="SEPA_INST",
    name="SEPA instant credit transfer",
    currency="EUR",
    tz="UTC",
    calendar=None,
    sla_minutes=240,
)
UAEFTS = RailData(
    code="UAEFTS",
    name="UAE Funds Transfer System",
    currency="AED",
    tz="Asia/Dubai",
    calendar="UAE",
    windows=(
        _window(WindowKind.OPEN, time(8, 0), UAE_WEEK),
        _window(WindowKind.CUSTOMER, time(15, 0), UAE_WEEK, mask=MONDAY_TO_THURSDAY),
        _window(WindowKind.CUSTOMER, time(11, 0), UAE_WEEK, mask=FRIDAY_ONLY),
    ),
    sla_minutes=480,
)
RTGS_IN = RailData(
    code="RTGS_IN",
    name="RTGS India",
    currency="INR",
    tz="Asia/Kolkata",
    calendar=None,
    windows=(
        _window(WindowKind.OPEN, time(0, 30), RTGS_AROUND_THE_CLOCK, mask=EVERY_WEEKDAY),
        _window(WindowKind.CLOSE, time(23, 30), RTGS_AROUND_THE_CLOCK, mask=EVERY_WEEKDAY),
    ),
    sla_policy=SlaPolicy.DESK_CLOSE,
)
INR_DESK = RailData(
    code="INR_DESK",
    name="Bank desk, rupees",
    currency="INR",
    tz="Asia/Kolkata",
    calendar="MUMBAI_FX",
    windows=(
        _window(WindowKind.OPEN, time(9, 0), DESK_DEFAULTS),
        _window(WindowKind.CUSTOMER, time(15, 30), DESK_DEFAULTS),
        _window(WindowKind.CLOSE, time(17, 0), DESK_DEFAULTS),
    ),
    sla_policy=SlaPolicy.DESK_CLOSE,
)
RAILS: tuple[RailData, ...] = (
    FEDWIRE,
    CHAPS,
    T2,
    SEPA_SCT,
    SEPA_INST,
    _gpi("USD", "America/New_York", "FED", time(16, 0)),
    _gpi("GBP", "Europe/London", "UK_EW", time(16, 0)),
    _gpi("AED", "Asia/Dubai", "UAE", time(13, 0)),
    UAEFTS,
    RTGS_IN,
    INR_DESK,
)
