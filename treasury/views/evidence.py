"""The evidence of a period: how many payments first, then the packs to download."""

from datetime import UTC
from typing import Any, Final

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from core import clock
from core.api.actor import actor
from core.browsing import day_field
from core.errors import Forbidden, Invalid
from treasury import evidence
from treasury.evidence.periods import Part, require_period
from treasury.models import BankAccount

PARTS_SHOWN_MAX: Final = 400


class PeriodForm(forms.Form):
    """Which days, and perhaps of which account."""

    first = day_field("First day")
    last = day_field("Last day")
    account = forms.ModelChoiceField(
        label="Account",
        queryset=BankAccount.objects.none(),
        required=False,
        empty_label="all",
        error_messages={"invalid_choice": "There is no such account; choose one of the list."},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["account"].queryset = BankAccount.objects.order_by("currency", "label")  # type: ignore[attr-defined]


@require_safe
@login_required
def page(request: HttpRequest) -> HttpResponse:
    """Count the payments of the chosen days, and offer their evidence in packs."""
    if not actor(request).has_role(*evidence.READERS):
        raise Forbidden("Evidence is for auditors, risk, managers, checkers and makers.")
    today = clock.now().astimezone(UTC).date()
    given = request.GET or {"first": str(today.replace(day=1)), "last": str(today)}
    form = PeriodForm(given)
    context: dict[str, Any] = {"form": form, "payments_max": evidence.PAYMENTS_MAX}
    if form.is_valid():
        context |= _found(form)
    return render(request, "treasury/evidence.html", context)


def _found(form: PeriodForm) -> dict[str, Any]:
    wanted = form.cleaned_data
    account = wanted["account"]
    period = evidence.Period(
        first=wanted["first"], last=wanted["last"], account=account.pk if account else None
    )
    try:
        require_period(period)
    except Invalid as refusal:
        form.add_error("last", refusal.message)
        return {}
    parts = evidence.parts_of(period)
    return {
        "period": period,
        "count": sum(part.count for part in parts),
        "parts": [(part, _query(part)) for part in parts[:PARTS_SHOWN_MAX]],
        "is_cut": len(parts) > PARTS_SHOWN_MAX,
    }


def _query(part: Part) -> str:
    period = part.period
    asked: dict[str, Any] = {"first": period.first, "last": period.last, "part": period.part}
    return urlencode(asked | ({"account": period.account} if period.account else {}))
