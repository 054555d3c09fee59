"""Net flows for the measurement of risk: our own sweeps are no business with others."""

from datetime import date
from decimal import Decimal

from tests.liquidity.books import book
from tests.treasury.sweeps.conftest import Sweeping
from tests.treasury.sweeps.test_deciding import order_of
from treasury.models import BankEntry
from treasury.selectors import netflows

DAY = date(2026, 11, 18)


def flow_of(sweeping: Sweeping) -> Decimal:
    found = netflows.net_flows([sweeping.account.pk], since=DAY, until=DAY)
    return found[sweeping.account.pk].by_day.get(DAY, Decimal(0))


def test_an_order_and_its_return_are_left_out(sweeping: Sweeping) -> None:
    order = order_of(sweeping)
    out, back, other = book(
        sweeping.account, [(DAY, "-759000.00"), (DAY, "759070.00"), (DAY, "-10.00")]
    )
    assert flow_of(sweeping) == Decimal("60.00")
    names = BankEntry.objects.filter(pk__in=[out.pk, back.pk])
    names.update(end_to_end_id=order.order_id)
    assert flow_of(sweeping) == Decimal("-10.00")
    assert other.end_to_end_id == ""


def test_the_same_name_on_an_account_that_never_swept_counts(sweeping: Sweeping) -> None:
    order = order_of(sweeping)
    far = sweeping.house.home
    (made,) = book(far, [(DAY, "-5.00")])
    BankEntry.objects.filter(pk=made.pk).update(end_to_end_id=order.order_id)
    found = netflows.net_flows([far.pk], since=DAY, until=DAY)
    assert found[far.pk].by_day == {DAY: Decimal("-5.00")}


def test_days_are_known_from_the_first_booking_to_the_last_closing(sweeping: Sweeping) -> None:
    account = sweeping.house.far
    before = netflows.net_flows([account.pk], since=date(2026, 1, 1), until=DAY)[account.pk]
    assert before.first is None
    book(account, [(date(2026, 11, 2), "-5.00"), (date(2026, 11, 10), "-5.00")])
    found = netflows.net_flows([account.pk], since=date(2026, 1, 1), until=DAY)[account.pk]
    assert found.first == date(2026, 11, 2)
    assert found.last is not None
    assert found.last >= date(2026, 11, 9)
