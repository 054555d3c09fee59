"""Shortfalls become proposals; decisions and bank outcomes move transfers."""

from datetime import date
from decimal import Decimal, InvalidOperation
from uuid import UUID

import structlog

from approvals import registry as approvals
from calendars import registry as windows
from core import clock
from core.errors import Invalid
from core.events import Envelope, subscribe
from core.money import Money
from treasury.models import Proposal, ProposalState
from treasury.selectors import accounts
from treasury.selectors import movement as reads
from treasury.services import controls, prefunding, proposals, transfers

logger = structlog.get_logger(__name__)


@subscribe("forecast.rda.shortfall", consumer="treasury.prefunding")
def prefund(envelope: Envelope) -> None:
    """Handle a shortfall; one that cannot be right becomes a dead letter with its reason."""
    facts = envelope.payload
    try:
        required, available = Decimal(facts["required"]), Decimal(facts["available"])
        stated = Decimal(facts["shortfall"])
        account, need_date = UUID(facts["account_id"]), date.fromisoformat(facts["date"])
        currency = str(facts["currency"])
    except (KeyError, ValueError, TypeError, InvalidOperation) as error:
        raise Invalid(f"The shortfall event is malformed: {error}.", field="payload") from error
    computed = prefunding.recomputed(required=required, available=available, currency=currency)
    if abs(computed - stated) > prefunding.TOLERANCE:
        logger.warning("shortfall_differs", stated=str(stated), computed=str(computed))
    prefunding.handle_shortfall(
        shortfall=prefunding.Shortfall(
            event_id=envelope.event_id,
            currency=currency,
            account_id=account,
            need_date=need_date,
            required=required,
            available=available,
            shortfall=stated,
            occurred_at=envelope.occurred_at,
        )
    )


@subscribe("integrations.payment.sent", consumer="treasury.transfers")
def payment_sent(envelope: Envelope) -> None:
    """The bank has the payment."""
    facts = envelope.payload
    transfers.mark_sent(reference=facts["reference"], bank_reference=facts["bank_reference"])


@subscribe("integrations.payment.refused", consumer="treasury.transfers")
def payment_refused(envelope: Envelope) -> None:
    """The bank certainly does not have the payment."""
    facts = envelope.payload
    transfers.mark_failed(
        reference=facts["reference"], reason=facts["reason"], reason_code="REFUSED"
    )


@subscribe("integrations.payment.unknown", consumer="treasury.transfers")
def payment_unknown(envelope: Envelope) -> None:
    """Nobody knows whether the bank has the payment."""
    facts = envelope.payload
    transfers.mark_unknown(reference=facts["reference"], reason=facts["reason"])


def _approved(outcome: approvals.SubjectOutcome) -> None:
    transfers.release(proposal_id=outcome.subject_id)


def _closed(how: str) -> approvals.Callback:
    def close(outcome: approvals.SubjectOutcome) -> None:
        closed = proposals.close_proposal(
            proposal_id=outcome.subject_id, outcome=how, reason=outcome.reason
        )
        transfers.cancel_flows(closed)

    return close


def _sent_back(outcome: approvals.SubjectOutcome) -> None:
    """Leave it with its maker, who amends or withdraws it; the system's own is given up.

    Nobody can amend what no person made: whoever asked for it hears that it will not be paid.
    """
    if reads.proposal(outcome.subject_id).maker_id is None:
        _closed("cancel")(outcome)
    logger.info("proposal_sent_back", proposal=str(outcome.subject_id))


def _describe(subject_id: UUID) -> approvals.SubjectDescription:
    proposal = reads.proposal(subject_id)
    debit = proposal.debit_account
    return approvals.SubjectDescription(
        title=f"{Money(proposal.amount, proposal.currency)} to {proposal.payee}",
        url=f"/proposals/{proposal.pk}",
        facts=(
            ("Why", proposal.why),
            ("From", f"{debit.label} at {debit.bank.name} (…{debit.number_hint})"),
            ("To", f"{proposal.payee} at {proposal.payee_bank} (…{proposal.payee_hint})"),
            ("Beneficiary", _beneficiary_words(proposal)),
            ("Rail", proposal.rail),
            ("Value date", proposal.value_date.isoformat()),
            ("Charges", proposal.get_charge_bearer_display()),
            ("Reference", proposal.reference),
        ),
    )


def _beneficiary_words(proposal: Proposal) -> str:
    somebody = proposal.beneficiary
    if somebody is None:
        return proposal.credit_account.entity.name if proposal.credit_account else ""
    kind = "typed in" if somebody.is_typed_in else "on the list"
    known = "verified" if somebody.is_verified else "not verified"
    return f"{somebody.name}, {somebody.town} {somebody.country} ({kind}, {known})"


def _requote(amount: Decimal, currency: str) -> approvals.UsdQuote | None:
    worth = accounts.usd_equivalent(money=Money(amount, currency), now=clock.now())
    if worth.amount is None or worth.rate is None or worth.as_of is None:
        return None
    return approvals.UsdQuote(usd_equivalent=worth.amount, rate=worth.rate, rate_at=worth.as_of)


def _pending(question: windows.PendingQuestion) -> windows.PendingTotals:
    waiting = Proposal.objects.filter(
        state__in=(ProposalState.PENDING, ProposalState.APPROVED),
        rail=question.rail,
        currency=question.currency,
        value_date=question.business_date,
    )
    worths = list(waiting.values_list("usd_equivalent", flat=True))
    return windows.PendingTotals(
        count=len(worths), usd_total=sum((worth or Decimal(0) for worth in worths), Decimal(0))
    )


approvals.register(
    proposals.SUBJECT,
    approvals.SubjectHooks(
        on_approved=_approved,
        on_rejected=_closed("reject"),
        on_expired=_closed("expire"),
        on_cancelled=_closed("cancel"),
        on_changes_requested=_sent_back,
        describe=_describe,
        requote=_requote,
        before_several=controls.count_together,
    ),
)
windows.register_pending_counter(_pending)
