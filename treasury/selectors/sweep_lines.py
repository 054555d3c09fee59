"""Reads of the lines that sweeps are paid through, and of what an order's trace begins with."""

from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from treasury.engine.positions import HEADLINE_ORDER
from treasury.models import (
    BankAccount,
    StatementBalance,
    StatementState,
    SweepDecision,
    SweepLine,
    SweepProduct,
)


def lines() -> QuerySet[SweepLine]:
    """Return all lines with what they name."""
    return SweepLine.objects.select_related("account", "product", "credit_account", "beneficiary")


def line_for(*, account: BankAccount, product: SweepProduct) -> SweepLine | None:
    """Return the line in force of an account and product; None: a connector executes it."""
    return SweepLine.objects.filter(account=account, product=product, is_active=True).first()


def balance_of(decision: SweepDecision) -> StatementBalance | None:
    """Return the newest posted balance that a decision could know."""
    found = (
        StatementBalance.objects.select_related("statement")
        .filter(
            account=decision.account_id,
            statement__state=StatementState.POSTED,
            statement__received_at__lte=decision.decided_at,
            code__in=HEADLINE_ORDER,
            as_of__lte=decision.decided_at,
        )
        .order_by("-as_of")[: len(HEADLINE_ORDER)]
    )
    newest = [one for one in found if one.as_of == found[0].as_of]
    return min(newest, key=lambda one: HEADLINE_ORDER.index(one.code), default=None)


def trace_of_balance(decision: SweepDecision) -> UUID | None:
    """Return the trace of the message that brought the balance of a decision."""
    found = balance_of(decision)
    return found.statement.trace_id if found else None


def order_ends(body: bytes) -> str:
    """Return the digest of who pays and who is paid in an order's bytes, as the database reads it.

    Empty where the bytes name no two ends.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT treasury_order_ends(%s::bytea)", [body])
        found = cursor.fetchone()
    return str(found[0] or "") if found else ""


def sweep_pays(proposal_pk: UUID) -> bool:
    """Ask the database whether a proposal is the payment of a released sweep order."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT treasury_sweep_pays(p) FROM treasury_proposal p WHERE p.id = %s", [proposal_pk]
        )
        found = cursor.fetchone()
    return bool(found and found[0])
