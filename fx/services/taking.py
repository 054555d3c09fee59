"""What a dealer does with a suggestion: make a draft of it, or leave it open and say why."""

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction

from core import clock
from core.errors import Invalid
from core.events import publish
from core.identity.models import User
from core.money import Money
from fx.engine.pairs import Pair
from fx.engine.quotes import Side
from fx.errors import SuggestionClosed, SuggestionNotDealable, SuggestionUnknown
from fx.events import SuggestionsChanged
from fx.models import Deal, DealSuggestion, SuggestionState
from fx.selectors import suggestions as reads
from fx.services.deals import capture_deal, require_dealer
from fx.services.terms import DealIn

REASON_CHARS_MAX: Final = 500


@transaction.atomic
def take_suggestion(*, suggestion_id: UUID, actor: User) -> Deal:
    """Make a draft of a suggestion: whose maker is who took it; nothing is dealt or asked yet.

    Raises:
        Forbidden: this person may not deal.
        SuggestionUnknown: there is none.
        SuggestionClosed: it is not open any more, or its cut-off has passed; says since when.
        SuggestionNotDealable: no counterparty has room, or no account of ours is known.
        Invalid: the terms do not fit any more; names the field.
    """
    require_dealer(actor)
    found = _locked(suggestion_id)
    now = clock.now()
    _require_open(found, now)
    if found.counterparty_id is None or not (found.pay_account_id and found.receive_account_id):
        raise SuggestionNotDealable(
            "No counterparty has room for it, or no account of ours is known: write the deal"
            " yourself.",
            field="counterparty",
        )
    made = capture_deal(
        draft=DealIn(
            counterparty=found.counterparty_id,
            pair=Pair(found.base, found.quote),
            side=Side(found.side),
            dealt=Money(found.dealt_amount, found.dealt_currency).quantized(),
            limit_rate=found.rate.normalize(),
            pay_account=found.pay_account_id,
            receive_account=found.receive_account_id,
            why=found.reason[:REASON_CHARS_MAX],
            value_date=found.value_date,
        ),
        maker=actor,
    )
    found.take(at=now)
    found.deal, found.closed_by = made, actor
    found.save()
    _tell(found, "taken", now)
    return made


@transaction.atomic
def dismiss_suggestion(*, suggestion_id: UUID, actor: User, reason: str) -> DealSuggestion:
    """Leave a suggestion open on purpose: what it buys is not suggested again that day.

    Raises:
        Forbidden: this person may not deal.
        SuggestionUnknown: there is none.
        SuggestionClosed: it is not open any more.
        Invalid: no reason, or too long a one.
    """
    require_dealer(actor)
    words = reason.strip()
    if not 0 < len(words) <= REASON_CHARS_MAX:
        raise Invalid(
            f"Say why it is left open, in at most {REASON_CHARS_MAX} characters.", field="reason"
        )
    found = _locked(suggestion_id)
    now = clock.now()
    _require_state(found)
    found.dismiss(at=now, reason=words)
    found.closed_by = actor
    found.save()
    _tell(found, "dismissed", now)
    return found


def expire_suggestions(*, now: datetime) -> int:
    """Expire the open suggestions whose trading day ended; return how many."""
    due = DealSuggestion.objects.filter(state=SuggestionState.OPEN, expires_at__lte=now)
    with transaction.atomic():
        found = list(due.select_for_update(of=("self",)).order_by("pk"))
        for one in found:
            one.expire(at=now)
            one.save()
        for currency in sorted({one.currency for one in found}):
            _tell(next(one for one in found if one.currency == currency), "expired", now)
    return len(found)


def _locked(suggestion_id: UUID) -> DealSuggestion:
    found = DealSuggestion.objects.select_for_update(of=("self",)).filter(pk=suggestion_id).first()
    if found is None:
        raise SuggestionUnknown("There is no such suggestion.", field="suggestion")
    return found


def _require_state(found: DealSuggestion) -> None:
    if found.state != SuggestionState.OPEN:
        words = f"This suggestion is {found.get_state_display()}"
        since = f" since {found.closed_at:%H:%M} UTC" if found.closed_at else ""
        raise SuggestionClosed(f"{words}{since}. {found.closing_reason}".strip(), state=found.state)


def _require_open(found: DealSuggestion, now: datetime) -> None:
    _require_state(found)
    if now >= min(found.dealt_until, found.expires_at):
        raise SuggestionClosed(
            f"{found.get_period_display().upper()} for {found.value_date} was dealt until"
            f" {found.dealt_until:%H:%M} UTC; the next reckoning says what still can be.",
            state=found.state,
        )


def _tell(found: DealSuggestion, what: str, now: datetime) -> None:
    publish(
        SuggestionsChanged(
            currency=found.currency,
            day=found.day,
            what=what,
            open_count=reads.open_suggestions(found.currency).count(),
            at=now,
        )
    )
