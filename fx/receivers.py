"""What checkers decide about deals, and what banks, forecasts and breaches lead to."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

import structlog

from approvals import registry as approvals
from core import clock
from core.errors import DomainError, Invalid
from core.events import Envelope, subscribe, subscribe_many
from core.money import Money
from fx.errors import FixingMissing, RateMissing
from fx.models import Deal, DealState
from fx.selectors import closing as closing_reads
from fx.selectors import deals as reads
from fx.selectors import rates as rate_reads
from fx.selectors import reforecast as reforecast_reads
from fx.selectors import suggestions as suggestion_reads
from fx.services import closing, deals, instructing, reforecasting, settling, suggesting, unfunded
from fx.services.valuing import realise_settled
from treasury.selectors import accounts

logger = structlog.get_logger(__name__)


def _approved(outcome: approvals.SubjectOutcome) -> None:
    deals.approve_deal(deal_id=outcome.subject_id)


def _closed(how: str) -> approvals.Callback:
    def close(outcome: approvals.SubjectOutcome) -> None:
        if _is_current(outcome):
            deals.close_deal(deal_id=outcome.subject_id, outcome=how, reason=outcome.reason)

    return close


def _is_current(outcome: approvals.SubjectOutcome) -> bool:
    """Tell whether the request is about the deal as it stands; a recalled one is a new version."""
    return bool(reads.deal(outcome.subject_id).version == outcome.subject_version)


def _sent_back(outcome: approvals.SubjectOutcome) -> None:
    deal = deals.locked(outcome.subject_id)
    if deal.state == DealState.SUBMITTED:
        deals.back_to_draft(deal, reason=outcome.reason)


def _describe(subject_id: UUID) -> approvals.SubjectDescription:
    deal = reads.deal(subject_id)
    ssi = deal.instruction
    paid_to = f"{ssi.beneficiary.name} (…{ssi.beneficiary.number_hint})" if ssi else "nothing: NDF"
    return approvals.SubjectDescription(
        title=deals.headline(deal),
        url=f"/fx/deals/{deal.pk}",
        facts=(
            ("Why", deal.why),
            ("Counterparty", deal.counterparty.name),
            ("We pay", str(Money(_amount(deal, deal.sold), deal.sold))),
            ("We receive", str(Money(_amount(deal, deal.bought), deal.bought))),
            ("Value date", f"{deal.value_date.isoformat()} ({deal.get_period_display()})"),
            ("Market", f"{deal.mid_rate:f} by {deal.mid_source}" if deal.mid_rate else "unknown"),
            ("From", f"{deal.pay_account.label} (…{deal.pay_account.number_hint})"),
            ("They receive at", paid_to),
        ),
    )


def _amount(deal: Deal, currency: str) -> Decimal:
    found: Decimal = deal.base_amount if currency == deal.base else deal.quote_amount
    return found


def _requote(amount: Decimal, currency: str) -> approvals.UsdQuote | None:
    worth = accounts.usd_equivalent(money=Money(amount, currency), now=clock.now())
    if worth.amount is None or worth.rate is None or worth.as_of is None:
        return None
    return approvals.UsdQuote(usd_equivalent=worth.amount, rate=worth.rate, rate_at=worth.as_of)


@subscribe("fx.deal.instruction", consumer="fx.instructing")
def instruct(envelope: Envelope) -> None:
    """Propose what a deal pays as soon as it is confirmed, if its day can be reached."""
    facts = envelope.payload
    if facts["state"] == DealState.CONFIRMED and facts["from_state"] != DealState.CONFIRMED:
        instructing.instruct_now(deal_id=UUID(facts["deal_id"]))


@subscribe("ops.fund.movement.status", consumer="fx.payments")
def follow_payment(envelope: Envelope) -> None:
    """Follow the payment of a leg."""
    settling.follow_proposal(proposal_id=UUID(envelope.payload["proposal_id"]))


def _brings_entries(facts: Mapping[str, Any]) -> bool:
    """A balance that a feed reports by itself brings no entries, whatever came before it."""
    return bool(facts.get("brings_entries", True))


@subscribe_many("ops.nostro.balance.update", consumer="fx.entries", concerns=_brings_entries)
def follow_entries(envelopes: Sequence[Envelope]) -> None:
    """Follow the legs of accounts whose bank has just written."""
    settling.follow_accounts(accounts={UUID(one.payload["account_id"]) for one in envelopes})


approvals.register(
    deals.SUBJECT,
    approvals.SubjectHooks(
        on_approved=_approved,
        on_rejected=_closed("reject"),
        on_expired=_closed("expire"),
        on_cancelled=_closed("cancel"),
        on_changes_requested=_sent_back,
        describe=_describe,
        requote=_requote,
    ),
)


@subscribe("fx.exposure.breach", consumer="fx.suggestions")
def breached(envelope: Envelope) -> None:
    """Suggest the deals that close what is open above its cap."""
    _suggest(str(envelope.payload["currency"]), None)


@subscribe("forecast.rda.shortfall", consumer="fx.suggestions")
def runs_short(envelope: Envelope) -> None:
    """Suggest deals for a shortfall that no own account can pay; malformed ones are told of."""
    facts = envelope.payload
    try:
        currency = str(facts["currency"])
        account, needed_on = UUID(facts["account_id"]), date.fromisoformat(facts["date"])
        shortfall = Decimal(facts["shortfall"])
    except (KeyError, ValueError, TypeError, InvalidOperation) as error:
        raise Invalid(f"The shortfall event is malformed: {error}.", field="payload") from error
    if currency == suggestion_reads.funding() or currency not in rate_reads.currencies():
        return
    told = unfunded.short_of(
        currency=currency, account=account, shortfall=shortfall, needed_on=needed_on
    )
    _suggest(currency, told)


def _suggest(currency: str, told: unfunded.Short | None) -> None:
    """Suggest now; what cannot be reckoned without a rate or calendar is, once there is one.

    The watch looks at open exposure and unfunded shortfalls every minute.
    """
    try:
        suggesting.suggest(currency=currency, now=clock.now(), told=told)
    except DomainError as refusal:
        logger.warning("nothing_suggested", currency=currency, code=refusal.code)


@subscribe("forecast.daily.ready", consumer="fx.reforecast")
def forecast_made(envelope: Envelope) -> None:
    """Keep what the forecast said of each currency's today: later it is held against what came."""
    facts, now = envelope.payload, clock.now()
    as_of = datetime.fromisoformat(facts["as_of"])
    for line in facts["lines"]:
        currency = str(line["currency"])
        today = reforecast_reads.local(currency, as_of).date()
        if currency in rate_reads.currencies() and line["date"] == today.isoformat():
            reforecasting.note_forecast(
                currency=currency,
                forecast=UUID(facts["forecast_id"]),
                as_of=as_of,
                outflow=max(Decimal(0), Decimal(line["outflow"])),
                now=now,
            )


@subscribe("fx.deal.instruction", consumer="fx.reforecast")
def deal_moved(envelope: Envelope) -> None:
    """Ask for new forecasts where a deal was cancelled or failed."""
    reforecasting.deal_gone(facts=envelope.payload, now=clock.now())


@subscribe("calendars.holiday.changed", consumer="fx.reforecast")
def holiday_moved(envelope: Envelope) -> None:
    """Ask for a new forecast where a holiday was declared, confirmed or cancelled."""
    reforecasting.holiday_changed(facts=envelope.payload, now=clock.now())


@subscribe("fx.deal.instruction", consumer="fx.realised")
def settled(envelope: Envelope) -> None:
    """Book what a settled deal brought; without a rate the next revaluation tries again."""
    facts = envelope.payload
    if facts["state"] != DealState.SETTLED or facts["from_state"] == DealState.SETTLED:
        return
    day = datetime.fromisoformat(facts["at"]).date()
    try:
        realise_settled(deal_id=UUID(facts["deal_id"]), settled_on=day)
    except (RateMissing, FixingMissing) as missing:
        logger.warning("deal_not_realised", deal=facts["deal_id"], code=missing.code)


def _cancelled(outcome: approvals.SubjectOutcome) -> None:
    closing.cancel_dealt(cancellation_id=outcome.subject_id)


def _stands(outcome: approvals.SubjectOutcome) -> None:
    closing.refuse_cancellation(cancellation_id=outcome.subject_id)


def _describe_cancellation(subject_id: UUID) -> approvals.SubjectDescription:
    made = closing_reads.cancellation(subject_id)
    deal = made.deal
    return approvals.SubjectDescription(
        title=f"Cancel {deal.reference} by agreement",
        url=f"/fx/deals/{deal.pk}",
        facts=(
            ("Evidence", made.evidence),
            ("Deal", deals.headline(deal)),
            ("Counterparty", deal.counterparty.name),
            ("Value date", deal.value_date.isoformat()),
            ("Asked by", made.maker.display_name),
        ),
    )


approvals.register(
    closing.SUBJECT,
    approvals.SubjectHooks(
        on_approved=_cancelled,
        on_rejected=_stands,
        on_expired=_stands,
        on_cancelled=_stands,
        on_changes_requested=_stands,
        describe=_describe_cancellation,
    ),
)
