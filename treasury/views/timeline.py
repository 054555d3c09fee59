"""The story of one transfer, step by step, from what the rooms remember about it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from approvals import selectors as approvals
from treasury.models import Proposal, ProposalState, Transfer
from treasury.services.proposals import SUBJECT

DECISION_WORDS: Final = {
    "APPROVE": "Approved",
    "REJECT": "Rejected",
    "CHANGES": "Changes were asked for",
}
STATUS_WORDS: Final = {
    "RCVD": "The bank received it",
    "ACTC": "The bank accepted it technically",
    "PDNG": "The bank is still checking",
    "ACCP": "The bank accepted the customer's profile",
    "ACSP": "The bank is processing it",
    "ACWC": "The bank accepted it with a change",
    "ACSC": "Settled on our account",
    "ACCC": "Credited to the beneficiary's account",
    "RJCT": "The bank rejected it",
    "CANC": "The bank cancelled it",
    "BOOK": "Seen on a statement",
    "RTRN": "The money came back",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happened, or is expected; `look` is done, bad or ahead."""

    at: datetime
    title: str
    words: str = ""
    look: str = "done"
    message_id: UUID | None = None


def story(proposal: Proposal) -> list[Step]:
    """Return what happened to a proposal and its transfer, in order, and what comes next."""
    steps = [Step(at=proposal.created_at, title="Proposed", words=proposal.maker_label)]
    steps += _approval(proposal)
    transfer = getattr(proposal, "transfer", None)
    if transfer is not None:
        steps += _sending(transfer)
    steps += _end(proposal)
    return sorted(steps, key=lambda step: (step.look == "ahead", step.at))


def _approval(proposal: Proposal) -> Iterator[Step]:
    for version in range(1, proposal.version + 1):
        request = approvals.request_of(
            subject_type=SUBJECT, subject_id=proposal.pk, subject_version=version
        )
        if request is None:
            continue
        which = f" (version {version})" if proposal.version > 1 else ""
        yield Step(
            at=request.submitted_at,
            title=f"Submitted for approval{which}",
            words=f"Needs {request.required_count}.",
        )
        for decision in request.decisions.all():
            said = f": {decision.reason}" if decision.reason else ""
            yield Step(
                at=decision.decided_at,
                title=DECISION_WORDS.get(decision.outcome, decision.outcome),
                words=f"{decision.checker.display_name}{said}",
                look="done" if decision.outcome == "APPROVE" else "bad",
            )


def _sending(transfer: Transfer) -> Iterator[Step]:
    if transfer.sent_at:
        words = f"Bank reference {transfer.bank_reference}" if transfer.bank_reference else ""
        yield Step(
            at=transfer.sent_at,
            title="Sent to the bank",
            words=words,
            message_id=transfer.message_id,
        )
    if transfer.outcome_unknown_since:
        yield Step(
            at=transfer.outcome_unknown_since,
            title="Nobody knows yet whether the bank has it",
            words="The bank is being asked. It is never sent a second time on a guess.",
            look="bad",
        )
    for status in transfer.statuses.all():
        code = f" · {status.reason_code}" if status.reason_code else ""
        late = "" if status.changed_state else " · kept as history, it changed nothing"
        yield Step(
            at=status.heard_at,
            title=STATUS_WORDS.get(status.status, status.status),
            words=f"{status.status} by {status.source}{code} {status.words}{late}".strip(),
            look="bad" if status.status in ("RJCT", "CANC", "RTRN") else "done",
            message_id=status.message_id,
        )
    if transfer.sla_breached_at:
        yield Step(
            at=transfer.sla_breached_at,
            title="Past its time",
            words="No confirmation within the time that this rail allows. It stays sent.",
            look="bad",
        )


def _end(proposal: Proposal) -> Iterator[Step]:
    state = proposal.state
    if proposal.closed_at:
        is_good = state == ProposalState.SETTLED
        yield Step(
            at=proposal.closed_at,
            title=proposal.get_state_display().capitalize(),
            words="" if is_good else proposal.closing_reason,
            look="done" if is_good else "bad",
        )
        return
    transfer = getattr(proposal, "transfer", None)
    if state in (ProposalState.DRAFT, ProposalState.PENDING, ProposalState.APPROVED):
        yield Step(at=proposal.cutoff_at, title="Cut-off: expires if not sent", look="ahead")
    elif transfer is not None and transfer.sla_due_at and not transfer.confirmed_at:
        yield Step(at=transfer.sla_due_at, title="Confirmation is due", look="ahead")
