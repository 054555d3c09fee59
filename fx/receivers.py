"""What checkers decide about deals."""

from datetime import date
from decimal import Decimal
from uuid import UUID

import structlog

from approvals import registry as approvals
from core import clock
from core.events import Envelope, subscribe
from core.money import Money
from fx.errors import FixingMissing, RateMissing
from fx.models import Deal, DealState
from fx.selectors import deals as reads
from fx.services import deals
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


@subscribe("fx.deal.settled", consumer="fx.realised")
def on_settled(envelope: Envelope) -> None:
    """Book what a deal brought; without a rate the next revaluation tries again."""
    facts = envelope.payload
    _realise(facts["deal_id"], date.fromisoformat(facts["settled_on"]))


@subscribe("fx.deal.instruction", consumer="fx.realised.steps")
def on_step(envelope: Envelope) -> None:
    """Book what a deal brought when its step to settled is told; the first result stays."""
    facts = envelope.payload
    if facts["state"] == DealState.SETTLED:
        _realise(facts["deal_id"], date.fromisoformat(facts["at"][:10]))


def _realise(deal_id: str, on: date) -> None:
    try:
        realise_settled(deal_id=UUID(deal_id), settled_on=on)
    except (RateMissing, FixingMissing) as missing:
        logger.warning("deal_not_realised", deal=deal_id, code=missing.code)
