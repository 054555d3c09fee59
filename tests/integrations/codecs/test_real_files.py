"""Files that other people's banks and tools wrote: each is read, or refused with a reason.

Two witnesses outside our code: the results another reader of MT940 published beside its samples,
and the plain sum of a camt file's amounts.
"""

import base64
import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from lxml import etree

from integrations.codecs.camt029 import RecallReport
from integrations.codecs.errors import UnreadableMessage
from integrations.codecs.pain001 import validate_schema
from integrations.codecs.proof import ProofStatus, prove
from integrations.codecs.reading import identify, read_message
from integrations.codecs.records import ParsedMessage, ParsedStatement, StatusReport

REPOSITORY = Path(__file__).resolve().parents[3]
PAYMENTS = REPOSITORY.parent / "shared" / "data" / "payments"
FOLDERS = ("camt", "mt940", "bai2", "invalid", "pain")
PREFIX = "EXPECTED__"

pytestmark = pytest.mark.skipif(
    not PAYMENTS.is_dir(), reason="The collection of real files is not beside the project."
)


def files(*folders: str) -> list[Path]:
    return [
        path
        for folder in folders
        for path in sorted((PAYMENTS / folder).glob("*"))
        if path.suffix != ".yml"
    ]


def outcome(path: Path) -> ParsedMessage | StatusReport | RecallReport | UnreadableMessage:
    try:
        return read_message(path.read_bytes())
    except UnreadableMessage as refusal:
        return refusal


@pytest.mark.parametrize("path", files(*FOLDERS), ids=lambda path: path.name)
def test_each_file_is_read_or_refused_with_a_reason(path: Path) -> None:
    found = outcome(path)
    if isinstance(found, UnreadableMessage):
        assert found.code
        assert found.message.endswith(".")
        return
    assert identify(path.read_bytes()) is found.kind
    if isinstance(found, ParsedMessage):
        assert found.statements
        for statement in found.statements:
            assert prove(statement).words


Witnessed = tuple[Decimal, date, date | None]


def _witnessed_day(block: str, name: str) -> date | None:
    match = re.search(rf"^    {name}: .*Date\n    - !!binary \|\n      (\S+)", block, re.MULTILINE)
    if match is None:
        return None
    century, year, month, day = base64.b64decode(match[1])
    return date(century * 256 + year, month, day)


def witnessed(document: str) -> list[Witnessed]:
    """Return amount, value date and entry date of each movement the other reader found."""
    found: list[Witnessed] = []
    for block in document.split("- !!python/object:mt940.models.Transaction\n")[1:]:
        amount = re.search(r"^    amount: .*\n.*\n      - '(.*)'", block, re.MULTILINE)
        value = _witnessed_day(block, "date")
        assert amount is not None
        assert value is not None
        found.append((Decimal(amount[1]), value, _witnessed_day(block, "guessed_entry_date")))
    return found


@pytest.mark.parametrize(
    "results", sorted((PAYMENTS / "mt940").glob(f"{PREFIX}*")), ids=lambda path: path.stem
)
def test_another_reader_of_mt940_saw_the_same_movements(results: Path) -> None:
    stem = results.stem.removeprefix(PREFIX)
    (source,) = (PAYMENTS / "mt940").glob(f"{stem}.*")
    found = outcome(source)
    if not isinstance(found, ParsedMessage):
        # Fragments: single fields without an account or a currency, which we do not guess.
        assert isinstance(found, UnreadableMessage)
        assert found.code in {"account_missing", "currency_missing", "kind_unknown"}
        return
    ours = [entry for statement in found.statements for entry in statement.entries]
    theirs = witnessed(results.read_text())
    assert [(entry.amount, entry.value_date) for entry in ours] == [
        (amount, value) for amount, value, _ in theirs
    ]
    for entry, (_, _, booked) in zip(ours, theirs, strict=True):
        assert booked is None or entry.booking_date == booked


def _plain_amount(element: etree._Element) -> Decimal:
    amount = Decimal(element.xpath("string(*[local-name()='Amt'])"))
    is_debit = element.xpath("string(*[local-name()='CdtDbtInd'])") == "DBIT"
    return -amount if is_debit else amount


def plainly_adds_up(statement: etree._Element) -> bool | None:
    """Say whether opening + booked = closing, in one currency; None without both balances."""
    balances: dict[str, Decimal] = {}
    for element in statement.xpath("*[local-name()='Bal']"):
        balances[element.xpath("string(.//*[local-name()='Cd'])")] = _plain_amount(element)
    opening = balances.get("OPBD", balances.get("PRCD"))
    if opening is None or "CLBD" not in balances:
        return None
    entries = [
        element
        for element in statement.xpath("*[local-name()='Ntry']")
        if element.xpath("normalize-space(*[local-name()='Sts'])") == "BOOK"
    ]
    booked = statement.xpath(
        "(*[local-name()='Bal'][contains('OPBD PRCD CLBD', .//*[local-name()='Cd'])]"
        " | *[local-name()='Ntry'])/*[local-name()='Amt']/@Ccy"
    )
    total = sum((_plain_amount(element) for element in entries), opening)
    return len(set(booked)) == 1 and total == balances["CLBD"]


@pytest.mark.parametrize("path", files("camt"), ids=lambda path: path.name)
def test_a_plain_sum_agrees_with_the_proof(path: Path) -> None:
    found = outcome(path)
    if not isinstance(found, ParsedMessage):
        return
    document = etree.fromstring(path.read_bytes())
    nodes = document.xpath(
        "//*[local-name()='Stmt' or local-name()='Rpt' or local-name()='Ntfctn']"
    )
    told: list[bool | None] = [plainly_adds_up(node) for node in nodes]
    assert [_status(statement) for statement in found.statements] == told


def _status(statement: ParsedStatement) -> bool | None:
    status = prove(statement).status
    return None if status is ProofStatus.NO_BALANCES else status is ProofStatus.PROVEN


def test_the_files_of_others_agree_with_the_schema_we_check_against() -> None:
    orders = PAYMENTS / "pain"
    assert validate_schema((orders / "pain001_four_payments.xml").read_bytes()) == ()
    assert validate_schema((orders / "pain001_broken_ctrlsum.xml").read_bytes()) == ()
    assert validate_schema((orders / "moov__sepa_payment_naujas_1.xml").read_bytes()) == ()
