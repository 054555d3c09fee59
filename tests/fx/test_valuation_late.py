"""Results that come late: of deals that ended otherwise, and of those that nobody realised."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from core import clock
from fx.models import Deal, PnlEntry, RevaluationRun
from fx.selectors import valuation as reads
from fx.selectors.curves import Market
from fx.services import closing, fixing, instructing, valuing
from tests.conftest import MakeUser
from tests.fx.conftest import NOW, Quoted
from tests.fx.settling import D, Settling, book, follow, fresh, leg, say
from tests.fx.test_closing import approve_cancel, ndf, on_its_fixing_day
from tests.fx.test_deals_guards import sql

ONE_DAY = timedelta(days=1)


def realised() -> list[tuple[date, Decimal | None, Decimal]]:
    found = PnlEntry.objects.filter(kind="REALISED").order_by("booked_at")
    return [(one.day, one.rate, one.amount_usd) for one in found]


def delivered(settles: Settling) -> Deal:
    """Return a deal of a million dollars, sold at 85 and settled today, that nobody realised."""
    deal = settles.sent(side="SELL")
    book(leg(deal, 1))
    book(leg(deal, 2))
    deal = follow(deal)
    assert (deal.state, realised()) == ("SETTLED", [])
    return deal


def difference_paid(settles: Settling) -> Deal:
    """Return an NDF whose difference was paid today, with its result booked."""
    deal = ndf(settles, side="SELL")
    with clock.frozen(on_its_fixing_day(deal)):
        fixing.fix_deal(deal_id=deal.pk, rate=D(86), said_by="FBIL", actor=settles.desk.back_office)
    with clock.frozen(datetime.combine(deal.value_date, NOW.timetz())):
        assert instructing.instruct_deal(deal_id=deal.pk)
        settles.approve(deal)
        deal = settles.send(deal)
        book(leg(deal, 1))
        assert follow(deal).state == "SETTLED"
    return fresh(deal)


def test_a_cancelled_deal_keeps_no_realised_result(
    settles: Settling, user_with: MakeUser, quoted: Quoted
) -> None:
    """Paid, realised, returned by the bank, and cancelled by both: no run ever valued it."""
    second = user_with("treasury_checker", name="second")
    deal = difference_paid(settles)
    paid = leg(deal, 1)
    with clock.frozen(datetime.combine(deal.value_date, NOW.timetz()) + timedelta(hours=1)):
        quoted("USD/INR", "85.9950", "86.0050")
        assert valuing.realise_settled(deal_id=deal.pk, settled_on=deal.value_date)
        valuing.revalue(at=clock.now())
        book(paid, str(paid.amount), end_to_end_id=paid.reference, return_reason="AC04")
        assert follow(deal).state == "FAILED"
        made = closing.ask_to_cancel(
            deal_id=deal.pk, evidence="mail", actor=settles.desk.back_office
        )
        approve_cancel(settles, made, settles.desk.checker)
        approve_cancel(settles, made, second)
        assert (fresh(deal).state, reads.value_of(deal.pk).booked) == ("CANCELLED", D("-11627.91"))
    with clock.frozen(clock.now() + (deal.value_date - NOW.date()) + 3 * ONE_DAY):
        assert valuing.revalue(at=clock.now()).run.deals_count == 0
        assert reads.value_of(deal.pk).booked == 0
        assert reads.realised_between(None, clock.now().date()) == 0
        valuing.revalue(at=clock.now(), reason="Once more takes nothing back.")
        assert reads.value_of(deal.pk).booked == 0
        assert PnlEntry.objects.filter(kind="REVERSAL").count() == 1


@pytest.mark.parametrize("days", [3, 40])
def test_a_late_result_is_of_the_day_it_settled(
    settles: Settling, quoted: Quoted, days: int
) -> None:
    """Settled at 85, valued when a dollar costs 87: nothing was gained, however late."""
    delivered(settles)
    with clock.frozen(NOW + days * ONE_DAY):
        quoted("USD/INR", "86.9950", "87.0050")
        valuing.revalue(at=clock.now())
        assert realised() == [(NOW.date(), D(85), D(0))]


def test_what_settles_after_the_instant_is_open_at_it_and_not_realised(settles: Settling) -> None:
    delivered(settles)
    before = valuing.revalue(at=NOW - timedelta(seconds=1))
    assert (before.is_new, realised()) == (True, [])
    assert RevaluationRun.objects.count() == 1


def test_a_deal_that_is_instructed_anew_is_worth_what_it_is_on_the_day_its_money_moves(
    settles: Settling,
) -> None:
    """Agreed for today, paid on Monday: the forward of Monday values it, not today's spot."""
    deal = settles.sent()
    say(deal, "RJCT", "AC04")
    follow(deal)
    with clock.frozen(datetime(2026, 11, 20, 22, 0, tzinfo=UTC)):
        instructing.reinstruct_deal(
            deal_id=deal.pk, actor=settles.desk.back_office, reason="It is open again."
        )
    deal = fresh(deal)
    monday = date(2026, 11, 23)
    assert (deal.value_date, deal.settles_on) == (NOW.date(), monday)
    [mark] = reads.marks(Market(at=NOW), NOW.date())
    assert mark.settles.value_date == monday
    deal.save()  # what an object remembers of it does not count
    assert fresh(deal).settles_on == monday
    sql("UPDATE fx_deal SET settles_on = value_date WHERE id = %s", deal.pk)
    assert fresh(deal).settles_on == monday
    sql("UPDATE fx_dealleg SET state = 'VOID', reason = 'x' WHERE version > 1")
    assert fresh(deal).settles_on == deal.value_date
