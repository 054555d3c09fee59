"""What a checker should know about a payment before agreeing to it. Pure: facts in, flags out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

Severity = Literal["info", "warn", "ack"]
TWINS_NAMED_MAX: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """One warning; `ack` ones are acknowledged by their code when approving."""

    code: str
    words: str
    severity: Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Payee:
    """What is known of somebody else who is paid."""

    name: str
    is_typed_in: bool
    is_verified: bool
    was_paid_before: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A payment beside what is known around it; `payee` None is an own account."""

    payee: Payee | None
    cools_until: datetime | None
    changed_by: str
    cutoff_at: datetime
    twins: Sequence[str]
    usd: Decimal | None
    usd_together: Decimal | None


def flags(facts: Facts) -> tuple[Flag, ...]:
    """Return the flags of a payment, those to acknowledge first."""
    found = [
        *_of_payee(facts.payee),
        *_of_change(facts),
        *_of_twins(facts),
        *_of_worth(facts),
    ]
    order: tuple[Severity, ...] = ("ack", "warn", "info")
    return tuple(sorted(found, key=lambda flag: order.index(flag.severity)))


def _of_payee(payee: Payee | None) -> Iterator[Flag]:
    if payee is None:
        return
    if payee.is_typed_in:
        words = f"The account of {payee.name} was typed in for this payment and is on no list."
        yield Flag(code="typed_in_account", words=words, severity="ack")
    elif not payee.is_verified:
        words = f"Nobody has verified the account of {payee.name} by a call."
        yield Flag(code="not_verified", words=words, severity="ack")
    if not payee.was_paid_before:
        words = f"This is the first payment to this account of {payee.name}."
        yield Flag(code="first_payment", words=words, severity="warn")


def _of_change(facts: Facts) -> Iterator[Flag]:
    if facts.cools_until is None:
        return
    words = (
        f"The account was written or changed by {facts.changed_by or 'the system'} lately:"
        f" the payment rests until {facts.cools_until:%d %b %H:%M} UTC."
    )
    if facts.cools_until >= facts.cutoff_at:
        words += " That is after its cut-off: it will expire unsent."
    yield Flag(code="recently_changed", words=words, severity="ack")


def _of_twins(facts: Facts) -> Iterator[Flag]:
    if not facts.twins:
        return
    named = ", ".join(facts.twins[:TWINS_NAMED_MAX])
    words = f"It looks like {named}: same accounts and amount, value dates a few days apart."
    severity: Severity = "warn" if facts.payee is None else "ack"
    yield Flag(code="possible_duplicate", words=words, severity=severity)


def _of_worth(facts: Facts) -> Iterator[Flag]:
    if facts.usd_together is None:
        words = "Without a dollar rate nobody knows whether the limits of 24 hours are kept."
        yield Flag(code="limits_unknown", words=words, severity="warn")
    elif facts.usd is not None and facts.usd_together > facts.usd:
        words = (
            f"With earlier payments of 24 hours to the same account it makes"
            f" {facts.usd_together:,.2f} USD; approvals are asked for that sum."
        )
        yield Flag(code="split_payment", words=words, severity="warn")
