"""Ask a payment back: requested by one person, approved by others, answered by the bank."""

from hashlib import sha256
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from approvals import services as approval_services
from core import clock
from core.errors import Forbidden, Invalid, NotFound
from core.identity.models import User
from core.identity.roles import BACK_OFFICE, TREASURY_CHECKER, TREASURY_MAKER, TREASURY_MANAGER
from core.money import Money
from integrations.codecs.camt029 import RecallAnswer, RecallReport
from integrations.codecs.instructions import Agent
from integrations.codecs.recalls import Recall as RecallOrder
from integrations.services.recalling import queue_recall, recall_bytes
from treasury.constants import RECALL_SUBJECT
from treasury.engine.statuses import reason_in_words
from treasury.errors import NotRecallable
from treasury.models import Proposal, ProposalState, Recall, RecallReason, RecallState, Transfer
from treasury.selectors import recalls as reads
from treasury.services import orders, tasks, transfers
from treasury.services.references import next_reference

ASKERS: Final = (TREASURY_MAKER, TREASURY_CHECKER, TREASURY_MANAGER, BACK_OFFICE)
ACTION: Final = "payment_recall"
WORDS_CHARS_MAX: Final = 105
_SAYS_YES, _SAYS_NO = "ACCR", "RJCR"
_ANSWERED: Final = ["state", "answered_at", "closing_reason"]
_S = RecallState
_WITH_A_BANK: Final = (ProposalState.SENT, ProposalState.CONFIRMED, ProposalState.SETTLED)


@transaction.atomic
def request_recall(*, transfer_id: UUID, reason: str, words: str, actor: User) -> Recall:
    """Put the recall of a payment that the bank has before its checkers.

    Raises:
        Forbidden: this person may not.
        Invalid: reason or words missing; names the field.
        NotFound: no such transfer.
        NotRecallable: the bank does not have it, it came back, or a recall stands already.
        NobodyEligible: too few other people may check it (from the approvals room).
    """
    if actor.is_service or not actor.has_role(*ASKERS):
        raise Forbidden("Asking a payment back takes a maker, checker, manager or back office.")
    if reason not in RecallReason.values:
        raise Invalid("Choose why it is asked back.", field="reason")
    if not 0 < len(words.strip()) <= WORDS_CHARS_MAX:
        raise Invalid(f"Say why in at most {WORDS_CHARS_MAX} characters.", field="words")
    found = Transfer.objects.filter(pk=transfer_id).first()
    if found is None:
        raise NotFound("There is no such transfer.", field="transfer")
    proposal = transfers.lock(found.proposal_id)
    _require_recallable(found, proposal)
    made = Recall(
        transfer=found,
        case_id=next_reference(kind="RCL"),
        reason=reason,
        words=words.strip(),
        requested_by=actor,
        requested_at=clock.now().replace(microsecond=0),
    )
    made.order_sha256 = sha256(recall_bytes(_order(made, proposal))).hexdigest()
    made.save()
    approval_services.submit(
        submission=approval_services.Submission(
            action=ACTION,
            subject_type=RECALL_SUBJECT,
            subject_id=made.pk,
            subject_version=1,
            title=f"Ask {found.end_to_end_id} back:"
            f" {Money(proposal.amount, proposal.currency)} from {proposal.payee}",
            content=reads.recall_content(made.pk),
            maker=actor,
            maker_label=actor.display_name,
            amount=None,
            rail=proposal.rail,
            entity=proposal.debit_account.entity_id,
        )
    )
    return made


@transaction.atomic
def send_recall(*, recall_id: UUID) -> Recall:
    """Queue an approved recall for the bank; the bytes are those that were approved."""
    held = _locked(recall_id)
    proposal = transfers.lock(held.transfer.proposal_id)
    if proposal.state not in _WITH_A_BANK:
        words = f"The payment is {proposal.get_state_display()}: there is nothing to ask back."
        return decline_recall(recall_id=recall_id, reason=words)
    held.send()
    held.save(update_fields=["state"])
    message = queue_recall(
        recall=_order(held, proposal),
        rail=proposal.rail,
        connection_code=proposal.debit_account.bank.connection,
    )
    held.message_id = message.pk
    held.save(update_fields=["message_id"])
    return held


@transaction.atomic
def decline_recall(*, recall_id: UUID, reason: str) -> Recall:
    """Note that a recall was not approved; it can be asked for again."""
    held = _locked(recall_id)
    if held.state == _S.REQUESTED:
        held.decline(reason=reason or "It was not approved.")
        held.save(update_fields=["state", "closing_reason"])
    return held


@transaction.atomic
def fail_recall(*, case_id: str, reason: str) -> None:
    """Note that the bank certainly does not have a recall; a person is told."""
    held = Recall.objects.select_for_update(of=("self",)).filter(case_id=case_id).first()
    if held is None or held.state != _S.SENT:
        return
    held.fail(reason=reason)
    held.save(update_fields=["state", "closing_reason"])
    _tell(held, f"The recall did not leave: {reason}")


@transaction.atomic
def apply_recall_report(*, report: RecallReport) -> int:
    """Apply the banks' answers to recalls. Return how many were about ours."""
    return sum(_apply(answer) for answer in report.answers)


def _apply(answer: RecallAnswer) -> bool:
    keys = Q(case_id=answer.case_id) if answer.case_id else Q(pk=None)
    if answer.original_end_to_end_id:
        keys |= Q(transfer__end_to_end_id=answer.original_end_to_end_id)
    if answer.original_uetr:
        keys |= Q(transfer__uetr=answer.original_uetr)
    standing = Recall.objects.select_for_update(of=("self",)).filter(keys)
    held = standing.exclude(state__in=(_S.DECLINED, _S.FAILED)).first()
    if held is None:
        return False
    said = (reason_in_words(answer.reason_code), answer.reason_text)
    words = "; ".join(part for part in (answer.reason_code, *said) if part)
    now = clock.now()
    if answer.status == _SAYS_YES and held.state in (_S.SENT, _S.REFUSED):
        held.accept(at=now, reason=words or "The bank gives it back.")
        held.save(update_fields=_ANSWERED)
        tasks.settle_tasks(
            transfer=held.transfer, kinds=("recall_answer",), note="The bank accepted the recall."
        )
    elif answer.status == _SAYS_NO and held.state == _S.SENT:
        held.refuse(at=now, reason=words or "The bank refused.")
        held.save(update_fields=_ANSWERED)
        _tell(held, f"The bank refused the recall: {held.closing_reason}")
    return True


def _tell(held: Recall, words: str) -> None:
    tasks.open_task(
        task=tasks.TaskIn(
            kind="recall_answer",
            key=held.case_id,
            title=f"{held.transfer.end_to_end_id} does not come back",
            detail=words,
            transfer=held.transfer,
        )
    )


def _require_recallable(held: Transfer, proposal: Proposal) -> None:
    if proposal.state not in _WITH_A_BANK:
        raise NotRecallable(
            f"It is {proposal.get_state_display()}: only what a bank has is asked back.",
            state=proposal.state,
        )
    open_states = (_S.REQUESTED, _S.SENT, _S.ACCEPTED)
    standing = Recall.objects.filter(transfer=held, state__in=open_states).first()
    if standing is not None:
        raise NotRecallable(f"{standing.case_id} stands: {standing.get_state_display()}.")


def _order(recall: Recall, proposal: Proposal) -> RecallOrder:
    """Return the order of a recall; the same recall always gives the same bytes."""
    held, debit = recall.transfer, proposal.debit_account
    reference = orders.message_reference(held)
    return RecallOrder(
        case_id=recall.case_id,
        created_at=recall.requested_at,
        requester_name=debit.entity.name,
        requester_lei=debit.entity.lei or None,
        bank=Agent(bic=debit.bank.bic),
        original_message_id=reference,
        original_message_name="pain.001.001.09",
        end_to_end_id=held.end_to_end_id,
        instruction_id=reference,
        uetr=held.uetr,
        amount=proposal.amount,
        currency=proposal.currency,
        settlement_date=proposal.value_date,
        reason=recall.reason,
        information=(recall.words,),
    )


def _locked(recall_id: UUID) -> Recall:
    found = (
        Recall.objects.select_for_update(of=("self",))
        .select_related("transfer")
        .filter(pk=recall_id)
        .first()
    )
    if found is None:
        raise NotFound("There is no such recall.", field="recall")
    return found
