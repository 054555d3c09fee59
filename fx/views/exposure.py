"""The exposure board with its clock."""

from datetime import datetime
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from core import clock
from fx.engine.exposure import ZERO
from fx.engine.pictures import clock_arc, stacked
from fx.selectors import exposure as reads
from fx.selectors import suggestions

ALARMS_SHOWN = 10


@require_safe
@login_required
def board(request: HttpRequest) -> HttpResponse:
    """Show what is open in each currency, or the table alone for refreshing."""
    now = clock.now()
    rows = reads.board(now=now)
    suggested = [one.currency for one in suggestions.open_suggestions()]
    context = {
        "rows": rows,
        "pictures": [_picture(one, suggested.count(one.currency), now) for one in rows],
        "alarms": reads.alarms()[:ALARMS_SHOWN],
        "now": now,
    }
    whole = request.headers.get("HX-Request") != "true"
    return render(request, "fx/exposure.html" if whole else "fx/exposure_table.html", context)


def _picture(row: reads.Board, suggested: int, now: datetime) -> dict[str, Any]:
    """Return a currency's bar (the cap marks how far it must reach) and the clock to its cap."""
    found = row.exposure
    net = max(ZERO, found.required - found.prefunded)
    bar = stacked(
        (
            ("there", min(found.prefunded, found.required)),
            ("bought", found.hedged),
            ("", ZERO),
            ("", ZERO),
            ("open", found.open),
        ),
        limit=found.required - net * row.limit if net > 0 else None,
    )
    midnight = row.cap.at.replace(hour=0, minute=0, second=0, microsecond=0)
    passed = clock_arc(
        elapsed=int((now - midnight).total_seconds()),
        whole=int((row.cap.at - midnight).total_seconds()),
    )
    return {"row": row, "bar": bar, "passed": passed, "suggested": suggested}
