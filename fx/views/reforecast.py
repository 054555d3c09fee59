"""What a new forecast would change, before somebody asks for one; and what asked for one so far."""

from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from core import clock, policies
from core.api.actor import actor
from core.audit.refusals import tell
from core.errors import DomainError
from fx import policies as knobs
from fx.engine.exposure import ZERO
from fx.engine.pictures import WIDTH
from fx.selectors import rates
from fx.selectors import reforecast as reads
from fx.services import reforecasting

TRIGGERS_SHOWN: Final = 20
DAYS_SHOWN: Final = 7


@require_safe
@login_required
def page(request: HttpRequest) -> HttpResponse:
    """Show each currency as it was forecast and as a forecast made now would say."""
    now = clock.now()
    looks, refused = [], []
    for currency in rates.currencies():
        try:
            looks.append(_shown(reads.look(currency, now=now)))
        except DomainError as refusal:
            refused.append((currency, refusal.message))
    context = {
        "looks": [one for one in looks if not one["is_empty"]],
        "quiet": [one["look"].currency for one in looks if one["is_empty"]],
        "currencies": rates.currencies(),
        "refused": refused,
        "triggers": reads.triggers()[:TRIGGERS_SHOWN],
        "may_ask": actor(request).has_role(*reforecasting.ASKERS),
        "deviation_limit": policies.get(knobs.REFORECAST_DEVIATION_PCT),
        "move_limit": policies.get(knobs.REFORECAST_RATE_MOVE_PCT),
        "cool_down": policies.get(knobs.REFORECAST_COOL_DOWN_MINUTES),
        "now": now,
    }
    whole = request.headers.get("HX-Request") != "true"
    return render(request, "fx/reforecast.html" if whole else "fx/reforecast_body.html", context)


def _shown(look: reads.Look) -> dict[str, Any]:
    """Return a look with bars for forecast, need and open exposure, before and after."""
    basis, after, found = look.basis, look.after, look.board.exposure
    rows = [
        (
            "Goes out today",
            look.expected if basis else None,
            look.booked + (after.outflow if after else ZERO),
        ),
        (
            "Needed until money moves",
            basis.required if basis else None,
            after.required if after else found.required,
        ),
        ("Open exposure", basis.open_amount if basis else None, look.open_after),
    ]
    most = max((value for _, *both in rows for value in both if value), default=ZERO) or 1
    days = after.days[:DAYS_SHOWN] if after else ()
    tallest = max((amount for _, amount in days), default=ZERO)
    return {
        "look": look,
        "pair": reads.pair_with_funding(look.currency),
        "days": [(day, amount, int(amount * WIDTH / tallest)) for day, amount in days if tallest],
        "rows": [
            (label, before, new, int((before or ZERO) * WIDTH / most), int(new * WIDTH / most))
            for label, before, new in rows
        ],
        "changes": [None if before is None else new - before for _, before, new in rows],
        "width": WIDTH,
        "is_empty": all(not value for _, *both in rows for value in both),
    }


@require_POST
@login_required
def fire(request: HttpRequest) -> HttpResponse:
    """Ask for a new forecast of one currency."""
    currency = request.POST.get("currency", "")[:3]
    try:
        reforecasting.ask(
            currency=currency,
            words=request.POST.get("reason", "")[:300],
            actor=actor(request),
            now=clock.now(),
        )
    except DomainError as refusal:
        tell(request, refusal)
    else:
        messages.success(request, f"{currency} is being forecast anew.")
    return redirect("fx:reforecast")
