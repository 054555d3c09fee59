"""Hostile input at every door gets a clear 4xx that names line or field, in bounded time (P10).

The doors of the codecs are beaten in tests/integrations/codecs/test_hostile.py; here the whole
stack stands behind each request: middleware, authentication, parser, serializer, service, database.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.identity.roles import INTEGRATION
from core.strict_json import BYTES_MAX, DEPTH_MAX
from core.tenancy import bound
from integrations import services as lines
from tests.promises.conftest import World
from tests.promises.realm import machine
from treasury.api import webhook
from treasury.services import ingest

EXAMPLES: Final = int(os.environ.get("TMS_HOSTILE_EXAMPLES", "60"))
CPU_SECONDS_MAX: Final = 2.0
QUIET: Final = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

Post = Callable[[bytes], Any]


def undone(call: Callable[[], Any]) -> Any:
    """Call inside a savepoint of its own and take everything back."""
    with transaction.atomic():
        response = call()
        transaction.set_rollback(True)
    return response


@pytest.fixture
def client(world: World, db: None, at_work: datetime) -> Client:
    return world.ours.client("treasury_maker")


@pytest.fixture
def proposals(client: Client) -> Post:
    """The door for proposals."""

    def post(body: bytes) -> Any:
        key = {"Idempotency-Key": uuid4().hex}
        path = "/api/v1/proposals"
        return undone(lambda: client.generic("POST", path, body, "application/json", headers=key))

    return post


@pytest.fixture
def webhooks(world: World, db: None, at_work: datetime) -> Post:
    """The door for reported balances, with a good signature over whatever is sent."""
    sender = machine(world.ours.people[INTEGRATION])

    def post(body: bytes) -> Any:
        moment = str(int(at_work.timestamp()))
        headers = {
            webhook.TIMESTAMP_HEADER: moment,
            webhook.SIGNATURE_HEADER: webhook.signature(moment, body),
        }
        path = "/api/v1/balances"
        return undone(
            lambda: sender.generic("POST", path, body, "application/json", headers=headers)
        )

    return post


@pytest.fixture
def tokens(db: None, at_work: datetime) -> Post:
    """The machines' door, open to the world, which asked nothing in the last minute."""
    cache.clear()

    def post(body: bytes) -> Any:
        client = Client(raise_request_exception=False)
        return undone(lambda: client.generic("POST", "/api/v1/token", body, "application/json"))

    return post


@pytest.fixture(params=["proposals", "webhooks", "tokens"])
def door(request: pytest.FixtureRequest) -> Post:
    found: Post = request.getfixturevalue(request.param)
    return found


def problem_of(response: Any) -> dict[str, Any]:
    """Return the refusal's body: always a 4xx, always problem+json, always with words."""
    assert 400 <= response.status_code < 500, (response.status_code, response.content[:300])
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["code"]
    assert body["detail"]
    return body


DEEP: Final = 100_000
BAD_JSON: Final[dict[str, tuple[bytes, str]]] = {
    "duplicate key": (b'{"amount": "1.00", "amount": "9.00"}', "'amount' appears twice"),
    "duplicate key below": (b'{"a": [{"b": 1, "b": 2}]}', "'b' appears twice"),
    "NaN": (b'{"amount": NaN}', "NaN is not a JSON number"),
    "Infinity": (b'{"amount": -Infinity}', "Infinity is not a JSON number"),
    "underscore": (b'{"amount": 1_000}', "line 1"),
    "full-width digits": ('{"amount": \uff11\uff12}'.encode(), "line 1"),
    "leading zero": (b'{"amount": 012}', "line 1"),
    "trailing comma": (b'{"amount": "1",\n}', "line 2"),
    "comment": (b"// hello\n{}", "line 1"),
    "single quotes": (b"{'amount': 1}", "line 1"),
    "control character": (b'{"why": "a\x00b"}', "line 1"),
    "two documents": (b"{}{}", "line 1"),
    "blank": (b" ", "line 1"),
    "brackets": (b"[" * DEEP + b"]" * DEEP, f"deeper than {DEPTH_MAX}"),
    "braces": (b'{"a":' * DEEP, f"deeper than {DEPTH_MAX}"),
    "not UTF-8": (b'{"why": "\xff\xfe"}', "not UTF-8"),
    "UTF-16": ('{"why": "a"}'.encode("utf-16"), "not UTF-8"),
    "five megabytes": (b'{"why": "' + b"a" * 5_000_000 + b'"}', f"larger than {BYTES_MAX} bytes"),
    "long number": (b'{"amount": ' + b"9" * 5_000 + b"}", "number"),
}


@pytest.mark.parametrize("kind", BAD_JSON)
def test_what_is_not_strict_json_is_refused_with_its_place(door: Post, kind: str) -> None:
    body, words = BAD_JSON[kind]
    before = time.process_time()
    response = door(body)
    assert time.process_time() - before < CPU_SECONDS_MAX
    problem = problem_of(response)
    if response.status_code == 422 and problem["context"].get("field") == "body":
        assert "at most" in problem["detail"]  # the webhook's own, lower limit
        return
    assert response.status_code == 400
    assert words in problem["detail"]


# JSON as such is right; as a value of a field it is not.
BAD_VALUES: Final[tuple[Any, ...]] = (
    None, True, 0, 1.5, -1, 10**30, "", " ", "1_000", "1e400", "1e2", "NaN", "Infinity", "-5.00",
    "0", "0.00", "+1", "1,000.00", "1.", ".5", "\uff11\uff12", "\u0661\u0662", "0x10",
    "99999999999999999.00", "1.00001", "a\u0000b", "'; DROP TABLE core_user; --", [],
    {}, ["1.00"], {"$gt": 0}, "9" * 10_000,
)  # fmt: skip


def _good(world: World) -> dict[str, Any]:
    accounts = world.ours.accounts
    return {
        "debit_account": str(accounts["collection"].pk),
        "credit_account": str(accounts["payout"].pk),
        "amount": "10.00",
        "why": "a good one",
        "value_date": "2026-11-17",
        "submit": False,
    }


def test_the_good_proposal_of_these_tests_is_accepted(world: World, proposals: Post) -> None:
    """Else every refusal below could have another cause."""
    response = proposals(json.dumps(_good(world)).encode())
    assert response.status_code == 201, response.content


@pytest.mark.parametrize("value", BAD_VALUES, ids=lambda value: repr(value)[:24])
def test_a_bad_amount_is_named(world: World, proposals: Post, value: Any) -> None:
    response = proposals(json.dumps(_good(world) | {"amount": value}).encode())
    problem = problem_of(response)
    named = problem.get("fields", {}) or {problem.get("context", {}).get("field"): 1}
    assert "amount" in named, problem


@pytest.mark.parametrize("field", ["debit_account", "credit_account", "why", "value_date"])
@pytest.mark.parametrize("value", BAD_VALUES, ids=lambda value: repr(value)[:24])
def test_a_bad_value_of_any_other_field_is_named_or_harmless(
    world: World, proposals: Post, field: str, value: Any
) -> None:
    body = json.dumps(_good(world) | {field: value}).encode()
    response = proposals(body)
    if field == "why" and response.status_code == 201:
        assert isinstance(value, str | int | float)
        return
    problem = problem_of(response)
    named = problem.get("fields", {}) or {problem.get("context", {}).get("field"): 1}
    assert field in named, problem


def _reported(world: World) -> dict[str, Any]:
    return {
        "event_id": uuid4().hex,
        "account": world.ours.accounts["payout"].number,
        "currency": "INR",
        "balance_type": "CLBD",
        "amount": "10.00",
        "as_of": "2026-11-17T08:00:00Z",
    }


def test_the_good_balance_of_these_tests_is_accepted(world: World, webhooks: Post) -> None:
    response = webhooks(json.dumps(_reported(world)).encode())
    assert response.status_code == 201, response.content


@pytest.mark.parametrize(
    "field", ["event_id", "account", "currency", "balance_type", "amount", "as_of"]
)
def test_a_bad_value_of_a_reported_balance_is_refused_and_never_crashes(
    world: World, webhooks: Post, field: str
) -> None:
    for value in BAD_VALUES:
        if field == "amount" and value in ("-5.00", "0", "0.00"):
            continue  # a balance may be overdrawn or empty
        body = json.dumps(_reported(world) | {field: value}).encode()
        response = webhooks(body)
        if field == "event_id" and response.status_code == 201:
            assert isinstance(value, str | int | float), value
            continue
        problem_of(response)


def test_half_a_character_is_refused(world: World, proposals: Post) -> None:
    body = json.dumps(_good(world) | {"why": "\ud800"}).encode()
    assert "half a character" in problem_of(proposals(body))["detail"]


_json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


FIELDS: Final = ("amount", "why", "debit_account", "credit_account", "value_date", "submit")


@QUIET
@given(changes=st.dictionaries(st.sampled_from(FIELDS), _json_values))
def test_no_json_makes_the_proposals_door_fail(
    world: World, proposals: Post, changes: dict[str, Any]
) -> None:
    body = json.dumps(_good(world) | changes).encode()
    response = proposals(body)
    assert response.status_code in range(200, 500), (changes, response.content[:200])


@QUIET
@given(body=st.binary(max_size=300))
def test_no_bytes_make_a_door_fail(proposals: Post, webhooks: Post, body: bytes) -> None:
    for post in (proposals, webhooks):
        problem_of(post(body))


HEADERS: Final = ("Idempotency-Key", "Authorization", "X-Request-ID", "Last-Event-ID", "Cookie")


@QUIET
@given(
    name=st.sampled_from(HEADERS),
    value=st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=150),
)
def test_no_header_makes_a_door_fail(client: Client, name: str, value: str) -> None:
    for path in ("/api/v1/proposals", "/api/v1/events"):
        call = client.post if "proposals" in path else client.get
        response = undone(lambda call=call, path=path: call(path, headers={name: value}))
        assert response.status_code < 500, (name, value)


PATHS: Final = (
    "/api/v1/proposals", "/api/v1/transfers", "/api/v1/approvals", "/api/v1/messages",
    "/api/v1/holidays", "/api/v1/windows", "/api/v1/balances", "/api/v1/events",
    "/api/v1/forecasts", "/api/v1/payout-plans", "/proposals", "/transfers", "/approvals",
    "/audit", "/position", "/rails", "/shortfalls",
)  # fmt: skip
QUERIES: Final = (
    "cursor", "limit", "state", "state__in", "currency", "value_date__gte", "after", "topics",
    "from", "to", "calendar", "bank", "show", "q", "page", "subject_id", "on", "account", "entity",
    "table", "row", "actor", "before",
)  # fmt: skip
ODD_VALUES: Final = ("\x00", "\u00ed\u00a0\u0080", "9" * 400, "0001-01-01", "9999-12-31", "NaN")


@QUIET
@given(
    path=st.sampled_from(PATHS),
    name=st.sampled_from(QUERIES),
    value=st.text(max_size=30) | st.integers().map(str) | st.sampled_from(ODD_VALUES),
)
def test_no_query_makes_a_page_fail(
    world: World, client: Client, path: str, name: str, value: str
) -> None:
    response = undone(lambda: client.get(path, {name: value}))
    assert response.status_code < 500, (path, name, value)


def _hostile_files() -> Iterator[tuple[str, bytes]]:
    head = b'<?xml version="1.0"?>'
    space = b"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
    yield "nothing", b""
    yield "noise", bytes(range(256)) * 64
    yield "bomb", head + b'<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><l>&b;</l>'
    yield "entity", head + b'<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]><l>&a;</l>'
    yield "deep", head + b"<a>" * 200_000
    yield "cut", b'<Document xmlns="' + space + b'"><BkToCstmrStmt><GrpHdr>'
    yield "empty statement", b'<Document xmlns="' + space + b'"><BkToCstmrStmt/></Document>'
    yield "pain.001", b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"/>'
    yield "html", b"<html><script>alert(1)</script></html>"
    yield "zip", b"PK\x03\x04" + b"\x00" * 500
    yield "mt940 cut", b":20:X\r\n:25:1\r\n:28C:1/1\r\n:60F:C26"
    yield "mt940 nan", b":20:X\r\n:25:1\r\n:28C:1/1\r\n:60F:C261117EURNaN\r\n:62F:C261117EUR1,\r\n-"
    yield "utf-16 lie", b"\xff\xfe<\x00?\x00"
    yield "null bytes", b"<Document>\x00</Document>"


@pytest.mark.parametrize(
    ("kind", "data"), list(_hostile_files()), ids=lambda value: str(value)[:20]
)
def test_a_hostile_file_is_kept_set_aside_and_explained(
    world: World, db: None, at_work: datetime, kind: str, data: bytes
) -> None:
    name = "../../etc/\x00passwd\u202e.xml" + "x" * 300
    before = time.process_time()
    with bound(world.ours.tenant, actor="system:test"):
        message = lines.archive_inbound(
            connection_code=world.ours.objects["line"], name=name, data=data
        )
        result = ingest.ingest_message(message_id=message.pk)
        message.refresh_from_db()
    assert time.process_time() - before < CPU_SECONDS_MAX
    assert message.state == "SET_ASIDE", kind
    assert message.reason
    assert result.refusals
    assert result.statements == ()
    assert not {"\x00", "\u202e"} & set(message.name)


@QUIET
@given(data=st.binary(max_size=400), lead=st.sampled_from([b"", b"<", b":20:", b"<Document>"]))
def test_no_bytes_of_a_bank_crash_the_reader(
    world: World, db: None, at_work: datetime, data: bytes, lead: bytes
) -> None:
    with bound(world.ours.tenant, actor="system:test"):
        message = lines.archive_inbound(
            connection_code=world.ours.objects["line"], name="noise", data=lead + data
        )
        assert ingest.ingest_message(message_id=message.pk).statements == ()


def _cpu_of(post: Post, body: bytes) -> float:
    best = 1_000.0
    for _ in range(3):
        before = time.process_time()
        problem_of(post(body))
        best = min(best, time.process_time() - before)
    return best


def test_the_cost_of_a_refusal_grows_no_faster_than_the_body(proposals: Post) -> None:
    """CPU time of a body ten times as long, and ten times as deep: a ratio, no wall clock."""
    for make in (
        lambda size: b'{"why": "' + b"\\u0061" * size + b'", "why": 1}',
        lambda size: b"[" * size,
        lambda size: b"[" + b"{}," * size + b"1_0]",
    ):
        small, large = (_cpu_of(proposals, make(size)) for size in (20_000, 200_000))
        assert large < max(25 * small, 0.25), (small, large)


def test_a_body_without_the_limit_would_be_parsed(
    proposals: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control of the depth cap: without it the same brackets reach the parser."""
    import core.strict_json

    body = b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1)
    assert "deeper" in problem_of(proposals(body))["detail"]
    monkeypatch.setattr(core.strict_json, "DEPTH_MAX", 10**6)
    assert "deeper" not in problem_of(proposals(body))["detail"]


def test_an_id_that_is_no_id_is_nowhere(client: Client) -> None:
    for wrong in ("x", "0", "../admin", str(UUID(int=0)), "%00", "1" * 3_000):
        response = client.get(f"/api/v1/proposals/{wrong}")
        assert response.status_code == 404
