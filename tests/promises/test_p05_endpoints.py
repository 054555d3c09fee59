"""Every address × every role × the other tenant: the matrix comes from the URL resolver (P5).

An address that appears is in the matrix by itself: open to every signed-in person of the tenant
unless LIMITED says otherwise, closed to everybody else. An argument that nobody knows how to fill
fails the test until `routes.OBJECTS` names an object of the realm for it.
"""

import re
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client

from approvals.selectors.authority import READERS as AUTHORITY_READERS
from core.identity.roles import (
    ALL,
    AUDIT_READERS,
    AUDITOR,
    DEALER,
    INTEGRATION,
    RISK_OFFICER,
    TENANT_ADMIN,
    TREASURY_MAKER,
)
from core.tenancy import bound
from fx.services.deals import MAKERS as DEALERS
from integrations.downloads import ROLES_FOR_BYTES
from integrations.services.mapping import ROLES_FOR_MAPPING
from tests.promises.access import alike_by_document, spokesmen
from tests.promises.conftest import World
from tests.promises.realm import Realm, machine
from tests.promises.routes import Route, all_routes
from tms import reference
from treasury.evidence import READERS as EVIDENCE_READERS
from treasury.services.beneficiaries import KEEPERS
from treasury.services.proposals import MAKERS

# Addresses that answer nobody in particular, each with the reason.
PUBLIC: Final = {
    "sign-in": "the door itself",
    "sign-in/code": "the door's second step; sends away who has not passed the first",
    "sign-in/authenticator": "the door's second step; sends away who has not passed the first",
    "sign-in/passkey": "the door's second step; 403 for who has not passed the first",
    "admin/login/": "leads to the door",
    "health": "states of components, no figures",
    "metrics": "counters of the process, without tenants",
    "api/schema/": "the shape of the API, no data",
    "docs": "the shape of the API, no data",
    "redoc": "the shape of the API, no data",
    ".well-known/sweep-keys.json": "public keys, the system's own, without tenants",
    "schemas/sweep_order.schema.json": "the shape of an order, no data",
    "api/v1/token": "the machines' door",
    "api/v1/token/refresh": "the machines' door",
}
# Addresses of the admin framework that show nothing of any tenant.
FRAMEWORK: Final = {
    "admin/": "list of the admin's pages",
    "admin/logout/": "ends a session",
    "admin/password_change/": "one's own password",
    "admin/password_change/done/": "one's own password",
    "admin/autocomplete/": "404 without a field; the querysets are those of the changelists",
    "admin/jsi18n/": "translations",
    "admin/search/": "the admin's own search over the changelists' querysets",
    "admin/r/<path:content_type_id>/<path:object_id>/": "no model has a page of its own",
    "admin/(?P<url>.*)$": "404 for what is no page",
}
SWITCH: Final = re.compile(r"^admin/([a-z_]+)/$|\(\?P<app_label>")
# Reading that takes a role: pattern -> roles.
LIMITED: Final[dict[str, tuple[str, ...]]] = {
    "api/v1/messages/<uuid:message_id>/content": ROLES_FOR_BYTES,
    "bank-messages": ROLES_FOR_BYTES,
    "bank-messages/<uuid:message_id>": ROLES_FOR_BYTES,
    "bank-messages/<uuid:message_id>/content": ROLES_FOR_BYTES,
    "proposals/<uuid:proposal_id>/instruction": ROLES_FOR_BYTES,
    "bank-messages/<uuid:message_id>/entry": ROLES_FOR_BYTES,
    "bank-messages/<uuid:message_id>/mapping": ROLES_FOR_MAPPING,
    "mapping": ROLES_FOR_MAPPING,
    "proposals/new": MAKERS,
    "proposals/uploads": MAKERS,
    "proposals/<uuid:proposal_id>/amend": (TREASURY_MAKER,),
    "fx/deals/new": DEALERS,
    "fx/deals/file": DEALERS,
    "fx/deals/<uuid:deal_id>/change": (DEALER,),
    "beneficiaries/new": KEEPERS,
    "beneficiaries/<uuid:beneficiary_id>/change": KEEPERS,
    "authority": AUTHORITY_READERS,
    "audit": AUDIT_READERS,
    "audit/standing": AUDIT_READERS,
    "audit/export.csv": AUDIT_READERS,
    "audit/things/<uuid:thing_id>": AUDIT_READERS,
    "api/v1/transfers/<uuid:transfer_id>/evidence": EVIDENCE_READERS,
    "api/v1/evidence": EVIDENCE_READERS,
    "evidence": EVIDENCE_READERS,
    "api/v1/duties/conflicts": (AUDITOR, RISK_OFFICER, TENANT_ADMIN),
}
# Bodies that let a writing address get as far as looking for its object.
BODIES: Final[dict[str, dict[str, Any]]] = {
    "approve": {"version": 1, "content_hash": "0" * 64, "reason": "seen"},
    "reject": {"version": 1, "content_hash": "0" * 64, "reason": "no"},
    "decide": {"version": 1, "content_hash": "0" * 64, "reason": "no", "outcome": "REJECT"},
    "withdraw": {"reason": "mistake"},
    "accept": {"reason": "the auditor agreed"},
    "leave": {"reason": "next period"},
    "cancel": {"reason": "mistake"},
    "close": {"findings": "it was needed", "note": "looked into"},
    "rearm": {"reason": "more was needed"},
    "close-out": {"limit_rate": "85", "why": "not needed"},
    "bilateral-cancel": {"evidence": "their mail"},
    "fix": {"rate": "86", "said_by": "FBIL"},
    "correct": {"rate": "86", "said_by": "FBIL", "reason": "mistyped"},
    "refuse": {"reason": "it was right"},
    "difference": {"entry": "0" * 32, "kind": "FEE", "reason": "kept by a bank"},
    "reinstruct": {"reason": "open again"},
    "replace-legs": {"reason": "another account"},
    "execute": {"rate": "85", "counterparty_reference": "theirs"},
    "fail": {"reason": "no money came"},
    "dismiss": {"reason": "paid from elsewhere"},
    "confirm": {
        "pair": "USD/INR",
        "side": "SELL",
        "base_amount": "1.00",
        "quote_amount": "85.00",
        "rate": "85",
        "value_date": "2026-11-19",
        "counterparty_reference": "theirs",
    },
    "ack": {"status": "ACK", "bank_ref": "a reference"},
}
ROUTES: Final = [
    route
    for route in all_routes()
    if route.pattern not in PUBLIC and route.pattern not in FRAMEWORK
]
PLAIN: Final = [route for route in ROUTES if not route.is_admin]
ADMIN: Final = [route for route in ROUTES if route.is_admin and not SWITCH.search(route.pattern)]


def _filled(route: Route, realm: Realm) -> str:
    return route.path({name: realm.objects[word] for name, word in route.words().items()})


def test_the_matrix_covers_the_resolver_and_the_schema() -> None:
    found = {route.pattern for route in all_routes()}
    assert len(PLAIN) > 40
    assert {name for name in (*PUBLIC, *LIMITED) if name not in found} == set()
    described = {re.sub(r"\{\w+\}", "{}", path) for path in reference.described()["paths"]}
    walked = {"/" + re.sub(r"<[^>]+>", "{}", route.pattern) for route in all_routes()}
    assert described <= walked
    undescribed = {
        route.pattern
        for route in all_routes()
        if route.is_api and "/" + re.sub(r"<[^>]+>", "{}", route.pattern) not in described
    }
    assert undescribed <= {"api/v1/events"}
    for route in PLAIN:
        route.words()


def test_nobody_gets_in_without_signing_in(world: World, db: None, at_work: object) -> None:
    client = Client(raise_request_exception=False)
    let_in = {}
    for route in ROUTES:
        if "(?P<" in route.pattern:
            continue
        words = {name: str(uuid4()) for name in route.arguments}
        words |= {name: "1" for name in route.arguments if "<int:" + name in route.pattern}
        for call in (client.get, client.post):
            response = call(route.path(words))
            refused = (
                response.status_code == HTTPStatus.UNAUTHORIZED
                if route.is_api
                else response.status_code in (HTTPStatus.FOUND, HTTPStatus.METHOD_NOT_ALLOWED)
                and (
                    response.status_code == HTTPStatus.METHOD_NOT_ALLOWED
                    or response["Location"].startswith(("/sign-in", "/admin/login/"))
                )
            )
            if not refused:
                let_in[route.pattern] = (call.__name__, response.status_code)
    assert let_in == {}


_NOISE: Final = (
    re.compile(rb'(name="csrfmiddlewaretoken" value=|nonce=|"X-CSRFToken": ?|data-csrf=)"[^"]*"'),
    re.compile(rb"[0-9a-f]{32}"),
    re.compile(rb'name="form_id" value="[^"]*"'),
)


def _seen(response: Any, id_: str) -> tuple[int, str, list[str], bytes]:
    """Return what a caller can tell two answers apart by: status, target, notices, body."""
    body = b"" if getattr(response, "streaming", False) else response.content
    body = body.replace(id_.encode(), b"<id>").replace(id_.replace("-", "").encode(), b"<id>")
    for noise in _NOISE:
        body = noise.sub(b"", body)
    notices = [
        str(note.message).replace(id_, "<id>")
        for note in getattr(
            getattr(response.wsgi_request, "_messages", None), "_queued_messages", []
        )
    ]
    target = response.headers.get("Location", "").replace(id_, "<id>")
    return response.status_code, target, notices, body


def _calls(client: Client, route: Route, path: str, *, writes: bool) -> list[Any]:
    """Call an address in every way that could show its object, or change it."""
    body = BODIES.get(path.rsplit("/", 1)[-1], {})
    answers = [client.get(path)]
    if not writes:
        return answers
    if not route.is_api:
        return [*answers, client.post(path, body)]
    for method in (client.post, client.put, client.patch, client.delete):
        key = {"Idempotency-Key": uuid4().hex}
        answers.append(method(path, body, content_type="application/json", headers=key))
    return answers


@pytest.mark.parametrize("role", ALL)
def test_another_tenants_object_is_answered_like_one_that_does_not_exist(
    world: World, db: None, at_work: object, role: str
) -> None:
    """Every role reads; of the roles that an address answers alike, one writes as well."""
    is_machine = role == INTEGRATION
    alike = alike_by_document()
    client = machine(world.ours.people[role]) if is_machine else world.ours.client(role)
    told_apart = {}
    reached = 0
    for route in PLAIN:
        if is_machine and not route.is_api:
            continue
        words = route.words()
        own = {name: world.ours.objects[word] for name, word in words.items()}
        writes = role in spokesmen(alike.get(f"/{route.pattern}", []))
        for name, word in words.items():
            foreign = world.theirs.objects[word]
            missing = "line-nowhere" if name == "code" else str(uuid4())
            answers = [
                [
                    _seen(answer, id_)
                    for answer in _calls(
                        client, route, route.path(own | {name: id_}), writes=writes
                    )
                ]
                for id_ in (foreign, missing)
            ]
            reached += 1
            if answers[0] != answers[1] or any(status >= 500 for status, *_ in answers[0]):
                told_apart[route.pattern] = [
                    pair for pair in zip(*answers, strict=True) if pair[0] != pair[1]
                ]
            assert not any(status in (200, 201) for status, *_ in answers[0]), route.pattern
    assert told_apart == {}
    assert reached > (10 if is_machine else 20)


@pytest.mark.parametrize(
    ("body", "field"),
    [("debit_account", "collection"), ("credit_account", "payout")],
)
def test_another_tenants_account_in_a_body_is_answered_like_none(
    world: World, db: None, at_work: object, body: str, field: str
) -> None:
    client = world.ours.client("treasury_maker")
    ours = {
        "debit_account": str(world.ours.accounts["collection"].pk),
        "credit_account": str(world.ours.accounts["payout"].pk),
        "amount": "10.00",
        "why": "a try",
    }
    seen = [
        _seen(
            client.post(
                "/api/v1/proposals",
                ours | {body: id_},
                content_type="application/json",
                headers={"Idempotency-Key": uuid4().hex},
            ),
            id_,
        )
        for id_ in (str(world.theirs.accounts[field].pk), str(uuid4()))
    ]
    assert seen[0] == seen[1]
    assert seen[0][0] in (404, 422)


def test_filters_find_nothing_of_another_tenant(world: World, db: None, at_work: object) -> None:
    client = world.ours.client("auditor")
    for path in (
        f"/api/v1/approvals?subject_id={world.theirs.objects['proposal']}",
        f"/api/v1/transfers?end_to_end_id={world.theirs.objects['transfer']}",
        f"/admin/integrations/message/?q={world.theirs.mark}",
    ):
        response = client.get(path)
        assert response.status_code == 200
        if path.startswith("/api"):
            assert response.json()["results"] == []
        else:
            assert world.theirs.objects["message"].encode() not in response.content


def _admin_models() -> list[Any]:
    return [model for model in admin.site._registry if model._meta.app_label != "auth"]


def _first(model: Any, realm: Realm) -> str | None:
    with bound(realm.tenant):
        found = model._base_manager.values_list("pk", flat=True).first()
    return None if found is None else str(found)


def _admin_path(model: Any, *more: str) -> str:
    return "/".join(["/admin", model._meta.app_label, model._meta.model_name, *more]) + "/"


def test_every_admin_page_is_one_of_a_registered_model() -> None:
    prefixes = tuple(_admin_path(model)[1:] for model in admin.site._registry)
    assert [route.pattern for route in ADMIN if not route.pattern.startswith(prefixes)] == []


def test_the_admin_shows_a_tenant_its_own_rows_only(
    world: World, db: None, at_work: object
) -> None:
    client = world.ours.client("tenant_admin")
    for model in _admin_models():
        listed = client.get(_admin_path(model))
        assert listed.status_code == 200, model
        assert world.theirs.mark.lower().encode() not in listed.content.lower(), model
        ours, theirs = _first(model, world.ours), _first(model, world.theirs)
        if ours is not None:
            shown = client.get(_admin_path(model, ours, "change"))
            assert shown.status_code == 200, model
            assert world.theirs.mark.lower().encode() not in shown.content.lower(), model
        if theirs is None:
            continue
        assert theirs != ours, model
        missing = str(uuid4()) if "-" in theirs else "987654321"
        for page in ("change", "history", "delete"):
            paths = [_admin_path(model, id_, page) for id_ in (theirs, missing)]
            for call in (client.get, client.post):
                seen = [
                    _seen(call(path), id_)
                    for path, id_ in zip(paths, (theirs, missing), strict=True)
                ]
                assert seen[0] == seen[1], (model, page)
                assert seen[0][0] in (302, 403, 404), (model, page, seen[0][:2])


def test_nobody_reads_another_persons_second_factor(world: World) -> None:
    """A maker who could read a checker's authenticator secret would be two people."""
    for role in ("treasury_maker", "tenant_admin"):
        client = world.ours.client(role)
        for page in ("", "1/change/", "1/config/", "1/qrcode/"):
            response = client.get(f"/admin/otp_totp/totpdevice/{page}")
            assert response.status_code in (302, 403, 404), (role, page)


def test_every_table_that_the_admin_shows_is_walled() -> None:
    from core.checks import SHARED_TABLES

    shared = {
        model._meta.label
        for model in admin.site._registry
        if model._meta.db_table in SHARED_TABLES and model._meta.label != "auth.Group"
    }
    assert shared == set()
    assert apps.is_installed("axes")
