"""What the bank would say to a payment, before anybody is asked to approve it."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Final

from django.db import transaction

from core import clock
from core.errors import DomainError
from integrations.codecs.records import Finding, Severity
from treasury.engine.flags import Flag
from treasury.errors import NumberMismatch, PreflightFailed
from treasury.models import Proposal
from treasury.selectors import movement as reads
from treasury.services import orders
from treasury.services.terms import ProposalIn, routed

CUTOFF_NEAR_MINUTES: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a payment would travel, and everything that speaks against it."""

    findings: tuple[Finding, ...]
    rail: str = ""
    value_date: date | None = None
    cutoff_at: datetime | None = None

    @property
    def is_sendable(self) -> bool:
        """Return whether nothing stops it."""
        return all(one.severity is not Severity.ERROR for one in self.findings)


@transaction.atomic
def look_at(*, draft: ProposalIn) -> Look:
    """Say what would happen to a proposal of these terms; nothing is stored.

    Whatever is wrong comes back as findings, one for each field, those that stop it first.
    """
    try:
        with transaction.atomic():
            terms = routed(draft)
            proposal = Proposal(reference="FMP-000000", purpose=draft.purpose, **terms)
            found = findings_of(proposal=proposal)
            transaction.set_rollback(True)
    except DomainError as refusal:
        field = str(refusal.context.get("field", ""))
        finding = Finding(
            code=refusal.code.upper(),
            message=refusal.message,
            locator=field,
            severity=Severity.ERROR,
        )
        return Look(findings=(finding,))
    return Look(
        findings=found,
        rail=proposal.rail,
        value_date=proposal.value_date,
        cutoff_at=proposal.cutoff_at,
    )


def findings_of(*, proposal: Proposal) -> tuple[Finding, ...]:
    """Return what the bank would refuse or change, errors first, then what the clock says."""
    order = orders.prepared(orders.trial_of(proposal))
    return (*order.errors, *order.warnings, *_of_the_clock(proposal))


def seal_for_approval(*, proposal: Proposal) -> str:
    """Return the seal of the order that a proposal asks for.

    Raises:
        PreflightFailed: the bank would refuse the order; all reasons in words.
    """
    trial = orders.trial_of(proposal)
    order = orders.prepared(trial)
    if order.errors:
        raise PreflightFailed(
            " ".join(finding.message for finding in order.errors),
            field="amount" if "AMOUNT" in order.errors[0].code else "proposal",
            findings=[
                {"code": one.code, "message": one.message, "locator": one.locator}
                for one in order.errors
            ],
        )
    return orders.seal_of(trial, body=orders.bytes_of(trial, order=order))


def flags_of_the_bank(*, proposal: Proposal) -> tuple[Flag, ...]:
    """Return what checkers should know of the order: one flag for each kind of finding."""
    try:
        order = orders.prepared(orders.trial_of(proposal))
    except NumberMismatch as refusal:
        return (Flag(code="bank_number_mismatch", words=refusal.message, severity="warn"),)
    ordered = sorted((*order.errors, *order.warnings), key=lambda one: one.code)
    return tuple(
        Flag(
            code=f"bank_{code.lower()}",
            words=" ".join(one.message for one in found),
            severity="warn",
        )
        for code, found in groupby(ordered, key=lambda one: one.code)
    )


def _of_the_clock(proposal: Proposal) -> tuple[Finding, ...]:
    now = clock.now()
    window = reads.window_for(rail=proposal.rail, account=proposal.debit_account, now=now)
    if window.rolled:
        words = f"Today's cut-off has passed: it lands on {proposal.value_date:%d %b %Y}."
        return (Finding(code="CUTOFF_PASSED", message=words, locator="value_date"),)
    left = proposal.cutoff_at - now
    if left < timedelta(minutes=CUTOFF_NEAR_MINUTES):
        minutes = max(0, int(left.total_seconds() // 60))
        words = f"It must be approved within {minutes} minutes, or it expires."
        return (Finding(code="CUTOFF_NEAR", message=words, locator="value_date"),)
    return ()
