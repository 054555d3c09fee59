"""Messages are kept, handled, set aside and taken up again; each step says so."""

import pytest

from core.errors import Forbidden
from core.events.models import OutboxEvent
from core.tenancy import Tenant
from integrations import selectors, services
from integrations.codecs.errors import UnreadableMessage
from integrations.errors import (
    ConnectionUnknown,
    LineMisconfigured,
    MessageStateRefused,
    MessageUnknown,
)
from integrations.models import BankConnection, LineNote, Message
from integrations.services import lines
from tests.conftest import MakeUser
from tests.integrations.room.conftest import http_line
from tests.integrations.room.test_folder import STATEMENT
from tests.scenes import scene

NOWHERE = "0199b7b4-0000-7000-8000-000000000000"


@scene
def line(tenant: Tenant) -> BankConnection:
    return services.save_connection(wish=http_line("https://bank.example"))


@scene
def message(line: BankConnection) -> Message:
    return services.archive_inbound(connection_code=line.code, name="s.xml", data=STATEMENT)


def topics() -> list[str]:
    return list(OutboxEvent.objects.order_by("id").values_list("topic", flat=True))


def test_a_message_is_announced_with_its_kind_and_digest(message: Message) -> None:
    (event,) = OutboxEvent.objects.all()
    assert event.topic == "integrations.message.received"
    assert event.payload == {
        "message_id": str(message.pk),
        "kind": "camt.053",
        "connection": "bank-http",
        "sha256": message.sha256,
    }


def test_bytes_of_no_known_kind_are_kept_as_unknown(line: BankConnection) -> None:
    message = services.archive_inbound(connection_code=line.code, name="x", data=b"what is it")
    assert (message.kind, message.state) == ("UNKNOWN", "RECEIVED")
    with pytest.raises(UnreadableMessage):
        services.read_archived(message.pk)


def test_an_unknown_line_archives_nothing(tenant: Tenant) -> None:
    with pytest.raises(ConnectionUnknown):
        services.archive_inbound(connection_code="nowhere", name="x", data=b"x")
    assert not Message.objects.exists()


def test_handled_stays_handled(message: Message) -> None:
    first = services.mark_handled(message_id=message.pk)
    assert services.mark_handled(message_id=message.pk).handled_at == first.handled_at
    with pytest.raises(MessageStateRefused):
        services.set_aside(message_id=message.pk, reason="too late")


def test_a_set_aside_message_keeps_its_first_reason(message: Message) -> None:
    services.set_aside(message_id=message.pk, reason="The account is not ours.")
    again = services.set_aside(message_id=message.pk, reason="another")
    assert again.reason == "The account is not ours."
    assert topics().count("integrations.message.set_aside") == 1
    with pytest.raises(MessageStateRefused):
        services.mark_handled(message_id=message.pk)


def test_it_is_taken_up_again_by_a_person_with_the_role(
    message: Message, user_with: MakeUser
) -> None:
    analyst, dealer = user_with("recon_analyst"), user_with("dealer")
    with pytest.raises(MessageStateRefused):
        services.try_again(message_id=message.pk, actor=analyst)
    services.set_aside(message_id=message.pk, reason="The account is not ours.")
    with pytest.raises(Forbidden):
        services.try_again(message_id=message.pk, actor=dealer)
    again = services.try_again(message_id=message.pk, actor=analyst)
    assert (again.state, again.reason) == ("RECEIVED", "")
    assert topics().count("integrations.message.received") == 2


def test_a_message_without_bytes_cannot_be_taken_up_again(
    line: BankConnection, user_with: MakeUser
) -> None:
    row = services.archive_inbound(connection_code=line.code, name="empty", data=b"")
    services.set_aside(message_id=row.pk, reason="The file is empty.")
    with pytest.raises(MessageStateRefused):
        services.try_again(message_id=row.pk, actor=user_with("recon_analyst"))


@pytest.mark.parametrize("use", [services.message_bytes, selectors.message])
def test_a_message_that_is_not_there_is_not_found(tenant: Tenant, use: object) -> None:
    with pytest.raises(MessageUnknown):
        use(NOWHERE)  # type: ignore[operator]
    with pytest.raises(MessageUnknown):
        services.mark_handled(message_id=NOWHERE)


@pytest.mark.parametrize(
    "changes",
    [
        {"base_url": "http://bank.example"},
        {"base_url": "ftp://bank.example"},
        {"base_url": "https://user:word@bank.example"},
        {"base_url": "https://bank.example/?key=1"},
        {"base_url": ""},
        {"directory": "/srv/bank"},
        {"kind": "FOLDER", "base_url": "", "directory": "relative/path"},
        {"kind": "FOLDER", "base_url": "", "directory": "/srv/../etc"},
        {"kind": "FOLDER", "directory": "/srv/bank"},
    ],
)
def test_an_address_that_cannot_work_or_is_not_safe_is_refused(
    tenant: Tenant, changes: dict[str, str]
) -> None:
    wish = http_line("https://bank.example", **changes)
    with pytest.raises(LineMisconfigured):
        services.save_connection(wish=wish)
    assert not BankConnection.objects.exists()


def test_an_empty_secret_keeps_the_present_one(line: BankConnection) -> None:
    services.save_connection(wish=http_line("https://bank.example", secret="", name="Renamed"))
    kept = BankConnection.objects.get()
    assert kept.name == "Renamed"
    assert kept.secret == line.secret


def test_the_history_of_a_line_is_short(
    line: BankConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "NOTES_PER_LINE_MAX", 5)
    for number in range(9):
        lines.note(connection=line, kind="FAILED", text=str(number))
    kept = LineNote.objects.order_by("id").values_list("text", flat=True)
    assert list(kept) == ["4", "5", "6", "7", "8"]
