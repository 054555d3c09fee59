"""The controls of a payment as its services apply them: rolling limits and aggregates."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from django.db import connection

from approvals import selectors as approvals
from approvals.services import Flag
from treasury.errors import LimitExceeded
from treasury.models import Proposal
from treasury.selectors import controls as reads
from treasury.services.preflighting import flags_of_the_bank

_SCOPE_WORDS: Final = {
    "beneficiary": "to this beneficiary",
    "maker": "proposed by this person",
    "account": "out of this account",
}


def count_alone(proposal: Proposal) -> None:
    """Let payments of one account, maker or payee be counted one after the other."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT treasury_count_alone(p) FROM treasury_proposal p WHERE p.id = %s",
            [proposal.pk],
        )


def count_together(proposal_ids: Sequence[UUID]) -> None:
    """Take what `count_alone` takes for several proposals of one transaction, in one order."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT treasury_count_together(%s::uuid[])", [list(proposal_ids)])


def require_limits(proposal: Proposal) -> None:
    """Refuse what would take 24 hours above a limit.

    Raises:
        LimitExceeded: names the first limit and what it would come to.
    """
    for use in reads.over_limits(proposal.pk):
        raise LimitExceeded(
            f"{use.usd:,.2f} USD within 24 hours {_SCOPE_WORDS[use.scope]} would pass the limit"
            f" of {use.usd_max:,.2f} USD.",
            field="amount",
            scope=use.scope,
            usd=str(use.usd),
            usd_max=str(use.usd_max),
        )


def flags_for_checkers(proposal: Proposal) -> tuple[Flag, ...]:
    """Return the flags as they are frozen on the request; `ack` ones must be acknowledged."""
    return tuple(
        Flag(
            code=flag.code,
            words=flag.words,
            severity="ack" if flag.severity == "ack" else "info",
        )
        for flag in (*reads.flags_of(proposal), *flags_of_the_bank(proposal=proposal))
    )


def at_least(proposal: Proposal, *, action: str) -> approvals.Requirement:
    """Return what is required for a payment together with the parts it may be split from."""
    return approvals.requirement(
        terms=approvals.Terms(
            action=action,
            usd=reads.rule_usd(proposal.pk),
            currency=proposal.currency,
            rail=proposal.rail,
            entity=proposal.debit_account.entity_id,
        )
    )
