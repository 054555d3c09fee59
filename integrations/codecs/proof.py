"""The proof of addition: opening balance plus booked entries must be the closing balance.

A statement that does not add up is not posted: something is missing, doubled or changed.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from integrations.codecs.records import Carried, EntryStatus, ParsedBalance, ParsedStatement


class ProofStatus(StrEnum):
    PROVEN = "proven"
    DIFFERS = "differs"
    NO_BALANCES = "no_balances"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """`difference` is closing - (opening + movements); None where it cannot be stated."""

    status: ProofStatus
    opening: Decimal | None
    movements: Decimal
    closing: Decimal | None
    difference: Decimal | None
    words: str


def prove(statement: ParsedStatement) -> Proof:
    """Prove one statement, or one page of it between its page-break balances."""
    return prove_pages([statement])


def prove_pages(pages: Sequence[ParsedStatement]) -> Proof:
    """Prove the pages of one statement, given in order: every page, and every seam between two.

    Raises:
        ValueError: no page was given.
    """
    if not pages:
        raise ValueError("A proof needs at least one page.")
    movements = _booked(*pages)
    opening, closing = opening_balance(pages[0]), closing_balance(pages[-1])
    contradictions = " ".join(dict.fromkeys(page.contradiction for page in pages)).strip()
    if contradictions:
        return _proof(ProofStatus.DIFFERS, opening, movements, closing, contradictions)
    broken = _broken_inside(pages)
    if broken is not None:
        return broken
    if opening is None or closing is None:
        missing = "opening" if opening is None else "closing"
        words = f"The bank sent no {missing} booked balance, so nothing can be proven."
        return _proof(ProofStatus.NO_BALANCES, opening, movements, closing, words)
    difference = closing.amount - (opening.amount + movements)
    if difference:
        return _proof(
            ProofStatus.DIFFERS, opening, movements, closing, _difference_words(difference)
        )
    words = (
        f"{opening.amount} {opening.currency} plus booked movements of {movements}"
        f" is {closing.amount}."
    )
    return _proof(ProofStatus.PROVEN, opening, movements, closing, words)


def _broken_inside(pages: Sequence[ParsedStatement]) -> Proof | None:
    """Return the refusal of a page or of a seam between two, if there is one."""
    for page in pages:
        shortfall = _differing_page(page)
        if shortfall is not None:
            return shortfall
    for earlier, later in itertools.pairwise(pages):
        seam = _broken_seam(earlier, later)
        if seam is not None:
            return seam
    return None


def opening_balance(statement: ParsedStatement) -> ParsedBalance | None:
    """Return the balance the entries start from: OPBD, else PRCD, else the page before's."""
    for code in ("OPBD", "PRCD"):
        found = [balance for balance in statement.balances if balance.code == code]
        if found:
            return min(found, key=lambda balance: balance.on)
    return _carried(statement, Carried.FROM)


def closing_balance(statement: ParsedStatement) -> ParsedBalance | None:
    """Return the balance the entries end at: CLBD, else the one carried to the next page."""
    found = [balance for balance in statement.balances if balance.code == "CLBD"]
    if found:
        return max(found, key=lambda balance: balance.on)
    return _carried(statement, Carried.TO)


def _carried(statement: ParsedStatement, side: Carried) -> ParsedBalance | None:
    return next((balance for balance in statement.balances if balance.carried is side), None)


def _booked(*pages: ParsedStatement) -> Decimal:
    return sum(
        (
            entry.amount
            for page in pages
            for entry in page.entries
            if entry.status is EntryStatus.BOOK
        ),
        Decimal(0),
    )


def _differing_page(page: ParsedStatement) -> Proof | None:
    """Return the refusal of a single page, if its own balances already contradict it."""
    opening, closing = opening_balance(page), closing_balance(page)
    if opening is None or closing is None:
        return None
    movements = _booked(page)
    currencies = {opening.currency, closing.currency}
    currencies.update(e.currency for e in page.entries if e.status is EntryStatus.BOOK)
    if len(currencies) > 1:
        words = f"The statement mixes {', '.join(sorted(currencies))}; it cannot be added up."
        return Proof(
            status=ProofStatus.DIFFERS,
            opening=opening.amount,
            movements=movements,
            closing=closing.amount,
            difference=None,
            words=words,
        )
    difference = closing.amount - (opening.amount + movements)
    if not difference:
        return None
    return _proof(ProofStatus.DIFFERS, opening, movements, closing, _difference_words(difference))


def _broken_seam(earlier: ParsedStatement, later: ParsedStatement) -> Proof | None:
    left, right = closing_balance(earlier), opening_balance(later)
    if left is None or right is None:
        return None
    if (left.amount, left.currency) == (right.amount, right.currency):
        return None
    words = (
        f"A page ends with {left.amount} {left.currency},"
        f" the next one starts with {right.amount} {right.currency}."
    )
    return Proof(
        status=ProofStatus.DIFFERS,
        opening=right.amount,
        movements=Decimal(0),
        closing=left.amount,
        difference=left.amount - right.amount if left.currency == right.currency else None,
        words=words,
    )


def _difference_words(difference: Decimal) -> str:
    if difference > 0:
        return f"The closing balance is {difference} higher than the entries explain."
    return f"The closing balance is {-difference} lower than the entries explain."


def _proof(
    status: ProofStatus,
    opening: ParsedBalance | None,
    movements: Decimal,
    closing: ParsedBalance | None,
    words: str,
) -> Proof:
    difference = None
    if opening is not None and closing is not None:
        difference = closing.amount - (opening.amount + movements)
    return Proof(
        status=status,
        opening=None if opening is None else opening.amount,
        movements=movements,
        closing=None if closing is None else closing.amount,
        difference=difference,
        words=words,
    )
