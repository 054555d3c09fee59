"""Rates on pages: with the digits of their pair, the last ones that dealers call set apart."""

from decimal import Decimal

from django import template

from fx.engine.pairs import Pair
from fx.engine.quotes import PERCENT, rounded_rate
from fx.models import Deal

register = template.Library()


@register.filter
def rate(value: Decimal | None, pair: Pair) -> str:
    """Return a rate with the digits of its pair and one more; a dash without one."""
    return "–" if value is None else f"{rounded_rate(value, pair):f}"


@register.filter
def percent(value: Decimal) -> str:
    """Return a share in percent."""
    return f"{value * PERCENT:.2f} %"


@register.filter
def signed(value: Decimal | None) -> str:
    """Return a change in percent with its sign; a dash without one."""
    return "–" if value is None else f"{value:+.2f} %"


@register.filter
def outright(value: Decimal | None, deal: Deal) -> str:
    """Return a rate with the digits of a deal's pair and one more; a dash without one."""
    return rate(value, Pair(deal.base, deal.quote))


@register.filter
def points(value: Decimal) -> str:
    """Return points in pips, without zeros that say nothing."""
    return f"{value.normalize():f}"
