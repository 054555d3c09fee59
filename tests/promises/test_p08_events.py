"""A recorded day, delivered once or five times and in any order, ends in the same state (P8).

The consumers are the real ones of the treasury: statements, prefunding and payment outcomes. Order
within an aggregate is the drain's own promise (tests/core/test_events.py); here the queue itself is
shuffled, so that the effects alone have to be idempotent.
"""

import os
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import pytest
from django.db import connection, transaction

from core import clock
from core.errors import Invalid
from core.events.bus import Envelope, _handlers, envelope_of, handler_for, publish
from core.events.drain import ATTEMPTS_MAX, drain, redeliver
from core.events.models import Delivery, DeliveryState, OutboxEvent
from core.tenancy import bound
from integrations import services as lines
from integrations.events import MessageReceived, PaymentSent, PaymentUnknown
from tests.promises.conftest import World
from tests.promises.realm import Realm, approve, propose
from tests.treasury.bank import paper
from treasury.models import (
    BankEntry,
    ExpectedFlow,
    PrefundingRequest,
    Proposal,
    Statement,
    StatementBalance,
    SuppressedShortfall,
    Transfer,
)
from treasury.services import proposals, transfers

SEEDS: Final = int(os.environ.get("TMS_DAY_SEEDS", "24"))  # the promise in full: 200
DELIVERIES_MAX: Final = 5


def _statements(realm: Realm, day: datetime) -> None:
    """Two reports of the day, its statement, the same statement twice, and one that is broken."""
    account = realm.accounts["payout"]
    date = day.date()

    def sheet(id_: str, entries: tuple[paper.E, ...], *, end: bool) -> paper.S:
        total = sum((Decimal(entry.amount) for entry in entries), Decimal("50001250.00"))
        codes = ("OPBD", "CLBD") if end else ("OPBD", "ITBD")
        sums = ("50001250.00", f"{total:f}")
        return paper.S(
            id=id_,
            number=account.number,
            currency="INR",
            seq=2,
            created=f"{date}T{'22' if end else '11'}:00:00+01:00",
            entries=entries,
            balances=tuple(
                paper.B(code=code, amount=amount, on=date, currency="INR")
                for code, amount in zip(codes, sums, strict=True)
            ),
        )

    entries = tuple(
        paper.E(amount=amount, ref=f"DAY-{amount}", currency="INR", booked=date, value=date)
        for amount in ("120.00", "-45.50", "7.00", "7.00")
    )
    for number, (kind, one) in enumerate(
        [
            ("052", sheet("R1", entries[:2], end=False)),
            ("052", sheet("R2", entries[:3], end=False)),
            ("053", sheet("D1", entries, end=True)),
            ("053", sheet("D1", entries, end=True)),
        ]
    ):
        data = paper.camt(kind, one, message=f"DAY{number}")
        lines.archive_inbound(
            connection_code=realm.objects["line"], name=f"day{number}.xml", data=data
        )
    lines.archive_inbound(
        connection_code=realm.objects["line"], name="broken.xml", data=b":20:X\r\n:25:"
    )


def _shortfalls(realm: Realm, day: datetime) -> None:
    from treasury.receivers import movement  # noqa: F401 - the consumer under test

    account = realm.accounts["spare"]
    for missing in ("1000.00", "1000.00", "9000.00"):
        payload = {
            "currency": "USD",
            "account_id": str(account.pk),
            "date": str(day.date()),
            "required": "60000000.00",
            "available": f"{Decimal(60_000_000) - Decimal(missing):f}",
            "shortfall": missing,
        }
        row = OutboxEvent.objects.create(
            topic="forecast.rda.shortfall",
            aggregate=f"account:{account.pk}",
            payload=payload,
            occurred_at=clock.now(),
            correlation_id=account.pk,
            producer="liquidity",
        )
        Delivery.objects.create(
            event=row, consumer="treasury.prefunding", aggregate=row.aggregate, due_at=clock.now()
        )


def _payment(realm: Realm) -> None:
    """One more transfer on its way: unknown first, then found to be sent."""
    maker = realm.people["treasury_maker"]
    with bound(realm.tenant, actor=maker.pk):
        made = propose(realm.people, realm.accounts, "for the day")
        proposals.submit_proposal(proposal_id=made.pk, actor=maker)
    approve(realm.tenant, made, realm.people["treasury_checker"])
    transfers.execute_due(tenant=realm.tenant)
    message = Transfer.objects.get(proposal=made).message_id
    assert message is not None
    for kind in (PaymentUnknown, PaymentSent):
        facts = {
            "reference": made.reference,
            "message_id": message,
            "reason": "",
            "at": clock.now(),
        }
        publish(kind(**_fitting(kind, facts | {"bank_reference": "B-1"})))


def _fitting(kind: Any, facts: dict[str, Any]) -> dict[str, Any]:
    return {name: facts[name] for name in kind.__dataclass_fields__ if name in facts}


def _facts(rows: Any, *names: str) -> list[Any]:
    return sorted(map(str, rows.values_list(*names)))


def end_state() -> dict[str, list[Any]]:
    """Return what the day amounts to, without ids and instants."""
    return {
        "entries": _facts(
            BankEntry.objects, "account", "amount", "occurrence", "state", "status", "value_date"
        ),
        "statements": _facts(
            Statement.objects.exclude(state="DUPLICATE"),
            "account", "source", "statement_ref", "state", "proof", "opening", "closing",
        ),
        "balances": _facts(
            StatementBalance.objects.filter(statement__state="POSTED"),
            "account", "code", "amount", "on_date",
        ),
        "prefunding": _facts(PrefundingRequest.objects, "currency", "sequence"),
        "further": [
            PrefundingRequest.objects.count() + SuppressedShortfall.objects.count(),
            Proposal.objects.count(),
        ],
        "transfers": _facts(
            Transfer.objects, "end_to_end_id", "proposal__state", "attempt", "bank_status_rank"
        ),
        "flows": _facts(ExpectedFlow.objects, "account", "source", "amount", "state"),
    }  # fmt: skip


@pytest.fixture
def day(world: World, db: None, at_work: datetime) -> Iterator[Realm]:
    """Everything that happens on the world's Tuesday, published and not yet delivered."""
    realm = world.ours
    with bound(realm.tenant, actor="system:test"):
        _statements(realm, at_work)
        _shortfalls(realm, at_work)
        _payment(realm)
        yield realm


def _waiting() -> list[tuple[UUID, str]]:
    return list(
        Delivery.objects.filter(state=DeliveryState.WAITING)
        .order_by("event_id")
        .values_list("event_id", "consumer")
    )


def _replay(realm: Realm, queue: list[tuple[UUID, str]]) -> dict[str, list[Any]]:
    """Deliver in exactly this order through the real handlers; then undo everything."""
    with transaction.atomic():
        for event_id, consumer in queue:
            _deliver(realm, event_id, consumer)
        drain(tenant=realm.tenant)
        end = end_state()
        transaction.set_rollback(True)
    return end


def _deliver(realm: Realm, event_id: UUID, consumer: str) -> None:
    """Claim nothing, skip nothing: hand this one event to this one consumer now."""
    event = OutboxEvent.objects.get(pk=event_id)
    redeliver(event=event, consumer=consumer)
    handler = handler_for(event.topic, consumer)
    assert handler is not None
    with bound(realm.tenant, actor=f"system:{consumer}"):
        handler(envelope_of(event))
    Delivery.objects.filter(event=event, consumer=consumer).update(
        state=DeliveryState.DONE, done_at=clock.now()
    )


def test_the_day_ends_the_same_however_often_and_in_whatever_order(day: Realm) -> None:
    queue = _waiting()
    assert len(queue) >= 9
    expected = _replay(day, queue)
    assert len(expected["entries"]) > 4
    assert expected["prefunding"] == sorted(["('INR', 1)", "('USD', 1)"])
    for seed in range(SEEDS):
        rng = random.Random(seed)
        shuffled = [one for one in queue for _ in range(rng.randint(1, DELIVERIES_MAX))]
        rng.shuffle(shuffled)
        assert _replay(day, shuffled) == expected, f"seed {seed}"


def test_without_the_unique_digest_a_second_delivery_would_count_twice(day: Realm) -> None:
    """The negative control: an effect that is not idempotent does end differently."""
    queue = _waiting()
    counted: list[str] = []

    def naive(envelope: Envelope) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE treasury_expectedflow SET amount = amount - 1 WHERE source = 'MANUAL'"
            )
        counted.append(str(envelope.event_id))

    handlers = _handlers[MessageReceived.topic]
    proper = handlers["treasury.statements"]
    handlers["treasury.statements"] = naive
    try:
        assert _replay(day, queue)["flows"] != _replay(day, queue * 2)["flows"]
    finally:
        handlers["treasury.statements"] = proper
    assert len(counted) > len(queue)


def test_poison_of_one_kind_stops_nothing_of_another(day: Realm) -> None:
    """A shortfall that cannot be right dies at once; a handler that breaks dies after its tries."""
    OutboxEvent.objects.filter(topic="forecast.rda.shortfall").update(payload={"currency": "INR"})
    handlers = _handlers[PaymentSent.topic]
    proper = handlers["treasury.transfers"]

    def broken(_envelope: Envelope) -> None:
        raise ConnectionError

    handlers["treasury.transfers"] = broken
    moment = clock.now()
    try:
        for _ in range(ATTEMPTS_MAX + 1):
            with clock.frozen(moment):
                drain(tenant=day.tenant)
            moment += timedelta(minutes=5)
    finally:
        handlers["treasury.transfers"] = proper
    left = Delivery.objects.exclude(state=DeliveryState.DONE)
    assert set(left.values_list("state", flat=True)) == {DeliveryState.DEAD}
    assert set(left.values_list("event__topic", flat=True)) == {
        "forecast.rda.shortfall",
        PaymentSent.topic,
    }
    assert BankEntry.objects.filter(bank_reference__startswith="DAY-").count() == 4
    assert all(row.last_error for row in left)
    assert issubclass(Invalid, Exception)
