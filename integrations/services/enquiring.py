"""Resolve unknown outcomes by asking the bank, never by sending again."""

import random
import time
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import transaction

from core import clock
from core.tenancy import bound
from integrations.channels import BankStatus, LineSettings, Outgoing, Unreachable, opened
from integrations.constants import (
    ENQUIRE_BATCH_MAX,
    LEASE_MARGIN_SECONDS,
    NOT_FOUND_TRUSTED_AFTER_SECONDS,
    REASON_CHARS_MAX,
)
from integrations.engine.line import Admission, pause
from integrations.models import Message, MessageState
from integrations.services import batching, lines
from integrations.services.dispatching import become_sent, expire_leases, outgoing_of
from integrations.services.queueing import refuse

ACTOR: Final = "system:enquire"
UNKNOWN_TO_THE_BANK: Final = "The bank does not know this payment."
_SYSTEM_DICE: Final = random.SystemRandom()


@dataclass(frozen=True, slots=True, kw_only=True)
class EnquiryReport:
    """What one round of questions brought."""

    found: int = 0
    not_found: int = 0
    still_unknown: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A message about which this worker may ask."""

    message_id: UUID
    fence: int
    outgoing: Outgoing
    line: LineSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The bank's word: `status` is None when it does not know the payment."""

    status: BankStatus | None
    is_final: bool
    seconds: float


def enquire_unknown(
    *, tenant: UUID, rng: random.Random | None = None, limit: int = ENQUIRE_BATCH_MAX
) -> EnquiryReport:
    """Ask the banks about every payment of `tenant` whose outcome is unknown.

    Raises:
        CalledInsideTransaction: a transaction is open.
    """
    lines.refuse_inside_transaction()
    dice = rng or _SYSTEM_DICE
    expire_leases(tenant=tenant, rng=dice)
    done: Counter[str] = Counter()
    held_back: set[UUID] = set()
    for _ in range(limit):
        question = _next_question(tenant, held_back)
        if question is None:
            break
        done[_record(tenant, question, _ask(question), dice)] += 1
    kinds = ("found", "not_found", "still_unknown")
    return EnquiryReport(**{kind: done[kind] for kind in kinds})


def _next_question(tenant: UUID, held_back: set[UUID]) -> Question | None:
    with bound(tenant, actor=ACTOR, reason="outcome unknown"):
        while True:
            now = clock.now()
            message = (
                Message.objects.due(MessageState.UNKNOWN, now=now)
                .single_orders()
                .exclude(connection_id__in=held_back)
                .select_related("connection", "carrier")
                .select_for_update(skip_locked=True, of=("self",))
                .order_by("due_at", "id")
                .first()
            )
            if message is None:
                return None
            if lines.admitted(connection=message.connection, now=now) is Admission.GRANTED:
                return _lease(message)
            held_back.add(message.connection_id)


def _lease(message: Message) -> Question:
    line = lines.settings_of(message.connection)
    seconds = (line.get_retries_max + 1) * lines.call_seconds(line) + LEASE_MARGIN_SECONDS
    message.locked_until = clock.now() + timedelta(seconds=seconds)
    message.fence += 1
    message.enquiries += 1
    message.save(update_fields=["locked_until", "fence", "enquiries"])
    return Question(
        message_id=message.pk, fence=message.fence, outgoing=outgoing_of(message), line=line
    )


def _ask(question: Question) -> Answer | Unreachable:
    lines.refuse_inside_transaction()
    began = time.monotonic()
    try:
        with opened(question.line) as channel:
            status = channel.status(question.outgoing)
            seconds = time.monotonic() - began
            return Answer(status=status, is_final=channel.not_found_is_final, seconds=seconds)
    except Unreachable as trouble:
        return trouble


def _record(
    tenant: UUID, question: Question, answer: Answer | Unreachable, rng: random.Random
) -> str:
    with bound(tenant, actor=ACTOR, reason="answer of the bank"):
        message = (
            Message.objects.select_for_update(of=("self",))
            .select_related("connection")
            .defer("body")
            .get(pk=question.message_id)
        )
        if message.fence != question.fence or message.state != MessageState.UNKNOWN:
            return "late"
        if isinstance(answer, Unreachable):
            lines.record_failure(connection=message.connection, reason=str(answer))
            return _ask_again(message, rng, reason=str(answer))
        lines.record_success(connection=message.connection, seconds=answer.seconds)
        if answer.status is not None:
            facts = {**answer.status.facts, "found_by": "enquiry"}
            become_sent(message, bank_reference=answer.status.bank_reference, facts=facts)
            batching.end_file_of(message)
            return "found"
        if answer.is_final or _nothing_is_on_its_way(message):
            refuse(message, reason=UNKNOWN_TO_THE_BANK)
            batching.end_file_of(message)
            return "not_found"
        return _ask_again(message, rng, reason="The bank does not know this payment yet.")


def _nothing_is_on_its_way(message: Message) -> bool:
    """Whether the call broke off long enough ago for a "no" of the bank to be the last word."""
    if message.unknown_at is None:
        return False
    quiet = timedelta(seconds=NOT_FOUND_TRUSTED_AFTER_SECONDS)
    return clock.now() >= message.unknown_at + quiet


def _ask_again(message: Message, rng: random.Random, *, reason: str) -> str:
    message.due_at = clock.now() + pause(
        message.enquiries, rng=rng, patience=lines.patience_of(message.connection)
    )
    message.locked_until = None
    message.reason = reason[:REASON_CHARS_MAX]
    message.save(update_fields=["due_at", "locked_until", "reason"])
    return "still_unknown"


@transaction.atomic
def confirm_sent(*, reference: str, evidence: str, bank_reference: str = "") -> Message | None:
    """Take a bank's own message about a payment as the answer to the open question.

    Return the message that became SENT, or None when its outcome was not unknown.
    """
    message = (
        Message.objects.select_for_update(of=("self",))
        .defer("body")
        .filter(reference=reference, state=MessageState.UNKNOWN)
        .first()
    )
    if message is None:
        return None
    become_sent(message, bank_reference=bank_reference, facts={"found_by": evidence})
    batching.end_file_of(message)
    return message
