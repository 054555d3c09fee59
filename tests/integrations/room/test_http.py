"""The HTTP channel: what each kind of answer means, and what is never done twice."""

import hashlib
import hmac
import json
import random
import socket
from typing import Any

import pytest

from integrations.channels import (
    ChannelTrouble,
    LineSettings,
    NotSent,
    OutcomeUnknown,
    Outgoing,
    Refused,
    Unreachable,
)
from integrations.channels.http import HttpChannel
from integrations.constants import LISTING_BYTES_MAX, RECEIPT_BYTES_MAX
from tests.integrations.room.conftest import MakeHouse, http_line
from tests.integrations.room.scripted_bank import Asked, Says, ScriptedBank, scripted

SECRET = "shared"
BODY = b"<Document/>"
MESSAGE = Outgoing(
    key="0199-key",
    name="M1.xml",
    reference="E/1 x",
    message_reference="M1",
    sha256=hashlib.sha256(BODY).hexdigest(),
    body=BODY,
)


def channel_to(url: str, **changes: Any) -> HttpChannel:
    line = LineSettings(
        code="bank",
        kind="HTTP",
        base_url=url,
        secret=SECRET,
        **{"connect_timeout_seconds": 1, "read_timeout_seconds": 0.3, **changes},
    )
    return HttpChannel(line, rng=random.Random(7), pause=lambda _seconds: None)


def send_to(bank: ScriptedBank) -> Any:
    channel = channel_to(bank.url)
    try:
        return channel.send(MESSAGE)
    finally:
        channel.close()


def receipt(**changes: Any) -> bytes:
    return json.dumps(
        {"receipt_id": 12, "message_id": "M1", "sha256": MESSAGE.sha256, **changes}
    ).encode()


def test_a_sent_file_is_signed_and_carries_its_key() -> None:
    with scripted(lambda _: Says(status=202, body=receipt())) as bank:
        result = send_to(bank)
    assert result.bank_reference == "12"
    (asked,) = bank.asked
    expected = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()
    assert (asked.method, asked.path, asked.body) == ("POST", "/payments", BODY)
    assert asked.headers["x-signature"] == f"sha256={expected}"
    assert asked.headers["idempotency-key"] == MESSAGE.key


@pytest.mark.parametrize(
    ("says", "trouble"),
    [
        (Says(status=400, body=b'{"message": "no"}'), Refused),
        (Says(status=413, body=b""), Refused),
        (Says(status=422, body=b"not json"), Refused),
        (Says(status=401), NotSent),
        (Says(status=404), NotSent),
        (Says(status=429, headers={"Retry-After": "20"}), NotSent),
        (Says(status=408), OutcomeUnknown),
        (Says(status=409), OutcomeUnknown),
        (Says(status=500), OutcomeUnknown),
        (Says(status=503), OutcomeUnknown),
        (Says(status=302, headers={"Location": "/elsewhere"}), OutcomeUnknown),
        (Says(status=202, body=b"{}"), OutcomeUnknown),
        (Says(status=202, body=b"<html>sign in</html>"), OutcomeUnknown),
        (Says(status=202, body=receipt(message_id="M2")), OutcomeUnknown),
        (Says(status=202, body=receipt(sha256="0" * 64)), OutcomeUnknown),
        (Says(status=202, body=receipt(), breaks_off=True), OutcomeUnknown),
        (Says(status=202, body=b" " * (RECEIPT_BYTES_MAX + 1)), OutcomeUnknown),
        (Says(hangs=True), OutcomeUnknown),
    ],
)
def test_every_answer_has_one_meaning(says: Says, trouble: type[ChannelTrouble]) -> None:
    with scripted(lambda _: says) as bank, pytest.raises(trouble) as caught:
        send_to(bank)
    assert type(caught.value) is trouble
    assert len(bank.asked) == 1, "a payment is never offered twice by itself"


def test_the_banks_wish_to_wait_is_kept() -> None:
    says = Says(status=429, headers={"Retry-After": "20"})
    with scripted(lambda _: says) as bank, pytest.raises(NotSent) as caught:
        send_to(bank)
    assert caught.value.retry_after_seconds == 20


def test_nobody_listening_is_certainly_not_sent() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        channel = channel_to(f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(NotSent, match="nobody listens"):
            channel.send(MESSAGE)
        channel.close()


def test_a_question_is_repeated_and_a_payment_is_not() -> None:
    answers = [Says(status=500), Says(status=502), Says(body=b'{"found": true}')]
    with scripted(lambda _: answers.pop(0)) as bank:
        channel = channel_to(bank.url)
        status = channel.status(MESSAGE)
        channel.close()
    assert status is not None
    assert [asked.path for asked in bank.asked] == ["/payments/E%2F1%20x"] * 3


@pytest.mark.parametrize(
    "says",
    [
        Says(status=404, body=b"<h1>Not Found</h1>"),
        Says(status=404, body=b'{"code": "no such address"}'),
        Says(status=200, body=b"{}"),
        Says(status=401, body=b'{"found": false}'),
        Says(status=500, body=b'{"found": false}'),
        Says(status=200, body=b'{"found": true', breaks_off=True),
    ],
)
def test_only_a_clear_no_of_the_bank_is_a_no(says: Says) -> None:
    with scripted(lambda _: says) as bank:
        channel = channel_to(bank.url)
        with pytest.raises(Unreachable):
            channel.status(MESSAGE)
        channel.close()


@pytest.mark.parametrize(
    ("answer", "is_known"),
    [
        ({"found": False}, False),
        ({"found": True, "message_id": "M1", "status": "ACSC"}, True),
        ({"found": True, "message_id": "OTHER", "status": "RJCT"}, False),
    ],
)
def test_a_payment_of_another_message_is_not_this_one(
    answer: dict[str, Any], is_known: bool
) -> None:
    says = Says(status=200 if answer["found"] else 404, body=json.dumps(answer).encode())
    with scripted(lambda _: says) as bank:
        channel = channel_to(bank.url)
        assert (channel.status(MESSAGE) is not None) == is_known
        channel.close()


def test_messages_are_fetched_page_by_page_behind_the_cursor() -> None:
    files = {str(number): f"message {number}".encode() for number in range(1, 6)}

    def script(asked: Asked) -> Says:
        if asked.path.startswith("/messages?after="):
            after = int(asked.path.rpartition("=")[2])
            rows = [{"n": int(n), "file_name": f"{n}.xml"} for n in files if int(n) > after][:2]
            return Says(body=json.dumps({"messages": rows}).encode())
        return Says(body=files[asked.path.rpartition("/")[2]])

    with scripted(script) as bank:
        channel = channel_to(bank.url)
        found = list(channel.collect("1"))
        channel.close()
    assert [(file.cursor, file.data) for file in found] == [
        (number, files[number]) for number in ("2", "3", "4", "5")
    ]


@pytest.mark.parametrize(
    "body",
    [b"[]", b"{}", b'{"messages": [1]}', b'{"messages": 3}', b" " * (LISTING_BYTES_MAX + 1)],
)
def test_a_list_that_makes_no_sense_is_trouble_not_emptiness(body: bytes) -> None:
    with scripted(lambda _: Says(body=body)) as bank:
        channel = channel_to(bank.url)
        with pytest.raises(Unreachable):
            list(channel.collect(""))
        channel.close()


def test_the_secret_is_not_in_what_is_printed() -> None:
    assert SECRET not in repr(LineSettings(code="x", kind="HTTP", secret=SECRET))


@pytest.mark.parametrize(("status", "state"), [(422, "REFUSED"), (401, "QUEUED"), (500, "UNKNOWN")])
def test_the_answer_decides_the_state_of_the_payment(
    house: MakeHouse, status: int, state: str
) -> None:
    says = Says(status=status, body=b'{"message": "the words of the bank"}')
    with scripted(lambda _: says) as bank:
        home = house(http_line(bank.url))
        message = home.queue()
        home.dispatch()
    after = home.message(message)
    assert after.state == state
    assert "the words of the bank" in after.reason


def test_a_bank_that_goes_silent_in_the_middle_leaves_the_payment_unknown(
    house: MakeHouse,
) -> None:
    says = Says(status=202, body=receipt(), breaks_off=True)
    with scripted(lambda _: says) as bank:
        home = house(http_line(bank.url))
        message = home.queue()
        assert home.dispatch().unknown == 1
    assert home.state(message) == "UNKNOWN"


def listing(asked: Asked) -> Says:
    return Says(body=b'{"messages": [{"n": 1, "file_name": "one.xml"}]}')


def test_a_message_that_is_too_large_is_recorded_with_its_reason(
    house: MakeHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.channels.http.INBOUND_BYTES_MAX", 10)

    def script(asked: Asked) -> Says:
        if "after=0" in asked.path:
            return listing(asked)
        return Says(body=b'{"messages": []}' if "after" in asked.path else b"x" * 11)

    with scripted(script) as bank:
        home = house(http_line(bank.url))
        assert home.collect().set_aside == 1
        assert home.collect().set_aside == 0, "the cursor has moved past it"


def test_a_listed_message_that_cannot_be_fetched_keeps_its_place(house: MakeHouse) -> None:
    broken = {"is": True}

    def script(asked: Asked) -> Says:
        if "after" in asked.path:
            return listing(asked) if "after=0" in asked.path else Says(body=b'{"messages": []}')
        return Says(status=403) if broken["is"] else Says(body=b"some bytes")

    with scripted(script) as bank:
        home = house(http_line(bank.url))
        assert home.collect().lines_in_trouble == 1
        broken["is"] = False
        assert home.collect().set_aside == 1


def test_the_test_of_a_line_needs_an_answer() -> None:
    with scripted(lambda _: Says(status=404)) as bank:
        channel = channel_to(bank.url)
        with pytest.raises(Unreachable):
            channel.probe()
        bank.script = lambda _: Says(status=503)
        assert "answers (503)" in channel.probe()
        channel.close()
