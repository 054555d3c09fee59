"""API, admin, desk page, tasks, commands, health: how the world asks."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from rest_framework.test import APIClient

from core.api.authentication import access_token
from core.identity.models import User
from core.middleware import TENANT_SESSION_KEY
from core.tenancy import Tenant, bound
from integrations import registry, selectors, services, tasks
from integrations.models import BankConnection, LineState, Message
from integrations.services import lines
from tests.conftest import MakeUser, make_user
from tests.integrations.room.conftest import (
    SECRET,
    MakeHouse,
    SandboxBank,
    folder_line,
    http_line,
    order,
)
from tests.integrations.room.test_folder import STATEMENT
from tests.scenes import scene

pytestmark = pytest.mark.urls("tests.integrations.room.room_urls")


@scene
def line(tenant: Tenant) -> BankConnection:
    return services.save_connection(wish=http_line("https://bank.example"))


@scene
def statement(line: BankConnection) -> Message:
    return services.archive_inbound(connection_code=line.code, name="s.xml", data=STATEMENT)


@scene
def payment(line: BankConnection) -> Message:
    return services.queue_payment(instruction=order(), rail="SEPA_INST", connection_code=line.code)


def api_of(user: User) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {access_token(user)}")
    return client


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="core.identity.backend.TenantBackend")
    session = client.session
    session[TENANT_SESSION_KEY] = str(user.tenant_id)
    session.save()
    client.cookies["sessionid"] = str(session.session_key)
    return client


# API


def test_the_api_lists_messages_and_narrows_them(
    statement: Message, payment: Message, maker: User
) -> None:
    api = api_of(maker)
    rows = api.get("/api/v1/messages").json()["results"]
    assert [row["id"] for row in rows] == [str(payment.pk), str(statement.pk)]
    assert "body" not in rows[0]
    for query, expected in [
        ("direction=IN", statement),
        ("state=QUEUED", payment),
        (f"reference={payment.reference}", payment),
        ("kind=camt.053", statement),
    ]:
        (row,) = api.get(f"/api/v1/messages?{query}").json()["results"]
        assert row["id"] == str(expected.pk)
    assert api.get("/api/v1/messages?state=NONSENSE").status_code == 400


def test_the_bytes_are_for_the_treasury_and_its_auditors(
    statement: Message, user_with: MakeUser
) -> None:
    path = f"/api/v1/messages/{statement.pk}/content"
    answer = api_of(user_with("auditor")).get(path)
    assert answer.status_code == 200
    assert answer.content == STATEMENT
    assert answer["Content-Type"] == "application/octet-stream"
    assert "attachment" in answer["Content-Disposition"]
    assert answer["X-Message-SHA256"] == statement.sha256
    refused = api_of(user_with("static_data")).get(path)
    assert refused.status_code == 403
    assert STATEMENT not in refused.content
    assert APIClient().get(path).status_code == 401


def test_another_tenants_message_is_like_one_that_does_not_exist(
    statement: Message, other_tenant: Tenant
) -> None:
    with bound(other_tenant.id, actor="system:test"):
        stranger = make_user("stranger", "auditor")
    for tail in ("", "/content"):
        foreign = api_of(stranger).get(f"/api/v1/messages/{statement.pk}{tail}")
        missing = api_of(stranger).get(
            f"/api/v1/messages/0199b7b4-0000-7000-8000-000000000000{tail}"
        )
        assert foreign.status_code == missing.status_code == 404
        assert foreign.json()["code"] == missing.json()["code"]


def test_nobody_writes_through_the_api(statement: Message, maker: User) -> None:
    for method in ("post", "put", "patch", "delete"):
        answer = getattr(api_of(maker), method)(f"/api/v1/messages/{statement.pk}")
        assert answer.status_code in (403, 405)


# Desk


def test_the_connections_page_shows_lines_and_what_needs_a_person(
    statement: Message, payment: Message, maker: User
) -> None:
    services.set_aside(message_id=statement.pk, reason="The account <12> is not ours.")
    page = signed_in(maker).get("/connections/").content.decode()
    assert "Sandbox over HTTP" in page
    assert "The account &lt;12&gt; is not ours." in page
    assert payment.name in page
    assert reverse("integrations:try-again", args=[statement.pk]) in page
    assert SECRET not in page


def test_the_page_without_any_line_says_so(tenant: Tenant, maker: User) -> None:
    assert "No bank is connected" in signed_in(maker).get("/connections/").content.decode()


def test_the_page_needs_a_number_of_queries_that_does_not_grow(
    statement: Message, maker: User
) -> None:
    client = signed_in(maker)

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            client.get("/connections/")
        return len(seen)

    few = queries()
    for number in range(8):
        wish = http_line("https://bank.example", code=f"line-{number}")
        services.save_connection(wish=wish)
        services.archive_inbound(
            connection_code=wish.code, name="s.xml", data=STATEMENT + b"\n" * number
        )
    assert queries() <= few + 1


def test_a_person_takes_a_message_up_again_on_the_page(
    statement: Message, maker: User, user_with: MakeUser
) -> None:
    services.set_aside(message_id=statement.pk, reason="unreadable")
    path = reverse("integrations:try-again", args=[statement.pk])
    signed_in(user_with("dealer")).post(path)
    assert selectors.message(statement.pk).state == "SET_ASIDE"
    assert signed_in(maker).get(path).status_code == 405
    signed_in(maker).post(path)
    assert selectors.message(statement.pk).state == "RECEIVED"


def test_the_download_on_the_desk_asks_for_the_role(
    statement: Message, maker: User, user_with: MakeUser
) -> None:
    path = reverse("integrations:content", args=[statement.pk])
    assert signed_in(maker).get(path).content == STATEMENT
    refused = signed_in(user_with("static_data")).get(path)
    assert refused.status_code == 403
    assert Client().get(path).status_code == 302


def test_testing_a_line_is_asked_for_and_done_by_the_loop(house: MakeHouse, tmp_path: Path) -> None:
    home = house(folder_line(tmp_path))
    with bound(home.tenant, actor="system:test"):
        keeper, dealer = make_user("keeper", "static_data"), make_user("dealer", "dealer")
    path = reverse("integrations:probe", args=[home.line])
    signed_in_committed(dealer, home.tenant, path)
    assert services.probe_requested(tenant=home.tenant) == []
    signed_in_committed(keeper, home.tenant, path)
    (found,) = services.probe_requested(tenant=home.tenant)
    assert "can be read and written" in found
    assert services.probe_requested(tenant=home.tenant) == []
    with bound(home.tenant, actor="system:test"):
        (view,) = selectors.connectivity()
    assert view.health == "ok"
    assert view.notes[0].get_kind_display() == "tested by a person"


def signed_in_committed(user: User, tenant: object, path: str) -> None:
    with bound(str(tenant), actor="system:test"):
        client = signed_in(user)
    assert client.post(path).status_code == 302


def test_a_line_that_does_not_answer_fails_its_test(house: MakeHouse) -> None:
    home = house(http_line("http://127.0.0.1:9"))
    with bound(home.tenant, actor="system:test"):
        keeper = make_user("keeper", "static_data")
        services.request_probe(code=home.line, actor=keeper)
    (found,) = services.probe_requested(tenant=home.tenant)
    assert "cannot be asked" in found


# Admin


@scene
def static_data(user_with: MakeUser) -> User:
    user = user_with("static_data", "treasury_maker", name="keeper")
    user.is_superuser = True
    user.save()
    return user


@pytest.mark.parametrize("model", ["bankconnection", "message", "linenote"])
def test_every_admin_list_and_form_opens(statement: Message, static_data: User, model: str) -> None:
    lines.note(connection=statement.connection, kind="FAILED", text="no answer")
    client = signed_in(static_data)
    listed = client.get(reverse(f"admin:integrations_{model}_changelist"))
    assert listed.status_code == 200
    row = {
        "bankconnection": statement.connection_id,
        "message": statement.pk,
        "linenote": statement.connection.notes.get().pk,
    }[model]
    shown = client.get(reverse(f"admin:integrations_{model}_change", args=[row]))
    assert shown.status_code == 200
    assert SECRET not in shown.content.decode()


SWITCHES = {"is_active", "is_test_line"}
FORM_FIELDS = ("code", *(name for name in services.PLAIN_SETTINGS if name not in SWITCHES))


def form_of(line: BankConnection, **changes: str) -> dict[str, str]:
    facts = {name: getattr(line, name) for name in FORM_FIELDS}
    filled = {name: "" if value is None else str(value) for name, value in facts.items()}
    return {**filled, "is_active": "on", "new_secret": "", "new_key": "", **changes}


def test_the_admin_saves_lines_through_the_service(line: BankConnection, static_data: User) -> None:
    client = signed_in(static_data)
    path = reverse("admin:integrations_bankconnection_change", args=[line.pk])
    client.post(path, form_of(line, name="New name", new_secret="fresh secret"))
    saved = BankConnection.objects.get()
    assert (saved.name, saved.secret) == ("New name", "fresh secret")
    client.post(path, form_of(line, base_url="http://bank.example"))
    assert BankConnection.objects.get().base_url == "https://bank.example"
    new = reverse("admin:integrations_bankconnection_add")
    client.post(new, form_of(line, code="second", new_secret="another"))
    assert BankConnection.objects.get(code="second").secret == "another"


def test_the_admin_neither_edits_nor_deletes_messages(
    statement: Message, static_data: User
) -> None:
    client = signed_in(static_data)
    path = reverse("admin:integrations_message_change", args=[statement.pk])
    assert client.post(path, {"name": "forged"}).status_code == 403
    delete = reverse("admin:integrations_message_delete", args=[statement.pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403
    assert selectors.message(statement.pk).name == "s.xml"


def test_the_buttons_of_the_admin_call_services(statement: Message, static_data: User) -> None:
    services.set_aside(message_id=statement.pk, reason="unreadable")
    client = signed_in(static_data)
    client.post(
        reverse("admin:integrations_message_changelist"),
        {"action": "try_selected_again", "_selected_action": [str(statement.pk)]},
    )
    assert selectors.message(statement.pk).state == "RECEIVED"
    client.post(
        reverse("admin:integrations_bankconnection_changelist"),
        {"action": "test_selected", "_selected_action": [str(statement.connection_id)]},
    )
    assert LineState.objects.get().probe_requested_at is not None


# Health, tasks, commands


def test_health_is_degraded_while_a_circuit_is_open(house: MakeHouse) -> None:
    home = house(http_line("http://127.0.0.1:9"))
    assert registry.bank_apis() == {"status": "ok", "open_circuits": 0}
    for _ in range(5):
        home.queue()
    home.dispatch()
    assert registry.bank_apis() == {"status": "degraded", "open_circuits": 1}
    assert Client().get("/health").json()["components"]["bank_apis"]["status"] == "degraded"


def test_the_tasks_do_the_round(house: MakeHouse, bank: SandboxBank) -> None:
    home = house(http_line(bank.url))
    message = home.queue()
    tasks.dispatch()
    tasks.enquire()
    assert home.state(message) == "SENT"
    tasks.collect()
    with bound(home.tenant, actor="system:test"):
        assert selectors.messages().inbound().filter(kind="pain.002").exists()


def test_over_http_every_message_is_fetched_once(house: MakeHouse, bank: SandboxBank) -> None:
    home = house(http_line(bank.url))
    home.queue()
    home.dispatch()
    first = home.collect()
    assert first.archived >= 1
    assert home.collect().archived == 0
    with bound(home.tenant, actor="system:test"):
        cursor = LineState.objects.get().inbound_cursor
        assert {row.seen_count for row in selectors.messages().inbound()} == {1}
    assert int(cursor) >= first.archived


def test_the_commands_report_in_json(house: MakeHouse, tmp_path: Path) -> None:
    home = house(folder_line(tmp_path))
    home.queue()
    (tmp_path / "inbound").mkdir()
    (tmp_path / "inbound" / "a.xml").write_bytes(STATEMENT)
    out = StringIO()
    call_command("dispatch_payments", "--json", stdout=out)
    (row,) = json.loads(out.getvalue())["tenants"]
    assert (row["tenant"], row["sent"]) == (str(home.tenant), 1)
    out = StringIO()
    call_command("collect_inbound", "--json", stdout=out)
    assert json.loads(out.getvalue())["tenants"][0]["archived"] == 1
    for command in ("dispatch_payments", "collect_inbound"):
        out = StringIO()
        call_command(command, stdout=out)
        assert str(home.tenant) in out.getvalue()


def test_the_loop_does_everything_once_when_asked(house: MakeHouse, tmp_path: Path) -> None:
    home = house(folder_line(tmp_path))
    message = home.queue()
    out = StringIO()
    call_command("channels", "--once", "--json", stdout=out)
    assert json.loads(out.getvalue())["sent"] == 1
    assert home.state(message) == "SENT"
