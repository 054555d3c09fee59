"""Valuation of deals: valued once a day, reversed the next, realised in the end; sums prove."""

import json
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from random import Random
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.urls import reverse

from core import clock, policies
from core.events.models import OutboxEvent
from core.money import minor_units
from fx import tasks, valuation_guards, valuation_metrics
from fx.engine.pairs import Pair
from fx.engine.quotes import Side
from fx.engine.valuation import Open, Priced, moved_by, worth_of
from fx.models import DealValuation, PnlEntry, RevaluationRun
from fx.policies import FX_DISCOUNTING
from fx.selectors import valuation as reads
from fx.selectors.curves import Market
from fx.selectors.worth import values_now
from fx.services import valuing
from fx.services.curves import record_fixing
from tests.conftest import make_user
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
    before = pages.get(reverse("fx:valuation")).content.decode()
    assert "Nothing is open" in before
    assert pages.post(reverse("fx:run-valuation")).status_code == 302
    run = RevaluationRun.objects.get()
    page = pages.get(reverse("fx:valuation")).content.decode()
    assert deal.reference in page
    assert f"{run.unrealised_usd:,.2f}" in page
    now = before[before.index("Unrealised at this moment") :]
    assert f"{run.unrealised_usd:,.2f}" in now[: now.index("tile-note")]
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


def test_one_statement_finds_what_the_plain_reference_finds(db: None) -> None:
    """Three thousand deals and markets, ties at half a cent among them, all to the cent."""
    random, rows = Random(7), []
    for number in range(3_000):
        strike = D(random.randrange(1, 2_000_000)) / 10_000
        market = Priced(
            spot=strike,
            forward=max(D("0.0001"), strike + D(random.randrange(-5_000, 5_000)) / 10**4)
            if number % 3
            else strike + D(random.randrange(1, 10**9)) / 10**10,
            discount=D(random.randrange(1, 10**16)) / 10**16 if number % 2 else D(1),
            usd_rate=D(random.randrange(1, 10**16)) / 10**15 if number % 5 else D("0.5"),
        )
        held = Open(
            side=random.choice(list(Side)),
            is_ndf=number % 7 == 0,
            amount=D(random.randrange(1, 500_000_000)) / 100,
            strike=strike,
            quote=random.choice(["INR", "USD", "JPY", "KWD"]),
        )
        rows.append((held, market))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT round({valuation_guards.PNL_QUOTE}, v.digits), {valuation_guards.PNL_USD},"
            f" {valuation_guards.WORTH_USD}"
            " FROM (SELECT side, kind, base_amount, rate, forward, discount, usd_rate, digits,"
            " CASE kind WHEN 'NDF' THEN usd_rate ELSE discount * usd_rate END AS worth,"
            " CASE kind WHEN 'NDF' THEN forward END AS by, place"
            " FROM unnest(%s::text[], %s::text[], %s::numeric[], %s::numeric[],"
            " %s::numeric[], %s::numeric[], %s::numeric[], %s::int[]) WITH ORDINALITY"
            " x (side, kind, base_amount, rate, forward, discount, usd_rate, digits, place)) v,"
            " LATERAL (SELECT v.side, v.kind, v.base_amount, v.rate) d ORDER BY v.place",
            [
                [held.side.value for held, _ in rows],
                ["NDF" if held.is_ndf else "DELIVERABLE" for held, _ in rows],
                [held.amount for held, _ in rows],
                [held.strike for held, _ in rows],
                [market.forward for _, market in rows],
                [market.discount for _, market in rows],
                [market.usd_rate for _, market in rows],
                [minor_units(held.quote) for held, _ in rows],
            ],
        )
        found = cursor.fetchall()
    for (held, market), row in zip(rows, found, strict=True):
        worth = worth_of(held, market)
        assert row == (worth.quote, worth.usd, worth.usd), (held, market)


def priced_in(row: DealValuation) -> Priced:
    assert row.spot is not None
    assert row.forward is not None
    assert row.discount is not None
    assert row.usd_rate is not None
    return Priced(spot=row.spot, forward=row.forward, discount=row.discount, usd_rate=row.usd_rate)


def test_deals_of_every_kind_are_worth_what_the_reference_says(market: Desk) -> None:
    market.executed(side="BUY", value_date=THREE_MONTHS, rate="85.0000")
    market.executed(side="SELL", value_date=THREE_MONTHS, rate="85.1000", kind="NDF")
    market.executed(pair="EUR/USD", side="SELL", dealt="250000.00 EUR", rate="1.0860")
    market.executed(pair="GBP/USD", dealt="100000.00 GBP", rate="1.2600", tenor="1M")
    market.executed(pair="EUR/GBP", dealt="100000.00 EUR", rate="0.8590", tenor="3M")
    market.executed(pair="USD/AED", side="BUY", dealt="90000.00 USD", rate="3.6725", tenor="TOM")
    run = revalued()
    assert (run.deals_count, run.missing_count) == (6, 0)
    for row in reads.valuations().filter(run=run):
        worth = worth_of(valuing.terms_of(row.deal), priced_in(row))
        assert (row.pnl_quote, row.pnl_usd) == (worth.quote, worth.usd), row.deal.pair
    assert run.unrealised_usd == sum(amount for _, amount in booked())
    together: dict[str, Decimal] = {}
    for row in reads.valuations().filter(run=run):
        together[row.deal.pair] = together.get(row.deal.pair, D(0)) + (row.pnl_usd or 0)
    now = values_now(Market(at=NOW))
    assert {str(one.pair): one.pnl_usd for one in now} == together
    assert [str(one.pair) for one in now] == sorted(together)
    assert (sum(one.deals for one in now), sum(one.missing for one in now)) == (6, 0)


def test_a_change_is_explained_to_the_cent(market: Desk, quoted: Quoted) -> None:
    kept = market.executed(side="BUY", value_date=THREE_MONTHS, rate="85.0000")
    gone = market.executed(pair="EUR/USD", dealt="250000.00 EUR", rate="1.0860", tenor="1M")
    first = revalued()
    with clock.frozen(NOW + 3 * ONE_DAY):
        quoted("USD/INR", "85.4950", "85.5050")
        quoted("EUR/USD", "1.0879", "1.0881")
        put_points()
        put_interest()
        new = market.executed(side="SELL", value_date=THREE_MONTHS, rate="85.5000")
        second = revalued(3 * ONE_DAY)
        parts = reads.explained(first, second)
        total = reads.together(parts)
        assert total.residual == 0
        assert (total.before, total.after) == (first.unrealised_usd, second.unrealised_usd)
        value = {(one.run_id, one.deal_id): one for one in reads.valuations()}
        assert total.new == value[second.pk, new.pk].pnl_usd
        moved = [
            moved_by(
                valuing.terms_of(one),
                priced_in(value[first.pk, one.pk]),
                priced_in(value[second.pk, one.pk]),
            )
            for one in (kept, gone)
        ]
        assert total.rate == sum(one.rate for one in moved)
        assert total.carry == sum(one.carry for one in moved)
        assert total.rate > 0
        [whole] = [one for one in reads.explained(None, first) if one.pair == "USD/INR"]
        assert (whole.new, whole.residual) == (value[first.pk, kept.pk].pnl_usd, D(0))


def test_without_a_market_a_deal_has_no_value_and_keeps_what_was_booked(
    market: Desk, quoted: Quoted
) -> None:
    market.executed(side="BUY", value_date=THREE_MONTHS, rate="85.0000")
    first = revalued()
    with clock.frozen(NOW + 10 * ONE_DAY):
        quoted("EUR/USD", "1.0869", "1.0871")
        run = revalued(10 * ONE_DAY)
        assert (run.missing_count, run.unrealised_usd) == (1, D(0))
        row = reads.valuations().get(run=run)
        assert (row.gap, row.pnl_usd) == ("NO_SPOT", None)
        [now] = values_now(Market(at=clock.now()))
        assert (now.deals, now.missing, now.pnl_usd) == (1, 1, D(0))
        assert booked() == [("UNREALISED", first.unrealised_usd)]
        assert reads.together(reads.explained(first, run)).gaps == -first.unrealised_usd
        page = client_of(market.back_office).get(reverse("fx:valuation")).content.decode()
        assert "1 deal without a value" in page
        quoted("USD/INR", "84.9950", "85.0050")
        again = valuing.revalue(at=clock.now(), reason="Rates came late.").run
        assert reads.valuations().get(run=again).gap == "NO_CURVE"


@pytest.mark.parametrize(
    ("points", "interest", "gap"),
    [
        (None, None, "NO_CURVE"),
        ({"USD/INR": {"1M": "1300 1400"}}, None, "CURVE_ENDS"),
        ({"USD/INR": {"1Y": "1300 1400"}}, None, "NO_INTEREST"),
        ({"USD/INR": {"1Y": "1300 1400"}}, {"INR": "0.06"}, ""),
    ],
)
def test_what_is_missing_is_named(
    desk: Desk, points: Any, interest: dict[str, str] | None, gap: str
) -> None:
    desk.executed(side="BUY", value_date=THREE_MONTHS, rate="85.0000")
    if points:
        put_points(points)
    if interest:
        put_interest(interest)
    revalued()
    assert DealValuation.objects.get().gap == gap


def test_a_house_may_leave_discounting_out(desk: Desk) -> None:
    policies.write_version(policy=FX_DISCOUNTING, value="none", actor=None, reason="a test")
    put_points()
    desk.executed(side="BUY", value_date=THREE_MONTHS, rate="85.0000")
    revalued()
    assert DealValuation.objects.get().discount == 1


def test_an_old_market_is_used_and_called_old(market: Desk) -> None:
    market.executed(side="BUY", value_date=THREE_MONTHS, rate="85.0000")
    with clock.frozen(NOW + timedelta(hours=1)):
        run = revalued(timedelta(hours=1))
        assert (run.stale_count, run.missing_count) == (1, 0)
        assert run.unrealised_usd != 0


def test_spot_is_taken_once_the_value_date_has_come(desk: Desk, quoted: Quoted) -> None:
    """Without any points: before spot they would be needed, on the value date they are not."""
    deal = desk.executed(side="BUY", rate="85.0000")
    with clock.frozen(NOW + 3 * ONE_DAY):
        quoted("USD/INR", "85.0950", "85.1050")
        revalued(3 * ONE_DAY)
        assert DealValuation.objects.get(deal=deal).gap == "NO_CURVE"
    on = timedelta(days=(deal.value_date - NOW.date()).days)
    with clock.frozen(NOW + on):
        quoted("USD/INR", "85.1950", "85.2050")
        run = revalued(on)
        row = reads.valuations().get(run=run)
        assert (row.forward, row.discount, row.gap) == (D("85.2"), D(1), "")


def test_an_ndf_takes_its_fixing_once_it_is_fixed(market: Desk, quoted: Quoted) -> None:
    deal = market.executed(side="BUY", value_date=THREE_MONTHS, rate="85.0000", kind="NDF")
    assert deal.fixing_date is not None
    clerk = make_user("clerk-three", "static_data")
    on = timedelta(days=(deal.fixing_date - NOW.date()).days)
    with clock.frozen(NOW + on + ONE_DAY):
        quoted("USD/INR", "85.4950", "85.5050")
        run = revalued(on + ONE_DAY)
        assert reads.valuations().get(run=run).gap == "NO_FIXING"
        record_fixing(pair=Pair("USD", "INR"), day=deal.fixing_date, rate=D("86"), actor=clerk)
        run = valuing.revalue(at=clock.now(), reason="The fixing came late.").run
        assert run.unrealised_usd == D("11627.91")


def test_news_of_a_settlement_that_was_taken_back_changes_nothing(market: Desk) -> None:
    deal = market.executed(side="BUY", value_date=THREE_MONTHS, rate="85.0000")
    assert valuing.realise_settled(deal_id=deal.pk, settled_on=NOW.date()) is None
    assert booked() == []


def test_a_deal_that_opens_again_loses_its_realised_result(market: Desk) -> None:
    deal = market.executed(side="BUY", value_date=THREE_MONTHS, rate="85.0000")
    valuing.realise(deal_id=deal.pk, on=NOW.date(), rate=D("85.5"))
    run = revalued()
    assert [kind for kind, _ in booked()] == ["REALISED", "REVERSAL", "UNREALISED"]
    assert reads.value_of(deal.pk).booked == run.unrealised_usd
    assert reads.realised_between(None, run.day) == 0


def test_every_run_is_told(market: Desk) -> None:
    revalued()
    [event] = OutboxEvent.objects.filter(topic="fx.deals.revalued")
    assert (event.payload["day"], event.payload["deals"]) == ("2026-11-20", 0)
    output = StringIO()
    call_command("fx_revalue", "--json", stdout=output)
    assert json.loads(output.getvalue())["valued"][0]["new"] is False


def test_results_of_days_stand_beside_each_other(market: Desk, quoted: Quoted) -> None:
    first = market.executed(side="BUY", value_date=THREE_MONTHS, rate="85.0000")
    one = revalued()
    with clock.frozen(NOW + 3 * ONE_DAY):
        quoted("USD/INR", "85.9950", "86.0050")
        gained = valuing.realise(deal_id=first.pk, on=date(2026, 11, 23), rate=D("86"))
        found = reads.series(days=10)
        assert [(day.unrealised, day.realised) for day in found] == [(one.unrealised_usd, D(0))]
        assert reads.realised_between(one.day, date(2026, 11, 23)) == gained.amount_usd


def test_metrics_tell_the_newest_valuations_together(market: Desk) -> None:
    market.executed(side="BUY", value_date=THREE_MONTHS, rate="85.0000")
    run = revalued()
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in valuation_metrics.Standing().collect()
        for sample in family.samples
    }
    assert found["fx_valued_deals", "valued"] == 1
    assert found["fx_valued_deals", "missing"] == 0
    assert found["fx_unrealised_usd",] == float(run.unrealised_usd)
    assert found["fx_valuation_age_seconds",] == 0
