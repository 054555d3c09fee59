"""How many people must approve."""

from datetime import timedelta
from decimal import Decimal

import pytest

from approvals import policies as knobs
from approvals import selectors, services
from approvals.errors import NobodyEligible
from approvals.registry import UsdQuote
from core import clock, policies
from core.errors import Forbidden, Invalid
from core.identity.models import User
from core.money import Money
from core.tenancy import Tenant
from tests.approvals.factories import NOON, Subject, decide, submission, submit
from tests.conftest import MakeUser


def inr(amount: str, **changes: object) -> dict[str, object]:
    """An INR amount worth `usd_equivalent` at a rate that fits."""
    money = Money(Decimal(amount), "INR")
    return {"amount": money, "rail": "RTGS_IN", **changes}


@pytest.mark.parametrize(
    ("usd", "count"),
    [("9999999.99", 1), ("10000000.00", 1), ("10000000.01", 2), ("0.01", 1)],
)
def test_two_people_strictly_above_ten_million(desk: Subject, usd: str, count: int) -> None:
    assert submit(amount=Money(Decimal(usd), "USD")).required_count == count


@pytest.mark.parametrize(
    ("usd", "count"),
    [("9999999.99", 1), ("10000000.00", 1), ("10000000.01", 2)],
)
def test_the_threshold_is_in_usd_whatever_the_currency(desk: Subject, usd: str, count: int) -> None:
    rate = Decimal("0.0117647059")
    amount = (Decimal(usd) / rate).quantize(Decimal("0.01"))
    request = submit(
        amount=Money(amount, "INR"),
        usd_equivalent=Decimal(usd),
        usd_rate=rate,
        usd_rate_at=clock.now(),
    )
    assert request.required_count == count


def test_a_missing_rate_counts_as_above_every_threshold(desk: Subject) -> None:
    assert submit(**inr("100.00")).required_count == 2


@pytest.mark.parametrize(
    ("age", "count"),
    [
        (timedelta(hours=24), 1),
        (timedelta(hours=24, seconds=1), 2),
        (timedelta(hours=-1), 2),
    ],
)
def test_a_rate_older_than_a_day_or_from_the_future_counts_as_missing(
    desk: Subject, age: timedelta, count: int
) -> None:
    with clock.frozen(NOON):
        request = submit(
            **inr(
                "8500.00",
                usd_equivalent=Decimal(100),
                usd_rate=Decimal("0.0117647"),
                usd_rate_at=NOON - age,
            )
        )
    assert request.required_count == count


def test_without_any_rule_two_people_are_needed(
    tenant: Tenant, subject: Subject, checker: User, checker2: User
) -> None:
    assert submit().required_count == 2


def test_all_matching_rules_must_be_satisfied(desk: Subject, manager: User) -> None:
    services.add_rule(
        rule=services.RuleIn(required_count=3, currency="USD", rail="FEDWIRE"), actor=manager
    )
    assert submit().required_count == 3
    assert submit(rail="CHAPS").required_count == 1
    assert submit(**inr("100.00")).required_count == 2


def test_a_rule_for_another_action_does_not_match(desk: Subject, manager: User) -> None:
    services.add_rule(rule=services.RuleIn(required_count=2, action="sweep"), actor=manager)
    assert submit().required_count == 1
    assert submit(action="sweep").required_count == 2


def test_a_lower_policy_threshold_works_at_once_and_a_higher_one_does_not_loosen(
    desk: Subject, manager: User
) -> None:
    knob = knobs.DUAL_CHECKER_THRESHOLD_USD
    policies.change(policy=knob, value=Decimal(1_000_000), actor=manager, reason="audit")
    assert submit().required_count == 2
    policies.change(policy=knob, value=Decimal(50_000_000), actor=manager, reason="trial")
    assert submit(amount=Money(Decimal(20_000_000), "USD")).required_count == 2


def test_a_stricter_rate_age_policy_is_obeyed(desk: Subject, manager: User) -> None:
    policies.change(policy=knobs.APPROVAL_RATE_AGE_HOURS, value=1, actor=manager, reason="volatile")
    request = submit(
        **inr(
            "8500.00",
            usd_equivalent=Decimal(100),
            usd_rate=Decimal("0.0117647"),
            usd_rate_at=clock.now() - timedelta(hours=2),
        )
    )
    assert request.required_count == 2


def test_what_is_not_money_needs_one_checker(desk: Subject, checker: User) -> None:
    request = submit(amount=None, action="static_data")
    assert (request.amount, request.currency, request.usd_equivalent) == (None, "", None)
    assert (request.required_count, request.required_manager_count) == (1, 0)
    assert decide(request, checker).request.state == "APPROVED"


def test_a_control_needs_a_manager(desk: Subject, checker: User, manager: User) -> None:
    request = submit(amount=None, action="control")
    assert (request.required_count, request.required_manager_count) == (1, 1)
    assert not decide(request, checker).is_final
    assert decide(request, manager).is_final


def test_rules_with_a_threshold_do_not_fit_what_is_not_money(desk: Subject, manager: User) -> None:
    services.add_rule(
        rule=services.RuleIn(required_count=3, amount_above_usd=Decimal(0)), actor=manager
    )
    assert submit(amount=None).required_count == 1
    assert submit().required_count == 3


def test_the_same_thing_without_money_again_is_the_same_request(desk: Subject) -> None:
    first = submit(amount=None)
    assert submit(amount=None, subject_id=first.subject_id) == first


def test_installing_the_house_rules_twice_changes_nothing(desk: Subject) -> None:
    before = list(selectors.rules())
    services.install_default_rules()
    assert list(selectors.rules()) == before
    assert len(before) == 4


def test_only_managers_risk_and_administration_add_rules(
    desk: Subject, maker: User, checker: User
) -> None:
    for person in (maker, checker):
        with pytest.raises(Forbidden):
            services.add_rule(rule=services.RuleIn(required_count=1), actor=person)


def test_a_senseless_rule_is_refused(desk: Subject, manager: User) -> None:
    with pytest.raises(Invalid):
        services.add_rule(rule=services.RuleIn(required_count=0), actor=manager)
    with pytest.raises(Invalid):
        services.add_rule(rule=services.RuleIn(required_count=1, role="dealer"), actor=manager)


def test_a_rule_may_ask_for_a_manager(
    desk: Subject, manager: User, checker: User, checker2: User
) -> None:
    services.add_rule(
        rule=services.RuleIn(required_count=1, role="treasury_manager"), actor=manager
    )
    request = submit(involved=())
    assert (request.required_count, request.required_manager_count) == (1, 1)
    first = decide(request, checker)
    assert (first.counted, first.is_final) == (True, False)
    last = decide(request, manager)
    assert last.request.state == "APPROVED"


def test_a_rule_added_while_a_request_waits_raises_its_requirement(
    desk: Subject, manager: User, checker: User, checker2: User
) -> None:
    request = submit()
    services.add_rule(rule=services.RuleIn(required_count=2), actor=manager)
    assert not decide(request, checker).is_final
    assert decide(request, checker2).request.state == "APPROVED"


def test_the_present_rate_may_raise_the_requirement_never_lower_it(
    desk: Subject, checker: User, checker2: User
) -> None:
    facts = inr(
        "840000000.00",
        usd_equivalent=Decimal(9_900_000),
        usd_rate=Decimal("0.0117"),
        usd_rate_at=NOON,
    )
    with clock.frozen(NOON):
        request = submit(**facts)
        assert request.required_count == 1
    later = NOON + timedelta(minutes=5)
    desk.quote = UsdQuote(usd_equivalent=Decimal(10_080_000), rate=Decimal("0.012"), rate_at=later)
    with clock.frozen(later):
        result = decide(request, checker)
    assert not result.is_final
    assert result.request.usd_equivalent == Decimal(10_080_000)
    assert result.request.required_count == 2
    even_later = NOON + timedelta(minutes=10)
    desk.quote = UsdQuote(
        usd_equivalent=Decimal(9_000_000), rate=Decimal("0.0107"), rate_at=even_later
    )
    with clock.frozen(even_later):
        result = decide(request, checker2)
    assert result.request.required_count == 2
    assert result.request.usd_equivalent == Decimal(10_080_000)


def test_a_rate_that_grows_old_while_a_request_waits_asks_for_two(
    desk: Subject, checker: User
) -> None:
    facts = inr(
        "8500.00",
        usd_equivalent=Decimal(100),
        usd_rate=Decimal("0.0117647"),
        usd_rate_at=NOON,
    )
    with clock.frozen(NOON):
        request = submit(**facts)
    with clock.frozen(NOON + timedelta(hours=25)):
        result = decide(request, checker)
    assert (request.required_count, result.request.required_count) == (1, 2)
    assert not result.is_final


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": Money(Decimal(0), "USD")},
        {"amount": Money(Decimal(-5), "USD")},
        {"amount": Money(Decimal("1.005"), "USD")},
        {"amount": Money(Decimal("10.5"), "JPY")},
        {"usd_equivalent": Decimal(1)},
        {"amount": None, "usd_equivalent": Decimal(1)},
        {"content": {}},
        {"content": {"amount": 1.5}},
        {"content": {"legs": [{"amount": 1.5}]}},
        inr("8500.00", usd_equivalent=Decimal(100)),
        inr(
            "8500.00",
            usd_equivalent=Decimal(1),
            usd_rate=Decimal("0.0117647"),
            usd_rate_at=NOON,
        ),
    ],
)
def test_a_submission_that_makes_no_sense_is_refused(
    desk: Subject, changes: dict[str, object]
) -> None:
    with pytest.raises(Invalid):
        services.submit(submission=submission(**changes))
    assert not selectors.all_requests().exists()


def test_an_unregistered_subject_is_refused(desk: Subject) -> None:
    with pytest.raises(Invalid) as refused:
        submit(subject_type="nobody.knows")
    assert refused.value.code == "subject_unknown"


def test_inactive_people_and_service_accounts_are_nobody_to_approve(
    tenant: Tenant, subject: Subject, user_with: MakeUser
) -> None:
    services.install_default_rules()
    robot = user_with("treasury_checker", name="robot", is_service=True)
    gone = user_with("treasury_checker", name="gone")
    gone.is_active = False
    gone.save()
    assert robot.is_service
    with pytest.raises(NobodyEligible):
        submit()
