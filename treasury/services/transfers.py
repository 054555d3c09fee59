"""Carry an approved transfer to its bank, in three steps, and record what became of it.

The intent commits here with its identifiers, the integrations room calls the bank outside any
transaction, the outcome commits here again.
"""

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from functools import partial
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from django.db import transaction

from approvals import selectors as approvals
from calendars import selectors as calendars
from core import clock, policies
from core.errors import DomainError, Forbidden, NotFound
from core.events import present_trace, traced
from core.identity.models import User
from core.ids import uetr
from core.tenancy import bound
from integrations import services as lines
from treasury.engine.rails import BOOK, profile
from treasury.errors import NotRetriable, OutflowsFrozen
from treasury.models import (
    BeneficiaryState,
    FlowSource,
    Proposal,
    ProposalState,
    Purpose,
    Transfer,
)
from treasury.policies import RETRY_HOURS_MAX
from treasury.selectors import controls, freezing, pools, positions
from treasury.selectors.sweep_lines import sweep_pays
from treasury.services import flows, orders, tasks
from treasury.services.controls import require_limits
from treasury.services.news import raise_alert, tell_status
from treasury.services.proposals import MAKERS, SENT_BACK, SUBJECT, close_proposal
from treasury.services.terms import require_payable

logger = structlog.get_logger(__name__)

_STATE_AND_CLOSING = ["state", "closed_at", "closing_reason"]
FUNDS_MISSING: Final = "FUNDS"
COOL_OFF: Final = "COOLOFF"
BLOCKED: Final = "BLOCKED"
NOT_COVERED: Final = "MANDATE"
_OBSTACLES: Final = {
    FUNDS_MISSING: "funds_missing",
    COOL_OFF: "cooling_off",
    BLOCKED: "beneficiary_blocked",
    NOT_COVERED: "sweep_not_covered",
}


@transaction.atomic
def release(*, proposal_id: UUID) -> Transfer | None:
    """Set the transfer of a just approved proposal free; the money is reserved from here on.

    While outflows are stopped it is approved only; `execute` makes the transfer afterwards.

    Raises:
        LimitExceeded: too much would leave within 24 hours.
    """
    proposal = lock(proposal_id)
    before = proposal.state
    require_limits(proposal)
    proposal.approve()
    proposal.save(update_fields=["state"])
    made = None if freezing.standing_freeze() else _made(proposal)
    tell_status(proposal=proposal, from_state=before, held=made)
    return made


def _made(proposal: Proposal) -> Transfer:
    made = Transfer.objects.create(
        proposal=proposal,
        end_to_end_id=proposal.reference,
        uetr=uetr(),
        created_at=clock.now(),
        trace_id=present_trace(),
    )
    expect_our_sides(made)
    return made


def execute_due(*, tenant: UUID) -> int:
    """Take every approved transfer to the bank's line, each in its own transaction."""
    with bound(tenant, actor="system:treasury.execute"):
        _expire_sent_back()
        due = list(
            Proposal.objects.filter(state=ProposalState.APPROVED)
            .order_by("cutoff_at")
            .values_list("pk", flat=True)
        )
    started = 0
    for proposal_id in due:
        try:
            with bound(tenant, actor="system:treasury.execute"):
                started += execute(proposal_id=proposal_id)
        except DomainError as error:
            logger.warning("transfer_not_started", proposal=str(proposal_id), code=error.code)
    return started


def _expire_sent_back() -> None:
    """Expire what checkers sent back and its maker did not amend before the cut-off."""
    late = Proposal.objects.filter(state=ProposalState.PENDING, cutoff_at__lte=clock.now())
    for proposal in late:
        request = approvals.request_of(
            subject_type=SUBJECT, subject_id=proposal.pk, subject_version=proposal.version
        )
        if request is not None and request.state == SENT_BACK:
            close_proposal(
                proposal_id=proposal.pk, outcome="expire", reason="It was not amended in time."
            )


@transaction.atomic
def execute(*, proposal_id: UUID) -> bool:
    """Queue the payment order of one approved proposal. Return whether it was queued.

    Past the cut-off it expires. While outflows are stopped it waits; so it does, and a person is
    told, without the money, while its payee's account is too new, or blocked. An order that the
    bank would refuse fails here with the reasons in words.

    Raises:
        LimitExceeded: too much would leave within 24 hours.
    """
    proposal = lock(proposal_id)
    if proposal.state != ProposalState.APPROVED:
        return False
    if clock.now() >= proposal.cutoff_at:
        close_proposal(proposal_id=proposal.pk, outcome="expire", reason="The cut-off passed.")
        cancel_flows(proposal)
        return False
    if freezing.standing_freeze() is not None:
        return False
    held = Transfer.objects.select_for_update().filter(proposal=proposal).first()
    if held is None:
        require_limits(proposal)
        held = _made(proposal)
    return _may_leave(proposal, held) and _start_attempt(proposal, held)


@transaction.atomic
def retry_transfer(*, transfer_id: UUID, actor: User) -> Transfer:
    """Try a definitely failed transfer again: new message id, same end-to-end id and UETR.

    Raises:
        Forbidden: this person may not.
        NotRetriable: it has not failed, or its cut-off has passed.
        OutflowsFrozen: all outflows are stopped.
        BeneficiaryBlocked: its payee may not be paid any more.
    """
    if not actor.has_role(*MAKERS) or actor.is_service:
        raise Forbidden("Trying again takes a person with the role treasury_maker.")
    found = Transfer.objects.filter(pk=transfer_id).first()
    if found is None:
        raise NotFound("There is no such transfer.", field="transfer")
    proposal = lock(found.proposal_id)
    _require_retriable(proposal, found)
    if freezing.standing_freeze() is not None:
        raise OutflowsFrozen("All outflows are stopped.", field="transfer")
    require_payable(proposal.beneficiary)
    if (until := controls.cools_until(proposal.pk)) is not None:
        raise NotRetriable(
            f"The account it pays was changed: it rests until {until:%d %b %H:%M} UTC.",
            state=proposal.state,
        )
    expect_our_sides(found)
    _start_attempt(proposal, Transfer.objects.select_for_update().get(pk=found.pk))
    return Transfer.objects.get(pk=transfer_id)


@transaction.atomic
def mark_sent(*, reference: str, bank_reference: str) -> None:
    """Record that the bank has the payment; its confirmation clock starts."""
    held = find(reference=reference)
    if held is None:
        return
    proposal = lock(held.proposal_id)
    if proposal.state != ProposalState.EXECUTING:
        return
    before = proposal.state
    proposal.mark_sent()
    proposal.save(update_fields=["state"])
    held.proposal = proposal
    held.sent_at = clock.now()
    held.outcome_unknown_since = None
    held.sla_due_at = _sla_due(proposal, held.sent_at)
    held.bank_reference = bank_reference[:70] or held.bank_reference
    held.save()
    _end_waiting(held, note="The bank has it.")
    tell_status(proposal=proposal, from_state=before, held=held)


@transaction.atomic
def mark_unknown(*, reference: str, reason: str) -> None:
    """Record that nobody knows whether the bank has it. It is asked, never sent again."""
    held = find(reference=reference)
    if held is None:
        return
    proposal = lock(held.proposal_id)
    if proposal.state != ProposalState.EXECUTING or held.outcome_unknown_since:
        return
    held.outcome_unknown_since = clock.now()
    held.save(update_fields=["outcome_unknown_since"])
    raise_alert(
        kind="outcome_unknown",
        severity="high",
        subject_type="transfer",
        subject_id=held.pk,
        title=f"{reference}: the bank's answer is missing",
        detail=f"{reason} The bank is being asked; it will not be sent again.",
    )


@transaction.atomic
def mark_failed(*, reference: str, reason: str, reason_code: str = "") -> None:
    """Record a definite refusal: the reservation on both accounts ends in the same transaction."""
    held = find(reference=reference)
    if held is None:
        return
    proposal = lock(held.proposal_id)
    if proposal.state not in (ProposalState.EXECUTING, ProposalState.SENT):
        return
    before = proposal.state
    proposal.fail(at=clock.now(), reason=reason)
    proposal.save(update_fields=_STATE_AND_CLOSING)
    held.outcome_unknown_since = None
    held.reason_code = reason_code[:10]
    held.save()
    _end_waiting(held, note=reason)
    cancel_flows(proposal)
    tell_status(proposal=proposal, from_state=before, reason=reason, held=held)
    raise_alert(
        kind="transfer_failed",
        severity="high",
        subject_type="transfer",
        subject_id=held.pk,
        title=f"{reference} failed",
        detail=reason,
    )


def _end_waiting(held: Transfer, *, note: str) -> None:
    """Close what people were asked to find out while the bank was silent."""
    tasks.settle_tasks(transfer=held, kinds=("outcome_unknown", "sla_breached"), note=note)


def cancel_flows(proposal: Proposal) -> None:
    """Take the expected flows of a transfer off our accounts."""
    for account_id in filter(None, (proposal.debit_account_id, proposal.credit_account_id)):
        flows.cancel_flow(
            account_id=account_id, source=FlowSource.TRANSFER, source_ref=proposal.reference
        )


def find(*, reference: str) -> Transfer | None:
    """Return the transfer with this end-to-end id, if it is one of ours."""
    return Transfer.objects.select_related("proposal").filter(end_to_end_id=reference).first()


def lock(proposal_id: UUID) -> Proposal:
    """Hold a proposal (and with it its transfer) until the transaction ends."""
    return (
        Proposal.objects.select_for_update(of=("self",))
        .select_related(
            "debit_account__bank",
            "debit_account__entity",
            "credit_account__bank",
            "credit_account__entity",
            "beneficiary",
        )
        .get(pk=proposal_id)
    )


def _start_attempt(proposal: Proposal, held: Transfer) -> bool:
    before = proposal.state
    proposal.execute()
    proposal.closed_at, proposal.closing_reason = None, ""
    proposal.save(update_fields=_STATE_AND_CLOSING)
    held.proposal = proposal
    held.attempt += 1
    held.bank_status, held.bank_status_rank, held.reason_code = "", 0, ""
    held.sla_due_at = held.sla_breached_at = None
    held.save()
    tell_status(proposal=proposal, from_state=before, held=held)
    try:
        with transaction.atomic(), traced(held.trace_id):
            message = lines.queue_payment(
                instruction=orders.instruction_for(held),
                rail=proposal.rail,
                connection_code=proposal.debit_account.bank.connection,
                not_after=proposal.cutoff_at,
                require=partial(orders.require_as_approved, transfer=held),
                alone=orders.is_sweep(proposal),
            )
    except DomainError as refusal:
        mark_failed(reference=held.end_to_end_id, reason=refusal.message, reason_code="PREFLIGHT")
        return False
    held.message_id = message.pk
    held.save(update_fields=["message_id"])
    return True


def _require_retriable(proposal: Proposal, held: Transfer) -> None:
    now = clock.now()
    if orders.is_sweep(proposal):
        raise NotRetriable(
            "A sweep is not tried again: the next window decides anew.", state=proposal.state
        )
    if proposal.purpose == Purpose.FX_SETTLEMENT:
        raise NotRetriable(
            "A payment for a deal is not tried again: its deal is instructed anew.",
            state=proposal.state,
        )
    if held.disputed_since is not None:
        raise NotRetriable(
            "The bank's answers contradict each other: it may have been paid. Propose it anew once"
            " that is settled.",
            state=proposal.state,
        )
    if proposal.state != ProposalState.FAILED or now >= proposal.cutoff_at:
        raise NotRetriable(
            "Only a failed transfer whose cut-off has not passed can be tried again.",
            state=proposal.state,
        )
    hours = policies.get(RETRY_HOURS_MAX)
    if proposal.closed_at is None or now - proposal.closed_at > timedelta(hours=hours):
        raise NotRetriable(
            f"It failed more than {hours} hours ago: what people approved then is proposed anew.",
            state=proposal.state,
        )


def _may_leave(proposal: Proposal, held: Transfer) -> bool:
    """Return whether nothing holds it back; tell a person once about what does."""
    found = _obstacle(proposal)
    if found is None:
        return True
    code, title, detail = found
    if held.reason_code != code:
        held.reason_code = code
        held.save(update_fields=["reason_code"])
        raise_alert(
            kind=_OBSTACLES[code],
            severity="high",
            subject_type="transfer",
            subject_id=held.pk,
            title=f"{proposal.reference} waits: {title}",
            detail=detail,
        )
    return False


def _obstacle(proposal: Proposal) -> tuple[str, str, str] | None:
    """Return code, title and detail of what holds an approved payment back."""
    somebody = proposal.beneficiary
    if somebody is not None and somebody.state == BeneficiaryState.BLOCKED:
        return BLOCKED, f"{somebody.name} is blocked", "Nothing is paid there until unblocked."
    until = controls.cools_until(proposal.pk)
    if until is not None:
        return (
            COOL_OFF,
            "the account it pays was changed",
            f"It rests until {until:%d %b %H:%M} UTC.",
        )
    if orders.is_sweep(proposal) and not sweep_pays(proposal.pk):
        words = "Its mandate, its approval or its line does not let it through any more."
        return NOT_COVERED, "the sweep is not covered any more", words
    # Its own reservation is already inside what is available; a pool's header keeps more.
    left = positions.available(
        account_id=proposal.debit_account_id, on=proposal.value_date, now=clock.now()
    ).amount
    above = pools.floor_above(proposal)
    # Members are funded with the header's own money, never with its overdraft.
    least = -proposal.debit_account.overdraft_limit if above is None else above
    if left >= least:
        return None
    left -= above or 0
    return (
        FUNDS_MISSING,
        f"{proposal.debit_account.label} lacks the money",
        f"It would stand {-left:,.2f} {proposal.currency} below its floor.",
    )


Rows = tuple[Proposal, Transfer]


def lock_several(proposal_ids: Iterable[UUID]) -> dict[UUID, Rows]:
    """Hold proposals that have transfers, with these, until the transaction ends; by proposal.

    In one order for everybody, so that two answers about the same payments never wait for each
    other. What belongs to a proposal is read where it is needed.
    """
    ids = list(dict.fromkeys(proposal_ids))
    if not ids:
        return {}
    held = Proposal.objects.select_for_update().filter(pk__in=ids).order_by("id")
    proposals = {one.pk: one for one in held}
    made = Transfer.objects.select_for_update().filter(proposal__in=ids).order_by("id")
    found = {}
    for one in made:
        one.proposal = proposals[one.proposal_id]
        found[one.proposal_id] = (one.proposal, one)
    return found


def expect_our_sides(made: Transfer) -> None:
    """Reserve the money on our accounts; what an entry proved already stays as it is.

    What a sweep or a deal pays out its order or its leg has reserved already.
    """
    proposal = made.proposal
    sides = [(proposal.debit_account, -proposal.amount, f"to {proposal.payee}")]
    if proposal.purpose in (Purpose.SWEEP, Purpose.FX_SETTLEMENT):
        sides = []
    if proposal.credit_account is not None:
        came_from = f"from {proposal.debit_account.label}"
        sides.append((proposal.credit_account, proposal.amount, came_from))
    for account, amount, direction in sides:
        flows.put_flow(
            account=account,
            flow=flows.FlowIn(
                account_id=account.pk,
                source=FlowSource.TRANSFER,
                source_ref=proposal.reference,
                amount=amount,
                value_date=proposal.value_date,
                description=f"{proposal.reference} {direction}"[:140],
                end_to_end_id=made.end_to_end_id,
            ),
        )


def _sla_due(proposal: Proposal, sent_at: datetime) -> datetime | None:
    """Return when the confirmation is due; the clock starts with the rail's next opening."""
    minutes = profile(proposal.rail).sla_minutes
    if minutes is None:
        return proposal.cutoff_at
    starts = sent_at
    if orders.is_sweep(proposal):
        # A sweep may be ordered the evening before the day on which it is paid.
        zone = ZoneInfo(proposal.debit_account.timezone)
        starts = max(sent_at, datetime.combine(proposal.value_date, time(), zone))
    if proposal.rail != BOOK:
        status = calendars.rail_status(
            rail=proposal.rail,
            now=starts,
            bank=proposal.debit_account.bank.bic,
            currency=proposal.currency,
        )
        if not status.is_open and status.opens_at and status.opens_at > starts:
            starts = status.opens_at
    return starts + timedelta(minutes=minutes)
