"""Deals from approval on: dealt, confirmed by somebody else, failed, or expired with their day."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

import structlog
from django.db import transaction

from core import clock, policies
from core.errors import DomainError, Forbidden, Invalid
from core.identity.models import User
from core.identity.roles import BACK_OFFICE
from fx import policies as knobs
from fx.constants import RATE_BOUND
from fx.engine import limits, quotes
from fx.engine.pairs import Pair
from fx.engine.quotes import Side
from fx.models import Deal, DealConfirmation, DealState
from fx.selectors import deals as reads
from fx.services.deals import (
    SUBJECT,
    close_deal,
    locked,
    require_dealer,
    require_state,
    require_time,
    tell,
)
from fx.services.failing import fall, renew_failed, require_unpaid
from fx.services.legs import make_legs
from fx.services.rules import refuse, require_allowed, save_weighed
from treasury.services.news import raise_alert

logger = structlog.get_logger(__name__)
CONFIRMERS: Final = (BACK_OFFICE,)
REFERENCE_CHARS_MAX: Final = 35


@transaction.atomic
def execute_deal(*, deal_id: UUID, rate: Decimal, counterparty_reference: str, actor: User) -> Deal:
    """Record that an approved deal was dealt, at which all-in rate; every rule is asked again.

    Raises:
        Forbidden: this person may not deal.
        DealStateRefused: it is not approved.
        DealExpired: its trading day is over.
        DealRefused: the rate is worse than approved, or a rule is broken by now; each is named.
        Invalid: no reference, or no rate.
    """
    require_dealer(actor)
    deal = locked(deal_id)
    require_state(deal, DealState.APPROVED)
    require_time(deal)
    reference = counterparty_reference.strip()
    if not 0 < len(reference) <= REFERENCE_CHARS_MAX:
        raise Invalid("Write the counterparty's reference.", field="counterparty_reference")
    _require_rate(deal, rate)
    before, now = deal.state, clock.now()
    tolerance = policies.get(knobs.FX_SLIPPAGE_PCT)
    worse = limits.slipped(
        Side(deal.side), approved=deal.limit_rate, executed=rate, tolerance=tolerance
    )
    refuse([worse] if worse else [])
    require_allowed(deal, rate=rate, now=now)
    terms = reads.terms_of(deal, rate=rate, spot_trade=now)
    deal.base_amount, deal.quote_amount = terms.base.amount, terms.quote.amount
    deal.rate, deal.counterparty_reference, deal.executed_by = rate, reference, actor
    deal.execute(at=now)
    save_weighed(deal)
    make_legs(deal)
    tell(deal, before=before)
    return deal


def _require_rate(deal: Deal, rate: Decimal) -> None:
    pair = Pair(deal.base, deal.quote)
    if not rate.is_finite() or not 0 < rate < RATE_BOUND:
        raise Invalid("A rate is a positive number.", field="rate")
    if rate != quotes.rounded_rate(rate, pair):
        raise Invalid(f"{pair} has at most {pair.digits + 1} decimals.", field="rate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What the counterparty's confirmation says, seen from us."""

    pair: str
    side: str
    base_amount: Decimal
    quote_amount: Decimal
    rate: Decimal
    value_date: date
    counterparty_reference: str


@transaction.atomic
def confirm_deal(*, deal_id: UUID, stated: Stated, actor: User) -> DealConfirmation:
    """Hold the counterparty's confirmation against the deal; only the very same confirms it.

    What differs is kept, told as an alert, and leaves the deal executed.

    Raises:
        Forbidden: this person is not of the back office, or dealt it.
        DealStateRefused: it was not dealt, or is confirmed.
        Invalid: the confirmation cannot be read.
        LegAlreadySent: it failed, and what it would pay again may have been paid.
    """
    if not actor.has_role(*CONFIRMERS):
        raise Forbidden("Confirming takes the role back_office.")
    deal = locked(deal_id)
    require_state(deal, DealState.EXECUTED, DealState.FAILED)
    _require_somebody_else(deal, actor)
    for name in ("base_amount", "quote_amount", "rate"):
        value = getattr(stated, name)
        if not value.is_finite() or not 0 < value < RATE_BOUND**2:
            raise Invalid("Amounts and rates are positive numbers.", field=name)
    before, now = deal.state, clock.now()
    differences = _differences(deal, stated)
    kept = DealConfirmation.objects.create(
        deal=deal,
        pair=stated.pair[:7],
        side=stated.side[:4],
        base_amount=stated.base_amount,
        quote_amount=stated.quote_amount,
        rate=stated.rate,
        value_date=stated.value_date,
        counterparty_reference=stated.counterparty_reference[:REFERENCE_CHARS_MAX],
        matches=not differences,
        differences=differences,
        entered_by=actor,
        entered_at=now,
    )
    if differences:
        _ring(deal, differences)
        return kept
    if before == DealState.FAILED:
        require_unpaid(deal)
    deal.confirmed_by = actor
    deal.confirm(at=now)
    deal.save()
    if before == DealState.FAILED:
        renew_failed(deal, reason="Confirmed after it had failed.")
    tell(deal, before=before)
    return kept


def _require_somebody_else(deal: Deal, actor: User) -> None:
    dealt = {deal.maker.person_number}
    if deal.executed_by is not None:
        dealt.add(deal.executed_by.person_number)
    if actor.person_number in dealt:
        raise Forbidden("Somebody who did not deal it confirms it.")


def _differences(deal: Deal, stated: Stated) -> list[str]:
    ours = {
        "pair": deal.pair,
        "side": deal.side,
        "base_amount": deal.base_amount,
        "quote_amount": deal.quote_amount,
        "rate": deal.rate,
        "value_date": deal.value_date,
        "counterparty_reference": deal.counterparty_reference,
    }
    return [
        f"{name}: {_shown(getattr(stated, name))}, we have {_shown(mine)}."
        for name, mine in ours.items()
        if getattr(stated, name) != mine
    ]


def _shown(value: object) -> str:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


def _ring(deal: Deal, differences: list[str]) -> None:
    raise_alert(
        kind="fx_confirmation_mismatch",
        severity="high",
        subject_type=SUBJECT,
        subject_id=deal.pk,
        title=f"{deal.counterparty.name} confirmed {deal.reference} differently",
        detail=" ".join(differences),
    )


@transaction.atomic
def fail_deal(*, deal_id: UUID, reason: str, actor: User) -> Deal:
    """Record that a deal did not settle: what it still expected is withdrawn until it is taken up.

    Raises:
        Forbidden: this person is not of the back office.
        DealStateRefused: it was not dealt.
        Invalid: no reason.
    """
    if not actor.has_role(*CONFIRMERS):
        raise Forbidden("This takes the role back_office.")
    if not reason.strip():
        raise Invalid("Say why it did not settle.", field="reason")
    deal = locked(deal_id)
    require_state(deal, DealState.EXECUTED, DealState.CONFIRMED)
    fall(deal, reason=reason.strip())
    return deal


def expire_due(*, now: datetime) -> list[UUID]:
    """Expire the approved deals whose trading day ended before they were dealt."""
    due = Deal.objects.filter(state=DealState.APPROVED, expires_at__lte=now)
    expired: list[UUID] = []
    for deal_id in list(due.values_list("pk", flat=True)):
        try:
            with transaction.atomic():
                deal = locked(deal_id)
                if deal.state == DealState.APPROVED:
                    close_deal(deal_id=deal_id, outcome="expire", reason="")
                    expired.append(deal_id)
        except DomainError as refusal:
            logger.warning("deal_not_expired", deal=str(deal_id), code=refusal.code)
    return expired
