"""Orders: made from decisions, within a mandate or before checkers; failed with a reason."""

from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

from django.db import transaction

from approvals import selectors as approval_reads
from approvals import services as approvals
from approvals.errors import NobodyEligible, NotPending
from core import clock
from core.errors import Invalid, NotFound
from core.events.models import OutboxEvent
from core.ids import uuid7
from core.money import Money
from treasury.constants import SWEEP_SUBJECT
from treasury.engine.sweep_orders import OrderFacts, order_bytes
from treasury.engine.sweeps import Inputs, Outcome
from treasury.models import (
    FlowSource,
    Release,
    SweepDecision,
    SweepMandate,
    SweepOrder,
    SweepProduct,
    SweepState,
)
from treasury.selectors import sweeps as reads
from treasury.selectors.sweep_lines import line_for, trace_of_balance
from treasury.services import tasks
from treasury.services.flows import FlowIn, cancel_flow, put_expected_flow
from treasury.services.references import next_order_id
from treasury.services.sweeps.announcing import take_back, tell_order

ACTION: Final = "sweep"
MAKER_LABEL: Final = "Sweep rule"
EXPIRED: Final = "EXPIRED"
SUPERSEDED: Final = "SUPERSEDED"
_FAILED_FIELDS: Final = ["state", "failed_at", "reason"]


@transaction.atomic
def make_order(
    *, decision: SweepDecision, inputs: Inputs, outcome: Outcome, part: int = 1
) -> SweepOrder:
    """Make the order of a decision to sweep: released by a mandate, or put before checkers.

    Raises:
        Invalid: the decision sweeps nothing.
    """
    if outcome.settles_on is None or outcome.matures_on is None:
        raise Invalid("Only a decision to sweep becomes an order.", field="decision")
    product = SweepProduct.objects.get(code=outcome.product)
    mandate = _mandate_for(decision, product)
    now = clock.now()
    made = SweepOrder(
        order_id=next_order_id(day=now.astimezone(UTC).date()),
        decision=decision,
        account=decision.account,
        product=product,
        mandate=mandate,
        amount=outcome.amount,
        cutoff_at=decision.cutoff_at,
        day=decision.day,
        part=part,
        settles_on=outcome.settles_on,
        matures_on=outcome.matures_on,
        paid_out=outcome.paid_out,
        comes_back=outcome.comes_back,
        created_at=now,
        due_at=now,
        release=Release.WAITING if mandate is None else Release.MANDATE,
        line=line_for(account=decision.account, product=product),
        trace_id=trace_of_balance(decision) or uuid7(),
    )
    made.payload = order_bytes(_facts(made, inputs))
    made.payload_sha256 = sha256(made.payload.encode()).hexdigest()
    made.save()
    expect_outflow(order=made)
    tell_order(order=made)
    if mandate is None:
        _ask(made)
    return made


def _facts(order: SweepOrder, inputs: Inputs) -> OrderFacts:
    return OrderFacts(
        order_id=order.order_id,
        source_account=str(order.account_id),
        target_product=order.product.code,
        amount_usd=order.amount,
        cutoff=order.cutoff_at,
        settles_on=order.settles_on,
        matures_on=order.matures_on,
        var_limit_bps=inputs.policy.var_limit_bps,
        observed_var_bps=inputs.risk.var_bps,
        created_at=order.created_at,
    )


def _mandate_for(decision: SweepDecision, product: SweepProduct) -> SweepMandate | None:
    """Return a mandate that covers the whole amount; the database asks the same again."""
    for one in reads.mandates_in_force(account=decision.account, on=decision.day):
        fits = one.product_id in (None, product.pk) and decision.amount <= one.order_max
        if fits and reads.mandate_used(mandate=one, on=decision.day) + decision.amount <= (
            one.day_max
        ):
            return one
    return None


def _ask(order: SweepOrder) -> None:
    """Put an order beyond its mandate before checkers; without any it fails, and a person knows."""
    money = Money(order.amount, "USD")
    try:
        approvals.submit(
            submission=approvals.Submission(
                action=ACTION,
                subject_type=SWEEP_SUBJECT,
                subject_id=order.pk,
                subject_version=1,
                title=f"Sweep {money} from {order.account.label} into {order.product.code}",
                content=reads.sweep_content(order.pk),
                maker=None,
                maker_label=MAKER_LABEL,
                amount=money,
                cutoff_at=order.cutoff_at,
                entity=order.account.entity_id,
            )
        )
    except NobodyEligible as refusal:
        _fail(order, f"Nobody may approve it: {refusal.message}")
        tasks.open_task(
            task=tasks.TaskIn(
                kind="sweep_unapprovable",
                key=order.order_id,
                title=f"{order.order_id}: nobody may approve a sweep beyond its mandate",
                detail=refusal.message,
            )
        )


def expect_outflow(*, order: SweepOrder) -> None:
    """Reserve what an order pays out: no later decision counts this money again."""
    put_expected_flow(
        flow=FlowIn(
            account_id=order.account_id,
            source=FlowSource.SWEEP,
            source_ref=f"{order.order_id}:out",
            amount=-order.paid_out,
            value_date=order.settles_on,
            description=f"Sweep into {order.product.code}",
            end_to_end_id=order.order_id,
        )
    )


def expect_return(*, order: SweepOrder) -> None:
    """Expect principal and interest on the day that an acknowledged order matures."""
    put_expected_flow(
        flow=FlowIn(
            account_id=order.account_id,
            source=FlowSource.SWEEP,
            source_ref=f"{order.order_id}:back",
            amount=order.comes_back,
            value_date=order.matures_on,
            description=f"Back from {order.product.code}",
            end_to_end_id=order.order_id,
        )
    )


def forget_flows(*, order: SweepOrder) -> None:
    """Expect nothing of an order any more."""
    for way in ("out", "back"):
        cancel_flow(
            account_id=order.account_id,
            source=FlowSource.SWEEP,
            source_ref=f"{order.order_id}:{way}",
        )


@transaction.atomic
def supersede(*, order: SweepOrder) -> SweepOrder:
    """Replace an order that nobody can have seen: it is not signed yet."""
    held = locked(pk=order.pk)
    _fail(held, SUPERSEDED)
    if held.release == Release.WAITING:
        asked = approval_reads.request_of(
            subject_type=SWEEP_SUBJECT, subject_id=held.pk, subject_version=1
        )
        if asked is not None:
            with suppress(NotPending):
                words = "A newer decision replaces it."
                approvals.cancel(request_id=asked.pk, actor=None, reason=words)
    return held


@transaction.atomic
def release_order(*, order_pk: UUID) -> SweepOrder:
    """Let an approved order leave; past its cut-off it fails instead."""
    held = locked(pk=order_pk)
    if held.state != SweepState.NEW or held.release != Release.WAITING:
        return held
    if held.cutoff_at <= clock.now():
        return _fail(held, EXPIRED)
    held.release, held.due_at = Release.APPROVED, clock.now()
    held.save(update_fields=["release", "due_at"])
    return held


@transaction.atomic
def fail_unreleased(*, order_pk: UUID, reason: str) -> SweepOrder:
    """Note that an order was not approved."""
    held = locked(pk=order_pk)
    if held.state == SweepState.NEW and held.release == Release.WAITING:
        _fail(held, reason or "It was not approved.")
    return held


@transaction.atomic
def expire_due(*, now: datetime) -> list[SweepOrder]:
    """Fail what has not left when its window closed. What was sent waits for its answer.

    So does what a connector may have pulled, though the bus has not taken it: it counts as sent.
    """
    late = list(
        SweepOrder.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("product", "account")
        .filter(state=SweepState.NEW, cutoff_at__lte=now)
        # What our own bank pays, its payment tells of: `paying.follow_payments`.
        .exclude(line__isnull=False, jws__gt="")
    )
    pulled = set(
        OutboxEvent.objects.filter(
            pk__in=[one.intent_id for one in late if one.intent_id], sequence__isnull=False
        ).values_list("pk", flat=True)
    )
    expired = [one for one in late if one.intent_id not in pulled]
    for held in late:
        if held.intent_id in pulled:
            held.send(at=now)
            held.save(update_fields=["state", "sent_at"])
            tell_order(order=held)
    for held in expired:
        expire_order(order=held)
    return expired


def expire_order(*, order: SweepOrder) -> SweepOrder:
    """Fail a locked order that did not leave in time, and tell a person."""
    _fail(order, EXPIRED)
    tasks.open_task(
        task=tasks.TaskIn(
            kind="sweep_expired",
            key=order.order_id,
            title=f"{order.order_id} did not leave before its window closed",
            detail=f"{order.amount:,.2f} USD stayed on {order.account.label}.",
            severity="medium",
        )
    )
    return order


def fail_order(*, order: SweepOrder, reason: str) -> SweepOrder:
    """Fail a locked order that the connector refused."""
    return _fail(order, reason)


def _fail(held: SweepOrder, reason: str) -> SweepOrder:
    held.fail(at=clock.now(), reason=reason[:200])
    held.save(update_fields=_FAILED_FIELDS)
    forget_flows(order=held)
    tell_order(order=held)
    if held.intent_id:
        take_back(order=held)
    return held


def locked(*, pk: UUID | None = None, order_id: str = "") -> SweepOrder:
    """Return an order, locked until the transaction ends.

    Raises:
        NotFound: no such order.
    """
    rows = SweepOrder.objects.select_for_update(of=("self",)).select_related("product", "account")
    found = (rows.filter(order_id=order_id) if pk is None else rows.filter(pk=pk)).first()
    if found is None:
        raise NotFound("There is no such order.", field="order_id")
    return found
