"""The arithmetic of prefunding and the meaning of bank statuses, against the written vectors."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Invalid
from core.money import smallest_unit
from integrations.dialects.writing import RAIL_TERMS
from treasury.engine.prefunding import (
    Need,
    Source,
    Terms,
    choose_source,
    local_day,
    shortfall_of,
    top_up_is_advised,
    transfer_amount,
)
from treasury.engine.rails import PROFILES, profile, rail_for

TEN_PERCENT = Terms(buffer=Decimal("0.10"))
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("required", "available", "expected"),
    [
        ("10000000.00", "7500000.00", "2750000.00"),
        ("100", "60", "44.00"),
        ("60", "100", "0"),
        ("100", "99.99", "0.02"),
        ("100", "-50", "165.00"),
    ],
)
def test_the_buffer_multiplies_the_shortfall_and_rounds_up(
    required: str, available: str, expected: str
) -> None:
    """Vectors of domain 4.2 and 12.2 (RDA)."""
    need = Need(currency="INR", required=Decimal(required), available=Decimal(available))
    amount = transfer_amount(shortfall=shortfall_of(need), currency="INR", terms=TEN_PERCENT)
    assert amount == Decimal(expected)


def test_without_a_buffer_the_transfer_is_the_shortfall() -> None:
    amount = transfer_amount(
        shortfall=Decimal("123.45"), currency="USD", terms=Terms(buffer=Decimal(0))
    )
    assert amount == Decimal("123.45")


def test_a_small_transfer_is_raised_to_the_minimum_and_a_multiple() -> None:
    terms = Terms(buffer=Decimal(0), minimum=Decimal(500), multiple=Decimal(1_000))
    assert transfer_amount(shortfall=Decimal(1), currency="INR", terms=terms) == Decimal(1_000)


@pytest.mark.parametrize("wrong", ["-1", "NaN", "Infinity"])
def test_an_impossible_shortfall_is_refused(wrong: str) -> None:
    with pytest.raises(Invalid):
        transfer_amount(shortfall=Decimal(wrong), currency="INR", terms=TEN_PERCENT)


@given(
    shortfall=st.decimals(min_value="0.0001", max_value="9999999999", places=4),
    currency=st.sampled_from(["USD", "JPY", "KWD", "INR"]),
)
def test_a_transfer_covers_the_buffered_shortfall_by_less_than_one_unit(
    shortfall: Decimal, currency: str
) -> None:
    amount = transfer_amount(shortfall=shortfall, currency=currency, terms=TEN_PERCENT)
    wanted = shortfall * Decimal("1.10")
    assert wanted <= amount < wanted + smallest_unit(currency)
    assert amount == amount.quantize(smallest_unit(currency))


def _source(account: str, bank: str, surplus: int, until: datetime | None = None) -> Source:
    return Source(account=account, bank=bank, surplus=Decimal(surplus), lands_until=until, rail="X")


def test_the_same_bank_pays_before_a_richer_account_elsewhere() -> None:
    sources = [_source("rich", "B", 900), _source("near", "A", 500)]
    choice = choose_source(sources, amount=Decimal(400), bank="A", now=NOW)
    assert choice is not None
    assert (choice.source.account, choice.left) == ("near", Decimal(100))


def test_no_source_is_drained_below_its_own_need() -> None:
    assert choose_source([_source("a", "A", 399)], amount=Decimal(400), bank="A", now=NOW) is None


def test_a_rail_that_cannot_land_any_more_does_not_count() -> None:
    gone = _source("gone", "B", 900, until=NOW)
    late = _source("late", "B", 500, until=datetime(2026, 11, 24, 9, 1, tzinfo=UTC))
    choice = choose_source([gone, late], amount=Decimal(400), bank="A", now=NOW)
    assert choice is not None
    assert choice.source.account == "late"


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        (datetime(2026, 11, 24, 18, 29, 59, tzinfo=UTC), date(2026, 11, 24)),
        (datetime(2026, 11, 24, 18, 30, 0, tzinfo=UTC), date(2026, 11, 25)),
        (datetime(2026, 11, 24, 1, 0, tzinfo=UTC), date(2026, 11, 24)),
        (datetime(2026, 11, 24, 17, 0, tzinfo=UTC), date(2026, 11, 24)),
    ],
)
def test_the_day_of_a_shortfall_is_the_day_in_its_currencys_centre(
    instant: datetime, day: date
) -> None:
    """Vectors of domain 12.2 (DEDUPE)."""
    assert local_day(currency="INR", occurred_at=instant) == day


def test_by_utc_the_same_instants_share_one_day() -> None:
    instant = datetime(2026, 11, 24, 18, 30, tzinfo=UTC)
    assert local_day(currency="INR", occurred_at=instant, by="UTC") == date(2026, 11, 24)


def test_a_top_up_needs_more_than_the_threshold() -> None:
    terms = {"threshold": Decimal("0.10"), "minimum": Decimal(0)}
    assert not top_up_is_advised(first=Decimal(100), later=Decimal(110), **terms)
    assert top_up_is_advised(first=Decimal(100), later=Decimal("110.01"), **terms)


def test_each_currency_has_its_rail_and_one_bank_needs_none() -> None:
    rails = {code: rail_for(currency=code, same_bank=False) for code in ("USD", "GBP", "EUR")}
    assert rails == {"USD": "FEDWIRE", "GBP": "CHAPS", "EUR": "T2"}
    assert rail_for(currency="USD", same_bank=True) == "BOOK"
    with pytest.raises(Invalid):
        rail_for(currency="CHF", same_bank=False)
    with pytest.raises(Invalid):
        profile("PIGEON")


def test_charges_never_shorten_a_prefunding() -> None:
    assert set(PROFILES) <= set(RAIL_TERMS)
    assert "CRED" not in {terms.charge_bearer for terms in RAIL_TERMS.values()}
