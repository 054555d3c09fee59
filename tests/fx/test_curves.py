"""Points and interest come in whole or not at all; forwards say what they are made of."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from core import clock
from core.tenancy import Tenant
from fx.engine.pairs import Pair, parse_pair
from fx.errors import CurveMissing, DealRefused, PointsRefused, RateMissing
from fx.models import ForwardPoint, InterestRate, RateDelivery
from fx.selectors.curves import Market, forward_rate
from fx.services import curves
from fx.services.sources import API, FEED, FILE
from tests.fx.conftest import NOW, Quoted
from tests.fx.dealing import Desk
from tests.fx.test_deals_delivery import machine
from tests.fx.valuing import put_interest, put_points
from tests.tms.desk.conftest import client_of

D = Decimal
MAY = date(2027, 5, 25)
HEAD = "pair,tenor,bid,ask,as_of\n"
GOOD = (
    f"{HEAD}EUR/USD,1M,-14.5,-13.5,2026-11-20T09:00:00Z\n"
    "USD/INR,3M,4000,4100,2026-11-20T09:00:00Z\n"
)
INTEREST = "currency;tenor;rate;as_of\nUSD;3M;0.0405;2026-11-20T09:00:00Z\n"


def test_a_file_of_points_is_kept_with_where_it_came_from(house: Tenant, user_with: Any) -> None:
    clerk = user_with("static_data", name="clerk")
    taken = curves.upload_curves(name="points.csv", data=GOOD.encode(), actor=clerk)
    assert (taken.new, taken.known) == (2, 0)
    again = curves.upload_curves(name="again.csv", data=GOOD.encode(), actor=clerk)
    assert (again.new, again.known, RateDelivery.objects.count()) == (0, 2, 1)
    row = ForwardPoint.objects.get(base="EUR")
    assert (row.bid, row.ask, row.source.code) == (D("-14.5"), D("-13.5"), FILE)
    assert row.delivery.received_from == clerk.display_name
    assert curves.upload_curves(name="i.csv", data=INTEREST.encode(), actor=clerk).new == 1
    assert InterestRate.objects.get().rate == D("0.0405")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("EUR/USD,1M,2,1,2026-11-20T09:00:00Z", "Row 2: The bid 2 is above the ask 1"),
        ("USD/EUR,1M,1,2,2026-11-20T09:00:00Z", "The market writes EUR/USD"),
        ("EUR/USD,SOON,1,2,2026-11-20T09:00:00Z", "Write a tenor like"),
        ("EUR/USD,1M,1e3,2,2026-11-20T09:00:00Z", "write a number like -12.5"),
        ("EUR/USD,1M,1,200000,2026-11-20T09:00:00Z", "Points lie between"),
        ("EUR/USD,1M,1.00001,2,2026-11-20T09:00:00Z", "at most four decimals"),
        ("EUR/USD,1M,1,2,2026-11-20T09:00:00", "a time has a zone"),
        ("EUR/USD,1M,1,2,2026-11-21T09:00:00Z", "is to come"),
        ("EUR/USD,1M,1,2,2026-11-20T09:00:00Z\nEUR/USD,1M,1,3,2026-11-20T09:00:00Z", "Row 3"),
    ],
)
def test_one_row_that_cannot_be_right_keeps_all_out(
    house: Tenant, user_with: Any, row: str, words: str
) -> None:
    clerk = user_with("static_data", name="clerk")
    with pytest.raises(PointsRefused) as caught:
        curves.upload_curves(name="points.csv", data=f"{HEAD}{row}\n".encode(), actor=clerk)
    assert words in caught.value.message
    assert not ForwardPoint.objects.exists()


def test_other_points_for_an_instant_that_has_some_are_refused(house: Tenant) -> None:
    put_points({"EUR/USD": {"1M": "14 15"}})
    put_points({"EUR/USD": {"1M": "14 15"}})
    with pytest.raises(PointsRefused, match="otherwise"):
        put_points({"EUR/USD": {"1M": "14 16"}})


def test_a_forward_says_which_points_and_which_spot(prices: None) -> None:
    put_points()
    found = forward_rate(parse_pair("USD/INR"), date(2027, 1, 14), at=NOW)
    assert (found.rule, found.tenors, found.sources) == ("POINTS", ("1M", "3M"), (FEED,))
    assert found.spot.bid == D("84.9950")
    # A month after spot, 25 November, is Christmas: the pillar lies on Monday the 28th.
    first, last = date(2026, 12, 28), date(2027, 2, 25)
    share = D((date(2027, 1, 14) - first).days) / (last - first).days
    assert found.outright.bid == pytest.approx(D("84.9950") + (1300 + 2700 * share) / 10_000)
    assert not found.is_stale
    inverse = forward_rate(parse_pair("INR/USD"), date(2027, 1, 14), at=NOW)
    assert inverse.rule == "CROSS"
    assert inverse.outright.bid == pytest.approx(1 / found.outright.ask)


def test_a_cross_is_made_of_its_dollar_legs_and_parity_of_interest(prices: None) -> None:
    put_points({"EUR/USD": {"1Y": "180 186"}, "USD/INR": {"1Y": "17000 17400"}})
    put_interest()
    cross = forward_rate(parse_pair("EUR/INR"), MAY, at=NOW)
    legs = [forward_rate(parse_pair(one), MAY, at=NOW) for one in ("EUR/USD", "USD/INR")]
    assert cross.rule == "CROSS"
    assert cross.outright.bid == pytest.approx(legs[0].outright.bid * legs[1].outright.bid)
    parity = forward_rate(parse_pair("GBP/USD"), MAY, at=NOW)
    days = (MAY - date(2026, 11, 24)).days
    wanted = D("1.2650") * (1 + D("0.04") * days / 360) / (1 + D("0.04") * days / 365)
    assert parity.rule == "INTEREST"
    assert float(parity.mid) == pytest.approx(float(wanted))


def test_what_is_missing_is_refused(prices: None) -> None:
    with pytest.raises(CurveMissing, match="nor interest of both"):
        forward_rate(parse_pair("USD/INR"), MAY, at=NOW)
    with pytest.raises(RateMissing, match="for a week"):
        forward_rate(parse_pair("USD/JPY"), MAY, at=NOW)
    with pytest.raises(RateMissing):
        forward_rate(parse_pair("USD/INR"), MAY, at=NOW + timedelta(days=8))


def test_an_old_market_is_shown_and_called_old(prices: None) -> None:
    put_points()
    pair = Pair("USD", "INR")
    assert not Market(at=NOW + timedelta(minutes=14)).forward(pair, MAY).is_stale
    later = Market(at=NOW + timedelta(minutes=14, seconds=1)).forward(pair, MAY)
    assert (later.is_stale, later.mid) == (True, forward_rate(pair, MAY, at=NOW).mid)


def test_a_fresh_source_wins_over_a_trusted_old_one(prices: None) -> None:
    put_points({"EUR/USD": {"1M": "14 15"}}, minutes_old=60)
    put_points({"EUR/USD": {"1M": "24 25"}}, source=API)
    assert Market(at=NOW).points[Pair("EUR", "USD")].source == API


def test_a_forward_deal_is_held_against_its_curve(desk: Desk, quoted: Quoted) -> None:
    """In a year the market is at 86.72: 87.60 lies 1.01 % off it, and 3.1 % off spot."""
    day = date(2027, 11, 24)
    far: dict[str, Any] = {"side": "BUY", "value_date": day, "rate": "87.6500"}
    assert desk.submitted(**far).state == "SUBMITTED"  # without points: 6 % may lie between
    put_points()
    with pytest.raises(DealRefused) as caught:
        desk.submitted(**far)
    assert [one["rule"] for one in caught.value.context["findings"]] == ["OFF_MARKET"]
    assert "at most 1.00 %" in caught.value.message
    made = desk.submitted(**far | {"rate": "87.4000"})
    assert made.mid_rate == forward_rate(Pair("USD", "INR"), day, at=NOW).mid
    with clock.frozen(NOW + timedelta(minutes=20)):
        quoted("USD/INR", "84.9950", "85.0050")
        assert desk.submitted(**far).state == "SUBMITTED"  # the points are old by now


def test_points_are_pushed_and_uploaded_by_keepers_only(desk: Desk, user_with: Any) -> None:
    api = machine(user_with("integration", name="machine"))
    push = {
        "points": [
            {"pair": "EUR/USD", "tenor": "1M", "bid": "14", "ask": "15",
             "as_of": "2026-11-20T09:59:00Z"}
        ],
        "interest": [
            {"currency": "USD", "tenor": "1M", "rate": "0.04", "as_of": "2026-11-20T09:59:00Z"}
        ],
    }  # fmt: skip
    url = reverse("fx-curves")
    headers = {"Idempotency-Key": "one"}
    answer = api.post(url, push, content_type="application/json", headers=headers)
    assert (answer.status_code, answer.json()) == (201, {"new": 2, "known": 0})
    asked = {"pair": "EUR/USD", "day": "2026-12-24"}
    forward = api.get(reverse("fx-forward"), asked).json()
    assert (forward["bid"], forward["rule"], forward["tenors"]) == ("1.0883", "POINTS", ["1M"])
    refused = machine(desk.back_office).post(url, push, content_type="application/json")
    assert refused.status_code == 403
    form = reverse("fx:upload-curves")
    dealer, clerk = client_of(desk.dealer), client_of(user_with("static_data", name="keeper"))
    assert "Not for who deals" in dealer.get(form).content.decode()
    assert dealer.post(form).status_code == 403
    wrong = {"file": SimpleUploadedFile("p.csv", f"{HEAD}EUR/USD,1M,2,1,x\n".encode())}
    assert clerk.post(form, wrong).status_code == 422
    right = {"file": SimpleUploadedFile("p.csv", GOOD.encode())}
    assert clerk.post(form, right).status_code == 302
