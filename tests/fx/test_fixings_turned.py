"""A correction that turns a payment into a receipt; and who may say or decide one."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError

from core import clock
from core.errors import Forbidden
from core.identity.models import User
from fx.errors import CorrectionRefused
from fx.models import DayFixing, Deal, DealLeg
from fx.services import correcting, dealing, instructing, legs
from tests.conftest import make_user
from tests.fx.dealing import another_account
from tests.fx.settling import D, Settling, fresh
from tests.fx.test_closing import on_its_fixing_day
from tests.fx.test_deals_guards import sql
from tests.fx.test_fixings import (
    WHY,
    amounts,
    commit,
    correction,
    fixed,
    second,
    standing,
    two,
)
from treasury.models import BankAccount, Task
from treasury.selectors.invariants import invariants
from treasury.services import static

__all__ = ["second", "two"]
Two = tuple[Deal, Deal]


@pytest.fixture
def mine(settles: Settling) -> BankAccount:
    """Another account of dollars of the same company."""
    return another_account(settles.desk, "USD", "USD new", "4099999999")


@pytest.fixture
def theirs(settles: Settling) -> BankAccount:
    """An account of dollars of another company of ours."""
    other = static.create_entity(
        entity=static.EntityIn(
            name="South Remit Limited", lei="5493001KJTIIGC8Y1R12", town="London", country="GB"
        )
    )
    made = another_account(settles.desk, "USD", "USD south", "4088888888")
    BankAccount.objects.filter(pk=made.pk).update(entity=other)
    return BankAccount.objects.get(pk=made.pk)


def choose(settles: Settling, deals: Two, account: BankAccount) -> None:
    """Choose an account of ours for what each deal moves."""
    for one in deals:
        instructing.replace_legs(
            deal_id=one.pk,
            actor=settles.desk.back_office,
            reason=WHY,
            pay_account=account.pk,
            receive_account=account.pk,
        )


def correct(settles: Settling, rate: str, checker: User) -> None:
    """Correct the fixing that holds."""
    held = DayFixing.objects.get(state="IN_FORCE")
    made = correction(settles, held, rate)
    correcting.accept_correction(fixing_id=made.pk, actor=checker)


def ways(deals: Two) -> dict[object, tuple[str, object]]:
    """Return what stands of each deal: which way the money goes, and on which account of ours."""
    return {one.deal_id: (one.direction, one.account_id) for one in standing(deals)}


def test_a_leg_turned_round_keeps_the_account_that_was_chosen(
    settles: Settling, two: Two, second: User, mine: BankAccount
) -> None:
    fixed(settles, two)
    bought, sold = (one.pk for one in two)
    choose(settles, two, mine)
    assert ways(two) == {bought: ("RECEIVE", mine.pk), sold: ("PAY", mine.pk)}
    correct(settles, "84", second)
    assert ways(two) == {bought: ("PAY", mine.pk), sold: ("RECEIVE", mine.pk)}
    # Through a fixing that leaves nothing, and back: the choice is still the newest one.
    correct(settles, "85", second)
    assert ways(two) == {}
    correct(settles, "86", second)
    assert ways(two) == {bought: ("RECEIVE", mine.pk), sold: ("PAY", mine.pk)}
    assert not Task.objects.filter(kind=legs.ACCOUNT_DROPPED).exists()
    assert not invariants()
    commit()


def test_an_account_of_another_company_is_not_kept_and_a_person_is_told(
    settles: Settling, two: Two, second: User, theirs: BankAccount
) -> None:
    fixed(settles, two)
    choose(settles, two, theirs)
    # The same way round it stays: who chose it chose it for this.
    correct(settles, "86.1", second)
    assert {account for _, account in ways(two).values()} == {theirs.pk}
    assert not Task.objects.filter(kind=legs.ACCOUNT_DROPPED).exists()
    correct(settles, "84", second)
    agreed = settles.desk.accounts["USD"]
    assert {account for _, account in ways(two).values()} == {agreed.pk}
    told = Task.objects.open().filter(kind=legs.ACCOUNT_DROPPED)
    assert {one.key for one in told} == {one.reference for one in standing(two)}
    for one in told:
        assert "USD south belongs to South Remit Limited" in one.detail
        assert f"{agreed.label}, as was agreed" in one.detail
    choose(settles, two, theirs)
    assert not told.all().exists()
    assert not invariants()


def test_an_account_that_was_closed_since_is_not_kept(
    settles: Settling, two: Two, second: User, mine: BankAccount
) -> None:
    fixed(settles, two)
    choose(settles, two, mine)
    BankAccount.objects.filter(pk=mine.pk).update(is_active=False)
    correct(settles, "86.1", second)
    assert {account for _, account in ways(two).values()} == {settles.desk.accounts["USD"].pk}
    told = Task.objects.open().filter(kind=legs.ACCOUNT_DROPPED)
    assert {"USD new is closed" in one.detail for one in told} == {True}


def test_a_leg_turned_round_keeps_the_later_day_and_its_deal_settles_then(
    settles: Settling, two: Two, second: User
) -> None:
    fixed(settles, two)
    by, deal = settles.desk.back_office, two[0]
    later = deal.value_date + timedelta(days=7)
    with clock.frozen(datetime.combine(later, on_its_fixing_day(deal).timetz())):
        dealing.fail_deal(deal_id=deal.pk, reason=WHY, actor=by)
        instructing.reinstruct_deal(deal_id=deal.pk, actor=by, reason=WHY)
    days = {one.deal_id: one.value_date for one in standing(two)}
    assert days[deal.pk] >= later > days[two[1].pk]
    correct(settles, "84", second)
    assert {one.deal_id: one.value_date for one in standing(two)} == days
    assert {one.version for one in standing(two)} == {1}
    assert {one.pk: fresh(one).settles_on for one in two} == days
    correct(settles, "85", second)
    assert fresh(deal).settles_on == deal.value_date


def test_the_database_takes_no_other_account_or_day_for_a_leg_turned_round(
    settles: Settling, two: Two, second: User, mine: BankAccount, theirs: BankAccount
) -> None:
    fixed(settles, two)
    stranger = another_account(settles.desk, "USD", "USD third", "4077777777")
    choose(settles, two, mine)
    choose(settles, two, theirs)
    correct(settles, "84", second)
    turned = DealLeg.objects.get(deal=two[0], leg_no=1)
    plant = (
        "INSERT INTO fx_dealleg SELECT (jsonb_populate_record(l, jsonb_build_object("
        "'id', gen_random_uuid(), 'account_id', %s::uuid, 'value_date', l.value_date + %s::int,"
        " 'proposal_id', null, 'state', 'EXPECTED'))).* FROM fx_dealleg l WHERE id = %s"
    )
    # What a person chose passes the first rule, and fails at the next one: version 1 stands.
    with pytest.raises(DatabaseError, match="counted without gaps"):
        sql(plant, mine.pk, 0, turned.pk)
    for account, days in ((theirs, 0), (stranger, 0), (mine, 1), (mine, -1)):
        with pytest.raises(DatabaseError, match="is not what was dealt"):
            sql(plant, account.pk, days, turned.pk)


def unfixed_deal_of(settles: Settling, deals: Two) -> User:
    """Return a person of the back office who dealt another deal of the day, not fixed yet."""
    person = make_user("dealer-two", "dealer")
    with clock.frozen(deals[0].created_at):
        replace(settles.desk, dealer=person).executed(kind="NDF", tenor="1M", rate="85.0000")
    person.groups.set(Group.objects.filter(name="back_office"))
    return person


def test_who_dealt_a_deal_that_is_not_fixed_yet_neither_proposes_nor_decides(
    settles: Settling, two: Two, second: User
) -> None:
    held = fixed(settles, two)
    dealt = unfixed_deal_of(settles, two)
    with pytest.raises(Forbidden, match="two people who did not deal correct a fixing"):
        correcting.propose_correction(
            fixing_id=held.pk, rate=D("86.1"), said_by="FBIL", reason=WHY, actor=dealt
        )
    made = correction(settles, held)
    with pytest.raises(Forbidden, match="did not deal correct a fixing"):
        correcting.accept_correction(fixing_id=made.pk, actor=dealt)
    with pytest.raises(Forbidden, match="did not deal correct a fixing"):
        correcting.refuse_correction(fixing_id=made.pk, reason="No.", actor=dealt)
    correcting.accept_correction(fixing_id=made.pk, actor=second)
    assert amounts(two)["RECEIVE"] == "12775.84"  # 1,000,000 x (86.1 - 85) / 86.1


def test_a_correction_whose_proposer_dealt_since_is_refused_and_proposed_anew(
    settles: Settling, two: Two, second: User
) -> None:
    held = fixed(settles, two)
    proposer = make_user("dealer-two", "back_office")
    made = correcting.propose_correction(
        fixing_id=held.pk, rate=D("86.1"), said_by="FBIL", reason=WHY, actor=proposer
    )
    proposer.groups.set(Group.objects.filter(name="dealer"))
    with clock.frozen(two[0].created_at):
        replace(settles.desk, dealer=proposer).executed(kind="NDF", tenor="1M", rate="85.0000")
    with pytest.raises(CorrectionRefused, match=r"dealt .* of that day since"):
        correcting.accept_correction(fixing_id=made.pk, actor=second)
    accepting = (
        "UPDATE fx_dayfixing SET state = %s, checker_id = %s, decided_at = now() WHERE id = %s"
    )
    with pytest.raises(DatabaseError, match="did not deal correct a fixing"):
        sql(accepting, "REFUSED", proposer.pk, made.pk)
    correcting.refuse_correction(fixing_id=made.pk, reason="Propose it anew.", actor=second)
    correct(settles, "86.1", second)
    assert amounts(two)["RECEIVE"] == "12775.84"
