"""The forward curve of a pair, as part of its page."""

from datetime import datetime
from typing import Any

from core.errors import DomainError
from fx.engine.curves import middle
from fx.engine.pairs import Pair
from fx.engine.quotes import rounded_rate
from fx.selectors.curves import Market, shown_curve


def curve_of(pair: Pair, now: datetime) -> dict[str, Any]:
    """Return what a pair's page shows of its curve: pillars, picture, whose points and how old."""
    market = Market(at=now)
    try:
        pillars = shown_curve(pair, market)
    except DomainError as missing:
        return {"curve": None, "curve_missing": missing.message}
    chart = {
        "pair": str(pair),
        "digits": pair.digits,
        "pillars": [
            [one.tenor, one.day.isoformat(), f"{rounded_rate(middle(one.outright), pair):f}"]
            for one in pillars
        ],
    }
    return {"curve": pillars, "curve_chart": chart, "points": market.points[pair]}
