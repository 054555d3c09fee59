"""Static data: numbers are checked, kept secret, and found again."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from core.errors import Invalid
from core.money import Money
from integrations.codecs.records import AccountRef
from tests.treasury.bank.conftest import NOW
from tests.treasury.bank.paper import IBAN
from treasury.errors import AlreadyKnown, RateRefused
from treasury.models import BankAccount, UsdRate
from treasury.selectors import accounts
from treasury.services import rates, static


@pytest.mark.parametrize(
    "number",
    [
        "DE89 3704 0044 0532 0130 00",
        "GB29NWBK60161331926819",
        "AE070331234567890123456",
        "FR1420041010050500013M02606",
    ],
)
def test_an_iban_is_accepted(open_account: Any, number: str) -> None:
    account = open_account(number)
    assert account.is_iban
    assert account.number == number.replace(" ", "")
    assert account.number_hint == account.number[-4:]


@pytest.mark.parametrize(
    "number",
    [
        "DE89370400440532013001",
        "GB29NWBK60161331926810",
        "AE07033123456789012345",
        "IN12345678901234567",
    ],
)
def test_a_wrong_iban_is_refused(open_account: Any, number: str) -> None:
    with pytest.raises(Invalid):
        open_account(number)
    assert not BankAccount.objects.exists()


def us_bank() -> Any:
    return static.create_bank(bic="CHASUS33", name="Chase")


@pytest.mark.parametrize(
    ("number", "aba", "holds"),
    [
        ("0123456789", "021000021", True),
        ("0123456789", "021000022", False),
        ("0123456789", "", False),
        ("12", "021000021", False),
    ],
)
def test_a_us_account_has_an_aba_number(
    open_account: Any, number: str, aba: str, holds: bool
) -> None:
    facts: dict[str, Any] = {
        "bank": us_bank(), "currency": "USD", "clearing_code": aba, "timezone": "America/New_York",
    }  # fmt: skip
    if holds:
        assert not open_account(number, **facts).is_iban
        return
    with pytest.raises(Invalid):
        open_account(number, **facts)


@pytest.mark.parametrize(
    ("ifsc", "holds"), [("HDFC0000001", True), ("HDFC1000001", False), ("", False)]
)
def test_an_indian_account_has_an_ifsc(open_account: Any, ifsc: str, holds: bool) -> None:
    bank = static.create_bank(bic="HDFCINBB", name="HDFC")
    facts: dict[str, Any] = {
        "bank": bank, "currency": "INR", "clearing_code": ifsc, "timezone": "Asia/Kolkata",
    }  # fmt: skip
    if holds:
        assert open_account("50100123456789", **facts).clearing_code == ifsc
        return
    with pytest.raises(Invalid):
        open_account("50100123456789", **facts)


@pytest.mark.parametrize("bic", ["1234DEFF", "DEUTDE", "XXXXXXXXXXXX"])
def test_a_wrong_bic_is_refused(tenant: Any, bic: str) -> None:
    with pytest.raises(Invalid):
        static.create_bank(bic=bic, name="x")


def test_a_wrong_lei_is_refused(tenant: Any) -> None:
    wish = static.EntityIn(name="x", lei="5493001KJTIIGC8Y1R13", town="London", country="GB")
    with pytest.raises(Invalid):
        static.create_entity(entity=wish)


@pytest.mark.parametrize(
    "change",
    [
        {"timezone": "Nowhere"},
        {"currency": "eur"},
        {"min_balance": Decimal(-1)},
        {"overdraft_limit": Decimal("NaN")},
    ],
)
def test_terms_that_cannot_be_are_refused(open_account: Any, change: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        open_account(IBAN, **change)


def test_number_and_currency_are_unique_and_one_number_may_have_two_currencies(
    open_account: Any,
) -> None:
    open_account(IBAN, label="one")
    open_account(IBAN, label="two", currency="USD")
    with pytest.raises(AlreadyKnown):
        open_account(IBAN, label="three")


def test_the_database_holds_no_readable_number(
    account: BankAccount, owner_connection: psycopg.Connection[Any]
) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        for table in ("treasury_bankaccount", "treasury_historicalbankaccount", "core_auditentry"):
            cursor.execute(f"SELECT string_agg(t::text, ' ') FROM {table} t")
            assert IBAN not in (cursor.fetchone()[0] or "")


@pytest.mark.parametrize(
    ("ref", "found"),
    [
        (AccountRef(iban=IBAN, currency="EUR"), True),
        (AccountRef(iban=IBAN), True),
        (AccountRef(number=f"COBADEFF/{IBAN}", currency="EUR"), True),
        (AccountRef(number=IBAN.lower()), True),
        (AccountRef(iban=IBAN, currency="USD"), False),
        (AccountRef(number="0532013000"), False),
        (AccountRef(), False),
    ],
)
def test_an_account_is_found_as_banks_write_it(
    account: BankAccount, ref: AccountRef, found: bool
) -> None:
    assert (accounts.find_account(ref) == account) is found


@pytest.mark.parametrize("written", ["1234567", "0001234567", "10020030/1234567", "12.34.567"])
def test_a_local_number_is_found_with_zeros_separators_and_bank_codes(
    open_account: Any, written: str
) -> None:
    ours = open_account("1234567")
    assert accounts.find_account(AccountRef(number=written, currency="EUR")) == ours


def test_a_rate_is_recorded_once(tenant: Any) -> None:
    facts: dict[str, Any] = {"currency": "EUR", "as_of": NOW, "source": "ecb"}
    rates.record_usd_rate(usd_per_unit=Decimal("1.10"), **facts)
    rates.record_usd_rate(usd_per_unit=Decimal("1.10"), **facts)
    assert UsdRate.objects.count() == 1
    with pytest.raises(RateRefused):
        rates.record_usd_rate(usd_per_unit=Decimal("1.20"), **facts)


@pytest.mark.parametrize("rate", ["0", "-1", "NaN", "Infinity", "1e-12", "10000000"])
def test_an_impossible_rate_is_refused(tenant: Any, rate: str) -> None:
    with pytest.raises(Invalid):
        rates.record_usd_rate(currency="EUR", usd_per_unit=Decimal(rate), as_of=NOW, source="ecb")


def test_a_dollar_is_a_dollar_and_a_missing_rate_is_nothing(tenant: Any) -> None:
    dollars = accounts.usd_equivalent(money=Money(Decimal(5), "USD"), now=NOW)
    assert (dollars.amount, dollars.rate) == (Decimal(5), Decimal(1))
    assert accounts.usd_equivalent(money=Money(Decimal(5), "EUR"), now=NOW).amount is None
    rates.record_usd_rate(
        currency="EUR", usd_per_unit=Decimal("1.1"), as_of=NOW - timedelta(hours=25), source="t"
    )
    assert accounts.usd_equivalent(money=Money(Decimal(5), "EUR"), now=NOW).amount is None
    rates.record_usd_rate(
        currency="EUR", usd_per_unit=Decimal("1.2"), as_of=NOW + timedelta(hours=1), source="t"
    )
    assert accounts.usd_equivalent(money=Money(Decimal(5), "EUR"), now=NOW).amount is None
