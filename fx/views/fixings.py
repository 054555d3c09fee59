"""Fixings by day on the desk, and receipts that were another amount: said, decided, and kept."""

from collections.abc import Callable
from datetime import date
from typing import Final
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from core.api.actor import actor
from core.audit.refusals import tell
from core.errors import DomainError, Forbidden, Invalid
from fx.engine.pairs import parse_pair
from fx.selectors import closing as reads
from fx.selectors import differences
from fx.services import correcting, differing, fixing
from fx.services.uploading import read_number

SHOWN: Final = 60


@require_safe
@login_required
def fixings(request: HttpRequest) -> HttpResponse:
    """Show what waits for a fixing, what was fixed, and the corrections that await somebody."""
    person = actor(request)
    context = {
        "unfixed": reads.unfixed(),
        "fixings": reads.fixings()[:SHOWN],
        "may_fix": person.has_role(*fixing.FIXERS),
        "person": person,
    }
    return render(request, "fx/fixings.html", context)


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
            day=_day(given.get("day", "")),
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
    return redirect("fx:deal", deal_id=differences.deal_of(difference_id))


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


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Invalid("Write the day as 2026-11-23.", field="day") from error
