"""The proof of addition."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.codecs.proof import ProofStatus, prove, prove_pages
from integrations.codecs.records import (
    AccountRef,
    EntryStatus,
    ParsedBalance,
    ParsedEntry,
    ParsedStatement,
)

DAY = date(2026, 11, 20)
CENTS = st.decimals(min_value="-1000000", max_value="1000000", places=2)


def a_balance(code: str, amount: Decimal | int, currency: str = "USD") -> ParsedBalance:
    return ParsedBalance(code=code, amount=Decimal(amount), currency=currency, on=DAY)


def a_statement(*, balances: list[ParsedBalance], amounts: list[Decimal]) -> ParsedStatement:
    entries = [
        ParsedEntry(amount=amount, currency="USD", status=EntryStatus.BOOK) for amount in amounts
    ]
    return ParsedStatement(
        statement_id="S",
        account=AccountRef(number="1"),
        currency="USD",
        balances=tuple(balances),
        entries=tuple(entries),
    )


@settings(deadline=None)
@given(st.lists(CENTS, max_size=30), CENTS)
def test_what_adds_up_is_proven_and_a_cent_more_is_not(
    amounts: list[Decimal], opening: Decimal
) -> None:
    closing = opening + sum(amounts, Decimal(0))
    right = a_statement(
        balances=[a_balance("OPBD", opening), a_balance("CLBD", closing)], amounts=amounts
    )
    assert prove(right).status is ProofStatus.PROVEN
    cent = Decimal("0.01")
    wrong = replace(right, balances=(a_balance("OPBD", opening), a_balance("CLBD", closing + cent)))
    proof = prove(wrong)
    assert proof.status is ProofStatus.DIFFERS
    assert proof.difference == cent
    assert "0.01 higher" in proof.words


def test_the_previous_closing_balance_stands_in_for_a_missing_opening() -> None:
    found = a_statement(balances=[a_balance("PRCD", 5), a_balance("CLBD", 7)], amounts=[Decimal(2)])
    assert prove(found).status is ProofStatus.PROVEN


def test_without_balances_nothing_is_proven() -> None:
    proof = prove(a_statement(balances=[], amounts=[Decimal(2)]))
    assert proof.status is ProofStatus.NO_BALANCES
    assert (proof.movements, proof.difference) == (Decimal(2), None)


def test_an_available_balance_proves_nothing() -> None:
    found = a_statement(balances=[a_balance("OPAV", 5), a_balance("CLAV", 5)], amounts=[])
    assert prove(found).status is ProofStatus.NO_BALANCES


def test_two_currencies_cannot_be_added() -> None:
    found = a_statement(
        balances=[a_balance("OPBD", 5), a_balance("CLBD", 5, currency="EUR")], amounts=[]
    )
    proof = prove(found)
    assert proof.status is ProofStatus.DIFFERS
    assert proof.difference is None
    assert "EUR, USD" in proof.words


def test_a_proof_needs_a_page() -> None:
    with pytest.raises(ValueError, match="at least one page"):
        prove_pages([])
