"""Pages of the desk: rails with their countdowns, and the holidays ahead."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from calendars import selectors
from calendars.constants import HOUSE_ZONE
from calendars.engine.rails import RailStatus
from core import clock

HOLIDAYS_AHEAD = timedelta(days=45)
_LAST = datetime.max.replace(tzinfo=UTC)


def _soonest_first(statuses: Sequence[RailStatus]) -> list[RailStatus]:
    """Put open rails first, the one that closes next on top."""
    return sorted(
        statuses, key=lambda rail: (not rail.is_open, rail.next_cutoff_at or _LAST, rail.rail)
    )


@require_safe
@login_required
def rails(request: HttpRequest) -> HttpResponse:
    """Show all rails and the holidays of the coming weeks."""
    today = clock.today(HOUSE_ZONE)
    context = {
        "rails": _soonest_first(selectors.all_rail_statuses(clock.now())),
        "holidays": selectors.holidays_between(start=today, end=today + HOLIDAYS_AHEAD),
    }
    return render(request, "calendars/rails.html", context)


@require_safe
@login_required
def rails_panel(request: HttpRequest) -> HttpResponse:
    """Show the rails in brief, for the front page and for refreshing."""
    rails_now = _soonest_first(selectors.all_rail_statuses(clock.now()))
    return render(request, "calendars/rails_panel.html", {"rails": rails_now})


@require_safe
@login_required
def rails_table(request: HttpRequest) -> HttpResponse:
    """Show the table of the rails page alone, for refreshing."""
    rails_now = _soonest_first(selectors.all_rail_statuses(clock.now()))
    return render(request, "calendars/rails_table.html", {"rails": rails_now})
