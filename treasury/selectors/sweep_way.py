"""The way of one sweep: balance, decision, order, message out, the bank's answers, its entries."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from core.events.models import OutboxEvent
from integrations import selectors as archive
from treasury.engine.statuses import meaning_of, reason_in_words
from treasury.models import (
    ExpectedFlow,
    FlowSource,
    Release,
    SweepDecision,
    SweepOrder,
    Transfer,
)
from treasury.selectors.sweep_lines import balance_of

NOBODY: Final = UUID(int=0)
# What keeps a payment here that has been made, and is asked again every few seconds.
HELD_BACK: Final = {
    "COOLOFF": "The account it pays was written or changed lately: payments there rest.",
    "BLOCKED": "Its payee is blocked.",
    "FUNDS": "The account has too little money for it.",
    "MANDATE": "Its mandate, its approval or its line does not let it through any more.",
}
# Why an order does not happen, where that is a word of ours.
ENDED: Final = {
    "EXPIRED": "Its window closed before it left",
    "SUPERSEDED": "A newer decision replaced it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """One thing that happened on the way; `message_id` leads to the bytes that say so.

    `page` names what to open beside it: `statement`, `proposal` or `entry` with its id.
    """

    at: datetime
    title: str
    words: str = ""
    look: str = "done"
    message_id: UUID | None = None
    page: tuple[str, UUID] | None = None


def way_of(decision: SweepDecision, order: SweepOrder | None) -> list[Station]:
    """Return what happened to a decision and its order so far, in the order of time."""
    found = [*_balance(decision), _decided(decision)]
    if order is not None:
        transfer = _transfer_of(order)
        found.append(_ordered(order))
        if transfer is not None:
            found += [*_paid(transfer), *_said(transfer)]
        found += [*_handed_out(order), *_answered(order), *_booked(order)]
    # What was heard at one instant stays in the order of the way.
    return sorted(found, key=lambda one: one.at)


def _transfer_of(order: SweepOrder) -> Transfer | None:
    rows = Transfer.objects.select_related("proposal").filter(end_to_end_id=order.order_id)
    return rows.first() if order.line_id else None


def _balance(decision: SweepDecision) -> Iterator[Station]:
    found = balance_of(decision)
    if found is None:
        return
    statement = found.statement
    yield Station(
        at=min(statement.received_at, decision.decided_at),
        title="The balance came",
        words=f"{found.code} {found.amount:,.2f} USD of {found.as_of:%Y-%m-%d %H:%M} UTC,"
        f" {statement.get_source_display()}",
        message_id=statement.message_id,
        page=("statement", statement.pk),
    )


def _decided(decision: SweepDecision) -> Station:
    return Station(
        at=decision.decided_at, title="Decided", words=f"SHA-256 {decision.facts_sha256}"
    )


def _ordered(order: SweepOrder) -> Station:
    mandate = order.mandate.name if order.mandate else ""
    let_through = {
        Release.MANDATE: f"Released by the mandate {mandate}",
        Release.APPROVED: "Released by people",
        Release.WAITING: "Waits for people",
    }[Release(order.release)]
    return Station(at=order.created_at, title=f"Ordered as {order.order_id}", words=let_through)


def _handed_out(order: SweepOrder) -> Iterator[Station]:
    event = OutboxEvent.objects.filter(pk=order.intent_id or NOBODY).first()
    if event is not None:
        words = f"Signed with {order.key_id}; on sweep_intent"
        yield Station(at=event.occurred_at, title="Handed to the connector", words=words)
    if order.sent_at is not None:
        yield Station(at=order.sent_at, title="It left")


def _paid(transfer: Transfer) -> Iterator[Station]:
    proposal = transfer.proposal
    yield Station(
        at=proposal.created_at,
        title="Signed, and its payment made",
        words=f"UETR {transfer.uetr}",
        page=("proposal", proposal.pk),
    )
    message = archive.messages().filter(pk=transfer.message_id or NOBODY).defer("body").first()
    if message is None:
        if words := HELD_BACK.get(transfer.reason_code):
            yield Station(at=transfer.created_at, title="Held back", words=words, look="bad")
        return
    yield Station(
        at=message.created_at,
        title="The payment order was written",
        words=f"{message.kind}, SHA-256 {message.sha256}",
        message_id=message.pk,
    )
    if message.sent_at is not None:
        yield Station(at=message.sent_at, title="Handed to the bank", message_id=message.pk)


def _said(transfer: Transfer) -> Iterator[Station]:
    for one in transfer.statuses.all():
        parts = (meaning_of(one.status).words, reason_in_words(one.reason_code), one.words)
        yield Station(
            at=one.heard_at,
            title=f"The bank: {one.status} {one.reason_code}".rstrip(),
            words="; ".join(dict.fromkeys(part for part in parts if part)),
            look="bad" if one.status in ("RJCT", "CANC") else "done",
            message_id=one.message_id,
        )


def _answered(order: SweepOrder) -> Iterator[Station]:
    if order.acked_at is not None:
        words = f"The bank's reference is {order.bank_ref}"
        yield Station(at=order.acked_at, title="Acknowledged", words=words)
    if order.failed_at is not None:
        words = ENDED.get(order.reason, order.reason)
        yield Station(at=order.failed_at, title="Failed", words=words, look="bad")
    if order.late_ack_at is not None:
        words = f"Executed after it had failed here; {order.bank_ref}"
        yield Station(at=order.late_ack_at, title="Executed late", words=words, look="bad")


def _booked(order: SweepOrder) -> Iterator[Station]:
    ways = {f"{order.order_id}:out": "Booked out", f"{order.order_id}:back": "Back with interest"}
    flows = ExpectedFlow.objects.select_related("matched_entry__statement").filter(
        account=order.account_id,
        source=FlowSource.SWEEP,
        source_ref__in=list(ways),
        matched_entry__isnull=False,
    )
    for flow in flows:
        entry = flow.matched_entry
        if entry is None:
            continue
        yield Station(
            at=entry.first_seen_at,
            title=ways[flow.source_ref],
            words=f"{entry.amount:,.2f} USD, value {entry.value_date}",
            message_id=entry.statement.message_id,
            page=("entry", entry.pk),
        )
