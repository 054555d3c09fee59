"""Limits, delegations, warnings, who looked, and broken glass."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction

from approvals import errors, selectors, services
from approvals.models import ApprovalRequest, BreakGlassReview, Decision, Delegation, Viewing
from approvals.services import deciding, submitting
from calendars import selectors as calendars
from calendars.models import Calendar
from calendars.services import install_rails, install_reference_calendars
from core import clock
from core.errors import Forbidden, Invalid
from core.identity.models import User
from core.identity.step_up import StepUpMissing
from core.money import Money
from core.tenancy import Tenant, bound
from tests.approvals.factories import EVIDENCE, Subject, decide, submit
from tests.conftest import MakeUser
from tests.scenes import scene

DAY = timedelta(days=1)
LARGE = Money(Decimal(20_000_000), "USD")
ACK = services.Flag(code="typed_in", words="The account was typed in.", severity="ack")


def dollars(amount: int) -> Money:
    return Money(Decimal(amount), "USD")


@scene
def second_manager(user_with: MakeUser) -> User:
    return user_with("treasury_manager", name="second-manager")


def request_about(subject_id: UUID) -> ApprovalRequest:
    return ApprovalRequest.objects.get(subject_id=subject_id)


def limit(person: User, boss: User, **figures: Decimal | None) -> None:
    """Limit a person, approved by `boss`."""
    facts: dict[str, Any] = {"per_transaction_usd": None, "per_day_usd": None, **figures}
    with bound(str(person.tenant_id), actor="system:test"):
        proposer = User.objects.get(username__startswith="second-manager")
    made = services.propose_limit(
        limit=services.LimitIn(person=person, reason="Charter", **facts), actor=proposer
    )
    decide(request_about(made.pk), boss)


def delegate(delegator: User, to: User, boss: User | None, **scope: Any) -> Delegation:
    """Delegate for a day; `boss` approves it, None leaves it waiting."""
    facts: dict[str, Any] = {
        "starts_at": clock.now() - timedelta(minutes=1),
        "ends_at": clock.now() + DAY,
        "reason": "On leave",
        **scope,
    }
    with bound(str(delegator.tenant_id), actor=delegator.pk):
        made = services.propose_delegation(
            delegation=services.DelegationIn(delegate=to, **facts), actor=delegator
        )
    if boss is not None:
        decide(request_about(made.pk), boss)
    return made


# --- limits -------------------------------------------------------------------------------------


def test_nobody_approves_beyond_their_limit(
    desk: Subject, manager: User, second_manager: User, checker: User, checker2: User
) -> None:
    limit(checker, manager, per_transaction_usd=Decimal(1_000_000))
    assert decide(submit(amount=dollars(1_000_000)), checker).is_final
    more = submit(amount=dollars(1_000_001))
    assert selectors.eligibility(checker, more).code == "authority_exceeded"
    with pytest.raises(errors.AuthorityExceeded) as refused:
        decide(more, checker)
    assert (refused.value.status, more.decisions.count()) == (403, 0)
    unrated = submit(amount=Money(Decimal(1), "INR"))
    with pytest.raises(errors.AuthorityExceeded):
        decide(unrated, checker)
    assert decide(more, checker2).is_final
    assert decide(submit(amount=dollars(5_000_000)), checker, "REJECT").is_final


def test_a_day_has_a_limit_too(
    desk: Subject, manager: User, second_manager: User, checker: User
) -> None:
    limit(checker, manager, per_day_usd=Decimal(5_000_000))
    assert decide(submit(amount=dollars(3_000_000)), checker).is_final
    with pytest.raises(errors.AuthorityExceeded, match="day"):
        decide(submit(amount=dollars(2_000_001)), checker)
    assert decide(submit(amount=dollars(2_000_000)), checker).is_final


def test_a_limit_counts_once_it_is_approved_and_the_latest_one_counts(
    desk: Subject, manager: User, second_manager: User, checker: User
) -> None:
    limit(checker, manager, per_transaction_usd=Decimal(1))
    services.propose_limit(
        limit=services.LimitIn(
            person=checker, per_transaction_usd=None, per_day_usd=None, reason="More"
        ),
        actor=second_manager,
    )
    with pytest.raises(errors.AuthorityExceeded):
        decide(submit(), checker)
    limit(checker, manager, per_transaction_usd=Decimal(3_000_000))
    assert decide(submit(), checker).is_final


def test_the_database_knows_the_limit(
    desk: Subject,
    manager: User,
    second_manager: User,
    checker: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limit(checker, manager, per_transaction_usd=Decimal(1))
    monkeypatch.setattr(deciding, "beyond_authority", lambda *_: None)
    with pytest.raises(IntegrityError, match="beyond the limit"), transaction.atomic():
        decide(submit(), checker)


def test_limits_are_proposed_by_few(desk: Subject, checker: User, manager: User) -> None:
    wish = services.LimitIn(person=checker, per_transaction_usd=None, per_day_usd=None, reason="x")
    with pytest.raises(Forbidden):
        services.propose_limit(limit=wish, actor=checker)
    for broken in ({"per_day_usd": Decimal(-1)}, {"reason": " "}):
        with pytest.raises(Invalid):
            services.propose_limit(limit=replace(wish, **broken), actor=manager)


# --- delegations --------------------------------------------------------------------------------


def test_a_delegate_decides_in_the_delegators_place(
    desk: Subject, manager: User, checker: User, checker2: User
) -> None:
    made = delegate(checker, checker2, manager)
    request = submit(amount=LARGE)
    assert not decide(request, checker2, delegation=made.pk).is_final
    decision = Decision.objects.get(request=request)
    assert (decision.checker, decision.on_behalf_of) == (checker2, checker)
    with pytest.raises(errors.AlreadyDecided, match="one person"):
        decide(request, checker)


def test_delegator_and_delegate_are_one_person_whoever_comes_first(
    desk: Subject, manager: User, checker: User, checker2: User
) -> None:
    delegate(checker, checker2, manager)
    request = submit(amount=LARGE)
    decide(request, checker)
    with pytest.raises(errors.AlreadyDecided):
        decide(request, checker2)
    assert selectors.eligibility(checker2, request).code == "already_decided"


def test_who_acts_for_the_maker_does_not_check(
    desk: Subject, manager: User, user_with: MakeUser, checker: User, checker2: User
) -> None:
    both = user_with("treasury_maker", "treasury_checker", name="both")
    delegate(both, checker, manager)
    request = submit(maker=both)
    with pytest.raises(errors.SelfApprovalRefused):
        decide(request, checker)
    assert decide(request, checker2).is_final


def test_outside_its_scope_a_delegation_is_void(
    desk: Subject, manager: User, checker: User, checker2: User
) -> None:
    made = delegate(checker, checker2, manager, rail="CHAPS", amount_usd_max=Decimal(5_000_000))
    with pytest.raises(errors.DelegationVoid):
        decide(submit(rail="FEDWIRE"), checker2, delegation=made.pk)
    with pytest.raises(errors.DelegationVoid, match="more than"):
        decide(submit(rail="CHAPS", amount=dollars(5_000_001)), checker2, delegation=made.pk)
    assert decide(submit(rail="CHAPS"), checker2, delegation=made.pk).is_final


def test_it_counts_between_its_dates_once_approved_and_until_revoked(
    desk: Subject, manager: User, checker: User, checker2: User
) -> None:
    made = delegate(checker, checker2, None)
    with pytest.raises(errors.DelegationVoid):
        decide(submit(), checker2, delegation=made.pk)
    decide(request_about(made.pk), manager)
    with clock.frozen(clock.now() + 2 * DAY), pytest.raises(errors.DelegationVoid):
        decide(submit(), checker2, delegation=made.pk)
    services.revoke_delegation(delegation_id=made.pk, actor=checker2)
    with pytest.raises(errors.DelegationVoid):
        decide(submit(), checker2, delegation=made.pk)
    with pytest.raises(errors.DelegationRefused):
        services.revoke_delegation(delegation_id=made.pk, actor=checker)


def test_the_delegators_limit_binds_the_delegate(
    desk: Subject, manager: User, second_manager: User, checker: User, checker2: User
) -> None:
    limit(checker, manager, per_transaction_usd=Decimal(1_000_000))
    made = delegate(checker, checker2, manager)
    with pytest.raises(errors.AuthorityExceeded):
        decide(submit(), checker2, delegation=made.pk)
    assert decide(submit(), checker2).is_final


def test_neither_side_approves_a_delegation(
    desk: Subject, manager: User, second_manager: User, checker: User
) -> None:
    made = delegate(checker, manager, None)
    with pytest.raises(errors.SelfApprovalRefused):
        decide(request_about(made.pk), manager)
    assert decide(request_about(made.pk), second_manager).is_final


def test_what_was_delegated_is_not_delegated_again(
    desk: Subject, manager: User, checker: User, checker2: User, user_with: MakeUser
) -> None:
    third = user_with("treasury_checker", name="third")
    delegate(checker, checker2, manager)
    with pytest.raises(errors.DelegationRefused):
        delegate(checker2, third, None)
    with pytest.raises(errors.DelegationRefused):
        delegate(third, checker, None)


def test_a_delegation_goes_to_a_checker_for_two_weeks_at_most(
    desk: Subject, manager: User, maker: User, checker: User, checker2: User
) -> None:
    with pytest.raises(errors.DelegationRefused):
        delegate(checker, maker, None)
    with pytest.raises(errors.DelegationRefused):
        delegate(checker, checker, None)
    with pytest.raises(Invalid):
        delegate(checker, checker2, None, ends_at=clock.now() + 15 * DAY)
    with pytest.raises(Invalid):
        delegate(checker, checker2, None, reason=" ")


# --- warnings, and who looked -------------------------------------------------------------------


def test_a_warning_is_acknowledged_before_it_is_approved(desk: Subject, checker: User) -> None:
    note = services.Flag(code="first", words="The first payment to them.")
    request = submit(flags=(ACK, note))
    assert [flag["code"] for flag in request.flags] == ["typed_in", "first"]
    with pytest.raises(errors.AcknowledgementRequired, match="typed in"):
        decide(request, checker)
    decide(request, checker, acknowledged=("typed_in",))
    assert Decision.objects.get().acknowledged == ["typed_in"]


def test_the_database_asks_for_the_acknowledgement_too(
    desk: Subject, checker: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deciding, "unacknowledged", lambda *_, **__: [])
    with pytest.raises(IntegrityError, match="acknowledged"), transaction.atomic():
        decide(submit(flags=(ACK,)), checker)


def test_who_opened_a_request_is_noted_once(
    desk: Subject, tenant: Tenant, checker: User, user_with: MakeUser
) -> None:
    request = submit()
    with bound(tenant.id, actor=checker.pk):
        for _ in range(2):
            services.record_viewing(request=request, viewer=checker)
    assert Viewing.objects.get().viewer == checker
    auditor = user_with("auditor")
    shown = selectors.request_detail(request_id=request.pk, user=auditor)
    assert [viewing.viewer for viewing in shown.viewings] == [checker]
    assert selectors.request_detail(request_id=request.pk, user=checker).viewings == ()


def test_nobody_looks_with_another_persons_eyes(
    desk: Subject, tenant: Tenant, checker: User, checker2: User
) -> None:
    request = submit()
    with (
        bound(tenant.id, actor=checker.pk),
        pytest.raises(IntegrityError),
        transaction.atomic(),
    ):
        services.record_viewing(request=request, viewer=checker2)


# --- broken glass -------------------------------------------------------------------------------

GLASS = services.BreakGlass(
    incident="INC-7", reason=services.BreakGlassReason.RAIL_OUTAGE, words="The rail is down."
)
PASSKEY_DOOR = """
CREATE OR REPLACE FUNCTION door.passkey(p_user uuid, p_content_hash text) RETURNS uuid
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    INSERT INTO core_stepup (id, tenant_id, user_id, method, content_hash, proved_at, proof)
    SELECT gen_random_uuid(), tenant_id, id, 'passkey', p_content_hash, clock_timestamp(), '{}'
      FROM core_user WHERE id = p_user RETURNING id
$$;
"""


@pytest.fixture
def passkeys(owner_connection: psycopg.Connection[Any]) -> Iterator[None]:
    """A door of the test database through which people show passkeys."""
    owner_connection.execute(PASSKEY_DOOR)
    yield
    connection.rollback()
    owner_connection.execute("DROP FUNCTION door.passkey")


def decide_with_passkey(request: ApprovalRequest, checker: User) -> services.DecisionResult:
    with bound(str(request.tenant_id), actor=checker.pk), connection.cursor() as cursor:
        cursor.execute("SELECT door.passkey(%s, %s)", [checker.pk, request.content_hash])
        proof = cursor.fetchone()[0]
    return decide(request, checker, evidence=replace(EVIDENCE, step_up=proof))


@pytest.mark.usefixtures("passkeys", "desk", "second_manager")
def test_over_broken_glass_two_people_approve_with_passkeys_and_a_third_reviews(
    manager: User, maker: User, checker: User, checker2: User
) -> None:
    limit(checker, manager, per_transaction_usd=Decimal(1))
    request = submit(maker=maker, break_glass=GLASS)
    assert request.required_count == 2
    with pytest.raises(StepUpMissing, match="passkey"):
        decide(request, checker)
    assert not decide_with_passkey(request, checker).is_final
    assert decide_with_passkey(request, checker2).is_final
    review = selectors.waiting_reviews().get()
    assert (review.request, review.closed_at) == (request, None)
    with pytest.raises(errors.SelfApprovalRefused):
        services.close_review(request_id=request.pk, actor=checker, findings="Fine.")
    with pytest.raises(Forbidden):
        services.close_review(request_id=request.pk, actor=maker, findings="Fine.")
    with pytest.raises(errors.ReasonRequired):
        services.close_review(request_id=request.pk, actor=manager, findings=" ")
    with bound(str(request.tenant_id), actor=manager.pk):
        services.close_review(request_id=request.pk, actor=manager, findings="Was needed.")
    assert not selectors.waiting_reviews().exists()
    assert BreakGlassReview.objects.get().closed_by == manager


def test_broken_glass_has_its_own_limits(desk: Subject) -> None:
    for refused in (dollars(25_000_001), Money(Decimal(1), "INR")):
        with pytest.raises(errors.BreakGlassRefused):
            submit(amount=refused, break_glass=GLASS)
    with pytest.raises(Invalid):
        submit(break_glass=replace(GLASS, incident=" "))
    for _ in range(3):
        submit(break_glass=GLASS)
    with pytest.raises(errors.BreakGlassRefused, match="too often"):
        submit(break_glass=GLASS)


def test_broken_glass_is_counted_in_money_too(desk: Subject) -> None:
    for _ in range(2):
        submit(amount=dollars(25_000_000), break_glass=GLASS)
    with pytest.raises(errors.BreakGlassRefused, match="Too much") as refused:
        submit(amount=dollars(1), break_glass=GLASS)
    assert refused.value.context["limit"] == "amount of a day"


def test_the_database_knows_the_limits_of_broken_glass(
    desk: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submitting, "glass_refuses", lambda *_: None)
    with pytest.raises(IntegrityError, match="broken glass"), transaction.atomic():
        submit(amount=dollars(25_000_001), break_glass=GLASS)
    for _ in range(3):
        submit(break_glass=GLASS)
    with pytest.raises(IntegrityError, match="broken glass"), transaction.atomic():
        submit(break_glass=GLASS)


def install_calendars() -> None:
    install_reference_calendars(years=(2026, 2027))
    install_rails()


def due(request: ApprovalRequest, at: datetime) -> datetime:
    """Ask until when somebody must look at what was approved over broken glass at `at`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT approvals_review_due(q, %s) FROM approvals_approvalrequest q WHERE q.id = %s",
            [at, request.pk],
        )
        return cast("datetime", cursor.fetchone()[0])


def test_a_review_is_due_on_the_next_business_day_where_the_money_settles(desk: Subject) -> None:
    dollars_by_wire, pounds = submit(), submit(amount=Money(Decimal(5), "GBP"), rail="CHAPS")
    friday = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
    assert due(dollars_by_wire, friday) == friday + 3 * DAY  # without calendars: weekends
    install_calendars()
    before_thanksgiving = datetime(2026, 11, 25, 15, 0, tzinfo=UTC)
    assert due(dollars_by_wire, before_thanksgiving) == before_thanksgiving + 2 * DAY
    assert due(pounds, before_thanksgiving) == before_thanksgiving + DAY
    before_christmas = datetime(2026, 12, 24, 15, 0, tzinfo=UTC)
    assert due(pounds, before_christmas) == before_christmas + 5 * DAY  # Boxing Day moves on
    assert due(dollars_by_wire, before_christmas) == before_christmas + 4 * DAY


def test_the_database_and_the_engine_agree_on_every_day(desk: Subject) -> None:
    install_calendars()
    for calendar in Calendar.objects.all():
        data = calendars.calendar_data(calendar.code)
        days = [date(2026, 1, 1) + number * DAY for number in range(730)]
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT calendars_is_open(%s, d) FROM unnest(%s::date[]) d ORDER BY d",
                [calendar.pk, days],
            )
            found = [opened for (opened,) in cursor.fetchall()]
        assert found == [data.is_open(day) for day in days], calendar.code
