"""Fixings by day on the desk, and receipts that were another amount: said, decided, and kept."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from core import clock
from core.api.actor import actor
from core.audit.refusals import tell
from core.browsing import FilterForm, Listing, day_field, day_written, listed, text_asked
from core.errors import DomainError, Forbidden, Invalid
from fx.engine.pairs import Pair, parse_pair
from fx.engine.quotes import rounded_rate
from fx.models import DayFixing, FixingState
from fx.selectors import closing as reads
from fx.selectors import differences
from fx.services import correcting, differing, fixing
from fx.services.uploading import read_number

PICTURE_DAYS: Final = 90
PAIR_CHARS_MAX: Final = 7
SOURCE_CHARS_MAX: Final = 80


class FixingFilter(FilterForm):
    """Questions to what was fixed."""

    pair = forms.CharField(label="Pair", max_length=PAIR_CHARS_MAX)
    day = day_field("Day")
    source = forms.CharField(label="Said by", max_length=SOURCE_CHARS_MAX)
    state = forms.ChoiceField(label="State", choices=[("", "all"), *FixingState.choices])

    def clean_pair(self) -> Pair | None:
        """Read the pair, with or without its stroke."""
        given = str(self.cleaned_data.get("pair") or "").upper()
        try:
            return parse_pair(given) if given else None
        except DomainError as refusal:
            raise forms.ValidationError(refusal.message) from None


def _rows(asked: Mapping[str, Any]) -> tuple[QuerySet[DayFixing], tuple[str, ...]]:
    found = reads.fixings()
    if pair := asked.get("pair"):
        found = found.filter(base=pair.base, quote=pair.quote)
    if day := asked.get("day"):
        found = found.filter(fixed_on=day)
    if source := asked.get("source"):
        found = found.filter(said_by__icontains=source)
    if state := asked.get("state"):
        found = found.filter(state=state)
    return found, ("fixed_on", "base", "quote", "version")


_COLUMNS: Final[Mapping[str, Callable[[DayFixing], object]]] = {
    "day": lambda row: row.fixed_on,
    "pair": lambda row: row.pair,
    "version": lambda row: row.version,
    "rate": lambda row: row.rate,
    "said_by": lambda row: row.said_by,
    "state": lambda row: row.state,
    "entered_by": lambda row: row.entered_by.display_name if row.entered_by else "",
    "entered_at": lambda row: row.entered_at,
    "reason": lambda row: row.reason,
    "decided_by": lambda row: row.checker.display_name if row.checker else "",
    "decided_at": lambda row: row.decided_at,
    "note": lambda row: row.note,
}
FIXINGS: Final = Listing(
    name="fx-fixings",
    form=FixingFilter,
    rows=_rows,
    page="fx/fixings.html",
    table="fx/fixings_table.html",
    columns=_COLUMNS,
)


@require_safe
@login_required
def fixings(request: HttpRequest) -> HttpResponse:
    """Show what waits for a fixing, and what was fixed beside our own rates; or hand out CSV."""
    person = actor(request)
    return listed(
        request,
        FIXINGS,
        unfixed=reads.unfixed(),
        may_fix=person.has_role(*fixing.FIXERS),
        person=person,
        **_picture(text_asked(request, "pair", chars_max=PAIR_CHARS_MAX)),
    )


def _picture(asked: str) -> dict[str, Any]:
    """Return the fixings of the pair that is asked for beside our rates; else of the last fixed."""
    try:
        pair = parse_pair(asked.upper()) if asked else reads.pair_fixed_last()
    except DomainError:  # the form names it
        pair = None
    found = reads.fixings_beside_market(pair, now=clock.now(), days=PICTURE_DAYS) if pair else []
    if pair is None or not any(one.fixing is not None for one in found):
        return {}

    def shown(rate: Decimal | None) -> str | None:
        return None if rate is None else f"{rounded_rate(rate, pair):f}"

    return {
        "pair": pair,
        "fixed_days": [one for one in found if one.fixing is not None][::-1],
        "chart": {
            "pair": str(pair),
            "digits": pair.digits,
            "days": [[one.day.isoformat(), shown(one.mid), shown(one.fixing)] for one in found],
        },
    }


@require_POST
@login_required
def record(request: HttpRequest) -> HttpResponse:
    """Enter the fixing of a pair and day for all its deals."""
    person, given = actor(request), request.POST
    if not person.has_role(*fixing.FIXERS):
        raise Forbidden("Fixing takes the role back_office.")
    try:
        made = fixing.record_fixing(
            pair=parse_pair(given.get("pair", "").upper()),
            day=day_written(given.get("day", ""), field="day"),
            rate=read_number(name="rate", text=given.get("rate", "")),
            said_by=given.get("said_by", ""),
            actor=person,
        )
    except DomainError as refusal:
        tell(request, refusal)
    else:
        messages.success(request, f"{len(made)} deals are fixed.")
    return redirect("fx:fixings")


@require_POST
@login_required
def correct(request: HttpRequest, fixing_id: UUID) -> HttpResponse:
    """Propose, accept or refuse the correction of a fixing."""
    person, given = actor(request), request.POST
    if not person.has_role(*fixing.FIXERS):
        raise Forbidden("Fixing takes the role back_office.")
    steps: dict[str, tuple[Callable[[], object], str]] = {
        "propose": (
            lambda: correcting.propose_correction(
                fixing_id=fixing_id,
                rate=read_number(name="rate", text=given.get("rate", "")),
                said_by=given.get("said_by", ""),
                reason=given.get("reason", ""),
                actor=person,
            ),
            "The correction awaits another person.",
        ),
        "accept": (
            lambda: correcting.accept_correction(fixing_id=fixing_id, actor=person),
            "The fixing is corrected, and its deals pay by it.",
        ),
        "refuse": (
            lambda: correcting.refuse_correction(
                fixing_id=fixing_id, reason=given.get("reason", ""), actor=person
            ),
            "The fixing stays as it was.",
        ),
    }
    _take(request, steps)
    return redirect("fx:fixings")


@require_POST
@login_required
def propose_difference(request: HttpRequest, leg_id: UUID) -> HttpResponse:
    """Propose to take what came for a leg as it came."""
    person, given = actor(request), request.POST
    if not person.has_role(*differing.PROPOSERS):
        raise Forbidden("Taking another amount takes the role back_office.")
    try:
        try:
            entry, _, part = given.get("entry", "").partition(":")
            which = UUID(entry), UUID(part) if part else None
        except ValueError as error:
            raise Invalid("Choose an entry of the list.", field="entry") from error
        wish = differing.Wish(
            entry=which[0],
            part=which[1],
            kind=given.get("kind", ""),
            reason=given.get("reason", ""),
        )
        differing.propose_difference(leg_id=leg_id, wish=wish, actor=person)
    except DomainError as refusal:
        tell(request, refusal)
    else:
        messages.success(request, "What came awaits another person.")
    return redirect("fx:deal", deal_id=differences.deal_of_leg(leg_id))


@require_POST
@login_required
def decide_difference(request: HttpRequest, difference_id: UUID) -> HttpResponse:
    """Accept what came in place of what was agreed, or refuse it."""
    person, given = actor(request), request.POST
    if not person.has_role(*differing.ACCEPTERS):
        raise Forbidden("Accepting another amount takes the back office or a treasury checker.")
    steps: dict[str, tuple[Callable[[], object], str]] = {
        "accept": (
            lambda: differing.accept_difference(difference_id=difference_id, actor=person),
            "The leg is settled by what came; the difference is booked as what it is.",
        ),
        "refuse": (
            lambda: differing.refuse_difference(
                difference_id=difference_id, reason=given.get("reason", ""), actor=person
            ),
            "The leg stays open.",
        ),
    }
    _take(request, steps)
    deal = differences.deal_of(difference_id)
    return redirect("fx:deal", deal_id=deal) if deal is not None else redirect("fx:settlements")


def _take(request: HttpRequest, steps: dict[str, tuple[Callable[[], object], str]]) -> None:
    """Take the step that was asked for, and say what became of it."""
    try:
        step, words = steps.get(request.POST.get("step", ""), (None, ""))
        if step is None:
            raise Invalid("There is no such step.", field="step")
        step()
    except DomainError as refusal:
        tell(request, refusal)
    else:
        messages.success(request, words)
