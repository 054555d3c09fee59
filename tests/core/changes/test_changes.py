"""What steers money changes only after another person approved exactly that change."""

from datetime import date

import pytest
from django.db import DatabaseError, transaction

from approvals import selectors as approvals
from approvals.errors import SelfApprovalRefused
from calendars import services as calendars
from calendars.models import Calendar, Holiday
from core import policies
from core.api.problems import refusal_of
from core.changes.errors import (
    ChangeClosed,
    ChangePending,
    ChangeRoleMissing,
    ChangeUnknown,
    NotGoverned,
    NothingChanges,
    OpeningRefused,
)
from core.changes.models import ChangeRequest, ChangeState
from core.changes.selectors import facts, lines, opened
from core.changes.services import (
    open_tenant,
    propose_change,
    propose_removal,
    propose_writes,
    withdraw_change,
    write_or_propose,
)
from core.errors import Forbidden, FourEyesNeeded, Invalid
from core.events.models import OutboxEvent
from core.tenancy import Tenant, bound
from tests.core.changes.conftest import House, furnished
from treasury.models import Bank, BankAccount, LegalEntity
from treasury.selectors import periods
from treasury.services import static

KNOB = policies.define("TEST_CHANGED_KNOB", 3, minimum=1, maximum=9, help="A knob of this test.")


def test_a_change_waits_and_nothing_is_written(house: House) -> None:
    change = house.propose()
    assert change.state == ChangeState.PROPOSED
    assert (change.target, change.row_id) == ("treasury.bankaccount", str(house.account.pk))
    assert (change.before, change.after) == (
        {"min_balance": "0.0000"},
        {"min_balance": "250000.0000"},
    )
    assert house.balance() == "0.0000"
    assert change.title == "Change account: Euro operating"


def test_it_is_in_force_once_another_person_approved_it(house: House) -> None:
    change = house.decide(house.propose())
    assert change.state == ChangeState.APPLIED
    assert house.balance() == "250000.0000"
    assert house.account.history.count() == 2


def test_its_maker_cannot_approve_it(house: House) -> None:
    change = house.propose(house.both)
    with pytest.raises(SelfApprovalRefused):
        house.decide(change, house.both)


def test_a_rejected_change_leaves_everything_as_it_was(house: House) -> None:
    change = house.decide(house.propose(), outcome="REJECT")
    assert (change.state, change.problem) == (ChangeState.REJECTED, "Not agreed with the bank.")
    assert house.balance() == "0.0000"


def test_its_maker_withdraws_it_and_nobody_else(house: House) -> None:
    change = house.propose()
    with pytest.raises(Forbidden), bound(house.tenant, actor=house.admin.pk):
        withdraw_change(change_id=change.pk, actor=house.admin)
    with bound(house.tenant, actor=house.clerk.pk):
        withdrawn = withdraw_change(change_id=change.pk, actor=house.clerk)
    assert withdrawn.state == ChangeState.CANCELLED
    with pytest.raises(ChangeClosed), bound(house.tenant, actor=house.clerk.pk):
        withdraw_change(change_id=change.pk, actor=house.clerk)


def test_nothing_to_change_is_refused(house: House) -> None:
    with pytest.raises(NothingChanges):
        house.propose(min_balance="0")
    assert not ChangeRequest.objects.exists()


def test_a_second_change_of_the_row_waits_its_turn(house: House) -> None:
    change = house.propose()
    with pytest.raises(ChangePending):
        house.propose(overdraft_limit="1")
    house.decide(change)
    assert house.propose(overdraft_limit="1").state == ChangeState.PROPOSED


def test_impossible_values_are_refused_before_anybody_is_asked(house: House) -> None:
    with pytest.raises(Invalid):
        house.propose(min_balance="-1")
    with pytest.raises(Invalid):
        house.propose(min_balance="many")
    with pytest.raises(NotGoverned):
        house.propose(number_hint="1234")
    with pytest.raises(ChangeUnknown):
        propose_change(
            model="bankaccount", row_id="No such", values={}, maker=house.clerk, reason="x"
        )
    assert not ChangeRequest.objects.exists()


def test_the_roles_decide_who_may_propose(house: House) -> None:
    with pytest.raises(ChangeRoleMissing):
        house.propose(house.maker)


def test_a_change_for_a_row_that_moved_meanwhile_fails_with_words(
    tenant: Tenant,
) -> None:
    house = furnished(tenant.pk)
    change = house.propose()
    BankAccount.objects.filter(pk=house.account.pk).update(min_balance=7)
    open_tenant(actor=house.admin)
    failed = house.decide(change)
    assert failed.state == ChangeState.FAILED
    assert "min balance changed meanwhile" in failed.problem
    assert house.balance() == "7.0000"


def test_a_number_is_masked_and_bound_by_a_digest(house: House) -> None:
    with bound(house.tenant, actor=house.clerk.pk):
        change = propose_change(
            model="bankaccount",
            row_id=None,
            values={
                "entity": "North Remit Limited",
                "bank": "DEUTDEFF",
                "label": "Second",
                "currency": "EUR",
                "number": "FR1420041010050500013M02606",
                "timezone": "Europe/Paris",
            },
            maker=house.clerk,
            reason="A second bank.",
        )
    shown = {line.field: line.new for line in lines(change)}
    assert shown["number"].startswith("••••")
    assert shown["bank"] == "Example Bank"
    request = approvals.request_of(subject_type="core.change", subject_id=change.pk)
    assert request is not None
    for text in (str(change.rows), str(request.content), str(facts(change))):
        assert "FR14" not in text
        assert "v1:" not in text
    house.decide(change)
    opened_account = BankAccount.objects.get(label="Second")
    assert opened_account.number == "FR1420041010050500013M02606"
    assert opened_account.pk != house.account.pk


def test_the_diff_reads_like_words(house: House) -> None:
    change = house.propose(min_balance="5", is_active="no")
    assert facts(change) == (("Min balance", "0.0000 → 5.0000"), ("Is active", "yes → no"))


def test_a_policy_becomes_a_change_that_a_manager_approves(house: House) -> None:
    with bound(house.tenant, actor=house.admin.pk):
        change = policies.change(policy=KNOB, value=5, actor=house.admin, reason="trial")
    assert isinstance(change, ChangeRequest)
    assert change.action == "control"
    assert policies.get(KNOB) == 3
    request = approvals.request_of(subject_type="core.change", subject_id=change.pk)
    assert request is not None
    assert request.required_manager_count == 1
    assert house.decide(change, house.checker).state == ChangeState.PROPOSED
    assert not OutboxEvent.objects.filter(topic="orch_config_updates").exists()
    assert house.decide(change, house.manager).state == ChangeState.APPLIED
    assert policies.get(KNOB) == 5
    event = OutboxEvent.objects.get(topic="orch_config_updates")
    assert (event.payload["old"], event.payload["new"]) == ("3", "5")


def test_nobody_approves_their_own_rights(house: House) -> None:
    with bound(house.tenant, actor=house.admin.pk):
        change = propose_change(
            model="core.user",
            row_id=house.manager.username,
            values={"roles": "treasury_manager treasury_checker"},
            maker=house.admin,
            reason="Checks as well.",
        )
    assert change.title == "New role: Manager as treasury_checker"
    with pytest.raises(SelfApprovalRefused):
        house.decide(change, house.manager)
    assert house.decide(change, house.manager2).state == ChangeState.APPLIED
    assert house.manager.roles == {"treasury_manager", "treasury_checker"}


def test_a_service_of_a_room_becomes_one_change_of_all_its_rows(house: House) -> None:
    weekend = calendars.WeekendIn(
        calendar="UAE", closed_weekdays=0b1000000, effective_from=date(2027, 1, 1)
    )
    with bound(house.tenant, actor=house.clerk.pk):
        change = write_or_propose(
            run=lambda: calendars.change_weekend(weekend=weekend, actor=house.clerk),
            maker=house.clerk,
            reason="A new law.",
        )
    assert isinstance(change, ChangeRequest)
    assert [row["operation"] for row in change.rows] == ["UPDATE", "INSERT"]
    rules = Calendar.objects.get(code="UAE").weekend_rules
    before = rules.count()
    house.decide(change)
    assert rules.count() == before + 1


def test_a_holiday_is_announced_when_it_is_in_force(house: House) -> None:
    holiday = Holiday.objects.filter(calendar__code="FED", status="PROVISIONAL").earliest("date")
    with bound(house.tenant, actor=house.clerk.pk):
        change = propose_change(
            model="holiday",
            row_id=holiday.pk,
            values={"status": "CONFIRMED"},
            maker=house.clerk,
            reason="Seen in the gazette.",
        )
    topics = OutboxEvent.objects.filter(payload__change="confirmed")
    assert not topics.exists()
    house.decide(change)
    holiday.refresh_from_db()
    assert holiday.status == "CONFIRMED"
    assert topics.count() == 1


def test_a_row_is_removed_by_a_change_too(house: House) -> None:
    with bound(house.tenant, actor=house.clerk.pk):
        spare = propose_change(
            model="bank",
            row_id=None,
            values={"bic": "BNPAFRPP", "name": "Spare"},
            maker=house.clerk,
            reason="x",
        )
    house.decide(spare)
    with bound(house.tenant, actor=house.clerk.pk):
        change = propose_removal(
            model="bank", row_id="BNPAFRPP", maker=house.clerk, reason="Not needed."
        )
    assert Bank.objects.filter(bic="BNPAFRPP").exists()
    house.decide(change)
    assert not Bank.objects.filter(bic="BNPAFRPP").exists()


def test_a_write_outside_a_change_is_refused(house: House) -> None:
    terms = static.AccountTerms(
        label="Euro operating",
        min_balance=house.account.min_balance + 1,
        required_collateral=house.account.required_collateral,
        overdraft_limit=house.account.overdraft_limit,
        intraday_mode=house.account.intraday_mode,
        statement_hours_expected=30,
        is_active=True,
    )
    with pytest.raises(DatabaseError, match="another person approved"), transaction.atomic():
        BankAccount.objects.filter(pk=house.account.pk).update(min_balance=1)
    with pytest.raises(DatabaseError, match="another person approved"), transaction.atomic():
        static.change_terms(account_id=house.account.pk, terms=terms)


def test_a_period_is_closed_by_two_people_and_not_before_it_is_over(house: House) -> None:
    for model in (BankAccount, LegalEntity):
        with pytest.raises(DatabaseError, match="another person approved"), transaction.atomic():
            model.objects.update(closed_until="2026-10-31")
    with bound(house.tenant, actor=house.clerk.pk):
        with pytest.raises(Invalid, match="over"):
            _close(house, "2099-12-31")
        with pytest.raises(Invalid, match="not a day"):
            _close(house, "the end of October")
        change = _close(house, "2026-10-31")
    assert periods.closed_until(house.account.pk) is None
    house.decide(change)
    assert periods.closed_until(house.account.pk) == date(2026, 10, 31)


def _close(house: House, until: str) -> ChangeRequest:
    return propose_change(
        model="bankaccount",
        row_id=house.account.pk,
        values={"closed_until": until},
        maker=house.clerk,
        reason="Month end.",
    )


def test_a_service_that_writes_past_a_change_is_refused_in_words(house: House) -> None:
    with (
        pytest.raises(FourEyesNeeded, match=r"manage\.py change bankaccount") as refused,
        bound(house.tenant, actor=house.clerk.pk),
    ):
        BankAccount.objects.filter(pk=house.account.pk).update(min_balance=1)
    assert refused.value.context == {"table": "bankaccount"}
    with pytest.raises(DatabaseError) as raw, transaction.atomic():
        BankAccount.objects.filter(pk=house.account.pk).update(min_balance=1)
    shown = refusal_of(raw.value)
    assert shown is not None
    assert (shown.code, shown.status) == ("four_eyes_needed", 409)
    with pytest.raises(DatabaseError) as other, transaction.atomic():
        BankAccount.objects.raw("SELECT nothing FROM nowhere")[0]
    assert refusal_of(other.value) is None


def test_a_draft_that_writes_nothing_governed_stays(house: House) -> None:
    with pytest.raises(NothingChanges):
        propose_writes(run=lambda: None, maker=house.clerk, reason="nothing")


def test_switching_off_needs_one_person_switching_on_two(house: House) -> None:
    house.checker.is_active = False
    house.checker.save(update_fields=["is_active"])
    house.checker.is_active = True
    with pytest.raises(DatabaseError), transaction.atomic():
        house.checker.save(update_fields=["is_active"])


def test_a_tenant_opens_once_and_only_when_somebody_could_approve(
    tenant: Tenant,
) -> None:
    assert not opened()
    with pytest.raises(OpeningRefused):
        open_tenant(actor=None)
    house = furnished(tenant.pk)
    with pytest.raises(Forbidden):
        open_tenant(actor=house.clerk)
    open_tenant(actor=house.admin)
    assert opened()
    with pytest.raises(OpeningRefused):
        open_tenant(actor=house.admin)
