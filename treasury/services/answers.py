"""What banks say about our transfers: pain.002 statuses and booked entries. Ranks never regress."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from core import clock
from integrations import services as lines
from integrations.codecs.records import PaymentStatus, StatusReport
from treasury.engine.statuses import CONFIRMING, DEBITED_RANK, Effect, Verdict, judge
from treasury.models import (
    BankEntry,
    BookingStatus,
    EntryState,
    Proposal,
    ProposalState,
    Transfer,
    TransferStatus,
)
from treasury.services import transfers
from treasury.services.news import raise_alert, tell_status

_S = ProposalState


@transaction.atomic
def apply_status_report(*, report: StatusReport, message_id: UUID) -> int:
    """Apply every payment status of a pain.002. Return how many belonged to transfers of ours.

    A group status without transactions speaks about the whole message, which carries one payment.
    """
    statuses: Iterable[PaymentStatus] = report.transactions
    if not report.transactions and report.group_status:
        reason = report.reasons[0] if report.reasons else None
        statuses = (
            PaymentStatus(
                status=report.group_status,
                original_end_to_end_id=report.original_message_id.rpartition("-")[0],
                reason_code=reason.code if reason else None,
                reason_text=reason.text if reason else "",
            ),
        )
    return sum(_apply(status, message_id) for status in statuses)


def _apply(status: PaymentStatus, message_id: UUID) -> bool:
    held = _transfer_of(status)
    if held is None:
        return False
    proposal = transfers.lock(held.proposal_id)
    held.refresh_from_db()
    verdict = judge(status.status, known_rank=held.bank_status_rank)
    if held.outcome_unknown_since and verdict.effect is not Effect.QUESTION:
        _bank_has_it(held, evidence=f"status {status.status}")
        proposal.refresh_from_db()
    TransferStatus.objects.create(
        transfer=held,
        status=status.status[:4],
        reason_code=(status.reason_code or "")[:10],
        words=f"{verdict.words} {status.reason_text}".strip()[:200],
        source="pain.002",
        message_id=message_id,
        changed_state=verdict.effect not in (Effect.NOTHING, Effect.QUESTION),
        heard_at=clock.now(),
    )
    if verdict.effect is Effect.QUESTION:
        _ask_a_person(held, status.status, verdict.words)
    elif verdict.effect is not Effect.NOTHING:
        _take_effect(held, proposal, status, verdict)
    else:
        _settle_when_complete(held, proposal)
    return True


def _transfer_of(status: PaymentStatus) -> Transfer | None:
    keys = Q(pk=None)
    if status.original_end_to_end_id:
        keys |= Q(end_to_end_id=status.original_end_to_end_id)
    if status.original_uetr:
        keys |= Q(uetr=status.original_uetr.lower())
    return Transfer.objects.select_related("proposal").filter(keys).first()


def _take_effect(
    held: Transfer, proposal: Proposal, status: PaymentStatus, verdict: Verdict
) -> None:
    if verdict.effect is Effect.FAIL:
        reason = f"The bank answered {status.status} {status.reason_code or ''}".strip()
        text = f"{reason}: {status.reason_text or verdict.words}."
        transfers.mark_failed(
            reference=held.end_to_end_id, reason=text, reason_code=status.reason_code or ""
        )
        held.refresh_from_db()
    elif proposal.state == _S.EXECUTING:
        transfers.mark_sent(
            reference=held.end_to_end_id, bank_reference=status.bank_reference or ""
        )
        held.refresh_from_db()
        proposal.refresh_from_db()
    held.bank_status, held.bank_status_rank = status.status[:4], verdict.rank
    held.bank_reference = (status.bank_reference or held.bank_reference)[:70]
    held.save(update_fields=["bank_status", "bank_status_rank", "bank_reference"])
    if verdict.effect is Effect.CONFIRM:
        _confirm(held, proposal)


def _bank_has_it(held: Transfer, *, evidence: str) -> None:
    """End the uncertainty: what the bank reports on, the bank has."""
    lines.confirm_sent(reference=held.end_to_end_id, evidence=evidence)
    transfers.mark_sent(reference=held.end_to_end_id, bank_reference="")
    held.refresh_from_db()


def _confirm(held: Transfer, proposal: Proposal) -> None:
    if proposal.state == _S.SENT:
        proposal.confirm()
        proposal.save(update_fields=["state"])
        held.confirmed_at = clock.now()
        held.save(update_fields=["confirmed_at"])
        tell_status(proposal=proposal, from_state=_S.SENT)
    _settle_when_complete(held, proposal)


def _is_complete(held: Transfer, proposal: Proposal) -> bool:
    """Both sides were booked; of a payment to somebody else we see ours, and hear of theirs."""
    if proposal.beneficiary_id is None:
        return bool(held.debit_entry_id and held.credit_entry_id)
    return bool(held.debit_entry_id) and held.statuses.filter(status__in=CONFIRMING).exists()


def _settle_when_complete(held: Transfer, proposal: Proposal) -> None:
    if proposal.state != _S.CONFIRMED or not _is_complete(held, proposal):
        return
    now = clock.now()
    proposal.settle(at=now)
    proposal.save(update_fields=["state", "closed_at", "closing_reason"])
    held.settled_at = now
    held.save(update_fields=["settled_at"])
    tell_status(proposal=proposal, from_state=_S.CONFIRMED)


@transaction.atomic
def apply_entries(*, entries: Sequence[BankEntry]) -> int:
    """Match booked entries to transfers by end-to-end id or UETR. Return how many matched."""
    booked = [
        entry
        for entry in entries
        if entry.status == BookingStatus.BOOK
        and entry.state == EntryState.COUNTED
        and (entry.end_to_end_id or entry.uetr)
    ]
    if not booked:
        return 0
    found = Transfer.objects.select_related("proposal").filter(
        Q(end_to_end_id__in={entry.end_to_end_id for entry in booked if entry.end_to_end_id})
        | Q(uetr__in={entry.uetr.lower() for entry in booked if entry.uetr})
    )
    by_key = {key: one for one in found for key in (one.end_to_end_id, one.uetr)}
    matched = 0
    for entry in booked:
        held = by_key.get(entry.end_to_end_id) or by_key.get(entry.uetr.lower())
        if held is not None:
            _apply_entry(held, entry)
            matched += 1
    return matched


def _apply_entry(held: Transfer, entry: BankEntry) -> None:
    proposal = transfers.lock(held.proposal_id)
    held.refresh_from_db()
    if entry.pk in (held.debit_entry_id, held.credit_entry_id):
        return
    if entry.account_id == proposal.debit_account_id and entry.amount > 0:
        _bounce(held, proposal, entry)
        return
    is_debit = entry.account_id == proposal.debit_account_id
    is_credit = entry.account_id == proposal.credit_account_id
    expected = -proposal.amount if is_debit else proposal.amount
    if not (is_debit or is_credit) or entry.amount != expected:
        _ask_a_person(
            held,
            "ENTRY",
            f"an entry of {entry.amount:,.2f} carries its reference, {expected:,.2f} was expected",
        )
        return
    if proposal.state == _S.EXECUTING:
        _bank_has_it(held, evidence="a booked entry")
        proposal.refresh_from_db()
    if is_debit:
        held.debit_entry = entry
        held.bank_status_rank = max(held.bank_status_rank, DEBITED_RANK)
    else:
        held.credit_entry = entry
    held.save()
    _confirm(held, proposal)


def _bounce(held: Transfer, proposal: Proposal, entry: BankEntry) -> None:
    """A credit on the debit account under our own reference: the money came back."""
    if proposal.state not in (_S.CONFIRMED, _S.SETTLED):
        _ask_a_person(held, "RETURN", "money came back before the debit was seen")
        return
    before = proposal.state
    reason = f"Returned by the bank ({entry.return_reason or 'no reason given'})."
    proposal.bounce(at=clock.now(), reason=reason)
    proposal.save(update_fields=["state", "closed_at", "closing_reason"])
    transfers.cancel_flows(proposal)
    tell_status(proposal=proposal, from_state=before, reason=reason)
    raise_alert(
        kind="transfer_returned",
        severity="high",
        subject_type="transfer",
        subject_id=held.pk,
        title=f"{held.end_to_end_id} came back",
        detail=reason,
    )


def _ask_a_person(held: Transfer, status: str, words: str) -> None:
    raise_alert(
        kind="transfer_question",
        severity="high",
        subject_type="transfer",
        subject_id=held.pk,
        title=f"{held.end_to_end_id}: {status} needs a person",
        detail=f"The bank says: {words}.",
    )
