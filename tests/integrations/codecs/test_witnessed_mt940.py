"""Another reader of MT940 published what it found in each of its samples: field by field the same.

Its results are YAML with the tags of its own classes, read here as plain text and numbers. Where it
keeps raw text (field 86 without structure), every word of it must be somewhere in ours.
"""

import re
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
import yaml

from integrations.codecs.errors import UnreadableMessage
from integrations.codecs.reading import read_message
from integrations.codecs.records import ParsedBalance, ParsedEntry, ParsedMessage
from integrations.dialects.reading import parse_dialect
from tests.integrations.codecs.test_real_files import PAYMENTS, PREFIX

FOLDER = PAYMENTS / "mt940"
NO_REFERENCE = {"", "NONREF", "None"}
MARKS = {"C": (1, False), "D": (-1, False), "RC": (-1, True), "RD": (1, True)}
BALANCES = {
    "final_opening_balance": ("OPBD", min),
    "final_closing_balance": ("CLBD", max),
    "available_balance": ("CLAV", max),
    "forward_available_balance": ("FWAV", max),
}
# Fragments: single fields without an account or a currency, which we do not guess.
FRAGMENTS = {"account_missing", "currency_missing", "kind_unknown"}
# The file's own encoding, which the other reader was told too.
ENCODINGS = {"self-provided__raiffeisen-cmi": "cp852"}
# Ten digits without a slash are one long number to us, not a number and a page: a page 18101 would
# wait for 18,100 others.
UNCUT_NUMBERS = {"self-provided__long_statement_number"}

pytestmark = pytest.mark.skipif(
    not PAYMENTS.is_dir(), reason="The collection of real files is not beside the project."
)


class _Tags(yaml.SafeLoader):
    """Reads objects of unknown classes as mappings, sequences and scalars."""


def _plain(loader: _Tags, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return None


_Tags.add_multi_constructor("tag:yaml.org,2002:python/", _plain)


@cache
def witness(stem: str) -> dict[str, Any]:
    """Return what the other reader found, without the way back from a transaction to its file."""
    text = (FOLDER / f"{PREFIX}{stem}.yml").read_text(encoding="utf-8")
    cut = re.sub(r"^  transactions: \*id\d+$", "", text, flags=re.MULTILINE)
    found: dict[str, Any] = yaml.load(cut, _Tags)  # noqa: S506 - a safe loader with tags as text
    return found


@cache
def ours(stem: str) -> ParsedMessage | UnreadableMessage:
    (source,) = FOLDER.glob(f"{stem}.*")
    dialect = parse_dialect({"encoding": ENCODINGS.get(stem, "")})
    try:
        found = read_message(source.read_bytes(), dialect=dialect)
    except UnreadableMessage as refusal:
        return refusal
    assert isinstance(found, ParsedMessage)
    return found


def _stems() -> list[str]:
    return sorted(path.stem.removeprefix(PREFIX) for path in FOLDER.glob(f"{PREFIX}*"))


def _entries(message: ParsedMessage) -> list[ParsedEntry]:
    return [entry for statement in message.statements for entry in statement.entries]


def _amount(told: dict[str, Any]) -> Decimal:
    return Decimal(told["amount"][0])


def _day(told: list[bytes] | None) -> date | None:
    if not told:
        return None
    century, year, month, day = told[0]
    return date(century * 256 + year, month, day)


def _said(value: object) -> str:
    """Return text without the blanks that wrapping puts in or takes out."""
    text = re.sub(r"\s", "", str(value or ""))
    return "" if text in NO_REFERENCE else text


def _agree(entry: ParsedEntry, told: dict[str, Any]) -> dict[str, tuple[object, object]]:
    """Return the fields in which an entry differs from the witness."""
    sign, reversal = MARKS[told["status"]]
    booked = _day(told.get("guessed_entry_date"))
    pairs: dict[str, tuple[object, object]] = {
        "amount": (entry.amount, _amount(told["amount"])),
        "sign": (entry.amount == 0 or (entry.amount > 0) == (sign > 0), True),
        "reversal": (entry.is_reversal, reversal),
        "value date": (entry.value_date, _day(told["date"])),
        "entry date": (entry.booking_date, booked or entry.booking_date),
        "type": ((entry.transaction_code or "PRTRY:")[6:10], (told.get("id") or "").strip()),
        "bank reference": (_said(entry.bank_reference), _said(told.get("bank_reference"))),
    }
    # Of some structures the other reader leaves the text as it is, where we read on.
    ours_by_name = {
        "customer_reference": entry.instruction_id,
        "applicant_iban": entry.counterparty_account,
        "applicant_bin": entry.counterparty_bic,
        "applicant_name": entry.counterparty_name,
        "transaction_code": (entry.transaction_code or "").partition("+")[2],
        "end_to_end_reference": entry.end_to_end_id,
    }
    for name, value in ours_by_name.items():
        if _said(told.get(name)):
            pairs[name] = (_said(value), _said(told[name]))
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


@pytest.mark.parametrize("stem", _stems())
def test_every_movement_agrees_field_by_field(stem: str) -> None:
    found, told = ours(stem), witness(stem)
    if isinstance(found, UnreadableMessage):
        assert found.code in FRAGMENTS
        return
    entries = _entries(found)
    assert len(entries) == len(told["transactions"])
    pairs = zip(entries, told["transactions"], strict=True)
    differences = [
        (number, differing)
        for number, (entry, one) in enumerate(pairs)
        if (differing := _agree(entry, one["data"]))
    ]
    assert differences == []


@pytest.mark.parametrize("stem", _stems())
def test_no_word_of_the_narrative_is_lost(stem: str) -> None:
    found, told = ours(stem), witness(stem)
    if isinstance(found, UnreadableMessage):
        return
    for entry, one in zip(_entries(found), told["transactions"], strict=True):
        everything = _said(
            f"{entry.remittance}{entry.additional_info}{entry.counterparty_name}"
            f"{entry.counterparty_account}{entry.counterparty_bic}{entry.end_to_end_id}"
        )
        for name in ("extra_details", "posting_text", "purpose"):
            assert _said(one["data"].get(name)) in everything, name


def _stated(message: ParsedMessage, code: str) -> list[ParsedBalance]:
    # The other reader keeps the last one of a kind that it met.
    pages = [one for one in message.statements if any(b.code == code for b in one.balances)]
    return [b for b in pages[-1].balances if b.code == code] if pages else []


@pytest.mark.parametrize("stem", _stems())
def test_balances_numbers_and_account_agree(stem: str) -> None:
    found, told = ours(stem), witness(stem)["data"]
    if isinstance(found, UnreadableMessage):
        return
    last = found.statements[-1]
    assert _said(last.account.iban or last.account.number) in _said(told["account_identification"])
    assert last.statement_id == told.get("transaction_reference", last.statement_id)
    if (told.get("statement_number") or "").isdigit() and stem not in UNCUT_NUMBERS:
        assert last.electronic_sequence == int(told["statement_number"])
    if (told.get("sequence_number") or "").isdigit() and stem not in UNCUT_NUMBERS:
        assert last.page_number == int(told["sequence_number"])
    for name, (code, pick) in BALANCES.items():
        # One file leaves the currency out, and the other reader takes digits for it.
        if name in told and told[name]["amount"]["currency"].isalpha():
            balances = _stated(found, code)
            assert balances, name
            chosen = pick(balances, key=lambda balance: balance.on)
            side = MARKS[told[name]["status"]][0]
            assert chosen.amount == side * abs(_amount(told[name]["amount"])), name
            assert chosen.currency == told[name]["amount"]["currency"], name
            assert chosen.on == _day(told[name]["date"]), name
