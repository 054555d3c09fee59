"""The exposure board with its clock."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from core import clock
from fx.selectors import exposure as reads

ALARMS_SHOWN = 10


@require_safe
@login_required
def board(request: HttpRequest) -> HttpResponse:
    """Show what is open in each currency, or the table alone for refreshing."""
    now = clock.now()
    context = {"rows": reads.board(now=now), "alarms": reads.alarms()[:ALARMS_SHOWN], "now": now}
    whole = request.headers.get("HX-Request") != "true"
    return render(request, "fx/exposure.html" if whole else "fx/exposure_table.html", context)
