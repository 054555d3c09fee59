"""A desk with curves: points of every pair of the board, and interest of every currency."""

from datetime import timedelta
from decimal import Decimal

from core import clock
from fx.engine.pairs import parse_pair
from fx.services import curves
from fx.services.rates import Origin
from fx.services.sources import FEED

D = Decimal
POINTS = {
    "EUR/USD": {"ON": "0.4 0.5", "TN": "0.4 0.5", "1W": "3 3.4", "1M": "14 15", "1Y": "180 186"},
    "GBP/USD": {"ON": "0.1 0.2", "TN": "0.1 0.2", "1M": "2 3", "1Y": "-20 -14"},
    "USD/AED": {"ON": "0 0.1", "TN": "0 0.1", "1M": "1 3", "1Y": "20 40"},
    "USD/INR": {"ON": "40 50", "TN": "40 50", "1M": "1300 1400", "3M": "4000 4200",
                "1Y": "17000 17400"},
}  # fmt: skip
INTEREST = {"USD": "0.04", "EUR": "0.022", "GBP": "0.04", "AED": "0.041", "INR": "0.06"}


def put_points(
    wanted: dict[str, dict[str, str]] | None = None, *, source: str = FEED, minutes_old: float = 1
) -> None:
    """Record points by pair and tenor, `bid ask` in pips."""
    at = clock.now() - timedelta(minutes=minutes_old)
    rows = [
        curves.PointIn(
            row=1,
            pair=parse_pair(pair),
            tenor=tenor,
            bid=D(sides.split()[0]),
            ask=D(sides.split()[1]),
            as_of=at,
        )
        for pair, tenors in (wanted or POINTS).items()
        for tenor, sides in tenors.items()
    ]
    origin = Origin(source=source, name="points", data=repr(rows).encode(), received_from="test")
    curves.record_points(origin=origin, points=rows)


def put_interest(wanted: dict[str, str] | None = None, *, minutes_old: float = 1) -> None:
    """Record the same interest of a currency for a week and a year."""
    at = clock.now() - timedelta(minutes=minutes_old)
    rows = [
        curves.InterestIn(row=1, currency=currency, tenor=tenor, rate=D(rate), as_of=at)
        for currency, rate in (wanted or INTEREST).items()
        for tenor in ("1W", "1Y")
    ]
    origin = Origin(source=FEED, name="interest", data=repr(rows).encode(), received_from="test")
    curves.record_interest(origin=origin, rates=rows)
