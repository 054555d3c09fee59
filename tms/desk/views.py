"""The front page: it only arranges the panels that the rooms offer, under the day in figures."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from approvals import selectors as approvals
from calendars.constants import HOUSE_ZONE
from core import clock
from core.api.actor import actor
from tms.desk.navigation import address
from tms.desk.panels import MAIN, SIDE, offered
from treasury.constants import ProposalState
from treasury.selectors import movement, positions

ON_THEIR_WAY: Final = (ProposalState.APPROVED, ProposalState.EXECUTING, ProposalState.SENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The day in figures."""

    cash_usd: Decimal
    without_rate: tuple[str, ...]
    has_stale: bool
    accounts_count: int
    below_floor_count: int
    waiting_for_me_count: int
    waiting_count: int
    on_their_way_count: int
    settled_today_count: int


def _day(request: HttpRequest) -> Day:
    today = clock.today(HOUSE_ZONE)
    found = positions.positions(on=today)
    totals = positions.totals(on=today, of=found)
    proposals = movement.proposals()
    midnight = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    settled = proposals.filter(state=ProposalState.SETTLED, closed_at__gte=midnight)
    return Day(
        cash_usd=totals.usd,
        without_rate=totals.without_rate,
        has_stale=totals.has_stale,
        accounts_count=len(found),
        below_floor_count=sum(one.projected < one.floor for one in found),
        waiting_for_me_count=approvals.inbox(user=actor(request)).count(),
        waiting_count=proposals.filter(state=ProposalState.PENDING).count(),
        on_their_way_count=proposals.filter(state__in=ON_THEIR_WAY).count(),
        settled_today_count=settled.count(),
    )


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Show the desk."""
    context: dict[str, Any] = {
        "main": offered(MAIN),
        "side": offered(SIDE),
        "day": _day(request),
        "forecasts_url": address("liquidity:shortfalls") or "",
    }
    return render(request, "desk/home.html", context)


@require_safe
@login_required
def day(request: HttpRequest) -> HttpResponse:
    """Show the day in figures alone, for refreshing."""
    return render(request, "desk/fragments/day.html", {"day": _day(request)})
