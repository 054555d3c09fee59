"""Notice what makes a forecast stale, and ask for a new one: once, and not too often.

A trigger that comes within the cool-down of its currency waits as a row and fires when that is
over. Two that notice the same thing in the same half hour are one: the key is (currency, local
date, reason, half hour).
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import structlog
from django.db import transaction

from core import policies
from core.errors import DomainError, Forbidden, Invalid
from core.events import publish
from core.identity.models import User
from core.identity.roles import DEALER, TREASURY_MAKER
from core.money import Money
from fx import policies as knobs
from fx.constants import RATE_PLACES
from fx.engine.quotes import PERCENT
from fx.engine.reforecasting import bucket_of
from fx.errors import ReforecastTooSoon
from fx.events import ReforecastTriggered
from fx.models import ForecastBasis, ReforecastReason, ReforecastTrigger
from fx.selectors import exposure, rates
from fx.selectors import reforecast as reads
from fx.services.turns import take_turn

logger = structlog.get_logger(__name__)
ASKERS: Final = (DEALER, TREASURY_MAKER)
WORDS_CHARS_MAX: Final = 300
CENTS: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why a currency is to be forecast anew: what it was, what it is, in words and as values."""

    reason: ReforecastReason
    old: str
    new: str
    words: str


@transaction.atomic
def note_forecast(
    *, currency: str, forecast: UUID, as_of: datetime, outflow: Decimal, now: datetime
) -> ForecastBasis:
    """Keep what a forecast said of a currency's day, and how things stood; again changes nothing.

    Raises:
        CalendarUnknown: the currency has no calendar.
        CalendarCoverageError: its calendar does not reach far enough.
    """
    found = exposure.of_currency(currency, now=now).exposure
    day = reads.local(currency, as_of).date()
    rate = reads.middle(currency, now=now)
    row = ForecastBasis(
        currency=currency,
        forecast=forecast,
        as_of=as_of,
        day=day,
        outflow=outflow,
        booked=reads.booked_out(currency, day),
        required=found.required,
        prefunded=found.prefunded,
        hedged=found.hedged,
        open_amount=found.open,
        rate=None if rate is None else rate.quantize(RATE_PLACES),
    )
    ForecastBasis.objects.bulk_create([row], ignore_conflicts=True)
    return ForecastBasis.objects.get(currency=currency, forecast=forecast)


@transaction.atomic
def trigger(
    *, currency: str, cause: Cause, now: datetime, asked_by: User | None = None
) -> ReforecastTrigger | None:
    """Note that a currency is to be forecast anew, and ask for it unless it must wait.

    Returns None where the same was noticed in this half hour already.
    """
    take_turn(f"reforecast:{currency}")
    here = reads.local(currency, now)
    cool_down = policies.get(knobs.REFORECAST_COOL_DOWN_MINUTES)
    due = reads.may_fire_at(currency, now=now)
    row = ReforecastTrigger(
        currency=currency,
        local_date=here.date(),
        reason=cause.reason,
        bucket=bucket_of(here, cool_down),
        old=cause.old,
        new=cause.new,
        words=cause.words[:WORDS_CHARS_MAX],
        noticed_at=now,
        due_at=due,
        asked_by=asked_by,
    )
    ReforecastTrigger.objects.bulk_create([row], ignore_conflicts=True)
    kept = ReforecastTrigger.objects.filter(pk=row.pk).first()
    if kept is None:
        return None
    if due <= now:
        _fire(kept, now)
    return kept


def _fire(row: ReforecastTrigger, now: datetime) -> None:
    row.fired_at = now
    row.save(update_fields=["fired_at"])
    publish(
        ReforecastTriggered(
            currency=row.currency, reason=row.reason, old=row.old, new=row.new, as_of=now
        )
    )


@transaction.atomic
def ask(*, currency: str, words: str, actor: User, now: datetime) -> ReforecastTrigger:
    """Ask for a new forecast of a currency as a person.

    Raises:
        Forbidden: this person neither deals nor makes proposals.
        Invalid: not a currency that is kept, or no reason.
        ReforecastTooSoon: it was forecast anew a moment ago; says when it may be again.
    """
    if actor.is_service or not actor.has_role(*ASKERS):
        raise Forbidden("This takes a person with the role dealer or treasury_maker.")
    if currency not in rates.currencies():
        raise Invalid(f"{currency[:3]} is not dealt here.", field="currency")
    if not words.strip():
        raise Invalid("Say why it is to be forecast anew.", field="reason")
    take_turn(f"reforecast:{currency}")
    free_at = reads.may_fire_at(currency, now=now)
    look = reads.look(currency, now=now, with_preview=False)
    before = look.basis.open_amount if look.basis else look.board.exposure.open
    cause = Cause(
        reason=ReforecastReason.MANUAL,
        old=_amount(before),
        new=_amount(look.board.exposure.open),
        words=words.strip(),
    )
    made = (
        trigger(currency=currency, cause=cause, now=now, asked_by=actor) if free_at <= now else None
    )
    if made is None:
        again = reads.may_fire_at(currency, now=now)
        raise ReforecastTooSoon(
            f"{currency} was forecast anew a moment ago; it may be again at {again:%H:%M} UTC.",
            field="currency",
            free_at=again,
        )
    return made


def watch_forecasts(*, now: datetime) -> list[ReforecastTrigger]:
    """Fire what has waited long enough, and notice what has moved since; return what is new."""
    fired = fire_due(now=now)
    for currency in rates.currencies():
        try:
            with transaction.atomic():
                fired += _noticed(currency, now)
        except DomainError as refusal:
            logger.warning("forecast_not_watched", currency=currency, code=refusal.code)
    return fired


@transaction.atomic
def fire_due(*, now: datetime) -> list[ReforecastTrigger]:
    """Fire the oldest waiting trigger of each currency; it stands for those that wait with it."""
    waiting = (
        ReforecastTrigger.objects.select_for_update(of=("self",))
        .filter(fired_at=None, due_at__lte=now)
        .order_by("currency", "id")
    )
    fired: list[ReforecastTrigger] = []
    asked: set[str] = set()
    for row in waiting:
        if row.currency in asked:  # the forecast that was just asked for answers this one too
            row.fired_at = now
            row.save(update_fields=["fired_at"])
            continue
        asked.add(row.currency)
        _fire(row, now)
        fired.append(row)
    return fired


def _noticed(currency: str, now: datetime) -> list[ReforecastTrigger]:
    basis = reads.newest_basis(currency)
    if basis is None or currency == policies.get(knobs.FX_FUNDING_CURRENCY):
        return []
    if (before := reads.last_fired(currency)) is not None and before > basis.as_of:
        return []  # a new forecast is on its way
    look = reads.look(currency, now=now, with_preview=False)
    causes = [one for one in (_deviation(look), _rate_move(look)) if one is not None]
    found = [trigger(currency=currency, cause=cause, now=now) for cause in causes[:1]]
    return [one for one in found if one is not None]


def _deviation(look: reads.Look) -> Cause | None:
    share = look.deviation
    if share is None or share < policies.get(knobs.REFORECAST_DEVIATION_PCT):
        return None
    expected, booked = Money(look.expected, look.currency), Money(look.booked, look.currency)
    words = f"{booked} went out today; {expected} were forecast: {share * PERCENT:.1f} % apart."
    return Cause(
        reason=ReforecastReason.DEVIATION,
        old=_amount(look.expected),
        new=_amount(look.booked),
        words=words,
    )


def _rate_move(look: reads.Look) -> Cause | None:
    share, basis = look.moved, look.basis
    if share is None or basis is None or share < policies.get(knobs.REFORECAST_RATE_MOVE_PCT):
        return None
    old, new = _plain(basis.rate), _plain(look.rate)
    words = (
        f"{look.currency} was forecast at {old} and is {new} now: {share * PERCENT:.2f} % apart."
    )
    return Cause(reason=ReforecastReason.RATE_MOVE, old=old, new=new, words=words)


def _plain(rate: Decimal | None) -> str:
    return "" if rate is None else f"{rate.quantize(RATE_PLACES).normalize():f}"


def _amount(value: Decimal) -> str:
    return f"{value.quantize(CENTS):f}"


def deal_gone(*, facts: dict[str, Any], now: datetime) -> list[ReforecastTrigger]:
    """Ask for new forecasts of both currencies of a deal that was cancelled or failed.

    A draft that is given up moves no money and nobody counted on it.
    """
    if facts["state"] not in ("CANCELLED", "FAILED") or facts["from_state"] == "DRAFT":
        return []
    found = []
    for side in ("buy", "sell"):
        currency, amount = str(facts[f"{side}_currency"]), str(facts[f"{side}_amount"])
        if currency == policies.get(knobs.FX_FUNDING_CURRENCY):
            continue
        words = f"{facts['reference']} is {str(facts['state']).lower()}: {facts['reason']}"
        cause = Cause(reason=ReforecastReason.DEAL_FAILED, old=amount, new="0", words=words)
        found.append(trigger(currency=currency, cause=cause, now=now))
    return [one for one in found if one is not None]


def holiday_changed(*, facts: dict[str, Any], now: datetime) -> ReforecastTrigger | None:
    """Ask for a new forecast of a currency whose calendar changed."""
    currency = str(facts["currency"])
    if currency not in rates.currencies():
        return None
    is_open = bool(facts["is_business_day"])
    cause = Cause(
        reason=ReforecastReason.HOLIDAY,
        old="closed" if is_open else "open",
        new="open" if is_open else "closed",
        words=f"{facts['name']} on {facts['date']}: {facts['change']}.",
    )
    return trigger(currency=currency, cause=cause, now=now)
