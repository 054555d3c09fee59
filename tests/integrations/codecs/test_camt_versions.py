"""Every version of the statements is read by local name, and says the same."""

from datetime import date
from decimal import Decimal

import pytest

from integrations.codecs.proof import ProofStatus, prove
from integrations.codecs.reading import identify, read_message
from integrations.codecs.records import EntryStatus, ParsedMessage
from integrations.dialects.reading import parse_dialect
from tests.integrations.codecs.camt_versions import UETR, VERSIONS, Layout, document

KINDS = ("052", "053", "054")
every_version = pytest.mark.parametrize(
    "layout",
    [Layout(kind=kind, version=version) for kind in KINDS for version in VERSIONS],
    ids=lambda layout: f"camt.{layout.kind}.001.{layout.version:02}",
)


def read(layout: Layout) -> ParsedMessage:
    found = read_message(document(layout))
    assert isinstance(found, ParsedMessage)
    return found


@every_version
def test_kind_and_version_are_told_from_the_names(layout: Layout) -> None:
    message = read(layout)
    assert message.kind == f"camt.{layout.kind}" == identify(document(layout))
    assert message.version == f"camt.{layout.kind}.001.{layout.version:02}"
    assert message.findings == ()


@every_version
def test_a_payment_says_the_same_in_every_version(layout: Layout) -> None:
    statement = read(layout).statements[0]
    payment = statement.entries[0]
    assert (statement.page_number, statement.last_page) == (1, True)
    assert statement.electronic_sequence == 7
    assert (payment.amount, payment.status) == (Decimal("90.00"), EntryStatus.BOOK)
    assert (payment.booking_date, payment.value_date) == (date(2026, 11, 20), date(2026, 11, 21))
    assert (payment.bank_reference, payment.end_to_end_id) == ("BANK-1", "E2E-1")
    assert payment.transaction_code == "PMNT/RCDT/XBCT"
    assert (payment.counterparty_name, payment.counterparty_account) == ("Acme Inc", "123")
    assert payment.counterparty_bic == "CHASUS33"
    assert payment.uetr == (UETR if layout.version >= 8 else None)
    assert payment.charges[0].amount == Decimal("2.00")
    assert payment.exchange is not None
    assert payment.exchange.rate == Decimal("0.92")
    assert payment.exchange.instructed_amount == Decimal("100.00")
    assert payment.remittance == "Invoice 7"


@every_version
def test_a_reversal_keeps_its_own_sign_and_says_why(layout: Layout) -> None:
    reversal = read(layout).statements[0].entries[1]
    assert (reversal.amount, reversal.is_reversal) == (Decimal("50.00"), True)
    assert reversal.booking_date == date(2026, 11, 20)
    assert (reversal.return_reason, reversal.transaction_code) == ("MD06", "PRTRY:X-99")
    assert reversal.original_transaction_code == "PMNT/IDDT/ESDD"


@every_version
def test_a_profile_may_turn_the_sign_of_reversals(layout: Layout) -> None:
    dialect = parse_dialect({"camt_reversals": "original"})
    message = read_message(document(layout), dialect=dialect)
    assert isinstance(message, ParsedMessage)
    payment, reversal = message.statements[0].entries
    assert (payment.amount, reversal.amount) == (Decimal("90.00"), Decimal("-50.00"))
    assert reversal.is_reversal


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["052", "053"])
def test_the_statement_adds_up_and_its_credit_line_is_known(kind: str, version: int) -> None:
    statement = read(Layout(kind=kind, version=version)).statements[0]
    assert prove(statement).status is ProofStatus.PROVEN
    lines = {balance.code: balance.credit_line_included for balance in statement.balances}
    assert lines == {"OPBD": None, "CLBD": None, "CLAV": Decimal("500.00")}


def test_a_version_of_the_future_is_read_as_far_as_it_is_known() -> None:
    message = read(Layout(kind="053", version=27))
    assert message.version == "camt.053.001.27"
    assert len(message.statements[0].entries) == 2
