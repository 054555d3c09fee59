"""How much there is, from which figure, and how old it is."""

from datetime import date, timedelta
from decimal import Decimal

from core import clock
from tests.treasury.bank.conftest import NOW
from tests.treasury.bank.paper import DAY, IBAN, B, E, S, arrive, camt, day_statement
from treasury.models import BankAccount
from treasury.selectors import positions, statements
from treasury.selectors.invariants import invariants
from treasury.services import flows, rates

D1, D2, D3 = (DAY + timedelta(days=step) for step in (1, 2, 3))
TODAY = NOW.date()


def have(account: BankAccount, on: date = TODAY) -> Decimal:
    return positions.available(account_id=account.pk, on=on, now=clock.now()).amount


def flow(account: BankAccount, amount: str, source: str = "TRANSFER", **more: object) -> None:
    facts: dict[str, object] = {
        "account_id": account.pk, "source": source, "source_ref": f"{source}{amount}",
        "amount": Decimal(amount), "value_date": TODAY, "description": "test", **more,
    }  # fmt: skip
    flows.put_expected_flow(flow=flows.FlowIn(**facts))  # type: ignore[arg-type]


def test_available_is_the_closing_balance_when_nothing_else_is_known(account: BankAccount) -> None:
    arrive(camt("053", day_statement(E(amount="9"))))
    found = positions.available(account_id=account.pk, on=TODAY, now=clock.now())
    assert (found.amount, found.balance_code, found.source) == (Decimal(1009), "CLBD", "CAMT053")
    assert found.message_id is not None


def test_what_the_bank_calls_available_counts_before_what_is_booked(account: BankAccount) -> None:
    day = day_statement(E(amount="9"))
    arrive(
        camt(
            "053",
            S(id="X", balances=(*day.balances, B(code="CLAV", amount="800")), entries=day.entries),
        )
    )
    assert have(account) == 800


def test_an_included_credit_line_is_not_ours(account: BankAccount) -> None:
    day = day_statement(E(amount="9"))
    line = B(code="CLAV", amount="1001009", line="1000000")
    arrive(camt("053", S(id="X", balances=(*day.balances, line), entries=day.entries)))
    assert have(account) == 1009


def test_floor_and_collateral_stay(open_account) -> None:
    ours = open_account(IBAN, min_balance=Decimal(100), required_collateral=Decimal(50))
    arrive(camt("053", day_statement()))
    assert have(ours) == 850


def test_entries_booked_after_the_balance_count(account: BankAccount) -> None:
    arrive(camt("053", day_statement(E(amount="9"))))
    arrive(camt("054", S(id="N1", entries=(E(amount="-100", ref="Z").on(TODAY),))))
    assert have(account) == 909


def test_a_newer_interim_balance_takes_over_and_contains_what_it_lists(
    account: BankAccount,
) -> None:
    arrive(camt("053", day_statement()))
    debit = E(amount="-100", ref="Z").on(TODAY)
    arrive(camt("054", S(id="N1", created="2026-11-24T07:30:00Z", entries=(debit,))))
    report = S(
        id="I1", created="2026-11-24T07:45:00Z", entries=(debit,),
        balances=(B(code="ITAV", amount="900", on=TODAY, at="2026-11-24T07:45:00Z"),),
    )  # fmt: skip
    arrive(camt("052", report))
    assert have(account) == 900
    later = E(amount="-50", ref="Y").on(TODAY)
    arrive(camt("054", S(id="N2", created="2026-11-24T07:50:00Z", entries=(later,))))
    assert have(account) == 850


def test_pending_and_forecast_do_not_change_what_is_available(account: BankAccount) -> None:
    arrive(camt("053", day_statement()))
    arrive(camt("052", S(id="I1", entries=(E(amount="70", ref="P", status="PDNG").on(TODAY),))))
    flow(account, "-300", "PAYOUT")
    flow(account, "200", "FORECAST")
    assert have(account) == 1000


def test_firm_outflows_reserve_and_firm_inflows_count_from_their_day(account: BankAccount) -> None:
    arrive(camt("053", day_statement()))
    flow(account, "-300", value_date=TODAY + timedelta(days=2))
    assert have(account) == 700
    flow(account, "500", "DEAL", value_date=TODAY + timedelta(days=1))
    assert have(account) == 700
    assert have(account, TODAY + timedelta(days=1)) == 1200


def test_a_reservation_gives_way_to_its_entry(account: BankAccount) -> None:
    arrive(camt("053", day_statement()))
    flow(account, "-300", end_to_end_id="FM-1")
    assert have(account) == 700
    arrive(camt("054", S(id="N1", entries=(E(amount="-300", ref="Z", e2e="FM-1").on(TODAY),))))
    assert have(account) == 700


def test_an_account_without_balance_is_stale_and_unknown(account: BankAccount) -> None:
    found = positions.available(account_id=account.pk, on=TODAY, now=clock.now())
    assert (found.balance, found.is_stale, found.amount) == (None, True, Decimal(0))


def test_a_balance_grows_stale(account: BankAccount) -> None:
    arrive(camt("053", day_statement(day=TODAY - timedelta(days=1))))
    assert not positions.positions(on=TODAY)[0].is_stale
    with clock.frozen(NOW + timedelta(hours=40)):
        assert positions.positions(on=TODAY)[0].is_stale


def test_the_ladder_goes_by_value_date(account: BankAccount) -> None:
    entries = (
        E(amount="10", ref="A"),
        E(amount="20", ref="B", value=D1),
        E(amount="-5", ref="C", value=DAY - timedelta(days=1)),
    )
    arrive(camt("053", day_statement(*entries)))
    days = positions.position_ladder(account_id=account.pk, start=DAY - timedelta(days=1), days=4)
    assert [one.opening for one in days] == [1000, 995, 1005, 1025]
    assert [one.booked for one in days] == [-5, 10, 20, 0]
    assert days[-1].closing == 1025


def test_the_ladder_adds_what_is_expected(account: BankAccount) -> None:
    arrive(camt("053", day_statement()))
    flow(account, "-300", "PAYOUT", value_date=TODAY + timedelta(days=1))
    flow(account, "50", "FORECAST", value_date=TODAY - timedelta(days=2))
    days = positions.position_ladder(account_id=account.pk, start=TODAY, days=2)
    assert [one.expected_in for one in days] == [50, 0]
    assert [one.expected_out for one in days] == [0, -300]
    assert days[1].closing == 750


def test_positions_name_age_source_and_message(account: BankAccount) -> None:
    result = arrive(camt("053", day_statement(E(amount="9"))))
    (one,) = positions.positions(on=TODAY)
    assert (one.booked, one.projected, one.source) == (Decimal(1009), Decimal(1009), "CAMT053")
    assert one.message_id == result.message_id
    assert one.age_seconds is not None
    assert one.age_seconds > 0
    assert one.entity == "North Remit Ltd"


def test_a_currency_without_rate_is_named_and_never_zero(open_account) -> None:
    euro = open_account(IBAN, label="eur")
    other = open_account(IBAN, label="gbp", currency="GBP")
    arrive(camt("053", day_statement()))
    total = positions.totals(on=TODAY)
    assert total.without_rate == ("EUR", "GBP")
    rates.record_usd_rate(
        currency="EUR", usd_per_unit=Decimal("1.10"), as_of=NOW - timedelta(hours=1), source="t"
    )
    total = positions.totals(on=TODAY)
    assert total.usd == Decimal(1100)
    assert total.without_rate == ("GBP",)
    assert total.has_stale
    assert {one.account_id for one in positions.positions(on=TODAY)} == {euro.pk, other.pk}


def test_an_old_rate_is_no_rate(account: BankAccount) -> None:
    arrive(camt("053", day_statement()))
    rates.record_usd_rate(
        currency="EUR", usd_per_unit=Decimal("1.10"), as_of=NOW - timedelta(hours=30), source="t"
    )
    assert positions.totals(on=TODAY).without_rate == ("EUR",)


def test_daily_flows_leave_own_transfers_out(account: BankAccount) -> None:
    arrive(camt("053", day_statement(E(amount="9", ref="A"), E(amount="-4", ref="B"))))
    (day,) = positions.daily_flows(account_id=account.pk, since=DAY, until=DAY)
    assert (day.inflow, day.outflow) == (Decimal(9), Decimal(4))


def test_sound_books_have_no_findings(account: BankAccount) -> None:
    arrive(camt("054", S(id="N1", entries=(E(amount="9", ref="A"),))))
    arrive(camt("053", day_statement(E(amount="9", ref="A"), E(amount="9", ref="B"))))
    arrive(camt("053", day_statement(E(amount="1").on(D1), opening="1018", day=D1, seq=2)))
    assert invariants() == []


def test_a_changed_entry_is_found(account: BankAccount, owner_connection) -> None:
    from treasury.models import BankEntry

    arrive(camt("053", day_statement(E(amount="9", ref="A"))))
    BankEntry.objects.update(amount=Decimal(10))
    codes = {one.code for one in invariants()}
    assert {"statement_does_not_add_up", "position_is_not_the_sum"} <= codes


def test_an_overdrawn_account_is_found_unless_it_may_be(open_account) -> None:
    open_account(IBAN, label="a")
    arrive(camt("053", day_statement(E(amount="-1500"))))
    assert [one.code for one in invariants()] == ["account_overdrawn"]


def test_every_sighting_of_an_entry_can_be_opened(account: BankAccount) -> None:
    one = E(amount="9", ref="A")
    arrive(camt("054", S(id="N1", entries=(one,))))
    arrive(camt("053", day_statement(one)))
    (entry,) = statements.counted_entries(account.pk)
    seen = list(statements.observations_of(entry.pk))
    assert [row.statement.source for row in seen] == ["CAMT054", "CAMT053"]
    assert all(row.statement.message_id and row.locator for row in seen)
