"""No link presses a button: every button of the admin is read without effect and acts when sent."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

import pytest
from django.conf import settings
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.urls import get_resolver, reverse

from core.identity.roles import ALL, INTEGRATION
from core.tenancy import bound
from tests.promises.access import Caller, button_path
from tests.promises.conftest import World
from tests.promises.realm import Realm
from tests.promises.routes import Route, all_routes
from treasury.admin.beneficiaries import BeneficiaryAdmin
from treasury.models import Beneficiary

# Every request notes that its session is in use, and the trail notes that and every refusal.
OF_EVERY_REQUEST: Final = {
    "django_session", "core_personsession", "core_auditentry", "core_auditpending",
}  # fmt: skip
# What leads to another page has no effect of its own.
LEADING: Final = {"report", "stop_it"}
WRITTEN: Final = """
    SELECT relname, n_tup_ins + n_tup_upd + n_tup_del
      FROM pg_stat_xact_user_tables WHERE n_tup_ins + n_tup_upd + n_tup_del > 0
"""


def _written() -> dict[str, int]:
    """Return how many rows this transaction wrote to each table, undone ones included."""
    with connection.cursor() as cursor:
        cursor.execute(WRITTEN)
        return dict(cursor.fetchall())


def _writes(caller: Caller, method: str, path: str) -> tuple[int, set[str]]:
    """Return how one call was answered and which tables it wrote to."""
    before = _written()
    answer, _ = caller.call(method, path, {})
    changed = {table for table, count in _written().items() if count != before.get(table, 0)}
    return answer.status_code, changed - OF_EVERY_REQUEST


def _buttons() -> Iterator[tuple[str, str]]:
    """Yield every button's own name and the name of its address, from the admin's registry."""
    for page in admin.site._registry.values():
        for kind in (page.actions_list, page.actions_detail, page.actions_row):
            for name in page._extract_action_names(kind):
                yield name, f"{page.opts.app_label}_{page.opts.model_name}_{name}"


BUTTONS: Final = sorted(set(_buttons()), key=lambda pair: pair[1])


def _path(address: str, realm: Realm) -> str:
    given = reverse(f"admin:{address}", args=["OBJECT"]) if _is_of_one(address) else None
    if given is None:
        return reverse(f"admin:{address}")
    pattern = given.removeprefix("/").replace("OBJECT", "<path:object_id>")
    route = next(route for route in all_routes() if route.pattern == pattern)
    return button_path(Route(route.pattern, route.callback), realm)


def _is_of_one(address: str) -> bool:
    app, model, name = address.split("_", 2)
    page = next(
        page
        for page in admin.site._registry.values()
        if (page.opts.app_label, page.opts.model_name) == (app, model)
    )
    return name not in page._extract_action_names(page.actions_list)


@pytest.fixture
def callers(world: World, db: None, at_work: object) -> list[Caller]:
    return [Caller(world.ours, role) for role in ALL if role != INTEGRATION]


def test_no_button_changes_anything_when_it_is_read(world: World, callers: list[Caller]) -> None:
    assert len(BUTTONS) > 12
    wrong, shown = [], set()
    for name, address in BUTTONS:
        path = _path(address, world.ours)
        for caller in callers:
            status, tables = _writes(caller, "GET", path)
            if status in (HTTPStatus.OK, HTTPStatus.FOUND):
                shown.add(name)
            if tables or (status == HTTPStatus.FOUND and name not in LEADING):
                wrong.append((caller.role, address, status, tables))
    assert wrong == []
    assert shown == {name for name, _ in BUTTONS}


def test_a_sent_button_acts_where_it_may(world: World, callers: list[Caller]) -> None:
    """The negative control: what the walk above counts does happen on POST."""
    acted = set()
    for name, address in BUTTONS:
        for caller in callers:
            _, tables = _writes(caller, "POST", _path(address, world.ours))
            if tables:
                acted.add(name)
    assert acted >= {"submit_it", "withdraw_it", "block_it", "verify_it", "open_it", "rearm_it"}
    assert not acted & LEADING


def test_a_button_without_its_page_would_be_found(
    world: World, callers: list[Caller], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control of the walk: taken out of its page, the button acts on a link."""
    act = BeneficiaryAdmin.block_it.__wrapped__.__wrapped__
    path = _path("treasury_beneficiary_block_it", world.ours)
    route = next(
        route
        for route in all_routes()
        if route.pattern == "admin/treasury/beneficiary/<path:object_id>/block/"
    )
    bare = admin.site.admin_view(
        lambda request, object_id: act(
            admin.site._registry[Beneficiary], request, object_id=object_id
        )
    )
    asking = next(caller for caller in callers if caller.role == "risk_officer")
    assert "treasury_beneficiary" not in _writes(asking, "GET", path)[1]
    monkeypatch.setattr(_pattern_of(route), "callback", bare)
    assert "treasury_beneficiary" in _writes(asking, "GET", path)[1]


def _pattern_of(route: Route) -> Any:
    found: list[Any] = []

    def walk(resolver: Any) -> None:
        for part in resolver.url_patterns:
            if hasattr(part, "url_patterns"):
                walk(part)
            elif part.callback is route.callback:
                found.append(part)

    walk(get_resolver())
    return found[0]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_no_button_takes_another_method(world: World, callers: list[Caller], method: str) -> None:
    wrong = {
        (caller.role, address): status
        for _, address in BUTTONS
        for caller in callers
        if (status := _writes(caller, method, _path(address, world.ours))[0])
        not in (HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.FORBIDDEN)
    }
    assert wrong == {}


def test_the_page_names_the_object_and_what_happens(world: World, callers: list[Caller]) -> None:
    with bound(world.ours.tenant, actor="system:test"):
        beneficiary = Beneficiary.objects.get(pk=world.ours.objects["beneficiary"])
    client = world.ours.client("risk_officer")
    page = client.get(_path("treasury_beneficiary_block_it", world.ours)).content.decode()
    assert beneficiary.name in page
    assert "Nothing can be paid to it any more." in page
    assert "csrfmiddlewaretoken" in page
    assert reverse("admin:treasury_beneficiary_change", args=[beneficiary.pk]) in page


def test_a_form_of_another_site_presses_nothing(world: World, callers: list[Caller]) -> None:
    own = world.ours.client("risk_officer")
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    name = settings.SESSION_COOKIE_NAME
    client.cookies[name] = own.cookies[name].value
    path = _path("treasury_beneficiary_block_it", world.ours)
    assert client.post(path).status_code == HTTPStatus.FORBIDDEN
    token = client.get(path).context["csrf_token"]
    assert client.post(path, {"csrfmiddlewaretoken": str(token)}).status_code == HTTPStatus.FOUND


def test_a_button_on_nothing_is_not_found(world: World, callers: list[Caller]) -> None:
    client = world.ours.client("treasury_manager")
    for object_id in ("nonsense", str(world.theirs.objects["beneficiary"])):
        path = reverse("admin:treasury_beneficiary_block_it", args=[object_id])
        for call in (client.get, client.post):
            assert call(path).status_code == HTTPStatus.NOT_FOUND
