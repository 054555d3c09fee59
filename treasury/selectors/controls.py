"""What stands in the way of a payment, and what its checkers should know; asked of the database."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet

from core import policies
from core.identity.models import User
from treasury.engine.flags import Facts, Flag, Payee, flags
from treasury.models import Proposal, ProposalState
from treasury.policies import DUPLICATE_DAYS

PAID_STATES = (
    ProposalState.SENT,
    ProposalState.CONFIRMED,
    ProposalState.SETTLED,
)
LIVE_STATES = (
    ProposalState.PENDING,
    ProposalState.APPROVED,
    ProposalState.EXECUTING,
    *PAID_STATES,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitUse:
    """A rolling limit that a payment would pass; `scope` is beneficiary, maker or account."""

    scope: str
    usd: Decimal
    usd_max: Decimal


def _ask(question: str, proposal_id: UUID) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT q.* FROM treasury_proposal p, {question}(p) q WHERE p.id = %s",  # noqa: S608 - names of our own functions
            [proposal_id],
        )
        return list(cursor.fetchall())


def over_limits(proposal_id: UUID) -> list[LimitUse]:
    """Return the limits of 24 hours that this submitted proposal would pass."""
    return [
        LimitUse(scope=scope, usd=usd, usd_max=usd_max)
        for scope, usd, usd_max in _ask("treasury_over_limit", proposal_id)
    ]


def rule_usd(proposal_id: UUID) -> Decimal | None:
    """Return what approval rules compare: its worth together with the parts of a split payment."""
    worth: Decimal | None = _ask("treasury_rule_usd", proposal_id)[0][0]
    return worth


def cools_until(proposal_id: UUID) -> datetime | None:
    """Return until when the payment rests, None when it may leave; by the database's clock."""
    until: datetime | None = _ask("treasury_cools_until", proposal_id)[0][0]
    return until


def recent_editors(proposal: Proposal) -> tuple[User, ...]:
    """Return who wrote or changed the credited account while payments to it still rest."""
    target = proposal.beneficiary or proposal.credit_account
    if target is None or target.changed_by is None or cools_until(proposal.pk) is None:
        return ()
    return (target.changed_by,)


def flags_of(proposal: Proposal) -> tuple[Flag, ...]:
    """Return what a checker should know about a proposal, those to acknowledge first."""
    target = proposal.beneficiary or proposal.credit_account
    editor = target.changed_by if target else None
    return flags(
        Facts(
            payee=_payee(proposal),
            cools_until=cools_until(proposal.pk),
            changed_by=editor.display_name if editor else "",
            cutoff_at=proposal.cutoff_at,
            twins=twins_of(proposal),
            usd=proposal.usd_equivalent,
            usd_together=rule_usd(proposal.pk) if proposal.submitted_at else Decimal(0),
        )
    )


def twins_of(proposal: Proposal) -> tuple[str, ...]:
    """Return the references of live payments that look the same, days apart at most."""
    return tuple(_twins(proposal).values_list("reference", flat=True))


def _payee(proposal: Proposal) -> Payee | None:
    somebody = proposal.beneficiary
    if somebody is None:
        return None
    return Payee(
        name=somebody.name,
        is_typed_in=somebody.is_typed_in,
        is_verified=somebody.is_verified,
        was_paid_before=Proposal.objects.filter(
            state__in=PAID_STATES, beneficiary__number_index=somebody.number_index
        )
        .exclude(pk=proposal.pk)
        .exists(),
    )


def _twins(proposal: Proposal) -> QuerySet[Proposal]:
    """Return earlier payments of the same amount between the same accounts, days apart at most."""
    near = timedelta(days=policies.get(DUPLICATE_DAYS))
    same_payee = Q(credit_account_id=proposal.credit_account_id, beneficiary__isnull=True)
    if proposal.beneficiary is not None:
        same_payee = Q(beneficiary__number_index=proposal.beneficiary.number_index)
    return (
        Proposal.objects.filter(
            same_payee,
            state__in=LIVE_STATES,
            debit_account_id=proposal.debit_account_id,
            amount=proposal.amount,
            value_date__range=(proposal.value_date - near, proposal.value_date + near),
        )
        .exclude(pk=proposal.pk)
        .order_by("-id")
    )
