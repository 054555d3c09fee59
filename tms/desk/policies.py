"""Policies: what is in force, since when and why, and the way to change it."""

from collections.abc import Iterator

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from core.api.actor import actor
from core.browsing import FilterForm, csv_answer
from core.identity.roles import TENANT_ADMIN
from core.policies.standing import Standing, spoken, standings

_HEADS = ("key", "value", "default", "takes", "meaning", "version", "changed_at", "by", "reason")


class PolicyFilter(FilterForm):
    """Which policies are shown."""

    q = forms.CharField(label="Words", max_length=80)
    state = forms.ChoiceField(
        label="Value", choices=(("", "all"), ("changed", "changed"), ("default", "by default"))
    )


@require_safe
@login_required
def page(request: HttpRequest) -> HttpResponse:
    """List the policies, or hand them out as CSV."""
    form = PolicyFilter(request.GET)
    fits = form.is_valid()
    rows = [one for one in standings() if _fits(one, **form.cleaned_data)] if fits else []
    if fits and request.GET.get("as") == "csv":
        return csv_answer(_HEADS, _lines(rows), name="policies")
    context = {
        "form": form,
        "rows": rows,
        "slice": {"rows": rows},
        "asked": request.GET.urlencode(),
        "is_filtered": fits and any(form.cleaned_data.values()),
        "may_change": actor(request).has_role(TENANT_ADMIN),
    }
    return render(request, "desk/policies.html", context, status=200 if fits else 422)


def _fits(one: Standing, *, q: str, state: str) -> bool:
    words = f"{one.policy.key} {one.policy.key.replace('_', ' ')} {one.policy.help}".lower()
    is_wanted = {"": True, "changed": bool(one.versions), "default": not one.versions}[state]
    return is_wanted and all(word in words for word in q.lower().split())


def _lines(rows: list[Standing]) -> Iterator[tuple[object, ...]]:
    for one in rows:
        latest = one.latest
        by = latest.changed_by.display_name if latest and latest.changed_by else ""
        yield (
            one.policy.key, spoken(one.value), spoken(one.policy.default), one.bounds,
            one.policy.help, latest.version if latest else 0,
            latest.changed_at if latest else None, by, latest.reason if latest else "",
        )  # fmt: skip
