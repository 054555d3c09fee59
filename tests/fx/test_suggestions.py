"""What is open becomes suggestions: right dates, right sizes, once, and never dealt unasked."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.urls import reverse

from core import clock, policies
from core.errors import Forbidden, Invalid
from core.events.models import OutboxEvent
from core.ids import uuid7
from fx import suggestion_guards
from fx.errors import SuggestionClosed, SuggestionNotDealable
from fx.models import Deal, DealSuggestion, HedgeNeed
from fx.policies import FX_CURRENCIES, MAX_SINGLE_DEAL_USD
from fx.selectors import suggestions as reads
from fx.services import deals, taking
from fx.services.suggesting import suggest, suggest_all
from fx.services.unfunded import short_of
from tests.conftest import make_user
from tests.fx.conftest import Quoted
from tests.fx.dealing import Desk, another_account
from tests.fx.test_deals_delivery import machine, post
from tests.fx.test_reforecast import told
from tests.tms.desk.conftest import client_of
from tests.treasury.movement.conftest import put_balance
from treasury.models import PrefundingRequest
from treasury.services import flows, prefunding

D = Decimal
# Friday 20 November 2026, 10:00 in Mumbai: cash is dealt until 11:30 there.
MORNING = datetime(2026, 11, 20, 4, 30, tzinfo=UTC)
FRIDAY, MONDAY, WEDNESDAY = date(2026, 11, 20), date(2026, 11, 23), date(2026, 11, 25)


def put_payout(desk: Desk, amount: str, day: date) -> None:
    flows.put_expected_flow(
        flow=flows.FlowIn(
            account_id=desk.accounts["INR"].pk,
            source="PAYOUT",
            source_ref=f"P{amount}{day}",
            amount=-D(amount),
            value_date=day,
            description="Payouts",
        )
    )


@pytest.fixture
def morning(desk: Desk, quoted: Quoted) -> Any:
    """900 million rupees are needed today, 50 million are there; it is 10:00 in Mumbai."""
    policies.write_version(policy=FX_CURRENCIES, value="USD,INR", actor=None, reason="a test")
    with clock.frozen(MORNING):
        quoted("USD/INR", "84.9950", "85.0050")
        put_balance(desk.accounts["INR"], "50000000.00")
        put_payout(desk, "900000000.00", FRIDAY)
        yield desk


def ended(state: str) -> list[DealSuggestion]:
    return list(DealSuggestion.objects.filter(state=state).order_by("part"))


def test_what_is_open_today_is_bought_for_cash_in_deals_of_five_million(morning: Desk) -> None:
    made = suggest(currency="INR", now=MORNING)
    # 850,000,000 / 84.995 = 10,000,588.2699: rounded up to the cent.
    assert [(one.part, one.parts, one.dealt_amount) for one in made] == [
        (1, 3, D("5000000.00")), (2, 3, D("5000000.00")), (3, 3, D("588.27")),
    ]  # fmt: skip
    assert sum(one.buys for one in made) >= D(850_000_000)
    first = made[0]
    assert (first.side, first.pair, first.dealt_currency) == ("SELL", "USD/INR", "USD")
    assert (first.period, first.value_date, first.is_late) == ("CASH", FRIDAY, False)
    assert first.counterparty == morning.bank
    assert first.dealt_until == datetime(2026, 11, 20, 6, 0, tzinfo=UTC)  # 11:30 in Mumbai
    assert [one["period"] for one in first.rejected] == ["TOM", "SPOT"]
    assert "after the need of 2026-11-20" in first.rejected[1]["why"]
    assert "CASH for 2026-11-20 is the latest value date that comes in time" in first.reason
    need = first.need
    assert (need.amount, need.open_amount, need.cause) == (
        D(850_000_000),
        D(850_000_000),
        "EXPOSURE",
    )
    assert not Deal.objects.exists()  # nothing is dealt


def test_the_same_need_gives_no_second_suggestion_and_a_new_one_supersedes(morning: Desk) -> None:
    first = suggest(currency="INR", now=MORNING)
    assert suggest(currency="INR", now=MORNING) == []
    assert HedgeNeed.objects.count() == 1
    put_payout(morning, "85000000.00", FRIDAY)
    second = suggest(currency="INR", now=MORNING)
    assert {one.pk for one in ended("SUPERSEDED")} == {one.pk for one in first}
    assert sum(one.dealt_amount for one in second) == D("11000647.10")
    assert [row.payload["what"] for row in OutboxEvent.objects.filter(
        topic="fx.suggestion.changed").order_by("id")] == ["reckoned", "reckoned"]  # fmt: skip


def test_a_rate_that_moves_far_enough_is_reckoned_anew(morning: Desk, quoted: Quoted) -> None:
    suggest(currency="INR", now=MORNING)
    quoted("USD/INR", "85.1000", minutes_old=0)
    assert suggest(currency="INR", now=MORNING) == []  # 0.12 % is no news
    quoted("USD/INR", "86.0000", minutes_old=-0.5)
    assert suggest(currency="INR", now=MORNING + timedelta(minutes=1))[0].rate == D(86)


def test_after_the_cut_off_nothing_comes_in_time_and_it_says_so(
    morning: Desk, quoted: Quoted
) -> None:
    at = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)  # 11:30:00 counts as after
    with clock.frozen(at):
        quoted("USD/INR", "84.9950", "85.0050")
        made = suggest(currency="INR", now=at)
        assert (made[0].period, made[0].value_date, made[0].is_late) == ("TOM", MONDAY, True)
        assert "nothing that can still be dealt comes in time" in made[0].reason
        shut = next(one for one in made[0].rejected if one["period"] == "CASH")
        assert "shut since 06:00 UTC (the desk's cut-off for CASH)" in shut["why"]
    before = at - timedelta(seconds=1)
    with clock.frozen(before):
        assert suggest(currency="INR", now=before)[0].period == "CASH"


def test_taking_makes_a_draft_that_is_counted_as_on_its_way(morning: Desk) -> None:
    first, *others = suggest(currency="INR", now=MORNING)
    made = taking.take_suggestion(suggestion_id=first.pk, actor=morning.dealer)
    assert (made.state, made.maker, made.base_amount) == ("DRAFT", morning.dealer, D(5_000_000))
    assert (made.period, made.value_date, made.limit_rate) == ("CASH", FRIDAY, D("84.995"))
    assert made.why == first.reason
    first.refresh_from_db()
    assert (first.state, first.deal, first.closed_by) == ("TAKEN", made, morning.dealer)
    left = suggest(currency="INR", now=MORNING)
    assert sum(one.dealt_amount for one in left) == D("5000588.27")
    assert len(ended("SUPERSEDED")) == len(others)
    deals.submit_deal(deal_id=made.pk, actor=morning.dealer)
    assert suggest(currency="INR", now=MORNING) == []
    deals.cancel_deal(deal_id=made.pk, actor=morning.dealer, reason="Another bank is cheaper")
    again = suggest(currency="INR", now=MORNING)
    assert sum(one.dealt_amount for one in again) == D("10000588.27")


def test_what_is_left_open_on_purpose_is_not_suggested_again_that_day(morning: Desk) -> None:
    rows = suggest(currency="INR", now=MORNING)
    with pytest.raises(Invalid, match="Say why it is left open"):
        taking.dismiss_suggestion(suggestion_id=rows[0].pk, actor=morning.dealer, reason=" ")
    for row in rows:
        taking.dismiss_suggestion(
            suggestion_id=row.pk, actor=morning.dealer, reason="Paid from Dubai"
        )
    assert suggest(currency="INR", now=MORNING) == []
    assert not reads.open_suggestions().exists()
    with pytest.raises(SuggestionClosed, match=r"dismissed since 04:30 UTC\. Paid from Dubai"):
        taking.take_suggestion(suggestion_id=rows[0].pk, actor=morning.dealer)


def test_nobody_but_dealers_takes_or_dismisses(morning: Desk) -> None:
    [row, *_] = suggest(currency="INR", now=MORNING)
    for person in (morning.checker, morning.back_office, make_user("maker", "treasury_maker")):
        with pytest.raises(Forbidden, match="role dealer"):
            taking.take_suggestion(suggestion_id=row.pk, actor=person)
        with pytest.raises(Forbidden, match="role dealer"):
            taking.dismiss_suggestion(suggestion_id=row.pk, actor=person, reason="no")


def test_a_suggestion_is_not_taken_after_its_cut_off_and_expires_with_its_day(
    morning: Desk,
) -> None:
    [row, *_] = suggest(currency="INR", now=MORNING)
    with clock.frozen(row.dealt_until), pytest.raises(SuggestionClosed, match="was dealt until"):
        taking.take_suggestion(suggestion_id=row.pk, actor=morning.dealer)
    assert taking.expire_suggestions(now=row.expires_at - timedelta(seconds=1)) == 0
    assert taking.expire_suggestions(now=row.expires_at) == 3
    assert [one.closing_reason for one in ended("EXPIRED")] == ["The trading day ended."] * 3


def test_the_room_of_a_counterparty_bounds_its_part(morning: Desk) -> None:
    morning.bank.settlement_usd_max = D(6_000_000)
    morning.bank.save()
    made = suggest(currency="INR", now=MORNING)
    found = [(one.dealt_amount, one.counterparty, one.headroom_usd) for one in made]
    assert found == [
        (D(5_000_000), morning.bank, D(6_000_000)),
        (D(1_000_000), morning.bank, D(1_000_000)),
        (D("4000588.27"), None, None),
    ]
    assert "No counterparty has room for it" in made[2].reason
    with pytest.raises(SuggestionNotDealable, match="write the deal yourself"):
        taking.take_suggestion(suggestion_id=made[2].pk, actor=morning.dealer)


def test_a_need_behind_spot_is_bought_forward(desk: Desk) -> None:
    """A shortfall next Friday is met by a forward for that Friday, not by spot on Wednesday."""
    told = short_of(
        currency="INR", account=desk.accounts["INR"].pk, shortfall=D(8_500_000),
        needed_on=date(2026, 11, 27),
    )  # fmt: skip
    [made] = suggest(currency="INR", now=clock.now(), told=told)
    assert (made.need.cause, made.need.shortfall) == ("SHORTFALL", D("9350000.00"))  # a tenth more
    assert (made.period, made.value_date) == ("FORWARD", date(2026, 11, 27))
    spot = next(one for one in made.rejected if one["period"] == "SPOT")
    assert spot["why"] == "settles on 2026-11-25 already; FORWARD still comes in time"


def test_own_rupees_are_looked_at_first(desk: Desk) -> None:
    spare = another_account(desk, "INR", "Spare rupees", "4010000077")
    put_balance(spare, "3000000.00")
    facts: dict[str, Any] = {
        "currency": "INR",
        "account": desk.accounts["INR"].pk,
        "needed_on": WEDNESDAY,
    }
    told = short_of(shortfall=D(8_500_000), **facts)
    [made] = suggest(currency="INR", now=clock.now(), told=told)
    need = made.need
    assert (need.shortfall, need.inventory, need.amount) == (
        D("9350000.00"), D("3000000.00"), D("6350000.00"),
    )  # fmt: skip
    assert need.inputs["shortfalls"][0]["others_can_spare"] == [
        {"account": "Spare rupees", "amount": "3000000.0000"}
    ]
    small = short_of(shortfall=D(1_000_000), **facts)
    assert suggest(currency="INR", now=clock.now(), told=small) == []  # prefunding proposes it
    assert not reads.open_suggestions().exists()


@pytest.mark.parametrize("needed_on", [FRIDAY, WEDNESDAY])
def test_what_was_dealt_for_a_shortfall_is_not_suggested_again(
    desk: Desk, quoted: Quoted, needed_on: date
) -> None:
    with clock.frozen(MORNING):
        quoted("USD/INR", "84.9950", "85.0050")
        told = short_of(
            currency="INR", account=desk.accounts["INR"].pk, shortfall=D(8_500_000),
            needed_on=needed_on,
        )  # fmt: skip
        [row] = suggest(currency="INR", now=MORNING, told=told)
        deal = taking.take_suggestion(suggestion_id=row.pk, actor=desk.dealer)
        assert suggest(currency="INR", now=MORNING, told=told) == []
        deal = desk.decide(deals.submit_deal(deal_id=deal.pk, actor=desk.dealer))
        assert suggest(currency="INR", now=MORNING, told=told) == []
        desk.execute(deal, "84.9950")
        assert suggest(currency="INR", now=MORNING, told=told) == []


def test_a_deal_that_settles_after_the_need_is_no_answer_to_it(morning: Desk) -> None:
    morning.submitted(tenor="1M", rate="85.2000", dealt="4000000.00 USD")
    made = suggest(currency="INR", now=MORNING)
    assert (made[0].need.in_works, made[0].need.amount) == (D(0), D(850_000_000))
    morning.submitted(tenor="CASH", rate="84.9950", dealt="1000000.00 USD")
    made = suggest(currency="INR", now=MORNING)
    assert made[0].need.in_works == D("84995000.00")


def test_pounds_are_bought_in_pounds_each_within_the_limit(desk: Desk) -> None:
    told = short_of(
        currency="GBP", account=desk.accounts["GBP"].pk, shortfall=D(5_000_000), needed_on=WEDNESDAY
    )
    made = suggest(currency="GBP", now=clock.now(), told=told)
    assert {(one.side, one.pair, one.dealt_currency) for one in made} == {("BUY", "GBP/USD", "GBP")}
    assert sum(one.dealt_amount for one in made) == D("5500000.00")
    assert max(one.usd_equivalent for one in made) <= D(5_000_000)
    # A rate that slips as far as it may still leaves the deal within the limit.
    assert made[0].dealt_amount * D("1.2651") * D("1.001") <= D(5_000_000)


def test_what_is_not_worth_a_deal_is_not_suggested(desk: Desk) -> None:
    put_balance(desk.accounts["INR"], "0.00")
    put_payout(desk, "84000.00", FRIDAY)
    assert suggest_all(now=clock.now()) == []
    put_payout(desk, "2000.00", FRIDAY)
    assert len(suggest_all(now=clock.now())) == 1


# --- against the app role's own SQL --------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("state = 'TAKEN'", "taken by a draft"),
        ("dealt_amount = dealt_amount + 1", "does not go from OPEN to OPEN"),
        ("state = 'EXPIRED', dealt_amount = 1", "stays as it was"),
        ("state = 'DISMISSED', closed_at = now()", "suggestion_closed_by_somebody"),
        ("state = 'SUPERSEDED'", "suggestion_closed_by_somebody"),
    ],
)
def test_the_database_holds_the_edges(morning: Desk, change: str, words: str) -> None:
    [row, *_] = suggest(currency="INR", now=MORNING)
    with pytest.raises(DatabaseError, match=words), transaction.atomic():
        _sql(f"UPDATE fx_dealsuggestion SET {change} WHERE id = %s", row.pk)


def test_the_database_lets_legal_edges_pass_and_nothing_after_them(morning: Desk) -> None:
    [row, *_] = suggest(currency="INR", now=MORNING)
    _sql(
        "UPDATE fx_dealsuggestion SET state = 'SUPERSEDED', closed_at = now() WHERE id = %s", row.pk
    )
    for change in ("state = 'OPEN', closed_at = NULL", "state = 'EXPIRED'"):
        with (
            pytest.raises(DatabaseError, match="does not go from SUPERSEDED"),
            transaction.atomic(),
        ):
            _sql(f"UPDATE fx_dealsuggestion SET {change} WHERE id = %s", row.pk)
    with pytest.raises(DatabaseError, match="never deleted"), transaction.atomic():
        _sql("DELETE FROM fx_dealsuggestion WHERE id = %s", row.pk)
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        _sql("UPDATE fx_hedgeneed SET amount = 1 WHERE id = %s", row.need_id)


def test_somebody_elses_draft_takes_no_suggestion(morning: Desk) -> None:
    [row, *_] = suggest(currency="INR", now=MORNING)
    other = morning.captured(pair="EUR/USD", rate="1.0870", dealt="1000.00 EUR")
    terms: dict[str, Any] = {"rate": "84.9950", "tenor": "CASH"}
    same = morning.captured(dealt="5000000.00 USD", **terms)
    smaller = morning.captured(dealt="4999999.99 USD", **terms)
    later = morning.captured(dealt="5000000.00 USD", rate="84.9950")
    take = (
        "UPDATE fx_dealsuggestion SET state = 'TAKEN', closed_at = now(), deal_id = %s,"
        " closed_by_id = %s WHERE id = %s"
    )
    for deal, person in (
        (other, morning.dealer), (same, morning.checker), (smaller, morning.dealer),
        (later, morning.dealer),
    ):  # fmt: skip
        with pytest.raises(DatabaseError, match="taken by a draft"), transaction.atomic():
            _sql(take, deal.pk, person.pk, row.pk)
    _sql(take, same.pk, morning.dealer.pk, row.pk)


def test_no_suggestion_is_larger_than_a_deal_or_born_taken(morning: Desk) -> None:
    [row, *_] = suggest(currency="INR", now=MORNING)
    copy = {f.attname: getattr(row, f.attname) for f in DealSuggestion._meta.concrete_fields}
    del copy["id"], copy["state"], copy["tenant_id"]

    def born(**other: Any) -> DealSuggestion:
        with transaction.atomic():
            return DealSuggestion.objects.create(**copy | {"part": 9, "parts": 9} | other)

    assert born().state == "OPEN"  # the control: nothing else stands in the way
    with pytest.raises(DatabaseError, match="larger than one deal"):
        born(part=8, usd_equivalent=D("5000000.01"))
    with pytest.raises(DatabaseError, match="born as OPEN"):
        born(part=8, state="TAKEN", deal=morning.captured(), closed_by=morning.dealer)
    with pytest.raises(DatabaseError, match="meets the need that it names"):
        born(part=8, day=MONDAY)
    with pytest.raises(DatabaseError, match="suggestion_once_open"):
        born()


def test_the_machine_is_what_the_database_guards() -> None:
    moves = DealSuggestion().get_all_state_transitions()  # type: ignore[attr-defined]
    declared = {(str(one.source), str(one.target)) for one in moves}
    assert declared == set(suggestion_guards.EDGES)


def _sql(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


# --- on the desk and over the API ----------------------------------------------------------------


def test_the_page_shows_why_and_one_button_makes_the_draft(morning: Desk) -> None:
    [row, *_] = suggest(currency="INR", now=MORNING)
    client = client_of(morning.dealer)
    page = client.get(reverse("fx:suggestions")).content.decode()
    assert "5,000,000.00" in page
    assert "Make a draft" in page
    assert "after the need of 2026-11-20" in page
    explained = client.get(reverse("fx:suggestion", args=[row.pk])).content.decode()
    assert row.need.digest[:16] in explained
    assert "Make a draft" not in client_of(morning.checker).get(
        reverse("fx:suggestions")).content.decode()  # fmt: skip
    answer = client.post(reverse("fx:take-suggestion", args=[row.pk]))
    made = Deal.objects.get()
    assert answer["Location"] == reverse("fx:deal", args=[made.pk])
    assert "Made from a" in client.get(answer["Location"]).content.decode()
    client.post(reverse("fx:dismiss-suggestion", args=[reads.open_suggestions()[0].pk]),
                {"reason": "Paid from Dubai"})  # fmt: skip
    client.post(reverse("fx:reckon"))
    past = client.get(reverse("fx:past-suggestions"), {"state": "DISMISSED", "as": "csv"})
    assert "Paid from Dubai" in past.content.decode()


def test_suggestions_over_the_api(morning: Desk) -> None:
    [row, other, _] = suggest(currency="INR", now=MORNING)
    client = machine(morning.dealer)
    found = client.get(reverse("fx-suggestions"), {"state": "OPEN", "currency": "INR"}).json()
    first = next(one for one in found["results"] if one["id"] == str(row.pk))
    assert (first["dealt_amount"], first["period"], first["cause"]) == (
        "5000000.0000", "CASH", "EXPOSURE",
    )  # fmt: skip
    assert first["inputs"]["rooms"] == [{"counterparty": "DEALBANK", "left_usd": None}]
    made = post(client, "fx-suggestion-take", {}, row.pk)
    assert (made.status_code, made.json()["state"]) == (201, "DRAFT")
    again = post(client, "fx-suggestion-take", {}, row.pk, key="other")
    assert (again.status_code, again.json()["code"]) == (409, "fx_suggestion_closed")
    gone = post(client, "fx-suggestion-dismiss", {"reason": "Too dear"}, other.pk)
    assert (gone.json()["state"], gone.json()["closing_reason"]) == ("DISMISSED", "Too dear")
    assert post(machine(morning.checker), "fx-suggestion-take", {}, row.pk).status_code == 403


def test_the_largest_deal_is_a_policy(morning: Desk) -> None:
    policies.write_version(
        policy=MAX_SINGLE_DEAL_USD, value="20000000", actor=None, reason="a test"
    )
    assert [one.dealt_amount for one in suggest(currency="INR", now=MORNING)] == [D("10000588.27")]


def test_metrics_tell_what_waits_and_name_no_tenant(morning: Desk) -> None:
    suggest(currency="INR", now=MORNING)
    page = client_of(morning.checker).get("/metrics").content.decode()
    assert 'fx_open_suggestions{currency="INR"} 3.0' in page
    assert 'fx_suggested_usd{currency="INR"} 1.000058827e+07' in page
    assert "north" not in page


# --- what leads to suggestions -------------------------------------------------------------------


def shortfall(desk: Desk, **other: Any) -> dict[str, Any]:
    return {
        "forecast_id": "0", "currency": "INR", "date": "2026-11-25", "required": "8500000.00",
        "available": "0.00", "shortfall": "8500000.00",
        "account_id": str(desk.accounts["INR"].pk),
    } | other  # fmt: skip


def test_a_shortfall_that_no_own_account_can_pay_is_suggested(desk: Desk) -> None:
    told("forecast.rda.shortfall", "fx.suggestions", shortfall(desk))
    told("forecast.rda.shortfall", "fx.suggestions", shortfall(desk))  # delivered twice
    [made] = reads.open_suggestions()
    assert (made.need.cause, made.value_date, made.receive_account) == (
        "SHORTFALL", WEDNESDAY, desk.accounts["INR"],
    )  # fmt: skip
    told("forecast.rda.shortfall", "fx.suggestions", shortfall(desk, currency="USD"))
    with pytest.raises(Invalid, match="malformed"):
        told("forecast.rda.shortfall", "fx.suggestions", shortfall(desk, account_id="none"))
    assert HedgeNeed.objects.count() == 1


def test_the_watch_keeps_a_shortfall_that_prefunding_found_no_source_for(desk: Desk) -> None:
    handled = prefunding.handle_shortfall(
        shortfall=prefunding.Shortfall(
            event_id=uuid7(), currency="INR", account_id=desk.accounts["INR"].pk,
            need_date=WEDNESDAY, required=D(8_500_000), available=D(0),
            shortfall=D(8_500_000), occurred_at=clock.now(),
        )
    )  # fmt: skip
    assert isinstance(handled, PrefundingRequest)
    assert "needs an FX deal" in handled.problem
    [made] = suggest_all(now=clock.now())
    assert made.need.shortfall == handled.transfer_amount == D("9350000.00")
    assert suggest_all(now=clock.now()) == []


def test_a_breach_is_suggested_and_what_nobody_has_a_rate_for_waits(morning: Desk) -> None:
    with clock.frozen(MORNING + timedelta(hours=1)):  # the rates are an hour old
        told("fx.exposure.breach", "fx.suggestions", {"currency": "INR"})
        assert not reads.open_suggestions().exists()
    told("fx.exposure.breach", "fx.suggestions", {"currency": "INR"})
    assert reads.open_suggestions().count() == 3


def test_two_who_take_the_same_suggestion_make_one_draft(morning: Desk) -> None:
    [row, *_] = suggest(currency="INR", now=MORNING)
    other = make_user("dealer-two", "dealer")
    taking.take_suggestion(suggestion_id=row.pk, actor=morning.dealer)
    with pytest.raises(SuggestionClosed, match="is taken since"):
        taking.take_suggestion(suggestion_id=row.pk, actor=other)
    with pytest.raises(SuggestionClosed, match="is taken since"):
        taking.dismiss_suggestion(suggestion_id=row.pk, actor=other, reason="no")
    assert Deal.objects.count() == 1
