"""Files of real banks: every one loads, or is set aside with a reason; none crashes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integrations import selectors as messages
from integrations.codecs.errors import UnreadableMessage
from integrations.codecs.reading import read_message
from integrations.codecs.records import ParsedMessage, ParsedStatement
from tests.treasury.bank.paper import arrive
from treasury.errors import AlreadyKnown
from treasury.models import BankEntry, Statement
from treasury.selectors.accounts import accounts_numbered
from treasury.selectors.invariants import invariants

FOLDER = Path(__file__).parents[4] / "shared" / "data" / "payments"
FILES = sorted(
    path
    for kind in ("camt", "mt940")
    for path in (FOLDER / kind).glob("*")
    if not path.name.startswith("EXPECTED")
)
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the bank files are not here")


def statements_in(data: bytes) -> Iterator[ParsedStatement]:
    try:
        message = read_message(data)
    except UnreadableMessage:
        return
    if isinstance(message, ParsedMessage):
        yield from message.statements


def open_what_fits(data: bytes, open_account: Any) -> None:
    for parsed in statements_in(data):
        number, currency = parsed.account.iban or parsed.account.number, parsed.currency
        known = {one.currency for one in accounts_numbered(parsed.account)}
        if not number or not currency or currency in known:
            continue
        try:
            open_account(number, label=f"{number} {currency}", currency=currency)
        except AlreadyKnown:
            raise
        except Exception as refusal:  # noqa: BLE001 - an example number with wrong check digits
            assert "IBAN" in str(refusal)  # noqa: PT017


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name[:50])
def test_a_real_file_loads_or_says_why_not(path: Path, open_account: Any) -> None:
    data = path.read_bytes()
    open_what_fits(data, open_account)
    result = arrive(data)
    message = messages.message(result.message_id)
    if result.refusals:
        assert message.state == "SET_ASIDE"
        assert len(message.reason.split()) >= 4
    else:
        assert message.state == "HANDLED"
        assert len(result.statements) == len(list(statements_in(data)))
    for statement in result.statements:
        assert statement.state == "POSTED" or statement.reason
        if statement.proof == "DIFFERS":
            assert statement.state in ("QUARANTINED", "DUPLICATE")


def test_all_files_together_leave_sound_books(open_account: Any) -> None:
    for path in FILES:
        open_what_fits(path.read_bytes(), open_account)
    for path in FILES:
        arrive(path.read_bytes())
    proven = Statement.objects.filter(proof="PROVEN", state="POSTED")
    assert proven.count() >= 15
    assert BankEntry.objects.filter(state="COUNTED").count() >= 50
    sound = {"account_overdrawn", "position_is_not_the_sum"}
    assert {one.code for one in invariants()} <= sound


def test_a_proven_file_is_shown_as_proven(open_account: Any) -> None:
    path = FOLDER / "camt" / "moov__FI_camt_053_sample.xml.xml"
    open_what_fits(path.read_bytes(), open_account)
    (statement,) = arrive(path.read_bytes()).statements
    assert (statement.state, statement.proof) == ("POSTED", "PROVEN")
