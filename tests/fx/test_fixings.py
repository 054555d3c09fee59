"""One fixing for all deals of a day; a wrong one is corrected by two people, and none differ."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError, connection, transaction
from django.db.models import QuerySet
from django.urls import reverse

from core import browsing, clock
from core.errors import Forbidden, Invalid
from core.identity.models import User
from fx.engine.pairs import Pair
from fx.errors import CorrectionRefused, LegAlreadySent
from fx.models import DayFixing, Deal, DealLeg, NdfFixing, SettlementInstruction
from fx.selectors import closing as closing_reads
from fx.selectors import valuation
from fx.services import closing, correcting, dealing, fixing, instructing
from tests.conftest import make_user
from tests.fx.dealing import another_account
from tests.fx.settling import D, Settling, book, follow, fresh, price
from tests.fx.test_closing import approve_cancel, ndf, on_its_fixing_day
from tests.fx.test_deals_delivery import machine
from tests.fx.test_deals_guards import sql
from tests.tms.desk.conftest import client_of
from tests.treasury.movement.conftest import guard_replaced
from treasury.models import Task
from treasury.selectors.invariants import invariants

USDINR = Pair("USD", "INR")
WHY = "A digit was mistyped."
REPLACE = "UPDATE fx_dayfixing SET state = 'REPLACED' WHERE id = %s"
DECIDE = "UPDATE fx_dayfixing SET state = %s, checker_id = %s, decided_at = now() WHERE version = 2"
PLANT = (
    "INSERT INTO fx_dayfixing (id, tenant_id, base, quote, fixed_on, version, rate, said_by,"
    " reason, state, entered_by_id, entered_at, note) SELECT gen_random_uuid(), tenant_id, base,"
    " quote, fixing_date, 1, 90, 'x', '', 'IN_FORCE', %s, now(), '' FROM fx_deal WHERE id = %s"
)


@pytest.fixture
def two(settles: Settling) -> Iterator[tuple[Deal, Deal]]:
    """A bought and a sold non-deliverable deal of one day, on their fixing day."""
    pair = ndf(settles), ndf(settles, side="SELL")
    with clock.frozen(on_its_fixing_day(pair[0])):
        yield pair


@pytest.fixture
def second(settles: Settling) -> User:
    """Another person of the back office."""
    return make_user("back-two", "back_office")


def fixed(settles: Settling, two: tuple[Deal, Deal], rate: str = "86") -> DayFixing:
    """Fix all deals of the day; return the fixing that holds."""
    day = two[0].fixing_date
    assert day is not None
    made = fixing.record_fixing(
        pair=USDINR, day=day, rate=D(rate), said_by="FBIL", actor=settles.desk.back_office
    )
    assert {one.deal_id for one in made} == {one.pk for one in two}
    return DayFixing.objects.get(state="IN_FORCE")


def amounts(two: tuple[Deal, Deal]) -> dict[str, str]:
    """Return what stands to be paid, by direction."""
    return {one.direction: f"{one.amount:.2f}" for one in standing(two)}


def standing(two: tuple[Deal, Deal]) -> QuerySet[DealLeg]:
    """Return the legs that stand."""
    return DealLeg.objects.filter(deal__in=two).exclude(state="VOID")


def commit() -> None:
    """Ask what the database asks at commit."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def correction(settles: Settling, held: DayFixing, rate: str = "86.1") -> DayFixing:
    return correcting.propose_correction(
        fixing_id=held.pk,
        rate=D(rate),
        said_by="FBIL",
        reason=WHY,
        actor=settles.desk.back_office,
    )


def test_one_fixing_is_that_of_all_deals_of_its_day(
    settles: Settling, two: tuple[Deal, Deal]
) -> None:
    held = fixed(settles, two)
    assert (held.version, held.rate, held.pair) == (1, D(86), "USD/INR")
    # A million at 85 fixed at 86: 1,000,000 x (86 - 85) / 86.
    assert amounts(two) == {"RECEIVE": "11627.91", "PAY": "11627.91"}
    with pytest.raises(Invalid, match="No deal of USD/INR waits"):
        fixed(settles, two)
    assert not invariants()


def test_who_dealt_or_is_not_of_the_back_office_fixes_no_day(
    settles: Settling, two: tuple[Deal, Deal]
) -> None:
    day = two[0].fixing_date
    assert day is not None
    for who in (settles.desk.dealer, settles.desk.checker):
        with pytest.raises(Forbidden):
            fixing.record_fixing(pair=USDINR, day=day, rate=D(86), said_by="FBIL", actor=who)
    assert not NdfFixing.objects.exists()


def test_a_wrong_fixing_is_corrected_by_two_people_and_its_deals_pay_by_the_right_one(
    settles: Settling, two: tuple[Deal, Deal], second: User
) -> None:
    wrong = fixed(settles, two, "84")
    assert amounts(two) == {"RECEIVE": "11904.76", "PAY": "11904.76"}
    made = correction(settles, wrong, "86")
    with pytest.raises(Forbidden, match="Another person"):
        correcting.accept_correction(fixing_id=made.pk, actor=settles.desk.back_office)
    correcting.accept_correction(fixing_id=made.pk, actor=second)
    # Whoever was to pay by the wrong rate receives by the right one.
    assert amounts(two) == {"RECEIVE": "11627.91", "PAY": "11627.91"}
    assert {one.direction for one in DealLeg.objects.filter(deal=two[0], state="VOID")} == {"PAY"}
    assert {one.rate for one in NdfFixing.objects.all()} == {D(86)}
    history = [(one.version, one.state, one.reason) for one in DayFixing.objects.all()]
    assert history == [(2, "IN_FORCE", WHY), (1, "REPLACED", "")]
    assert not invariants()
    with pytest.raises(CorrectionRefused, match="decided"):
        correcting.accept_correction(fixing_id=made.pk, actor=second)


def test_a_correction_opens_what_nothing_was_left_of_and_closes_what_nothing_is_left_of(
    settles: Settling, two: tuple[Deal, Deal], second: User
) -> None:
    held = fixed(settles, two, "85")
    assert {fresh(one).state for one in two} == {"SETTLED"}
    correcting.accept_correction(fixing_id=correction(settles, held, "86").pk, actor=second)
    assert {fresh(one).state for one in two} == {"CONFIRMED"}
    held = DayFixing.objects.get(state="IN_FORCE")
    correcting.accept_correction(fixing_id=correction(settles, held, "85").pk, actor=second)
    assert {fresh(one).state for one in two} == {"SETTLED"}


def test_a_refused_correction_leaves_the_fixing(
    settles: Settling, two: tuple[Deal, Deal], second: User
) -> None:
    held = fixed(settles, two)
    made = correction(settles, held)
    with pytest.raises(CorrectionRefused, match="awaits another person"):
        correction(settles, held, "86.2")
    correcting.refuse_correction(fixing_id=made.pk, reason="86 was published.", actor=second)
    assert amounts(two)["RECEIVE"] == "11627.91"
    with pytest.raises(CorrectionRefused):
        correction(settles, made)
    with pytest.raises(Invalid, match="fixed at that rate"):
        correction(settles, held, "86")
    with pytest.raises(Invalid, match="too far from"):
        correction(settles, held, "8.6")


def test_what_was_paid_by_a_fixing_is_not_corrected(
    settles: Settling, two: tuple[Deal, Deal], second: User
) -> None:
    held = fixed(settles, two)
    book(DealLeg.objects.get(deal=two[0]), value_date=two[0].value_date)
    follow(two[0])
    made = correction(settles, held)
    with pytest.raises(LegAlreadySent, match="was paid by the fixing before"):
        correcting.accept_correction(fixing_id=made.pk, actor=second)
    assert amounts(two) == {"RECEIVE": "11627.91", "PAY": "11627.91"}


def test_the_database_lets_no_fixing_differ_from_its_day(
    settles: Settling, two: tuple[Deal, Deal], second: User
) -> None:
    held = fixed(settles, two)
    with pytest.raises(DatabaseError, match="changes with its day alone"):
        sql("UPDATE fx_ndffixing SET rate = 86.1 WHERE deal_id = %s", two[0].pk)
    for change in ("rate = 86.1", "state = 'REPLACED'", "said_by = 'me'", "version = 2"):
        with pytest.raises(DatabaseError):
            sql(f"UPDATE fx_dayfixing SET {change} WHERE id = %s", held.pk)
    for statement in ("DELETE FROM fx_dayfixing", "DELETE FROM fx_ndffixing"):
        with pytest.raises(DatabaseError):
            sql(statement)
    another = (
        "INSERT INTO fx_dayfixing (id, tenant_id, base, quote, fixed_on, version, rate, said_by,"
        " reason, state, entered_by_id, entered_at, note) SELECT gen_random_uuid(), tenant_id,"
        " base, quote, fixed_on, 2, 86.1, 'x', 'x', %s, %s, now(), '' FROM fx_dayfixing"
    )
    with pytest.raises(DatabaseError, match="corrected by two people"):
        sql(another, "IN_FORCE", second.pk)
    with pytest.raises(DatabaseError, match="did not deal"):
        sql(another, "PROPOSED", settles.desk.dealer.pk)
    sql(another, "PROPOSED", second.pk)
    with transaction.atomic():
        sql(REPLACE, held.pk)
        for who in (second, settles.desk.dealer):
            with pytest.raises(DatabaseError):
                sql(DECIDE, "IN_FORCE", who.pk)
        sql(DECIDE, "IN_FORCE", settles.desk.back_office.pk)
        assert "fixing_is_not_its_days" in {one.code for one in invariants()}
        with pytest.raises(DatabaseError, match="every deal of a day follows"):
            commit()
        transaction.set_rollback(True)


def test_a_day_without_its_fixing_is_not_committed(
    settles: Settling, two: tuple[Deal, Deal], second: User
) -> None:
    held = fixed(settles, two)
    correction(settles, held)
    commit()
    with transaction.atomic():
        sql(REPLACE, held.pk)
        with pytest.raises(DatabaseError, match="keeps a fixing in force"):
            commit()
        sql(DECIDE, "REFUSED", second.pk)
        assert "fixing_is_not_its_days" in {one.code for one in invariants()}
        with pytest.raises(DatabaseError, match="keeps a fixing in force"):
            commit()
        transaction.set_rollback(True)
    assert not invariants()


def test_a_fixing_that_no_deal_has_is_not_planted(
    settles: Settling, two: tuple[Deal, Deal], second: User
) -> None:
    with pytest.raises(DatabaseError, match="somebody who did not deal fixes a day"):
        sql(PLANT, settles.desk.dealer.pk, two[0].pk)
    with transaction.atomic():
        sql(PLANT, second.pk, two[0].pk)
        with pytest.raises(DatabaseError, match="that of its first deal"):
            commit()
        transaction.set_rollback(True)
    fixed(settles, two)
    commit()


def test_who_dealt_one_of_the_day_does_not_fix_another_one_first(
    settles: Settling, two: tuple[Deal, Deal], second: User
) -> None:
    dealt = make_user("dealer-two", "dealer")
    desk = replace(settles.desk, dealer=dealt)
    with clock.frozen(two[0].created_at):
        ndf(replace(settles, desk=desk))
    dealt.groups.set(Group.objects.filter(name="back_office"))
    with pytest.raises(Forbidden, match="did not deal"):
        fixing.fix_deal(deal_id=two[0].pk, rate=D(86), said_by="FBIL", actor=dealt)
    fixing.fix_deal(deal_id=two[0].pk, rate=D(86), said_by="FBIL", actor=second)


def test_a_cancelled_deal_keeps_its_fixing_and_prices_no_other_one(
    settles: Settling, two: tuple[Deal, Deal], second: User
) -> None:
    held = fixed(settles, two, "84")
    newest = NdfFixing.objects.order_by("-id")[0].deal
    checkers = settles.desk.checker, make_user("checker-two", "treasury_checker")
    asked = closing.ask_to_cancel(
        deal_id=newest.pk, evidence="mail", actor=settles.desk.back_office
    )
    for who in checkers:
        approve_cancel(settles, asked, who)
    assert fresh(newest).state == "CANCELLED"
    assert valuation.fixing_of(USDINR, held.fixed_on) == D(84)
    correcting.accept_correction(fixing_id=correction(settles, held, "86").pk, actor=second)
    assert NdfFixing.objects.get(deal=newest).rate == D(84)
    assert valuation.fixing_of(USDINR, held.fixed_on) == D(86)
    assert not invariants()
    commit()


def test_a_correction_keeps_the_account_and_the_later_day_that_were_chosen(
    settles: Settling, two: tuple[Deal, Deal], second: User
) -> None:
    held = fixed(settles, two)
    by = settles.desk.back_office
    mine = another_account(settles.desk, "USD", "USD new", "4099999999")
    later = two[0].value_date + timedelta(days=7)
    noon = on_its_fixing_day(two[0]).timetz()
    with clock.frozen(datetime.combine(later, noon)):
        dealing.fail_deal(deal_id=two[0].pk, reason=WHY, actor=by)
        instructing.reinstruct_deal(deal_id=two[0].pk, actor=by, reason=WHY)
    for one in two:
        instructing.replace_legs(
            deal_id=one.pk, actor=by, reason=WHY, pay_account=mine.pk, receive_account=mine.pk
        )
    days = {one.deal_id: one.value_date for one in standing(two)}
    assert days[two[0].pk] >= later > days[two[1].pk] == two[1].value_date
    correcting.accept_correction(fixing_id=correction(settles, held).pk, actor=second)
    assert {one.account_id for one in standing(two)} == {mine.pk}
    assert {one.deal_id: one.value_date for one in standing(two)} == days
    assert {fresh(one).settles_on for one in two} == set(days.values())


@pytest.mark.parametrize("field", ["pay_account", "receive_account"])
def test_the_difference_is_paid_and_received_on_accounts_of_dollars(
    settles: Settling, two: tuple[Deal, Deal], field: str
) -> None:
    fixed(settles, two)
    desk = settles.desk
    for deal in two:
        wish: dict[str, Any] = {"deal_id": deal.pk, "actor": desk.back_office, "reason": WHY}
        with pytest.raises(Invalid, match="account of ours in USD"):
            instructing.replace_legs(**wish | {field: desk.accounts["INR"].pk})
        instructing.replace_legs(**wish | {field: desk.accounts["USD"].pk})


def test_without_the_guard_two_fixings_of_a_day_differ_and_the_books_find_them(
    settles: Settling, two: tuple[Deal, Deal]
) -> None:
    one, other = two
    by = settles.desk.back_office
    fixing.fix_deal(deal_id=one.pk, rate=D(86), said_by="FBIL", actor=by)
    insert = (
        "INSERT INTO fx_ndffixing (id, tenant_id, deal_id, rate, fixed_on, said_by, entered_by_id,"
        " entered_at) SELECT gen_random_uuid(), tenant_id, id, 86.01, fixing_date, 'x', %s,"
        " fixing_date + interval '12 hours' FROM fx_deal WHERE id = %s"
    )
    with pytest.raises(DatabaseError, match="one fixing holds"):
        sql(insert, by.pk, other.pk)
    with transaction.atomic():
        with guard_replaced("fx_ndffixing", "guard"):
            sql(insert, by.pk, other.pk)
        assert "fixing_is_not_its_days" in {found.code for found in invariants()}
        with pytest.raises(DatabaseError, match="every deal of a day follows"):
            commit()
        transaction.set_rollback(True)


def test_a_source_that_cannot_fix_a_deal_asks_a_person(
    settles: Settling, two: tuple[Deal, Deal]
) -> None:
    SettlementInstruction.objects.filter(currency="USD").update(is_active=False)
    fixing._ask_why_not(two[0], Invalid("Nobody wrote down where it receives USD.", field="x"))
    [task] = Task.objects.open().filter(kind=fixing.NOT_FIXED)
    assert "receives USD" in task.detail


def test_a_day_is_fixed_and_corrected_on_the_desk_and_over_the_api(
    settles: Settling, two: tuple[Deal, Deal], second: User
) -> None:
    client, day = client_of(settles.desk.back_office), str(two[0].fixing_date)
    page = client.get(reverse("fx:fixings")).content.decode()
    assert "Fix 2" in page
    assert "Nothing was fixed yet" in page
    wish = {"pair": "USD/INR", "day": day, "rate": "84.6", "said_by": "FBIL"}
    assert client_of(settles.desk.dealer).post(reverse("fx:record-fixing"), wish).status_code == 403
    told = client.post(reverse("fx:record-fixing"), wish, follow=True).content.decode()
    assert "2 deals are fixed" in told
    held = DayFixing.objects.get()
    at = reverse("fx:correct-fixing", args=[held.pk])
    client.post(at, {"step": "propose", "rate": "86", "said_by": "FBIL", "reason": WHY})
    made = DayFixing.objects.get(state="PROPOSED")
    over = machine(second)
    kept = over.post(
        reverse("fx-fixing-accept", args=[made.pk]),
        {},
        format="json",
        headers={"Idempotency-Key": "k-a"},
    )
    assert (kept.status_code, kept.json()["state"]) == (200, "IN_FORCE")
    listed = over.get(reverse("fx-fixings")).json()["results"]
    assert {(one["version"], one["state"]) for one in listed} == {(2, "IN_FORCE"), (1, "REPLACED")}
    again = over.post(
        reverse("fx-fixings"), wish, format="json", headers={"Idempotency-Key": "k-f"}
    )
    assert again.status_code == 422
    proposed = over.post(
        reverse("fx-fixing-correct", args=[made.pk]),
        {"rate": "86.2", "said_by": "FBIL", "reason": WHY},
        format="json",
        headers={"Idempotency-Key": "k-c"},
    )
    refused = client.post(
        reverse("fx:correct-fixing", args=[proposed.json()["id"]]),
        {"step": "refuse", "reason": "86 was right"},
    )
    assert refused.status_code == 302
    assert amounts(two)["RECEIVE"] == "11627.91"


def test_fixings_are_asked_for_and_drawn_beside_our_rates(
    settles: Settling, two: tuple[Deal, Deal], second: User
) -> None:
    client, at = client_of(settles.desk.back_office), reverse("fx:fixings")
    empty = client.get(at).content.decode()
    assert "Nothing was fixed yet" in empty
    assert "data-fixing-chart" not in empty
    held = fixed(settles, two)
    price()
    correcting.accept_correction(fixing_id=correction(settles, held).pk, actor=second)
    page = client.get(at).content.decode()
    assert page.count("data-row>") + page.count('data-row class="muted"') == 2
    assert "USD/INR beside our rates" in page
    [only] = [
        one
        for one in closing_reads.fixings_beside_market(USDINR, now=clock.now(), days=90)
        if one.fixing is not None
    ]
    # Our middle rate of that day is 85: the fixing lies 1.29 percent above it.
    assert (only.day, only.fixing, only.mid) == (held.fixed_on, D("86.1"), D("85"))
    assert only.apart_pct is not None
    assert f"{only.apart_pct:.3f}" == "1.294"
    for query, rows in (
        ({"state": "REPLACED"}, 1), ({"pair": "usdinr", "source": "fbil"}, 2),
        ({"day": str(held.fixed_on), "state": "IN_FORCE"}, 1), ({"source": "Nobody"}, 0),
        ({"pair": "EUR/USD"}, 0),
    ):  # fmt: skip
        answer = client.get(at, query)
        assert len(answer.context["rows"]) == rows
        assert ("No fixing fits" in answer.content.decode()) is (rows == 0)
    assert "data-fixing-chart" not in client.get(at, {"pair": "EUR/USD"}).content.decode()
    for wrong in ({"pair": "XXX"}, {"day": "yesterday"}, {"state": "GONE"}):
        assert client.get(at, wrong).status_code == 422
    lines = client.get(at, {"as": "csv", "state": "IN_FORCE"}).content.decode().splitlines()
    assert lines[0].startswith("day,pair,version,rate,said_by,state")
    assert lines[1].startswith(f"{held.fixed_on},USD/INR,2,86.1000000000,FBIL,IN_FORCE")
    assert len(lines) == 2


def test_fixings_are_paged(
    settles: Settling, two: tuple[Deal, Deal], second: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browsing.slice_of, "__kwdefaults__", {"after": "", "size": 2})
    fixed(settles, two)
    for rate in ("86.1", "86.2"):
        held = DayFixing.objects.get(state="IN_FORCE")
        correcting.accept_correction(fixing_id=correction(settles, held, rate).pk, actor=second)
    client, at = client_of(settles.desk.back_office), reverse("fx:fixings")
    first = client.get(at)
    assert [one.version for one in first.context["rows"]] == [3, 2]
    older = first.context["slice"].older
    assert [one.version for one in client.get(at, {"after": older}).context["rows"]] == [1]
