"""Signing, handing out, answering: what leaves, once, and what a consumer can check."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import jsonschema
import jwt
import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client

from core import clock, signing
from core.errors import Invalid
from core.events import relay
from core.events.models import OutboxEvent
from core.identity.models import User
from core.tenancy import bound
from tests.conftest import MakeUser
from tests.promises.realm import machine, signed_in
from tests.treasury.movement.conftest import put_balance
from tests.treasury.sweeps.conftest import CUTOFF, QUARTER_PAST, Sweeping
from tests.treasury.sweeps.test_deciding import order_of
from treasury import guards
from treasury.errors import CursorRefused, SweepConflict, SweepNotSent
from treasury.models import ExpectedFlow, Release, SweepMandate, SweepOrder, SweepState, Task
from treasury.selectors import intents
from treasury.selectors.invariants import invariants
from treasury.services import freezing, sweeps
from treasury.services.sweeps import Answer, sending
from treasury.views.sweeps import SCHEMA

D = Decimal
TAKEN = Answer(status="ACK", bank_ref="BANK-1")


@pytest.fixture
def out(sweeping: Sweeping) -> SweepOrder:
    """An order that was signed and handed out."""
    made = order_of(sweeping)
    assert sweeps.sign_due(tenant=sweeping.tenant.id) == 1
    return fresh(made)


def fresh(order: SweepOrder) -> SweepOrder:
    return SweepOrder.objects.select_related("product", "account").get(pk=order.pk)


def carried(sweeping: Sweeping) -> None:
    """Let the relay number what was committed, and the bus take it."""
    relay.sequence_committed(tenant=sweeping.tenant.id)
    OutboxEvent.objects.filter(sequence__isnull=False).update(relayed_at=clock.now())


def checked(jws: str) -> dict[str, Any]:
    """Check an order as a stranger would: with a library, the key set and the schema."""
    keys = jwt.PyJWKSet.from_dict(signing.key_set())
    header = jwt.get_unverified_header(jws)
    payload = jwt.PyJWS().decode(jws, keys[header["kid"]].key, algorithms=["ES256", "EdDSA"])
    order: dict[str, Any] = json.loads(payload, parse_float=Decimal, parse_int=Decimal)
    schema = json.loads(SCHEMA.read_text(), parse_float=Decimal)
    jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    ).validate(order)
    return order


def test_a_stranger_can_check_an_order_from_keys_and_schema(out: SweepOrder) -> None:
    order = checked(out.jws)
    assert order["order_id"] == out.order_id
    assert order["amount_usd"] == D(760_000)
    assert order["risk_checks"] == {"var_limit_bps": D(10), "observed_var_bps": D(8)}
    assert order["cutoff_utc"] == "2026-11-17T15:30:00.000Z"
    assert UUID(str(order["source_account"])) == out.account_id
    header = jwt.get_unverified_header(out.jws)
    assert (header["typ"], header["jti"]) == ("sweep+jws", out.order_id)
    assert header["exp"] == int(CUTOFF.timestamp())


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_changed_order_does_not_check(out: SweepOrder, part: int) -> None:
    """The negative control: one letter in header, payload or signature."""
    parts = out.jws.split(".")
    letters = list(parts[part])
    letters[5] = "A" if letters[5] != "A" else "B"
    forged = ".".join([*parts[:part], "".join(letters), *parts[part + 1 :]])
    with pytest.raises((jwt.PyJWTError, ValueError)):
        checked(forged)
    with pytest.raises(signing.SignatureRefused):
        signing.verify_compact(forged, at=clock.now(), typ=sending.TYPE)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount_usd", D("0.00001")),
        ("amount_usd", D(0)),
        ("order_id", "SWP-1"),
        ("schema_version", "2.0.0"),
        ("cutoff_utc", "2026-11-17 15:30"),
        ("extra", 1),
    ],
)
def test_the_schema_refuses_what_is_no_order(out: SweepOrder, field: str, value: Any) -> None:
    order = checked(out.jws) | {field: value}
    schema = json.loads(SCHEMA.read_text(), parse_float=Decimal)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate(order)


def test_our_own_check_knows_time_type_and_keys(out: SweepOrder) -> None:
    header, payload = signing.verify_compact(out.jws, at=clock.now(), typ=sending.TYPE)
    assert (header["kid"], payload.decode()) == (out.key_id, out.payload)
    for at, typ in ((CUTOFF, sending.TYPE), (clock.now(), "JWT")):
        with pytest.raises(signing.SignatureRefused):
            signing.verify_compact(out.jws, at=at, typ=typ)
    unsigned = jwt.encode({"a": 1}, "", algorithm="none")
    with pytest.raises(signing.SignatureRefused):
        signing.verify_compact(unsigned, at=clock.now(), typ=sending.TYPE)


def test_keys_rotate_with_overlap(out: SweepOrder, signing_folder: Path) -> None:
    keys = signing.FolderKeys(signing_folder)
    with clock.frozen(clock.now() + timedelta(seconds=1)):
        newer = keys.rotate(signing.EDDSA)
    assert keys.current() == (newer, "EdDSA")
    assert [key["kid"] for key in keys.published()] == [newer, out.key_id]
    checked(out.jws)
    signed = signing.sign_compact(b"{}", header={"typ": "x", "exp": int(CUTOFF.timestamp())})
    assert signing.verify_compact(signed.compact, at=clock.now(), typ="x")[1] == b"{}"
    with clock.frozen(clock.now() + timedelta(days=7, seconds=2)):
        assert [key["kid"] for key in keys.published()] == [newer]


@pytest.mark.parametrize("algorithm", signing.ALGORITHMS)
def test_a_key_from_the_environment_signs_too(settings: Any, algorithm: str) -> None:
    settings.TMS_SIGNING_PROVIDER = "environment"
    settings.TMS_SIGNING_KEY = signing.new_private(algorithm).decode()
    token = signing.sign_compact(b"{}", header={"typ": "x", "exp": 2**31})
    at = datetime(2026, 11, 17, tzinfo=UTC)
    assert signing.verify_compact(token.compact, at=at, typ="x")[0]["alg"] == algorithm
    settings.TMS_SIGNING_KEY = "nonsense"
    with pytest.raises(signing.SignerUnavailable):
        signing.sign_compact(b"{}", header={})


def test_an_order_without_a_signer_waits_longer_each_time_and_keeps_its_name(
    sweeping: Sweeping, settings: Any
) -> None:
    order = order_of(sweeping)
    settings.TMS_SIGNING_PROVIDER = "environment"
    settings.TMS_SIGNING_KEY = "nonsense"
    now = clock.now()
    for attempt in range(1, 6):
        with clock.frozen(now):
            assert sweeps.sign_due(tenant=sweeping.tenant.id) == 0
            held = fresh(order)
            wait = held.due_at - now
            assert 2 ** (attempt - 1) <= wait.total_seconds() <= 1.25 * 2 ** (attempt - 1)
            assert (held.attempts, held.state, held.jws) == (attempt, "NEW", "")
            assert sweeps.sign_due(tenant=sweeping.tenant.id) == 0
            assert fresh(order).attempts == attempt
        now = held.due_at
    assert Task.objects.filter(kind="sweep_unsigned", done_at=None).count() == 1
    settings.TMS_SIGNING_PROVIDER = "folder"
    with clock.frozen(now):
        assert sweeps.sign_due(tenant=sweeping.tenant.id) == 1
    assert fresh(order).order_id == order.order_id
    assert (now - clock.now()).total_seconds() < 120


def test_an_order_is_sent_when_the_bus_has_it(sweeping: Sweeping, out: SweepOrder) -> None:
    assert (sweeps.mark_sent(), fresh(out).state) == (0, "NEW")
    carried(sweeping)
    assert (sweeps.mark_sent(), fresh(out).state) == (1, "SENT")
    assert OutboxEvent.objects.filter(topic="sweep.order.sent").count() == 1


def test_what_did_not_leave_fails_when_the_window_closes(sweeping: Sweeping) -> None:
    order = order_of(sweeping)
    with clock.frozen(CUTOFF):
        assert sweeps.sign_due(tenant=sweeping.tenant.id) == 0
        assert sweeps.expire_due(now=CUTOFF) == [order]
    assert (fresh(order).state, fresh(order).reason) == ("FAILED", "EXPIRED")
    assert not ExpectedFlow.objects.filter(source="SWEEP", state="EXPECTED").exists()


def test_what_was_sent_is_not_failed_by_the_clock(sweeping: Sweeping, out: SweepOrder) -> None:
    carried(sweeping)
    sweeps.mark_sent()
    with clock.frozen(CUTOFF + timedelta(minutes=30)):
        assert sweeps.expire_due(now=clock.now()) == []
        sweeps.follow_money(now=clock.now())
    assert fresh(out).state == "SENT"
    assert Task.objects.filter(kind="sweep_unanswered", done_at=None).exists()


def test_an_acknowledged_order_is_expected_back(out: SweepOrder) -> None:
    answered = sweeps.answer_order(order_id=out.order_id, answer=TAKEN)
    assert (answered.state, answered.bank_ref) == ("ACK", "BANK-1")
    ways = {flow.source_ref.rpartition(":")[2]: flow for flow in ExpectedFlow.objects.all()}
    assert (-ways["out"].amount, ways["out"].value_date) == (out.paid_out, out.settles_on)
    assert (ways["back"].amount, ways["back"].value_date) == (D(760_000), out.matures_on)
    topics = list(OutboxEvent.objects.values_list("topic", flat=True))
    assert topics.count("sweep.order.acked") == 1


def test_the_same_answer_again_changes_nothing_and_another_is_refused(out: SweepOrder) -> None:
    sweeps.answer_order(order_id=out.order_id, answer=TAKEN)
    before = OutboxEvent.objects.count()
    assert sweeps.answer_order(order_id=out.order_id, answer=TAKEN).state == "ACK"
    assert OutboxEvent.objects.count() == before
    for other in (
        Answer(status="ACK", bank_ref="BANK-2"),
        Answer(status="FAILED", reason="no funds"),
    ):
        with pytest.raises(SweepConflict):
            sweeps.answer_order(order_id=out.order_id, answer=other)


def test_a_refusal_frees_the_money(out: SweepOrder) -> None:
    refusal = Answer(status="FAILED", reason="product closed")
    for _ in range(2):
        assert sweeps.answer_order(order_id=out.order_id, answer=refusal).state == "FAILED"
    assert not ExpectedFlow.objects.filter(source="SWEEP", state="EXPECTED").exists()
    with pytest.raises(SweepConflict):
        sweeps.answer_order(order_id=out.order_id, answer=TAKEN)


def test_an_ack_after_the_end_goes_to_a_person_and_holds_the_money(out: SweepOrder) -> None:
    with clock.frozen(CUTOFF):
        sweeps.expire_due(now=CUTOFF)
        late = sweeps.answer_order(order_id=out.order_id, answer=TAKEN)
        again = sweeps.answer_order(order_id=out.order_id, answer=TAKEN)
    assert (late.state, late.late_ack_at, again.state) == ("FAILED", CUTOFF, "FAILED")
    assert Task.objects.get(kind="sweep_ack_late").key == out.order_id
    waiting = ExpectedFlow.objects.filter(source="SWEEP", state="EXPECTED")
    assert {flow.amount for flow in waiting} == {-out.paid_out, out.comes_back}
    with pytest.raises(SweepConflict):
        sweeps.answer_order(order_id=out.order_id, answer=Answer(status="ACK", bank_ref="B-2"))


def test_nobody_answers_what_never_left(sweeping: Sweeping) -> None:
    order = order_of(sweeping)
    with pytest.raises(SweepNotSent):
        sweeps.answer_order(order_id=order.order_id, answer=TAKEN)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status="ACK"),
        Answer(status="FAILED"),
        Answer(status="MAYBE", bank_ref="1"),
        Answer(status="ACK", bank_ref="B" * 71),
        Answer(status="FAILED", reason="r" * 141),
    ],
)
def test_half_an_answer_is_none(out: SweepOrder, answer: Answer) -> None:
    with pytest.raises(Invalid):
        sweeps.answer_order(order_id=out.order_id, answer=answer)


def test_while_outflows_are_stopped_nothing_is_signed(
    sweeping: Sweeping, user_with: MakeUser
) -> None:
    order = order_of(sweeping)
    officer = user_with("risk_officer", name="officer")
    with bound(sweeping.tenant.id, actor=officer.pk):
        freezing.stop_outflows(actor=officer, reason="drill")
    assert sweeps.sign_due(tenant=sweeping.tenant.id) == 0
    token = signing.sign_compact(order.payload.encode(), header={})
    with (
        pytest.raises(DatabaseError, match="stopped"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("UPDATE treasury_sweeporder SET jws = %s", [token.compact])


def test_what_is_signed_must_be_the_order(sweeping: Sweeping) -> None:
    order_of(sweeping)
    other = signing.sign_compact(b'{"amount_usd":1}', header={})
    with (
        pytest.raises(DatabaseError, match="signed"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("UPDATE treasury_sweeporder SET jws = %s", [other.compact])


def test_the_pull_repeats_itself_and_goes_on(sweeping: Sweeping, out: SweepOrder) -> None:
    carried(sweeping)
    first = intents.intents_after(cursor="", limit=1)
    assert [item["order_id"] for item in first.items] == [out.order_id]
    assert intents.intents_after(cursor="", limit=1) == first
    empty = intents.intents_after(cursor=first.next_cursor)
    assert (empty.items, empty.next_cursor, empty.has_more) == ((), first.next_cursor, False)
    sweeps.answer_order(order_id=out.order_id, answer=Answer(status="FAILED", reason="No"))
    carried(sweeping)
    more = intents.intents_after(cursor=first.next_cursor)
    assert [(item["type"], item["reason"]) for item in more.items] == [("CANCEL", "REFUSED: No")]


def test_what_may_have_been_pulled_does_not_expire(sweeping: Sweeping, out: SweepOrder) -> None:
    """The bus is away but the order has its place: a connector may have pulled and executed it."""
    carried(sweeping)
    OutboxEvent.objects.update(relayed_at=None)
    with clock.frozen(CUTOFF):
        assert sweeps.expire_due(now=CUTOFF) == []
    assert SweepOrder.objects.get(pk=out.pk).state == "SENT"


def test_while_outflows_are_stopped_no_order_is_handed_over(
    sweeping: Sweeping, out: SweepOrder, user_with: MakeUser
) -> None:
    carried(sweeping)
    officer = user_with("risk_officer", name="officer")
    with bound(sweeping.tenant.id, actor=officer.pk):
        freezing.stop_outflows(actor=officer, reason="drill")
        held = intents.intents_after(cursor="")
    assert (held.items, held.next_cursor, held.has_more) == ((), intents.cursor_at(0), False)


@pytest.mark.parametrize("name", ["SWP-1", "x%00", "SWP-2026-11-17-0001%0A", "%F0%9F%92%B8"])
def test_an_answer_to_no_order_is_not_found(
    sweeping: Sweeping, user_with: MakeUser, name: str
) -> None:
    caller = machine(user_with("integration", name="connector", is_service=True))
    path = f"/api/v1/sweep-intent/{name}/ack"
    word = {"status": "ACK", "bank_ref": "BANK-1"}
    assert caller.post(path, word, content_type="application/json").status_code == 404


@pytest.mark.parametrize("cursor", ["x", "!!", "djE6", "djI6MQ", "é", "A" * 200])
def test_a_cursor_that_is_none_is_refused(sweeping: Sweeping, cursor: str) -> None:
    with pytest.raises(CursorRefused):
        intents.intents_after(cursor=cursor)


def test_a_consumer_pulls_checks_and_acknowledges_over_http(
    sweeping: Sweeping, out: SweepOrder, user_with: MakeUser
) -> None:
    carried(sweeping)
    caller = machine(user_with("integration", name="connector", is_service=True))
    anybody = Client()
    (item,) = caller.get("/api/v1/sweep-intent").json()["items"]
    published = anybody.get("/.well-known/sweep-keys.json").json()
    assert published == json.loads(json.dumps(signing.key_set()))
    assert anybody.get("/schemas/sweep_order.schema.json").json() == json.loads(SCHEMA.read_text())
    assert checked(item["jws"])["order_id"] == item["order_id"]
    path = f"/api/v1/sweep-intent/{item['order_id']}/ack"
    word = {"status": "ACK", "bank_ref": "BANK-1"}
    for _ in range(2):
        answer = caller.post(path, word, content_type="application/json")
        assert (answer.status_code, answer.json()["state"]) == (200, "ACK")
    other = caller.post(path, word | {"bank_ref": "B-2"}, content_type="application/json")
    assert (other.status_code, other.json()["code"]) == (409, "sweep_conflict")
    bad = caller.get("/api/v1/sweep-intent?after=nonsense")
    assert (bad.status_code, bad.json()["code"]) == (400, "cursor_refused")


def test_only_machines_answer(sweeping: Sweeping, out: SweepOrder, maker: User) -> None:
    word = {"status": "ACK", "bank_ref": "BANK-1"}
    path = f"/api/v1/sweep-intent/{out.order_id}/ack"
    answer = signed_in(maker).post(path, word, content_type="application/json")
    assert (answer.status_code, fresh(out).state) == (403, "NEW")


def test_beyond_the_mandate_checkers_let_it_go(sweeping: Sweeping, checker: User) -> None:
    from approvals import selectors as approval_reads
    from approvals import services as approvals
    from tests.approvals.stepping import shown

    SweepMandate.objects.update(order_max=D(1), day_max=D(1))
    order = order_of(sweeping)
    request = approval_reads.request_of(subject_type="treasury.sweep", subject_id=order.pk)
    assert request is not None
    with bound(sweeping.tenant.id, actor=checker.pk):
        approvals.decide(
            request_id=request.pk,
            checker=checker,
            outcome="APPROVE",
            content_hash=request.content_hash,
            version=1,
            evidence=shown(checker, request.content_hash),
        )
    assert fresh(order).release == Release.APPROVED
    assert sweeps.sign_due(tenant=sweeping.tenant.id) == 1
    checked(fresh(order).jws)


def test_not_approved_is_not_sent(sweeping: Sweeping) -> None:
    SweepMandate.objects.update(order_max=D(1), day_max=D(1))
    order = order_of(sweeping)
    held = sweeps.fail_unreleased(order_pk=order.pk, reason="too much")
    assert (held.state, held.reason) == (SweepState.FAILED, "too much")


def test_a_newer_decision_withdraws_what_waits_for_checkers(sweeping: Sweeping) -> None:
    from approvals import selectors as approval_reads

    SweepMandate.objects.update(order_max=D(1), day_max=D(1))
    first = order_of(sweeping)
    put_balance(sweeping.account, "900000.00", at=QUARTER_PAST + timedelta(microseconds=2))
    second = order_of(sweeping)
    asked = approval_reads.request_of(subject_type="treasury.sweep", subject_id=first.pk)
    assert asked is not None
    assert (asked.state, fresh(first).reason, second.amount) == (
        "CANCELLED",
        "SUPERSEDED",
        D(660_000),
    )


def test_entries_prove_where_the_money_is(out: SweepOrder) -> None:
    sweeps.answer_order(order_id=out.order_id, answer=TAKEN)
    with clock.frozen(CUTOFF + timedelta(days=1)):
        assert sweeps.follow_money(now=clock.now()) == []
    late = datetime(2026, 12, 15, 15, 0, tzinfo=UTC)
    with clock.frozen(late):
        sweeps.follow_money(now=late - timedelta(seconds=1))
        assert not Task.objects.filter(kind="sweep_return_late").exists()
        sweeps.follow_money(now=late)
        assert Task.objects.filter(kind="sweep_return_late", done_at=None).exists()


def test_the_machine_is_the_guards_own() -> None:
    declared = {
        (one.source, one.target)
        for one in SweepOrder().get_all_state_transitions()  # type: ignore[attr-defined]
    }
    assert declared == set(guards.sweeps.EDGES)


def test_the_books_know_what_sweeps_reserve(out: SweepOrder) -> None:
    assert invariants() == []
    held = ExpectedFlow.objects.get(source="SWEEP")
    ExpectedFlow.objects.filter(pk=held.pk).update(state="CANCELLED")
    assert [(one.code, one.subject_id) for one in invariants()] == [
        ("sweep_is_not_reserved", out.pk)
    ]
    sweeps.answer_order(order_id=out.order_id, answer=Answer(status="FAILED", reason="closed"))
    assert invariants() == []
    ExpectedFlow.objects.filter(pk=held.pk).update(state="EXPECTED")
    assert [one.code for one in invariants()] == ["sweep_is_reserved_in_vain"]


def test_a_mandate_that_ended_meanwhile_signs_nothing(sweeping: Sweeping) -> None:
    """The key was away while two people withdrew the mandate: the order fails, in SQL as well."""
    order = order_of(sweeping)
    SweepMandate.objects.update(is_active=False)
    signed = signing.sign_compact(order.payload.encode(), header={"typ": "sweep+jws"})
    with pytest.raises(DatabaseError, match="does not cover"), transaction.atomic():
        SweepOrder.objects.filter(pk=order.pk).update(jws=signed.compact)
    sweeps.sign_due(tenant=sweeping.tenant.id)
    assert (fresh(order).state, fresh(order).jws) == ("FAILED", "")


def test_of_a_replaced_key_only_its_public_half_is_published(settings: Any) -> None:
    """Somebody pasted the whole key: what could sign stays here."""
    pem = signing.new_private(signing.ES256)
    public = signing.public_jwk(signing.load_private(pem).public_key())
    settings.TMS_SIGNING_PROVIDER = "environment"
    settings.TMS_SIGNING_KEY = signing.new_private(signing.ES256).decode()
    settings.TMS_SIGNING_RETIRED = json.dumps([{**public, "d": "c2VjcmV0"}])
    assert signing.key_set()["keys"][1] == public
    settings.TMS_SIGNING_RETIRED = "[1"
    with pytest.raises(signing.SignerUnavailable):
        signing.key_set()
