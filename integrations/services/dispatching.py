"""Hand queued payments to the banks: commit the intent, call, commit the outcome.

A message is claimed with a lease and a fence. Whoever finds a lease that ran out in the middle of
a call knows nothing about it: the outcome is unknown, and `enquiring` asks the bank.
"""

import random
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction

from core import clock, events
from core.tenancy import bound
from integrations import registry
from integrations.channels import (
    ChannelTrouble,
    LineSettings,
    NotSent,
    OutcomeUnknown,
    Outgoing,
    Receipt,
    Refused,
    Unreachable,
    opened,
)
from integrations.constants import (
    DISPATCH_BATCH_MAX,
    FALL_BACK_TRIES_MAX,
    LEASE_MARGIN_SECONDS,
    LEASE_START_SECONDS,
    REASON_CHARS_MAX,
)
from integrations.engine.line import Admission, pause
from integrations.events import PaymentSent, PaymentUnknown
from integrations.models import BankConnection, Message, MessageState
from integrations.services import batching, lines, routing
from integrations.services.queueing import refuse

logger = structlog.get_logger(__name__)

ACTOR: Final = "system:dispatch"
_SYSTEM_DICE: Final = random.SystemRandom()


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchReport:
    """What one round did."""

    sent: int = 0
    refused: int = 0
    unknown: int = 0
    postponed: int = 0
    abandoned: int = 0

    @property
    def total(self) -> int:
        """Return how many messages changed."""
        return self.sent + self.refused + self.unknown + self.postponed + self.abandoned


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A message that this sender may hand over until `start_before`."""

    message_id: UUID
    fence: int
    outgoing: Outgoing
    connection: BankConnection
    line: LineSettings
    start_before: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a call ended, and how long it took."""

    answer: Receipt | ChannelTrouble
    seconds: float


def dispatch_due(
    *, tenant: UUID, rng: random.Random | None = None, limit: int = DISPATCH_BATCH_MAX
) -> DispatchReport:
    """Hand every due payment of `tenant` to its bank, one after the other.

    Raises:
        CalledInsideTransaction: a transaction is open.
    """
    lines.refuse_inside_transaction()
    dice = rng or _SYSTEM_DICE
    done: Counter[str] = Counter(abandoned=expire_leases(tenant=tenant, rng=dice))
    held_back: set[UUID] = set()
    for _ in range(limit):
        found = _claim_next(tenant, held_back)
        if found is None:
            break
        if isinstance(found, Claim):
            done[_record(tenant, found, _timed_call(found), dice)] += 1
        else:
            done[found] += 1
    kinds = ("sent", "refused", "unknown", "postponed", "abandoned")
    return DispatchReport(**{kind: done[kind] for kind in kinds})


def expire_leases(*, tenant: UUID, rng: random.Random) -> int:
    """Mark as unknown what was being sent when its sender went silent. Return the count."""
    with bound(tenant, actor=ACTOR, reason="a sender went silent"):
        now = clock.now()
        rows = list(
            Message.objects.abandoned(now=now)
            .select_for_update(skip_locked=True, of=("self",))
            .defer("body")[:DISPATCH_BATCH_MAX]
        )
        for message in rows:
            reason = "The sender stopped in the middle of the call; the bank is being asked."
            _become_unknown(message, reason=reason, rng=rng)
    return len(rows)


def _claim_next(tenant: UUID, held_back: set[UUID]) -> Claim | str | None:
    """Step one: lease the next due message, unless its line may not be used now.

    Return the claim, "refused" for one that came too late to be sent, or None when nothing is due.
    """
    with bound(tenant, actor=ACTOR, reason="payment leaves"):
        if registry.sending_is_stopped():
            return None
        stuck: list[UUID] = []
        while True:
            now = clock.now()
            message = (
                Message.objects.due(MessageState.QUEUED, now=now)
                .leaving()
                .exclude(connection_id__in=held_back)
                .exclude(pk__in=stuck)
                .select_related("connection")
                .select_for_update(skip_locked=True, of=("self",))
                .order_by("due_at", "id")
                .first()
            )
            if message is None:
                return None
            if message.expires_at is not None and message.expires_at <= now:
                _come_too_late(message)
                return "refused"
            admission = _admission(message, now)
            if admission is Admission.GRANTED:
                return _claim(batching.gathered(message, now=now), now)
            if admission is Admission.CIRCUIT_OPEN and routing.fall_back(message=message):
                continue
            stuck.append(message.pk)
            if admission is Admission.RATE_EXCEEDED or len(stuck) >= FALL_BACK_TRIES_MAX:
                held_back.add(message.connection_id)


def _come_too_late(message: Message) -> None:
    """Refuse what missed its cut-off; of a file only the late order, the others go anew."""
    if message.orders_count:
        batching.give_up(message, reason="The cut-off of one of its orders has passed.")
    else:
        refuse(message, reason="It was not sent: the cut-off has passed.")


def _admission(message: Message, now: datetime) -> Admission:
    """Ask the message's line; one that is switched off is as good as an open circuit."""
    if not message.connection.is_active:
        return Admission.CIRCUIT_OPEN
    return lines.admitted(connection=message.connection, now=now)


def _claim(message: Message, now: datetime) -> Claim | str:
    """Lease a message; one whose bytes are not what people approved is refused, alone."""
    line = lines.settings_of(message.connection)
    lease_seconds = LEASE_START_SECONDS + lines.call_seconds(line) + LEASE_MARGIN_SECONDS
    try:
        with transaction.atomic():
            _lease(message, until=now + timedelta(seconds=lease_seconds))
    except IntegrityError as error:
        if not batching.breaks_the_seal(error):
            raise
        logger.warning("seal_broken", message=str(message.pk), sha256=message.sha256)
        message.refresh_from_db(fields=["state", "fence", "attempts", "locked_until"])
        refuse(message, reason="It was not sent: its bytes are not the order that was approved.")
        return "refused"
    return Claim(
        message_id=message.pk,
        fence=message.fence,
        outgoing=outgoing_of(message),
        connection=message.connection,
        line=line,
        start_before=now + timedelta(seconds=LEASE_START_SECONDS),
    )


def _lease(message: Message, *, until: datetime) -> None:
    """Take a message up, and with it the orders that it carries."""
    names = ["state", "locked_until", "fence", "attempts"]
    orders = [one for one in batching.carried(message) if one.pk != message.pk]
    for one in (message, *orders):
        one.claim(until=until)
        one.save(update_fields=names)


def outgoing_of(message: Message) -> Outgoing:
    """Return what a channel needs of a message; an order in a file travelled as that file."""
    file = message.carrier or message
    return Outgoing(
        key=str(file.pk),
        name=file.name,
        reference=message.reference,
        message_reference=file.message_reference,
        sha256=file.sha256,
        body=bytes(file.body),
    )


def _timed_call(claim: Claim) -> Outcome:
    began = time.monotonic()
    answer = _call(claim)
    return Outcome(answer=answer, seconds=time.monotonic() - began)


def _call(claim: Claim) -> Receipt | ChannelTrouble:
    """Step two: call the bank, outside of any transaction."""
    lines.refuse_inside_transaction()
    if clock.now() >= claim.start_before:
        # Whoever slept this long may find that others have given the message up meanwhile.
        return NotSent("The sender was held up and did not start the call.")
    try:
        with opened(claim.line) as channel:
            return channel.send(claim.outgoing)
    except (NotSent, Refused, OutcomeUnknown) as trouble:
        return trouble
    except Unreachable as trouble:
        return NotSent(str(trouble))


def _record(tenant: UUID, claim: Claim, outcome: Outcome, rng: random.Random) -> str:
    """Step three: commit the outcome with its event, if the message is still this sender's."""
    with bound(tenant, actor=ACTOR, reason="outcome of a call"):
        message = (
            Message.objects.select_for_update(of=("self",))
            .select_related("connection")
            .defer("body")
            .get(pk=claim.message_id)
        )
        if message.fence != claim.fence or message.state != MessageState.SENDING:
            logger.warning("outcome_came_late", message=str(message.pk), state=message.state)
            return "late"
        _record_line(message.connection, outcome)
        match outcome.answer:
            case Receipt(bank_reference=reference, facts=facts):
                become_sent(message, bank_reference=reference, facts=facts)
                return "sent"
            case Refused() as refusal:
                refuse(message, reason=str(refusal)[:REASON_CHARS_MAX])
                return "refused"
            case NotSent() as trouble:
                return _postpone(message, trouble, rng)
            case trouble:
                _become_unknown(message, reason=str(trouble)[:REASON_CHARS_MAX], rng=rng)
                return "unknown"


def _record_line(connection: BankConnection, outcome: Outcome) -> None:
    """A bank that answers, be it with a refusal, is a line that works."""
    if isinstance(outcome.answer, Receipt | Refused):
        lines.record_success(connection=connection, seconds=outcome.seconds)
    else:
        reason = str(outcome.answer)
        lines.record_failure(connection=connection, reason=reason, seconds=outcome.seconds)


def become_sent(message: Message, *, bank_reference: str, facts: dict[str, object]) -> None:
    """Record, under the caller's lock, that the bank has this payment, or this file."""
    now, receipt = clock.now(), {**facts, "bank_reference": bank_reference}
    _record_sent(message, receipt=receipt, at=now)
    for order in batching.carried(message):
        if order.pk != message.pk:
            _record_sent(order, receipt=receipt, at=now)
        with events.traced(order.correlation_id):
            events.publish(
                PaymentSent(
                    reference=order.reference,
                    message_id=order.pk,
                    reason="",
                    bank_reference=bank_reference,
                    at=now,
                )
            )


def _record_sent(message: Message, *, receipt: dict[str, object], at: datetime) -> None:
    message.record_sent(receipt=receipt, at=at)
    message.save(update_fields=["state", "bank_receipt", "sent_at", "reason", "locked_until"])


def _postpone(message: Message, outcome: NotSent, rng: random.Random) -> str:
    """Offer it again later, or give up within the line's limit: nothing has left the house."""
    if message.attempts > message.connection.retries_max:
        refuse(message, reason=f"It was not sent after {message.attempts} attempts. {outcome}")
        return "refused"
    patience = lines.patience_of(message.connection)
    wait = max(
        pause(message.attempts, rng=rng, patience=patience),
        timedelta(seconds=outcome.retry_after_seconds),
    )
    due_at, reason = clock.now() + wait, str(outcome)[:REASON_CHARS_MAX]
    orders = [one for one in batching.carried(message) if one.pk != message.pk]
    for one in (message, *orders):
        one.postpone(due_at=due_at, reason=reason)
        one.save(update_fields=["state", "due_at", "reason", "locked_until"])
    return "postponed"


def _become_unknown(message: Message, *, reason: str, rng: random.Random) -> None:
    now = clock.now()
    _record_unknown(message, reason=reason, at=now, due_at=now + pause(1, rng=rng))
    for order in batching.carried(message):
        if order.pk != message.pk:
            _record_unknown(order, reason=reason, at=now, due_at=now + pause(1, rng=rng))
        with events.traced(order.correlation_id):
            events.publish(
                PaymentUnknown(
                    reference=order.reference,
                    message_id=order.pk,
                    reason=reason,
                    bank_reference="",
                    at=now,
                )
            )


def _record_unknown(message: Message, *, reason: str, at: datetime, due_at: datetime) -> None:
    message.record_unknown(reason=reason, at=at, due_at=due_at)
    message.save(update_fields=["state", "reason", "unknown_at", "due_at", "locked_until"])
