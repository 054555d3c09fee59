"""API, admin, tasks and commands: how the world asks."""

import json
from datetime import UTC, date, datetime, time
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.contrib.messages import get_messages
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from calendars import services, tasks
from calendars.models import (
    Calendar,
    Holiday,
    LookaheadRun,
    Rail,
    RailWindowOverride,
    WindowAlert,
)
from core import clock
from core.api.authentication import access_token
from core.identity.models import User
from core.middleware import TENANT_SESSION_KEY
from core.tenancy import Tenant, bound
from tests.scenes import scene

NOW = datetime(2026, 11, 24, 17, 20, tzinfo=UTC)


# --- API -------------------------------------------------------------------------------------

api_urls = pytest.mark.urls("tests.calendars.api_urls")


@pytest.fixture
def api(installed: Tenant, maker: User) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {access_token(maker)}")
    return client


@api_urls
def test_windows_show_every_rail_with_its_countdown(api: APIClient) -> None:
    with clock.frozen(NOW):
        answer = api.get("/api/v1/windows")
    assert answer.status_code == 200
    rails = {(row["rail"], row["currency"]): row for row in answer.json()}
    assert len(rails) == 11
    chaps = rails["CHAPS", "GBP"]
    assert chaps["is_open"] is True
    assert chaps["seconds_to_cutoff"] == 20 * 60
    assert chaps["cutoff_at"] == "2026-11-24T17:40:00Z"
    assert rails["SEPA_INST", "EUR"]["cutoff_at"] is None
    assert rails["T2", "EUR"]["reason_closed"] == "closed_for_today"


@api_urls
def test_windows_can_be_narrowed_and_seen_through_a_bank(api: APIClient, keeper: User) -> None:
    services.set_bank_cutoff(
        cutoff=services.BankCutoffIn(
            rail="CHAPS",
            bank="BARCGB22",
            local_time=time(16, 0),
            tz="Europe/London",
            effective_from=date(2026, 1, 1),
        ),
        actor=keeper,
    )
    with clock.frozen(NOW):
        (row,) = api.get("/api/v1/windows?rail=CHAPS&bank=BARCGB22").json()
    assert (row["seconds_to_cutoff"], row["value_date"]) == (0, "2026-11-25")


@api_urls
def test_holidays_are_filtered_by_calendar_span_and_status(api: APIClient, keeper: User) -> None:
    services.confirm_holiday(calendar="FED", day=date(2026, 12, 25), actor=keeper)
    span = "from=2026-11-01&to=2026-12-31"
    found = api.get(f"/api/v1/holidays?calendar=FED&{span}").json()
    assert [row["date"] for row in found] == ["2026-11-11", "2026-11-26", "2026-12-25"]
    assert found[0]["currency"] == "USD"
    confirmed = api.get(f"/api/v1/holidays?{span}&status=CONFIRMED").json()
    assert [(row["calendar"], row["date"]) for row in confirmed] == [("FED", "2026-12-25")]


@api_urls
def test_holidays_without_a_span_start_today(api: APIClient) -> None:
    with clock.frozen(NOW):
        found = api.get("/api/v1/holidays?calendar=UK_EW").json()
    assert found[0]["date"] == "2026-12-25"
    assert found[-1]["date"] <= "2027-11-26"


@api_urls
@pytest.mark.parametrize(
    "query",
    [
        "holidays?from=2026-13-01",
        "holidays?from=2026-12-31&to=2026-01-01",
        "holidays?status=MAYBE",
        "windows?currency=usd",
        "windows?bank=x",
    ],
)
def test_a_malformed_question_is_refused(api: APIClient, query: str) -> None:
    answer = api.get(f"/api/v1/{query}")
    assert answer.status_code == 400
    assert answer.json()["code"] == "validation"


@api_urls
@pytest.mark.parametrize("path", ["windows", "holidays"])
def test_nobody_reads_without_signing_in(installed: Tenant, path: str) -> None:
    assert APIClient().get(f"/api/v1/{path}").status_code == 401


@api_urls
@pytest.mark.parametrize("path", ["windows", "holidays"])
def test_nobody_writes_through_the_api(api: APIClient, path: str) -> None:
    assert api.post(f"/api/v1/{path}", {}).status_code == 405


@api_urls
def test_missing_calendar_data_is_a_problem_with_a_code(api: APIClient) -> None:
    with clock.frozen(datetime(2029, 2, 1, 12, 0, tzinfo=UTC)):
        answer = api.get("/api/v1/windows")
    assert answer.status_code == 409
    assert answer.json()["code"] == "calendar_not_covered"


# --- admin -----------------------------------------------------------------------------------


def sign_in(user: User) -> Client:
    user.is_staff = True
    user.save()
    client = Client()
    client.force_login(user, backend="core.identity.backend.TenantBackend")
    session = client.session
    session[TENANT_SESSION_KEY] = str(user.tenant_id)
    session.save()
    return client


def press(client: Client, model: str, action: str, *rows: Any, **more: str) -> list[str]:
    address = reverse(f"admin:calendars_{model}_changelist")
    body = {"action": action, "_selected_action": [str(row.pk) for row in rows], **more}
    answer = client.post(address, body)
    # Messages of earlier requests wait in the session until a page shows them.
    return [str(message) for message in get_messages(answer.wsgi_request)][-len(rows) :]


@scene
def national_day(installed: Tenant) -> Holiday:
    return Holiday.objects.get(calendar__code="UAE", date=date(2026, 12, 2))


def test_every_admin_list_opens(installed: Tenant, keeper: User) -> None:
    client = sign_in(keeper)
    for model in (
        "calendar",
        "weekendrule",
        "holiday",
        "rail",
        "railwindowoverride",
        "bankcutoff",
        "windowalert",
        "lookaheadrun",
    ):
        address = reverse(f"admin:calendars_{model}_changelist")
        assert client.get(address).status_code == 200, model


def test_the_confirm_button_calls_the_service(national_day: Holiday, keeper: User) -> None:
    assert press(sign_in(keeper), "holiday", "confirm_selected", national_day) == [
        "UAE 2026-12-02 National Day: done."
    ]
    national_day.refresh_from_db()
    assert (national_day.status, national_day.decided_by) == ("CONFIRMED", keeper)


def test_a_refusal_becomes_a_message(national_day: Holiday, keeper: User) -> None:
    (message,) = press(sign_in(keeper), "holiday", "cancel_selected", national_day)
    assert message.endswith("Say why the holiday is cancelled.")
    (message,) = press(sign_in(keeper), "holiday", "cancel_selected", national_day, reason="Moved")
    assert message.endswith("done.")
    national_day.refresh_from_db()
    assert (national_day.status, national_day.decision_reason) == ("CANCELLED", "Moved")


def test_a_reader_of_the_admin_finds_no_button(national_day: Holiday, user_with: Any) -> None:
    press(sign_in(user_with("auditor")), "holiday", "confirm_selected", national_day)
    national_day.refresh_from_db()
    assert national_day.status == "PROVISIONAL"


def test_a_closure_is_declared_through_the_form(installed: Tenant, keeper: User) -> None:
    client, address = sign_in(keeper), reverse("admin:calendars_holiday_add")
    calendar = installed_calendar("UK_EW")
    body = {
        "calendar": str(calendar),
        "date": "2026-11-24",
        "name": "Day of mourning",
        "source": "Royal proclamation",
        "half_day_close_local": "",
    }
    assert client.post(address, body).status_code == 302
    row = Holiday.objects.get(calendar=calendar, date=date(2026, 11, 24))
    assert (row.kind, row.declared_by) == ("ADHOC", keeper)
    far = client.post(address, {**body, "date": "2033-11-24"})
    assert far.status_code == 302
    assert "covers" in str(list(get_messages(far.wsgi_request))[-1])
    assert Holiday.objects.filter(kind="ADHOC", calendar=calendar).count() == 1


def installed_calendar(code: str) -> UUID:
    return Calendar.objects.get(code=code).pk


def test_holidays_are_neither_edited_nor_deleted_by_hand(
    national_day: Holiday, keeper: User
) -> None:
    client = sign_in(keeper)
    page = reverse("admin:calendars_holiday_change", args=[national_day.pk])
    assert client.post(page, {"name": "Working day"}).status_code == 403
    remove = reverse("admin:calendars_holiday_delete", args=[national_day.pk])
    assert client.post(remove, {"post": "yes"}).status_code == 403
    national_day.refresh_from_db()
    assert national_day.name == "National Day"


def test_an_override_takes_two_people_in_the_admin_too(
    installed: Tenant, keeper: User, second_keeper: User
) -> None:
    client = sign_in(keeper)
    body = {
        "rail": str(Rail.objects.get(code="T2").pk),
        "business_date": "2026-11-24",
        "kind": "CUSTOMER",
        "local_time": "19:00:00",
        "reason": "Delayed closing",
        "source_url": "",
    }
    address = reverse("admin:calendars_railwindowoverride_add")
    assert client.post(address, body).status_code == 302
    entered = RailWindowOverride.objects.get()
    (message,) = press(client, "railwindowoverride", "approve_selected", entered)
    assert message.endswith("Somebody else must take this step.")
    (message,) = press(sign_in(second_keeper), "railwindowoverride", "approve_selected", entered)
    assert message.endswith("done.")
    entered.refresh_from_db()
    assert entered.approved_by == second_keeper


# --- tasks and commands ----------------------------------------------------------------------


@scene
def two_tenants(installed: Tenant, other_tenant: Tenant) -> tuple[Tenant, Tenant]:
    with bound(other_tenant.id):
        services.install_reference_calendars(years=(2026,))
        services.install_rails()
    return installed, other_tenant


def chaps_alerts() -> int:
    return WindowAlert.objects.filter(rail__code="CHAPS").count()


def test_the_task_visits_every_tenant(two_tenants: tuple[Tenant, Tenant]) -> None:
    with clock.frozen(NOW):
        tasks.raise_window_alerts()
        tasks.raise_window_alerts()
    for tenant in two_tenants:
        with bound(tenant.id):
            assert chaps_alerts() == 1


def test_one_tenant_without_data_does_not_stop_the_next(
    two_tenants: tuple[Tenant, Tenant],
) -> None:
    installed, short = two_tenants  # the second one's data ends with 2026
    with clock.frozen(datetime(2027, 3, 24, 1, 0, tzinfo=UTC)):
        tasks.holiday_lookahead()
    with bound(short.id):
        assert not LookaheadRun.objects.exists()
    with bound(installed.id):
        assert LookaheadRun.objects.get().currencies_closed == "EUR GBP INR"


def run(*words: str) -> Any:
    out = StringIO()
    call_command(*words, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_the_alert_command_reports_in_json_and_in_words(installed: Tenant) -> None:
    with clock.frozen(NOW):
        raised = run("window_alerts")["raised"]
        assert ("CHAPS", 20) in {(row["rail"], row["minutes_left"]) for row in raised}
        assert run("window_alerts") == {"raised": []}
        out = StringIO()
        call_command("window_alerts", stdout=out)
    assert "0 alerts raised" in out.getvalue()


def test_the_lookahead_command_reports(installed: Tenant) -> None:
    (row,) = run("calendars_lookahead", "--date", "2026-11-23")["runs"]
    assert (row["closures"], row["currencies_closed"]) == (2, ["INR", "USD"])
    out = StringIO()
    call_command("calendars_lookahead", "--date", "2026-11-23", stdout=out)
    assert out.getvalue() == "2026-11-23: 2 closures ahead.\n"


def test_the_install_command_is_safe_to_repeat(tenant: Tenant) -> None:
    (first,) = run("calendars_install", "--years", "2026", "2027")["installed"]
    (again,) = run("calendars_install", "--years", "2026", "2027")["installed"]
    assert first["rails_added"] == 11
    assert first["holidays_added"] > 100
    assert (again["holidays_added"], again["rails_added"]) == (0, 0)
    with pytest.raises(CommandError):
        run("calendars_install", "--years", "2030")
    with pytest.raises(CommandError):
        run("calendars_install", "--tenant", "nowhere")
