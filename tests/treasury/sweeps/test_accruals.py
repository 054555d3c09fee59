"""What money at work has earned so far: by the day, on the page, as CSV and over the API."""

import csv
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import clock
from core.identity.models import User
from tests.promises.realm import signed_in
from tests.treasury.sweeps.conftest import QUARTER_PAST, Sweeping
from tests.treasury.sweeps.test_deciding import order_of
from treasury.engine.sweep_accruals import accrued, days_run
from treasury.models import Settlement, SweepOrder
from treasury.selectors.placements import at_work, earned_by, placements
from treasury.services import sweeps
from treasury.services.sweeps import Answer

D = Decimal
OUT = date(2026, 11, 18)


@pytest.mark.parametrize(
    ("on", "earned"),
    [
        (date(2026, 11, 17), "0.00"),
        (OUT, "0.00"),
        # 1,000,000 at 3.85 % on 360 days: 106.944 a day.
        (date(2026, 11, 19), "106.94"),
        (date(2026, 11, 20), "213.89"),
        (date(2026, 12, 2), "1497.22"),
        (date(2026, 12, 16), "2994.44"),
        (date(2027, 1, 4), "2994.44"),
    ],
)
def test_interest_accrues_evenly_until_the_money_is_back(on: date, earned: str) -> None:
    back = OUT + timedelta(days=28)
    assert accrued(D("2994.44"), settles_on=OUT, matures_on=back, on=on) == D(earned)


@given(
    cents=st.integers(0, 10**12), days=st.integers(1, 400), one=st.integers(-5, 410),
    more=st.integers(0, 20),
)  # fmt: skip
def test_it_never_shrinks_and_ends_as_the_whole(cents: int, days: int, one: int, more: int) -> None:
    interest, back = D(cents) / 100, OUT + timedelta(days=days)

    def by(step: int) -> Decimal:
        on = OUT + timedelta(days=step)
        assert 0 <= days_run(settles_on=OUT, matures_on=back, on=on) <= days
        return accrued(interest, settles_on=OUT, matures_on=back, on=on)

    assert 0 <= by(one) <= by(one + more) <= interest
    assert by(0) == 0
    assert by(days) == interest


def _acknowledged(sweeping: Sweeping) -> SweepOrder:
    order = order_of(sweeping)
    sweeps.sign_due(tenant=sweeping.tenant.id)
    sweeps.answer_order(order_id=order.order_id, answer=Answer(status="ACK", bank_ref="B"))
    return SweepOrder.objects.get(pk=order.pk)


def test_an_order_is_at_work_from_the_day_it_leaves_until_it_is_back(sweeping: Sweeping) -> None:
    order = _acknowledged(sweeping)
    assert (order.settles_on, order.matures_on) == (OUT, date(2026, 12, 15))

    def counted(on: date) -> list[SweepOrder]:
        return [*placements(on=on)]

    assert counted(OUT - timedelta(days=1)) == []
    assert counted(OUT) == [order]
    assert counted(order.matures_on - timedelta(days=1)) == [order]
    # Due and not booked: it is still out, and said to be overdue from the day after.
    assert counted(order.matures_on) == [order]
    assert not at_work(on=order.matures_on).lines[0].is_overdue
    late = at_work(on=order.matures_on + timedelta(days=1)).lines[0]
    assert late.is_overdue
    assert late.earned == late.interest
    for where in (Settlement.SETTLED, Settlement.RETURNED):
        SweepOrder.objects.update(settlement=where)
    assert counted(order.matures_on) == []
    assert counted(order.matures_on - timedelta(days=1)) == [order]


def test_what_nobody_confirmed_or_what_failed_earns_nothing(sweeping: Sweeping) -> None:
    order = order_of(sweeping)
    sweeps.sign_due(tenant=sweeping.tenant.id)
    assert [*placements(on=OUT)] == []
    with clock.frozen(order.cutoff_at + timedelta(minutes=15)):
        assert sweeps.expire_due(now=clock.now())
    assert [*placements(on=OUT)] == []
    # Executed after all: the money is out, whatever the order is called here.
    sweeps.answer_order(order_id=order.order_id, answer=Answer(status="ACK", bank_ref="B"))
    assert [one.order_id for one in placements(on=OUT)] == [order.order_id]


def test_orders_of_one_product_and_day_are_one_line(sweeping: Sweeping) -> None:
    order = _acknowledged(sweeping)
    found = at_work(on=OUT + timedelta(days=9))
    (line,) = found.lines
    assert (line.product, line.orders, line.matures_on) == ("TBILL_4W", 1, order.matures_on)
    # 760,000 face at 3.85 % for 27 days: 2,194.50 of discount, a third of it after nine.
    assert (line.interest, line.earned) == (D("2194.50"), D("731.50"))
    assert (found.paid_out, found.earned, found.comes_back) == (
        order.paid_out, line.earned, D("760000"),
    )  # fmt: skip
    assert earned_by(order, on=found.on) == line.earned


def test_the_page_shows_it_and_hands_it_out(sweeping: Sweeping, maker: User) -> None:
    browser = signed_in(maker)
    assert "Nothing is out at work" in browser.get("/sweeps").content.decode()
    order = _acknowledged(sweeping)
    assert "Nothing is out at work" in browser.get("/sweeps").content.decode()
    with clock.frozen(QUARTER_PAST + timedelta(days=1)):
        page = signed_in(maker).get("/sweeps").content.decode()
    assert "Earned so far" in page
    assert "/sweeps/at-work.csv?on=2026-11-18" in page
    answer = browser.get("/sweeps/at-work.csv?on=2026-11-27")
    assert answer["Content-Disposition"] == 'attachment; filename="sweeps-at-work-2026-11-27.csv"'
    (line,) = csv.DictReader(answer.content.decode().splitlines())
    assert line["order_id"] == order.order_id
    assert (line["days_run"], line["days"], line["interest"]) == ("9", "27", "2194.5000")
    assert line["earned"] == "731.50"
    assert browser.get("/sweeps/at-work.csv?on=someday").status_code == 422
    assert browser.get("/sweeps/at-work.csv?on=2026-11-15").content.count(b"\r\n") == 1


def test_the_api_tells_it_for_any_day(sweeping: Sweeping, maker: User) -> None:
    order = _acknowledged(sweeping)
    browser = signed_in(maker)
    answer = browser.get("/api/v1/sweeps/placements?on=2026-11-27")
    assert [(one["order_id"], one["earned"]) for one in answer.json()["results"]] == [
        (order.order_id, "731.50")
    ]
    assert browser.get("/api/v1/sweeps/placements?on=2026-11-17").json()["results"] == []
    refused = browser.get("/api/v1/sweeps/placements?on=soon")
    assert refused.status_code == 400
    assert "on" in refused.json()["detail"], refused.json()
