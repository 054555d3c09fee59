"""The whole matrix, measured and compared with what was reviewed: docs/security/access-matrix.md.

A new address, method, role, button or websocket is a line or column that the document does not
have, so this fails until somebody has looked at who may call it and has written it down.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

import pytest
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.test import RequestFactory

from core.errors import Forbidden
from core.identity.roles import ALL, INTEGRATION
from core.tenancy import bound
from tests.promises.access import (
    CALLERS,
    METHODS,
    NO,
    NOBODY,
    PROOF,
    SIGN_IN,
    YES,
    Caller,
    admin_rights,
    agrees_with_document,
    bare,
    button_path,
    described_methods,
    is_button,
    table,
    unpainted,
    verdict,
    watched_refusals,
)
from tests.promises.conftest import World
from tests.promises.realm import Realm
from tests.promises.routes import Route, all_routes
from tests.promises.sockets import Socket
from tests.promises.test_p05_endpoints import (
    BODIES,
    FRAMEWORK,
    LIMITED,
    PLAIN,
    PUBLIC,
    _admin_path,
    _filled,
    _first,
)
from tests.promises.test_p15_sockets import _cookie, fresh_layer, in_one_loop
from tms.routing import websocket_urlpatterns

__all__ = ["fresh_layer"]
# What lets nobody in as the matrix asks, each with the reason.
CLOSED: Final = {
    ("`/sign-out`", "POST"): "leads to the sign-in page",
    ("`/me/password`", "POST"): "asks for the present password, which the matrix does not know",
}
# Reads that nobody has an answer to yet, each with the reason.
ASKED: Final = {
    "api/v1/fx/curves/forward": (HTTPStatus.BAD_REQUEST, "asks for a pair and a day"),
    "api/v1/fx/valuation/explain": (HTTPStatus.NOT_FOUND, "no day was valued yet"),
}
REASONS: Final = ("stop", "release", "block", "unblock", "verify", "request_changes")
BUTTONS: Final = [route for route in all_routes() if is_button(route)]


@pytest.fixture
def callers(world: World, db: None, at_work: object) -> Iterator[list[Caller]]:
    with unpainted():
        yield [Caller(world.ours, role) for role in CALLERS]


def _body(path: str, realm: Realm) -> dict[str, Any]:
    """Return a body that gets as far as the question who may: right accounts, hash and version."""
    last = path.rstrip("/").rsplit("/", 1)[-1]
    if last in ("proposals", "amend", "new"):
        accounts = {"debit_account": "collection", "credit_account": "payout"}
        terms = {field: str(realm.accounts[name].pk) for field, name in accounts.items()}
        return {**terms, "amount": "10.00", "why": "a try"}
    body = dict(BODIES.get(last, {"reason": "a try"} if last in REASONS else {}))
    return body | ({"content_hash": realm.objects["approval_hash"]} if "version" in body else {})


def _read_as_expected(route: Route, role: str, status: int) -> bool:
    """Return whether reading is answered as LIMITED says; what only writes answers 405."""
    if role == NOBODY or status == HTTPStatus.METHOD_NOT_ALLOWED:
        return True
    if role == INTEGRATION and not route.is_api:
        return status == HTTPStatus.FOUND
    if route.pattern in ASKED:
        return status == ASKED[route.pattern][0]
    allowed = LIMITED.get(route.pattern)
    return status == (HTTPStatus.OK if allowed is None or role in allowed else HTTPStatus.FORBIDDEN)


def _cells(
    callers: list[Caller], method: str, route: Route, path: str, realm: Realm
) -> dict[str, str]:
    body = _body(path, realm)
    cells = {}
    for caller in callers:
        answer, seen = caller.call(method, path, body)
        cells[caller.role] = verdict(answer, seen)
        assert (
            method != "GET"
            or route.is_admin
            or _read_as_expected(route, caller.role, answer.status_code)
        ), (route.pattern, caller.role, answer.status_code)
    return cells


def _methods(route: Route, path: str, asker: Caller, described: dict[str, set[str]]) -> list[str]:
    if route.is_api and bare(route) in described:
        taken = [method for method in METHODS if method in described[bare(route)]]
        if "GET" not in taken:
            answer, _ = asker.call("GET", path, {})
            assert answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED, route.pattern
        return taken
    return [
        method
        for method in METHODS
        if asker.call(method, path, {})[0].status_code not in (404, 405)
    ]


def _rows(
    routes: list[tuple[Route, str]], callers: list[Caller], realm: Realm
) -> Iterator[tuple[tuple[str, str], dict[str, str]]]:
    """Yield a row for each address and for the methods that all roles are answered alike."""
    described = described_methods()
    for route, path in routes:
        alike: list[tuple[list[str], dict[str, str]]] = []
        for method in _methods(route, path, callers[0], described):
            cells = _cells(callers, method, route, path, realm)
            known = next((methods for methods, before in alike if before == cells), None)
            if known is None:
                alike.append(([method], cells))
            else:
                known.append(method)
        for methods, cells in alike:
            yield (f"`/{route.pattern}`", " ".join(methods)), cells


@pytest.mark.parametrize("section", ["api", "pages"])
def test_every_address_answers_each_role_as_reviewed(
    world: World, callers: list[Caller], section: str
) -> None:
    routes = [
        (route, _filled(route, world.ours)) for route in PLAIN if route.is_api == (section == "api")
    ]
    rows = dict(_rows(routes, callers, world.ours))
    assert {key[0] for key in rows} == {f"`/{route.pattern}`" for route, _ in routes}
    assert {key for key, cells in rows.items() if cells[NOBODY] != SIGN_IN} == set()
    closed = {key for key, cells in rows.items() if not {YES, PROOF} & set(cells.values())}
    assert closed == {key for key in CLOSED if key in rows}
    agrees_with_document(section, table(("address", "method"), rows))


def test_buttons_of_the_admin_answer_each_role_as_reviewed(
    world: World, callers: list[Caller]
) -> None:
    routes = [
        (route, button_path(route, world.ours))
        for route in BUTTONS
        if route.pattern not in PUBLIC and route.pattern not in FRAMEWORK
    ]
    assert routes
    rows = dict(_rows(routes, callers, world.ours))
    agrees_with_document("buttons", table(("address", "method"), rows))


def test_the_admin_gives_each_role_the_reviewed_rights(
    world: World, callers: list[Caller], rf: RequestFactory
) -> None:
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for role in ALL:
        with bound(world.ours.tenant, actor=world.ours.people[role].pk):
            rights = admin_rights(world.ours.people[role], rf.get("/admin/"))
        for what, letters in rights.items():
            rows.setdefault((f"`{what}`",), {})[role] = letters if role != INTEGRATION else NO
    agrees_with_document("admin", table(("model or bulk action",), dict(sorted(rows.items()))))


def _different_rights(
    callers: list[Caller], realm: Realm, request: HttpRequest
) -> Iterator[tuple[Caller, type[Model], str]]:
    """Yield each model once for each set of rights that some role has on it."""
    told = set()
    for caller in callers:
        if caller.role in (NOBODY, INTEGRATION):
            continue
        with bound(realm.tenant, actor=realm.people[caller.role].pk):
            rights = admin_rights(realm.people[caller.role], request)
        for model in admin.site._registry:
            letters = rights[model._meta.label]
            if (model, letters) not in told:
                told.add((model, letters))
                yield caller, model, letters


def test_the_admins_pages_keep_to_these_rights(
    world: World, callers: list[Caller], rf: RequestFactory
) -> None:
    """What the admin says it allows is what its pages do."""
    wrong, tried = [], 0
    for caller, model, letters in _different_rights(callers, world.ours, rf.get("/admin/")):
        first = _first(model, world.ours)
        tries = [("a", "GET", _admin_path(model, "add"))]
        if first is not None:
            tries += [
                ("c", "POST", _admin_path(model, first, "change")),
                ("d", "POST", _admin_path(model, first, "delete")),
            ]
        for letter, method, path in tries:
            tried += 1
            answer, seen = caller.call(method, path, {})
            if (verdict(answer, seen) == YES) != (letter in letters):
                wrong.append((caller.role, method, path, answer.status_code))
    assert wrong == []
    assert tried > len(admin.site._registry)


def test_every_websocket_is_tried_with_every_role(world: World) -> None:
    """`Socket` speaks to `/ws/updates`; another websocket needs a line of its own here."""
    assert [str(route.pattern) for route in websocket_urlpatterns] == ["ws/updates"]
    cookies = {role: _cookie(world.ours, role) for role in ALL if role != INTEGRATION}
    cells: dict[str, str] = {}

    async def greeted(cookie: str) -> bool:
        socket = Socket(cookie)
        await socket.connect()
        message = await socket.output()
        await socket.leave()
        return bool(message["type"] == "websocket.send")

    async def talk() -> None:
        for role in CALLERS:
            cells[role] = YES if await greeted(cookies.get(role, "")) else SIGN_IN

    in_one_loop(talk)
    rows: dict[tuple[str, ...], dict[str, str]] = {("`/ws/updates`", "websocket"): cells}
    agrees_with_document("websockets", table(("address", "method"), rows))


def test_what_is_open_to_the_world_is_listed_with_its_reason() -> None:
    lines = ["| address | reason |", "| --- | --- |"]
    lines += [f"| `/{name}` | {why} |" for name, why in sorted({**PUBLIC, **FRAMEWORK}.items())]
    agrees_with_document("open", "\n".join(line.replace("(?P<url>.*)$", "…") for line in lines))


def test_a_refusal_behind_a_friendly_page_is_seen() -> None:
    """The negative control: a button that answers a refusal with a notice still counts as no."""

    class Answer:
        status_code = 302
        request = {"PATH_INFO": "/x"}

        def __getitem__(self, _name: str) -> str:
            return "/proposals"

    with watched_refusals() as seen:
        assert verdict(Answer(), seen) == YES
        Forbidden("not for you")
        assert verdict(Answer(), seen) == NO
    Forbidden("unseen")
    assert len(seen) == 1
