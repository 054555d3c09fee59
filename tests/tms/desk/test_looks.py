"""How figures and states are written."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from core.money import Money
from tms.templatetags import desk


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        ("1234567.8900", "USD", "1,234,567.89"),
        ("-1234.5", "USD", "\u22121,234.50"),
        ("1234.0000", "JPY", "1,234"),
        ("1.2345", "KWD", "1.2345"),
        ("0.0000", "EUR", "0.00"),
        ("100000000", "INR", "100,000,000.00"),
    ],
)
def test_amounts_carry_the_decimals_of_their_currency(
    amount: str, currency: str, written: str
) -> None:
    assert desk.grouped(Decimal(amount), currency) == written


def test_no_amount_is_not_zero() -> None:
    assert "0" not in desk.money(None)
    assert "not known" in desk.money(None)


def test_money_is_written_with_its_currency() -> None:
    assert desk.money(Money(Decimal(5), "GBP")) == desk.money(Decimal(5), "GBP")
    assert "GBP" in desk.money(Decimal(5), "GBP")
    assert "GBP" not in desk.figure(Decimal(5), "GBP")
    assert "money-negative" in desk.figure(Decimal(-5), "GBP")


def test_a_state_is_colour_icon_and_words() -> None:
    shown = desk.chip("SETTLED")
    assert "chip-ok" in shown
    assert "#check-circle" in shown
    assert "Settled" in shown


def test_words_from_outside_are_escaped() -> None:
    assert "<b>" not in desk.chip("OPEN", "<b>bold</b>")
    assert "<b>" not in desk.chip("<b>")


def test_times_carry_their_instant_for_the_browser() -> None:
    at = datetime(2026, 11, 21, 14, 5, tzinfo=UTC)
    assert 'datetime="2026-11-21T14:05:00+00:00"' in desk.when(at)
    assert "data-countdown" in desk.countdown(at)
    assert "data-ago" in desk.ago(at)
    assert "\u2013" in desk.ago(None)
