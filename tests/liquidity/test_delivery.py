"""API, desk, admin, task and command: how the world asks."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from core import clock
from core.api.authentication import access_token
from core.identity.models import User
from core.middleware import TENANT_SESSION_KEY
from core.tenancy import Tenant, bound
from liquidity import tasks
from liquidity.models import Forecast, ForecastRun, PayoutPlan, RecurringPattern
from liquidity.services.forecasting import run_daily_forecast, run_forecast
from liquidity.services.planning import plan_payouts
from tests.conftest import MakeUser
from tests.liquidity.books import state_balance
from tests.liquidity.conftest import FRIDAY
from tests.liquidity.test_forecasting import plan
from tests.scenes import scene
from treasury.models import BankAccount
from treasury.services import rates

pytestmark = pytest.mark.urls("tests.liquidity.addresses")
TODAY = FRIDAY.date()
Post = Callable[..., Any]


def client_of(user: User) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {access_token(user)}")
    return client


@pytest.fixture
def api(maker: User) -> APIClient:
    return client_of(maker)


@pytest.fixture
def post(api: APIClient) -> Post:
    def send(path: str, body: Any, *, key: str | None = None) -> Any:
        header = key or str(uuid4())
        return api.post(f"/api/v1/{path}", body, headers={"Idempotency-Key": header})

    return send


@scene
def short(account: BankAccount) -> Forecast:
    state_balance(account, "4000.00", as_of=FRIDAY - timedelta(minutes=5), code="ITAV")
    return run_forecast(account_id=account.pk, now=FRIDAY)


def wish(account: BankAccount, **more: Any) -> dict[str, Any]:
    return {
        "account": str(account.pk),
        "currency": "INR",
        "value_date": "2026-11-21",
        "amount": "700.00",
        "description": "Saturday file",
        "source_ref": "FILE-1",
        **more,
    }


# --- API -----------------------------------------------------------------------------------------


def test_a_forecast_is_read_with_its_days(api: APIClient, short: Forecast) -> None:
    listed = api.get("/api/v1/forecasts?short=true&latest=true&currency=INR").json()["results"]
    assert [row["id"] for row in listed] == [str(short.pk)]
    one = api.get(f"/api/v1/forecasts/{short.pk}").json()
    assert (one["required"], one["shortfall"]) == ("4500.0000", "1000.0000")
    assert (one["need_until"], one["account_label"]) == ("2026-11-22", "INR payouts")
    lines = api.get(f"/api/v1/forecasts/{short.pk}/lines").json()
    assert [row["day"] for row in lines][:2] == ["2026-11-20", "2026-11-21"]
    assert lines[0]["expected_out"] == "1400.0000"


def test_forecasts_without_a_shortfall_are_asked_for_as_well(
    api: APIClient, short: Forecast
) -> None:
    assert api.get("/api/v1/forecasts?short=false").json()["results"] == []


def test_an_unknown_forecast_is_not_found(api: APIClient, tenant: Tenant) -> None:
    for path in (f"forecasts/{uuid4()}", f"forecasts/{uuid4()}/lines"):
        answer = api.get(f"/api/v1/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "forecast_unknown")


def test_a_forecast_is_run_once_per_key(post: Post, account: BankAccount) -> None:
    body = {"account": str(account.pk), "horizon_days": 7}
    first = post("forecasts/run", body, key="monday")
    again = post("forecasts/run", body, key="monday")
    assert first.status_code == 200
    assert first.json() == again.json()
    assert again.headers["Idempotent-Replay"] == "true"
    assert first.json()["forecasts"][0]["horizon_days"] == 7
    assert Forecast.objects.count() == 1


def test_all_accounts_are_forecast_when_none_is_named(post: Post, account: BankAccount) -> None:
    answer = post("forecasts/run", {}).json()
    assert [row["account"] for row in answer["forecasts"]] == [str(account.pk)]
    assert ForecastRun.objects.count() == 1


def test_a_horizon_out_of_range_is_refused(post: Post, account: BankAccount) -> None:
    assert post("forecasts/run", {"horizon_days": 93}).status_code == 400


def test_payouts_are_planned_in_a_batch(
    post: Post, api: APIClient, new_account: BankAccount
) -> None:
    answer = post("payout-plans", {"plans": [wish(new_account)]})
    assert answer.status_code == 201
    [made] = answer.json()["created"]
    assert (made["amount"], made["state"]) == ("700.00", "PLANNED")
    again = post("payout-plans", {"plans": [wish(new_account)]}).json()
    assert (again["created"], len(again["known"])) == ([], 1)
    found = api.get("/api/v1/payout-plans?state=PLANNED&since=2026-11-21").json()["results"]
    assert [row["source_ref"] for row in found] == ["FILE-1"]


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"amount": "1.005"}, 422, "invalid"),
        ({"amount": 700}, 400, "validation"),
        ({"currency": "USD"}, 422, "invalid"),
        ({"account": str(uuid4())}, 404, "account_unknown"),
        ({"kind": "SOME"}, 400, "validation"),
    ],
)
def test_a_wrong_plan_is_refused_with_a_code(
    post: Post, new_account: BankAccount, more: dict[str, Any], status: int, code: str
) -> None:
    answer = post("payout-plans", {"plans": [{**wish(new_account), **more}]})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not PayoutPlan.objects.exists()


def test_a_batch_longer_than_the_limit_is_refused(post: Post, new_account: BankAccount) -> None:
    batch = [wish(new_account, source_ref=f"F{number}") for number in range(5_001)]
    assert post("payout-plans", {"plans": batch}).status_code == 400
    assert not PayoutPlan.objects.exists()


def test_a_plan_is_cancelled_over_the_api(post: Post, new_account: BankAccount) -> None:
    [made] = post("payout-plans", {"plans": [wish(new_account)]}).json()["created"]
    answer = post(f"payout-plans/{made['id']}/cancel", {"reason": "recalled"})
    assert (answer.status_code, answer.json()["state"]) == (200, "CANCELLED")
    twice = post(f"payout-plans/{made['id']}/cancel", {"reason": "recalled"})
    assert (twice.status_code, twice.json()["code"]) == (409, "plan_closed")


def test_a_pattern_is_added_and_stopped(
    post: Post, api: APIClient, new_account: BankAccount
) -> None:
    body = {
        "account": str(new_account.pk),
        "name": "Rent",
        "amount": "-50.00",
        "rule": "MONTH_DAY",
        "month_day": 1,
        "valid_from": "2026-11-01",
    }
    made = post("patterns", body)
    assert (made.status_code, made.json()["amount"]) == (201, "-50.00")
    stopped = post(f"patterns/{made.json()['id']}/stop", {})
    assert stopped.json()["is_active"] is False
    assert api.get("/api/v1/patterns?is_active=true").json()["results"] == []


@pytest.mark.parametrize("path", ["forecasts/run", "payout-plans", "patterns"])
def test_a_post_needs_a_key(api: APIClient, new_account: BankAccount, path: str) -> None:
    bodies = {
        "forecasts/run": {},
        "payout-plans": {"plans": [wish(new_account)]},
        "patterns": {
            "account": str(new_account.pk),
            "name": "Rent",
            "amount": "-50.00",
            "rule": "DAILY",
            "valid_from": "2026-11-01",
        },
    }
    answer = api.post(f"/api/v1/{path}", bodies[path])
    assert answer.status_code == 422
    assert "Idempotency-Key" in answer.text


@pytest.mark.parametrize(
    ("role", "path", "status"),
    [
        ("treasury_checker", "forecasts/run", 403),
        ("auditor", "payout-plans", 403),
        ("integration", "patterns", 403),
        ("integration", "forecasts/run", 200),
        ("treasury_manager", "forecasts/run", 200),
    ],
)
def test_who_may_plan_and_run(
    user_with: MakeUser, account: BankAccount, role: str, path: str, status: int
) -> None:
    client = client_of(user_with(role))
    answer = client.post(f"/api/v1/{path}", {}, headers={"Idempotency-Key": "k"})
    assert answer.status_code == status


@pytest.mark.parametrize("path", ["forecasts", "payout-plans", "patterns"])
def test_nobody_reads_without_signing_in(tenant: Tenant, path: str) -> None:
    assert APIClient().get(f"/api/v1/{path}").status_code == 401


def test_another_tenants_people_find_nothing(short: Forecast, other_tenant: Tenant) -> None:
    from tests.conftest import make_user

    with bound(other_tenant.id, actor="system:test"):
        stranger = client_of(make_user("stranger", "treasury_manager"))
        assert stranger.get("/api/v1/forecasts").json()["results"] == []
        assert stranger.get(f"/api/v1/forecasts/{short.pk}").status_code == 404
        assert stranger.get(f"/api/v1/forecasts/{short.pk}/lines").status_code == 404


# --- desk ----------------------------------------------------------------------------------------


@pytest.fixture
def desk(maker: User) -> Client:
    client = Client()
    client.force_login(maker, backend="core.identity.backend.TenantBackend")
    session = client.session
    session[TENANT_SESSION_KEY] = str(maker.tenant_id)
    session.save()
    return client


PAGES = ["forecasts", "forecasts-table", "forecast-panel", "shortfalls", "shortfalls-table",
         "shortfalls-panel"]  # fmt: skip


@pytest.mark.parametrize("name", PAGES)
def test_pages_say_so_when_there_is_nothing(desk: Client, name: str) -> None:
    answer = desk.get(reverse(f"liquidity:{name}"))
    assert answer.status_code == 200
    assert "No forecast yet" in answer.text or "Nothing is missing" in answer.text


@pytest.mark.parametrize("name", PAGES)
def test_pages_show_the_account_and_what_is_missing(
    desk: Client, short: Forecast, name: str
) -> None:
    text = desk.get(reverse(f"liquidity:{name}")).text
    assert "INR payouts" in text
    assert ("1,000.00" if name.startswith("shortfalls") else "4,500.00") in text


def test_pages_need_a_sign_in(tenant: Tenant) -> None:
    answer = Client().get(reverse("liquidity:forecasts"))
    assert answer.status_code == 302


def test_an_accounts_page_shows_chart_days_and_plans(desk: Client, account: BankAccount) -> None:
    plan_payouts(plans=[plan(account, TODAY, "1300.00")], now=FRIDAY)
    made = run_forecast(account_id=account.pk, now=FRIDAY)
    answer = desk.get(reverse("liquidity:forecast", args=[account.pk]))
    chart = answer.context["chart"]
    assert len(chart["forecast"]) == 14
    assert chart["floor"] == "500.00"
    assert [flow["on"] for flow in chart["flows"]] == ["2026-11-20"]
    # The last booked close is where the forecast starts from, floor included.
    assert Decimal(chart["history"][-1][1]) == made.opening
    assert "1,300.00" in answer.text
    assert "Payout file" in answer.text


def test_an_account_without_a_forecast_is_an_error_page(
    desk: Client, new_account: BankAccount
) -> None:
    answer = desk.get(reverse("liquidity:forecast", args=[new_account.pk]))
    assert answer.status_code == 404


def test_shortfalls_are_ordered_by_their_worth(
    desk: Client, short: Forecast, open_account: Callable[..., BankAccount]
) -> None:
    rates.record_usd_rate(
        currency="INR", usd_per_unit=Decimal("0.012"), as_of=FRIDAY, source="test"
    )
    dollars = open_account("USD ops", currency="USD", timezone="America/New_York")
    state_balance(dollars, "0.00", as_of=FRIDAY, code="ITAV")
    new_york = clock.today("America/New_York")
    plan_payouts(plans=[plan(dollars, new_york, "100.00")], now=FRIDAY)
    run_forecast(account_id=dollars.pk, now=FRIDAY)
    rows = desk.get(reverse("liquidity:shortfalls")).context["rows"]
    # 1,000 rupees are 12 dollars: less than the 100 of the dollar account.
    assert [row.forecast.currency for row in rows] == ["USD", "INR"]
    assert [row.usd for row in rows] == [Decimal("100.0000"), Decimal("12.0000")]


def test_lists_do_not_ask_more_questions_with_more_accounts(
    desk: Client,
    open_account: Callable[..., BankAccount],
    django_assert_max_num_queries: Any,
) -> None:
    for label in "ABCDEF":
        made = open_account(f"INR {label}")
        state_balance(made, "10.00", as_of=FRIDAY, code="ITAV")
    run_daily_forecast(now=FRIDAY)
    for name in PAGES:
        with django_assert_max_num_queries(20):
            desk.get(reverse(f"liquidity:{name}"))


# --- admin ---------------------------------------------------------------------------------------


@pytest.fixture
def backstage(maker: User, desk: Client) -> Client:
    from core.identity.roles import install_roles

    install_roles()
    maker.is_staff = True
    maker.save()
    return desk


@pytest.mark.parametrize("model", ["payoutplan", "recurringpattern", "forecast", "forecastrun"])
def test_every_admin_list_opens(backstage: Client, short: Forecast, model: str) -> None:
    assert backstage.get(reverse(f"admin:liquidity_{model}_changelist")).status_code == 200


def test_a_forecast_is_shown_but_not_edited(backstage: Client, short: Forecast) -> None:
    address = reverse("admin:liquidity_forecast_change", args=[short.pk])
    assert backstage.get(address).status_code == 200
    assert backstage.post(address, {"required": "1"}).status_code == 403
    assert backstage.get(reverse("admin:liquidity_forecast_add")).status_code == 403


def test_a_plan_is_entered_through_the_form(backstage: Client, new_account: BankAccount) -> None:
    address = reverse("admin:liquidity_payoutplan_add")
    body = {
        "account": str(new_account.pk),
        "value_date": "2026-11-21",
        "amount": "-5",
        "kind": "REGULAR",
        "description": "File",
        "source_ref": "ADMIN-1",
    }
    refused = backstage.post(address, body)
    assert "positive amount" in refused.text
    assert not PayoutPlan.objects.exists()
    assert backstage.post(address, {**body, "amount": "5.00"}).status_code == 302
    made = PayoutPlan.objects.get()
    assert (made.currency, made.amount) == ("INR", Decimal("5.0000"))


def test_a_plan_is_cancelled_by_the_button(backstage: Client, new_account: BankAccount) -> None:
    [made] = plan_payouts(plans=[plan(new_account, TODAY, "1.00")], now=FRIDAY).created
    address = reverse("admin:liquidity_payoutplan_changelist")
    body = {"action": "cancel_selected", "_selected_action": [str(made.pk)]}
    backstage.post(address, {**body, "reason": ""})
    assert PayoutPlan.objects.get().state == "PLANNED"
    backstage.post(address, {**body, "reason": "recalled"})
    assert PayoutPlan.objects.get().state == "CANCELLED"


def test_a_pattern_is_entered_and_stopped(backstage: Client, new_account: BankAccount) -> None:
    body = {
        "account": str(new_account.pk),
        "name": "Rent",
        "amount": "-5.00",
        "rule": "DAILY",
        "weekday_mask": "0",
        "month_day": "0",
        "adjust": "NONE",
        "valid_from": "2026-11-20",
        "valid_to": "",
    }
    answer = backstage.post(reverse("admin:liquidity_recurringpattern_add"), body)
    assert answer.status_code == 302
    made = RecurringPattern.objects.get()
    address = reverse("admin:liquidity_recurringpattern_changelist")
    backstage.post(address, {"action": "stop_selected", "_selected_action": [str(made.pk)]})
    assert RecurringPattern.objects.get().is_active is False


# --- task and command ----------------------------------------------------------------------------


def test_the_task_visits_every_tenant(account: BankAccount, other_tenant: Tenant) -> None:
    tasks.forecast()
    assert Forecast.objects.count() == 1
    with bound(other_tenant.id):
        assert ForecastRun.objects.get().accounts_count == 0


def test_the_command_reports_as_json(account: BankAccount) -> None:
    out = StringIO()
    call_command("run_forecast", "--json", stdout=out)
    [run] = json.loads(out.getvalue())["runs"]
    assert run["announced"] is True
    assert run["forecasts"][0]["account"] == "INR payouts"
    assert Decimal(run["forecasts"][0]["required"]) == Decimal("4500.00")


def test_the_command_speaks_in_sentences(account: BankAccount) -> None:
    out = StringIO()
    call_command("run_forecast", stdout=out)
    assert "INR payouts: needs 4500.00 INR until 2026-11-22" in out.getvalue()


def test_the_command_refuses_a_horizon_out_of_range(account: BankAccount) -> None:
    with pytest.raises(CommandError, match="horizon"):
        call_command("run_forecast", "--horizon-days", "0")


def test_time_is_read_from_the_clock_only(account: BankAccount) -> None:
    with clock.frozen(datetime(2026, 11, 23, 3, 30, tzinfo=UTC)):
        tasks.forecast()
    assert Forecast.objects.get().need_days == 2
