"""Valuation of deals: valued once a day, reversed the next, realised in the end; sums prove."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse

from core import clock
from fx import tasks
from fx.models import DealValuation, PnlEntry, RevaluationRun
from fx.selectors import valuation as reads
from fx.services import valuing
from tests.fx.conftest import NOW, Quoted
from tests.fx.dealing import Desk
from tests.fx.test_deals_delivery import machine
from tests.fx.valuing import put_interest, put_points
from tests.tms.desk.conftest import client_of

D = Decimal
ONE_DAY = timedelta(days=1)
THREE_MONTHS = date(2027, 2, 25)


@pytest.fixture
def market(desk: Desk) -> Desk:
    """A desk with points and interest."""
    put_points()
    put_interest()
    return desk


def booked(day: date | None = None) -> list[tuple[str, Decimal]]:
    found = PnlEntry.objects.order_by("booked_at", "number", "kind")
    if day is not None:
        found = found.filter(day=day)
    return [(one.kind, one.amount_usd) for one in found]


def revalued(after: timedelta = timedelta(0)) -> RevaluationRun:
    return valuing.revalue(at=NOW + after).run


def test_a_forward_is_worth_its_gain_discounted_and_at_spot(market: Desk) -> None:
    deal = market.executed(side="BUY", value_date=THREE_MONTHS, rate="85.0000")
    done = valuing.revalue(at=clock.now())
    [row] = DealValuation.objects.all()
    assert (done.is_new, done.run.day, done.run.deals_count) == (True, date(2026, 11, 20), 1)
    assert (row.spot, row.gap, row.is_stale) == (D("85"), "", False)
    assert D("85.40") < row.forward < D("85.42")
    assert D("0.98") < row.discount < D("0.99")
    gained = 1_000_000 * (row.forward - D(85)) * row.discount / 85
    assert abs(row.pnl_usd - gained) < D("0.01")
    assert booked() == [("UNREALISED", row.pnl_usd)]
    assert deal.rate == 85


def test_a_day_is_valued_once_and_restated_for_a_reason_only(market: Desk) -> None:
    market.executed(side="BUY", value_date=THREE_MONTHS, rate="85.0000")
    first = valuing.revalue(at=clock.now()).run
    again = valuing.revalue(at=clock.now())
    assert (again.is_new, again.run) == (False, first)
    assert len(booked()) == 1
    restated = valuing.revalue(at=clock.now(), reason="The points of the morning were wrong.").run
    assert (restated.day, restated.version) == (first.day, 2)
    value = first.unrealised_usd
    assert booked() == [("REVERSAL", -value), ("UNREALISED", value), ("UNREALISED", value)]
    assert RevaluationRun.objects.count() == 2


def test_the_day_after_takes_back_what_the_day_before_booked(market: Desk, quoted: Quoted) -> None:
    deal = market.executed(side="BUY", value_date=THREE_MONTHS, rate="85.0000")
    first = valuing.revalue(at=clock.now()).run
    monday = NOW + 3 * ONE_DAY
    with clock.frozen(monday):
        quoted("USD/INR", "85.9950", "86.0050")
        second = valuing.revalue(at=monday).run
        assert second.unrealised_usd > first.unrealised_usd + 10_000
        assert booked(monday.date()) == [
            ("REVERSAL", -first.unrealised_usd),
            ("UNREALISED", second.unrealised_usd),
        ]
        assert reads.value_of(deal.pk).booked == second.unrealised_usd
        with pytest.raises(Exception, match="has been valued"):
            valuing.revalue(at=NOW)


def test_what_a_deal_brought_is_the_sum_of_all_that_was_booked(
    market: Desk, quoted: Quoted
) -> None:
    deal = market.executed(side="SELL", value_date=THREE_MONTHS, rate="85.0000")
    valuing.revalue(at=clock.now())
    with clock.frozen(NOW + 3 * ONE_DAY):
        quoted("USD/INR", "84.4950", "84.5050")
        entry = valuing.realise(deal_id=deal.pk, on=date(2026, 11, 23), rate=D("84.5"))
        # We sold a million dollars at 85 and they cost 84.50: half a million rupees at 84.50.
        assert entry.amount_usd == D("5917.16")
        assert reads.value_of(deal.pk).booked == D("5917.16")
        assert valuing.realise(deal_id=deal.pk, on=date(2026, 11, 23), rate=D("84.5")) == entry
        assert [kind for kind, _ in booked()] == ["UNREALISED", "REVERSAL", "REALISED"]
        other = valuing.realise(deal_id=deal.pk, on=date(2026, 11, 23), rate=D("84.6"))
        assert reads.value_of(deal.pk).booked == other.amount_usd


def test_the_page_the_deal_and_the_api_show_the_same(market: Desk, user_with: Any) -> None:
    deal = market.executed(side="BUY", value_date=THREE_MONTHS, rate="85.0000")
    officer = user_with("risk_officer", name="officer")
    pages = client_of(officer)
    assert "Nothing is open" in pages.get(reverse("fx:valuation")).content.decode()
    assert pages.post(reverse("fx:run-valuation")).status_code == 302
    run = RevaluationRun.objects.get()
    page = pages.get(reverse("fx:valuation")).content.decode()
    assert deal.reference in page
    assert f"{run.unrealised_usd:,.2f}" in page
    assert "What it is worth" in pages.get(reverse("fx:deal", args=[deal.pk])).content.decode()
    csv = pages.get(reverse("fx:valuation"), {"as": "csv"}).content.decode()
    assert f"{run.unrealised_usd:f}" in csv
    assert "Forwards" in pages.get(reverse("fx:pair"), {"p": "USD/INR"}).content.decode()
    api = machine(market.back_office)
    [row] = api.get(reverse("fx-valuation")).json()["results"]
    assert row["pnl_usd"] == f"{run.unrealised_usd:f}"
    why = api.get(reverse("fx-explain")).json()
    assert (why["total"]["new"], why["total"]["residual"]) == (row["pnl_usd"], "0.0000")
    [curve] = [one for one in api.get(reverse("fx-curves")).json() if one["pair"] == "USD/INR"]
    assert [one["tenor"] for one in curve["pillars"]] == ["ON", "TN", "SPOT", "1M", "3M", "1Y"]


def test_only_risk_officers_and_managers_have_deals_valued(market: Desk) -> None:
    client_of(market.dealer).post(reverse("fx:run-valuation"))
    assert not RevaluationRun.objects.exists()
    tasks.revalue()
    assert RevaluationRun.objects.get().deals_count == 0
