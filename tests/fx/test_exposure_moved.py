"""What was reinstructed counts on the day and account of its new legs: exposure and the ladder."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from core import clock
from fx.models import Deal
from fx.selectors import exposure, ladder
from fx.services import instructing
from tests.fx.conftest import NOW
from tests.fx.dealing import another_account
from tests.fx.settling import D, Settling, book, follow, fresh, leg, say
from tests.treasury.movement.conftest import put_balance
from tests.treasury.sweeps.test_batching import put_entry

FRIDAY, MONDAY = date(2026, 11, 20), date(2026, 11, 23)
ONE_DAY = timedelta(days=1)


def moved(settles: Settling, side: str) -> Deal:
    """Return a deal of a million dollars that failed on Friday and is paid on Monday."""
    deal = settles.sent(side=side)
    assert hedged(0) == (D(85_000_000) if side == "SELL" else D(-85_000_000))
    say(deal, "RJCT", "AC04")
    deal = follow(deal)
    assert (deal.state, hedged(0)) == ("FAILED", D(0))
    with clock.frozen(NOW + 3 * ONE_DAY):
        instructing.reinstruct_deal(
            deal_id=deal.pk, actor=settles.desk.back_office, reason="Their account was closed"
        )
    deal = fresh(deal)
    assert (deal.state, deal.value_date) == ("CONFIRMED", FRIDAY)
    assert {leg(deal, 1).value_date, leg(deal, 2).value_date} == {MONDAY}
    return deal


def hedged(days: int) -> Decimal:
    now = NOW + days * ONE_DAY
    return exposure.of_currency("INR", now=now).exposure.hedged


@pytest.mark.parametrize(("side", "amount"), [("SELL", 85_000_000), ("BUY", -85_000_000)])
def test_a_reinstructed_deal_counts_on_its_new_day_alone(
    settles: Settling, side: str, amount: int
) -> None:
    moved(settles, side)
    assert hedged(0) == 0
    assert hedged(3) == amount
    assert hedged(5) == 0


def test_on_its_new_day_it_counts_until_it_is_booked(settles: Settling) -> None:
    deal = moved(settles, "SELL")
    with clock.frozen(NOW + 3 * ONE_DAY):
        put_entry(leg(deal, 2).account, "84999999.00", "BOOK", announced=False)
        assert hedged(3) == 85_000_000
        book(leg(deal, 2))
        assert hedged(3) == 0
        follow(deal)
        assert (leg(deal, 2).state, hedged(3)) == ("SETTLED", D(0))


def test_the_ladder_has_it_on_its_new_day(settles: Settling) -> None:
    moved(settles, "SELL")
    found = [(one.day, one.currency, one.net) for one in ladder.ladder(now=NOW + ONE_DAY)]
    assert found == [(MONDAY, "INR", D(85_000_000)), (MONDAY, "USD", D(-1_000_000))]


def test_money_on_another_account_of_ours_is_looked_for_there(settles: Settling) -> None:
    ours = settles.desk.accounts["INR"]
    other = another_account(settles.desk, "INR", "Second", "4010000099")
    put_balance(other, "0.00")
    deal = settles.confirmed(side="SELL")
    instructing.replace_legs(
        deal_id=deal.pk,
        actor=settles.desk.back_office,
        reason="Our own account changed",
        receive_account=other.pk,
    )
    put_entry(ours, "85000000.00", "BOOK", announced=False)
    assert hedged(0) == 85_000_000
    put_entry(other, "85000000.00", "BOOK", announced=False)
    assert hedged(0) == 0
