"""What open deals are worth now, in one statement: the cents of the plain reference and the run."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import psycopg
import pytest
from django.db import connection
from psycopg.conninfo import make_conninfo

from core import policies
from core.ids import uuid7
from fx.engine.curves import Curve, Interest, MidLine, Pillar, discount
from fx.engine.dates import Centres
from fx.engine.pairs import Pair
from fx.engine.quotes import Points, Quote
from fx.engine.stretches import Stretch, stretches
from fx.engine.valuation import worth_of
from fx.errors import CurveEnds, CurveMissing, InterestMissing
from fx.policies import FX_DISCOUNTING
from fx.selectors import valuation as reads
from fx.selectors import worth
from fx.selectors.curves import Market
from fx.services import valuing
from fx.services.curves import record_fixing
from tests.conftest import make_user
from tests.fx.conftest import NOW
from tests.fx.dealing import Desk
from tests.fx.valuing import put_interest, put_points
from tms.run.config import runtime

D = Decimal
ONE_DAY = timedelta(days=1)
TODAY = NOW.date()
SPOT_DAY = TODAY + 2 * ONE_DAY


def generated(random: Random) -> tuple[Curve, Quote, Interest]:
    """Return a market with a few bends, on dates that fall together now and then."""
    pair = random.choice([Pair("EUR", "USD"), Pair("USD", "INR"), Pair("GBP", "USD")])

    def days() -> list[date]:
        return sorted({SPOT_DAY + random.randrange(1, 60) * ONE_DAY for _ in range(5)})

    first = random.choice([SPOT_DAY, TODAY + ONE_DAY, TODAY - ONE_DAY])
    pillars = tuple(
        Pillar(tenor="", day=day, points=Points(bid=bid, ask=bid + D(random.randrange(9)) / 7))
        for day in sorted({first, SPOT_DAY, *days()})
        for bid in [D(random.randrange(-9_000, 20_000)) / 10]
    )
    # A cross has as many places as its quotients gave it.
    bid = D(random.randrange(10**6, 10**8)) / (10**6 if random.random() < 0.5 else 999_983)
    spot = Quote(pair=pair, bid=bid, ask=bid + D("0.0001"), at=NOW)
    rates = tuple((day, D(random.randrange(-200, 900)) / 10**4) for day in days())
    interest = Interest(
        currency=pair.quote, spot=SPOT_DAY, pillars=rates if random.random() < 0.9 else ()
    )
    curve = Curve(centres=Centres(pair=pair, calendars={}), spot=SPOT_DAY, pillars=pillars)
    return curve, spot, interest


def said_by_reference(line: MidLine, interest: Interest, day: date) -> tuple[D, D] | None:
    try:
        return line.on(day), discount(interest, day)
    except (CurveMissing, CurveEnds, InterestMissing):
        return None


def said_in_sql(found: list[Stretch], days: list[date]) -> dict[date, tuple[D, D]]:
    pair = Pair("EUR", "USD")
    columns = worth.columns_of(
        [
            worth.Quoted(pair=pair, is_ndf=False, fixed_on=None, stretch=one, usd=D(1))
            for one in found
        ]
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT w.value_date, {worth.FORWARD}, {worth.DISCOUNT}"
            f" FROM unnest(%(wanted)s::date[]) w (value_date) JOIN {worth.STRETCHES}"
            " ON w.value_date > s.after AND w.value_date <= s.until",
            {**columns, "wanted": days},
        )
        rows = cursor.fetchall()
    assert len(rows) == len({row[0] for row in rows}), "no date lies on two stretches"
    return {day: (forward, factor) for day, forward, factor in rows}


def test_stretches_price_every_date_as_the_curve_does(db: None) -> None:
    """Three hundred markets, eighty dates each: every digit, and nothing where there is nothing."""
    random = Random(11)
    dates = [TODAY + offset * ONE_DAY for offset in range(-2, 70)]
    priced = 0
    for _ in range(300):
        curve, spot, interest = generated(random)
        line = MidLine(curve, spot)
        after = random.choice([TODAY - 3 * ONE_DAY, TODAY, TODAY + 9 * ONE_DAY])
        found = said_in_sql(stretches(line, interest, after=after), dates)
        wanted = {day: said_by_reference(line, interest, day) for day in dates if day > after}
        assert found == {day: one for day, one in wanted.items() if one is not None}
        priced += len(found)
    assert priced > 10_000


def test_without_interest_nothing_is_discounted(db: None) -> None:
    curve, spot, _ = generated(Random(3))
    line = MidLine(curve, spot)
    found = said_in_sql(stretches(line, None, after=SPOT_DAY), [curve.last])
    assert found == {curve.last: (line.on(curve.last), D(1))}
    bent = replace(curve.pillars[-1], day=curve.last + ONE_DAY)
    longer = MidLine(replace(curve, pillars=(*curve.pillars, bent)), spot)
    assert stretches(longer, None, after=SPOT_DAY)[-1].until == bent.day


@pytest.fixture
def market(desk: Desk) -> Desk:
    """A desk with points and interest."""
    put_points()
    put_interest()
    return desk


def now_by_pair(at: Any) -> dict[str, tuple[int, int, Decimal]]:
    return {
        str(one.pair): (one.deals, one.missing, one.pnl_usd)
        for one in worth.values_now(Market(at=at))
    }


# Deals in the middle and at the end of their lives, without the steps that led there.
GENERATED = """
CREATE SCHEMA generated;
GRANT USAGE ON SCHEMA generated TO tms_app;
CREATE FUNCTION generated.deals_like(p_deal uuid, p_others jsonb) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
SET session_replication_role = replica AS $$
    INSERT INTO fx_deal SELECT other.* FROM fx_deal d, jsonb_array_elements(p_others) o,
           jsonb_populate_record(d, o) other WHERE d.id = p_deal
$$;
"""


@pytest.fixture
def generated_deals(django_db_setup: None) -> Iterator[None]:
    """Let the app role put deals of any state into its own transaction."""
    place = make_conninfo(runtime().admin.conninfo, dbname=connection.settings_dict["NAME"])
    with psycopg.connect(place, autocommit=True) as server:
        server.execute(GENERATED)
        yield
        server.execute("DROP SCHEMA generated CASCADE")


SECOND = timedelta(seconds=1)
STATES = ("EXECUTED", "CONFIRMED", "FAILED", "SETTLED", "APPROVED", "CANCELLED")
DEALT = ("EUR/USD", "GBP/USD", "USD/AED", "USD/INR", "EUR/GBP", "GBP/INR", "AED/INR", "USD/JPY")


def drawn(random: Random) -> dict[str, Any]:
    """Return what sets one deal of a generated book apart: pair, state, dates, side."""
    pair = Pair(*random.choice(DEALT).split("/"))
    rate, amount = D(random.randrange(5_000, 1_200_000)) / 10_000, random.randrange(1, 10**9)
    base, quote = D(amount) / 100, (amount * rate / 100).quantize(D("0.01")) + 1
    value_date = TODAY + random.choice([-1, 0, 1, 2, 4, 5, 40, 97, 200, 364, 380, 500]) * ONE_DAY
    is_ndf, state = random.random() < 0.3, random.choice(STATES)
    was_dealt = state != "APPROVED"
    return (
        {
            "id": str(uuid7()),
            "reference": f"G{random.randrange(10**15)}",
            "base": pair.base,
            "quote": pair.quote,
            "dealt_currency": pair.base,
            "side": random.choice(["BUY", "SELL"]),
            "base_amount": str(base),
            "quote_amount": str(quote),
            "usd_equivalent": str(base if pair.base == "USD" else quote),
            "rate": str(rate) if was_dealt else None,
            "trade_date": "2026-11-10",
            "value_date": value_date.isoformat(),
            # Some were instructed anew for a later day.
            "settles_on": (value_date + random.choice([0, 0, 0, 7]) * ONE_DAY).isoformat(),
            "kind": "NDF" if is_ndf else "DELIVERABLE",
            "fixing_date": str(value_date - random.choice([2, 2, 3]) * ONE_DAY) if is_ndf else None,
            "state": state,
            "executed_at": str(NOW + random.choice([-1, 0, 1]) * SECOND) if was_dealt else None,
            "closed_at": str(NOW + random.choice([0, 1]) * SECOND) if state == "SETTLED" else None,
        }
        | ({"instruction_id": None} if is_ndf else {})
        | ({} if was_dealt else {"executed_by_id": None})
    )


@pytest.mark.parametrize("discounting", ["interest", "none"])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.usefixtures("generated_deals")
def test_a_generated_book_is_worth_what_the_reference_says(
    market: Desk, seed: int, discounting: str
) -> None:
    """Of every kind and date, fixed or not; with curves, by crosses, by parity and without."""
    policies.change(policy=FX_DISCOUNTING, value=discounting, actor=None, reason="Trying it.")
    clerk = make_user("clerk-four", "static_data")
    for days_ago in (1, 2):
        day = TODAY - days_ago * ONE_DAY
        record_fixing(pair=Pair("USD", "INR"), day=day, rate=D(84 + days_ago), actor=clerk)
    like, random = market.executed(), Random(seed)
    with connection.cursor() as cursor:
        book = [drawn(random) for _ in range(400)]
        cursor.execute("SELECT generated.deals_like(%s, %s::jsonb)", [like.pk, json.dumps(book)])
    expected: dict[str, tuple[int, int, Decimal]] = {}
    marked = {one.settles: one for one in reads.marks(Market(at=NOW), TODAY)}
    for deal in reads.open_deals(NOW):
        pair, moves = Pair(deal.base, deal.quote), deal.settles_on
        assert moves is not None
        mark = marked[reads.Settles(pair, deal.kind, moves, deal.fixing_date)]
        usd = worth_of(valuing.terms_of(deal), mark.priced).usd if mark.priced else D(0)
        deals, missing, total = expected.get(deal.pair, (0, 0, D(0)))
        expected[deal.pair] = (deals + 1, missing + (mark.priced is None), total + usd)
    found = now_by_pair(NOW)
    assert found == expected
    assert list(found) == sorted(found)
    assert {"USD/JPY", "AED/INR", "USD/INR"} <= found.keys()
    assert sum(missing for _, missing, _ in found.values()) > 0
