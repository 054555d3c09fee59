"""Who may call what: every address, method and role is tried, and the answers become a table."""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib import admin
from django.db import transaction
from django.template.backends.django import Template
from django.test import Client
from django.test.client import ClientHandler
from django.utils.safestring import SafeString

from core.errors import DomainError
from core.identity.roles import ALL, INTEGRATION
from tests.promises.realm import Realm, machine, signed_in
from tests.promises.routes import Route
from tms import reference

DOCUMENT: Final = Path(__file__).parents[2] / "docs/security/access-matrix.md"
REWRITE: Final = "TMS_WRITE_MATRIX"
NOBODY: Final = "nobody"
CALLERS: Final = (*ALL, NOBODY)
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
YES, NO, PROOF, SIGN_IN = "✓", "·", "proof", "sign in"
# What the admin's own addresses of a model are called; everything else there is a button.
OBJECT_OF_ADMIN: Final = {
    "admin/core/user/": "person",
    "admin/approvals/approvalrequest/": "approval",
    "admin/treasury/proposal/<path:object_id>/submit/": "draft",
    "admin/treasury/proposal/<path:object_id>/withdraw/": "proposal",
    "admin/treasury/beneficiary/": "beneficiary",
    "admin/treasury/freeze/": "freeze",
    "admin/treasury/statement/": "statement",
    "admin/core/changerequest/": "change",
    "admin/core/tenant/": "tenant",
    "admin/treasury/transfer/": "transfer",
    "admin/treasury/task/": "task",
    "admin/treasury/prefundingrequest/": "prefunding",
}
_CRUD: Final = re.compile(r"^admin/\w+/\w+/(add/|<path:object_id>/((change|delete|history)/)?|)$")


class Caller:
    """One role's way in: a browser with a session, a machine with a token, or nobody."""

    def __init__(self, realm: Realm, role: str) -> None:
        self.role = role
        self._headers: dict[str, Any] = {}
        self._cookie = ""
        # What answers is made once; what a client remembers is made for every call.
        self._handler = ClientHandler(enforce_csrf_checks=False)
        if role == INTEGRATION:
            self._headers = dict(machine(realm.people[role]).defaults)
        elif role != NOBODY:
            cookies = signed_in(realm.people[role]).cookies
            self._cookie = cookies[settings.SESSION_COOKIE_NAME].value

    def client(self) -> Client:
        """Return a fresh client, so that no call sees what another one left in the cookies."""
        client = Client(raise_request_exception=False)
        client.handler = self._handler
        client.defaults.update(self._headers)
        if self._cookie:
            client.cookies[settings.SESSION_COOKIE_NAME] = self._cookie
        return client

    def call(self, method: str, path: str, body: dict[str, Any]) -> tuple[Any, list[DomainError]]:
        """Send one request, undo what it did, and return the answer and the refusals behind it."""
        kind: dict[str, Any] = {"headers": {"Idempotency-Key": uuid4().hex}}
        if path.startswith("/api/"):
            kind["content_type"] = "application/json"
        call = getattr(self.client(), method.lower())
        with transaction.atomic(), watched_refusals() as seen:
            response = call(path, **kind) if method == "GET" else call(path, body, **kind)
            transaction.set_rollback(True)
        return response, seen


@contextmanager
def watched_refusals() -> Iterator[list[DomainError]]:
    """Notice every 403 that is raised: pages turn them into friendly notices and a redirect."""
    seen: list[DomainError] = []
    first = DomainError.__init__

    def noticing(self: DomainError, message: str, **context: Any) -> None:
        first(self, message, **context)
        if self.status == HTTPStatus.FORBIDDEN:
            seen.append(self)

    DomainError.__init__ = noticing  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        DomainError.__init__ = first  # type: ignore[method-assign]


@contextmanager
def unpainted() -> Iterator[None]:
    """Let pages be answered without being painted: who may is said before, in the status.

    What they say when they are painted is read by other walks (tests/promises/test_p05_*.py).
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Template, "render", lambda *_given, **_more: SafeString(""))
        yield


def verdict(response: Any, seen: list[DomainError]) -> str:
    """Return what the answer means for the caller's rights, whatever else was wrong."""
    status = response.status_code
    assert status < HTTPStatus.INTERNAL_SERVER_ERROR, (response.request["PATH_INFO"], status)
    if status == HTTPStatus.UNAUTHORIZED:
        return PROOF if response.json().get("code") == "signature_refused" else SIGN_IN
    if status == HTTPStatus.FOUND:
        if response["Location"].startswith(("/sign-in", "/admin/login/")):
            return SIGN_IN
        return _word(seen[-1].code) if seen else YES
    if status == HTTPStatus.FORBIDDEN:
        return _word(seen[-1].code if seen else "forbidden")
    return YES


def _word(code: str) -> str:
    return PROOF if code.startswith("step_up") else NO


def described_methods() -> dict[str, set[str]]:
    """Return the methods that the API's schema names, by address without argument names."""
    schema = reference.described()
    return {
        re.sub(r"\{\w+\}", "{}", path): {name.upper() for name in operations} & set(METHODS)
        for path, operations in schema["paths"].items()
    }


def bare(route: Route) -> str:
    """Return the address as the schema writes it, without argument names."""
    return "/" + re.sub(r"<[^>]+>", "{}", route.pattern)


def is_button(route: Route) -> bool:
    """Return whether an address of the admin does something of its own."""
    return route.is_admin and "(" not in route.pattern and not _CRUD.match(route.pattern)


def button_path(route: Route, realm: Realm) -> str:
    """Return the address of a button on an object of the realm."""
    if not route.arguments:
        return "/" + route.pattern
    words = [word for start, word in OBJECT_OF_ADMIN.items() if route.pattern.startswith(start)]
    assert words, f"{route.pattern}: name its object in OBJECT_OF_ADMIN"
    found = str(realm.tenant) if words[0] == "tenant" else realm.objects[words[0]]
    return route.path(dict.fromkeys(route.arguments, found))


def admin_rights(person: Any, request: Any) -> dict[str, str]:
    """Return what somebody may do with each model of the admin, as letters, and its bulk actions.

    l = list and look, a = add, c = change, d = delete.
    """
    request.user = person
    found = {}
    for model, page in sorted(admin.site._registry.items(), key=lambda pair: pair[0]._meta.label):
        letters = [
            letter
            for letter, may in (
                ("l", page.has_view_permission(request)),
                ("a", page.has_add_permission(request)),
                ("c", page.has_change_permission(request)),
                ("d", page.has_delete_permission(request)),
            )
            if may
        ]
        found[model._meta.label] = "".join(letters) or NO
        for name in page.get_actions(request):
            found[f"{model._meta.label}: {name}"] = YES
    return found


def table(first: Iterable[str], rows: dict[tuple[str, ...], dict[str, str]]) -> str:
    """Return a table in Markdown: the key's words, then one column for each caller."""
    head = [*first, *(name.replace("_", " ") for name in CALLERS)]
    lines = [head, ["---"] * len(head)]
    lines += [[*key, *(cells.get(name, NO) for name in CALLERS)] for key, cells in rows.items()]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def agrees_with_document(section: str, text: str) -> None:
    """Compare what was measured with a section of the document; rewrite it when asked to."""
    begin, end = f"<!-- {section}: measured -->\n", f"<!-- {section}: end -->\n"
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(begin)
    written, mark, after = rest.partition(end)
    assert mark, f"{DOCUMENT.name} has no section {section}"
    if os.environ.get(REWRITE):
        whole = f"{before}{begin}{text}\n{end}{after}"
        DOCUMENT.write_text(whole, encoding="utf-8")
        return
    assert text.splitlines() == written.splitlines(), "read the difference, then `make matrix`"


def alike_by_document() -> dict[str, list[tuple[str, ...]]]:
    """Return the reviewed answers of each address: rows with a word for each caller."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split("|")]
        if line.startswith("| `/") and len(cells) == len(CALLERS) + 2:
            found.setdefault(cells[0].strip("`"), []).append(tuple(cells[2:]))
    return found


def spokesmen(rows: list[tuple[str, ...]]) -> set[str]:
    """Return one caller for each way in which an address answers; all of them if none is known."""
    if not rows:
        return set(CALLERS)
    first: dict[tuple[str, ...], str] = {}
    for role, answers in zip(CALLERS, zip(*rows, strict=True), strict=True):
        first.setdefault(answers, role)
    return set(first.values())
