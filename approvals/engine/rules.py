"""What rules ask for, as plain figures: for questions about rules that are not in force."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

UNMATCHED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule; empty text means any, no amount means always."""

    required_count: int
    action: str = ""
    amount_above_usd: Decimal | None = None
    currency: str = ""
    rail: str = ""
    entity: UUID | None = None
    step: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What was once submitted; `usd` None is above every threshold."""

    title: str
    action: str
    usd: Decimal | None
    currency: str = ""
    rail: str = ""
    entity: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """Rules together with the threshold above which two people are needed anyway."""

    rules: tuple[Rule, ...]
    threshold_usd: Decimal


def fits(rule: Rule, past: Past) -> bool:
    """Return whether a rule is about this request."""
    return (
        rule.action in ("", past.action)
        and rule.currency in ("", past.currency)
        and rule.rail in ("", past.rail)
        and rule.entity in (None, past.entity)
        and (rule.amount_above_usd is None or past.usd is None or past.usd > rule.amount_above_usd)
    )


def required_count(book: Book, past: Past) -> int:
    """Return how many people a book asks for: rules of one step overlap, steps add up."""
    steps: dict[int, int] = {}
    for rule in book.rules:
        if fits(rule, past):
            steps[rule.step] = max(steps.get(rule.step, 0), rule.required_count)
    is_above = past.usd is None or past.usd > book.threshold_usd
    least = UNMATCHED if is_above or not steps else 1
    return max(sum(steps.values()), least)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A request for which two books ask for different numbers of people."""

    title: str
    before: int
    after: int


def differences(pasts: Iterable[Past], *, before: Book, after: Book) -> list[Difference]:
    """Return what `after` would have changed."""
    found = []
    for past in pasts:
        was, becomes = required_count(before, past), required_count(after, past)
        if was != becomes:
            found.append(Difference(title=past.title, before=was, after=becomes))
    return found
