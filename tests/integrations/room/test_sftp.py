"""SFTP lines against a real server in another process: at most once, nothing lost, host pinned."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from integrations import services
from integrations.channels import LineSettings, NotSent, OutcomeUnknown, Outgoing, Unreachable
from integrations.channels.sftp import SftpChannel
from integrations.errors import LineMisconfigured
from tests.integrations.room.conftest import MakeHouse
from tests.integrations.room.sftp_server import PASSWORD, USER

BODY = b"<Document>an order</Document>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    port: int
    host_key: str
    home: Path
    private_key: str

    def settings(self, **changes: Any) -> LineSettings:
        facts: dict[str, Any] = {
            "code": "bank-sftp",
            "kind": "SFTP",
            "base_url": f"sftp://127.0.0.1:{self.port}/line",
            "access": "PASSWORD",
            "username": USER,
            "secret": PASSWORD,
            "server_trust": self.host_key,
            "outbound_path": "to-bank",
            "inbound_path": "from-bank",
            "connect_timeout_seconds": 5.0,
            "read_timeout_seconds": 5.0,
        }
        return LineSettings(**{**facts, **changes})

    @contextmanager
    def line(self, **changes: Any) -> Iterator[SftpChannel]:
        channel = SftpChannel(self.settings(**changes))
        try:
            yield channel
        finally:
            channel.close()

    @property
    def tray(self) -> Path:
        return self.home / "line" / "to-bank"


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[Server]:
    home = folder / "home"
    (home / "line" / "from-bank").mkdir(parents=True)
    key = asyncssh.generate_private_key("ssh-ed25519")
    (folder / "customer.pub").write_bytes(key.export_public_key())
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("sftp_server.py")), str(home), *arguments],
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline())
        yield Server(home=home, private_key=key.export_private_key().decode(), **facts)
    finally:
        process.kill()
        process.communicate(timeout=20)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("sftp")) as server:
        yield server


@pytest.fixture
def server(shared: Server) -> Server:
    """The server with empty trays."""
    for tray in ("to-bank", "from-bank", ".drafts", ".journal"):
        folder = shared.home / "line" / tray
        for path in folder.glob("*") if folder.exists() else ():
            if path.is_file():
                path.unlink()
    return shared


def order(name: str = "order.xml", body: bytes = BODY) -> Outgoing:
    return Outgoing(
        key="k",
        name=name,
        reference="E1",
        message_reference="M1",
        sha256=hashlib.sha256(body).hexdigest(),
        body=body,
    )


def test_a_file_arrives_whole_and_once(server: Server) -> None:
    with server.line() as line:
        first, again = line.send(order()), line.send(order())
        known = line.status(order())
    assert first.facts == {"file": "order.xml"}
    assert again.facts["seen_before"] is True
    assert [path.read_bytes() for path in server.tray.iterdir()] == [BODY]
    assert known is not None
    assert known.status == "DELIVERED"


def test_what_the_bank_took_is_not_sent_again(server: Server) -> None:
    with server.line() as line:
        line.send(order())
        (server.tray / "order.xml").unlink()
        assert line.status(order()) is not None
        line.send(order())
    assert list(server.tray.iterdir()) == []


def test_a_key_opens_the_line_and_a_wrong_password_does_not(server: Server) -> None:
    with server.line(access="KEY", secret=server.private_key) as line:
        assert "0 files wait" in line.probe()
    with server.line(secret="wrong") as line, pytest.raises(NotSent, match="does not accept"):
        line.send(order())
    assert not (server.tray / "order.xml").exists()


def test_another_host_key_is_another_server(server: Server) -> None:
    stranger = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    with server.line(server_trust=stranger) as line, pytest.raises(Unreachable, match="host key"):
        line.probe()
    with server.line(server_trust=stranger) as line, pytest.raises(NotSent, match="host key"):
        line.send(order())


def test_nobody_listening_means_not_sent(server: Server) -> None:
    with server.line(base_url="sftp://127.0.0.1:9/line") as line, pytest.raises(NotSent):
        line.send(order())


def test_a_connection_lost_during_the_rename_leaves_the_outcome_open(server: Server) -> None:
    """The server renames and drops the connection: only a question may settle it."""
    flag = server.home / "drop-on-rename"
    flag.touch()
    try:
        with server.line() as line, pytest.raises(OutcomeUnknown):
            line.send(order())
    finally:
        flag.unlink()
    with server.line() as line:
        assert line.status(order()) is not None


def test_a_question_stops_a_late_sender(server: Server) -> None:
    with server.line() as line:
        assert line.status(order()) is None
    with server.line() as line, pytest.raises(Exception, match="withdrawn"):
        line.send(order())
    assert not server.tray.exists() or list(server.tray.iterdir()) == []


def test_a_draft_that_was_not_renamed_is_taken_out_of_reach(server: Server) -> None:
    with server.line() as line:
        line._opened()
        assert line._run(line._prepare(line._opened(), order())) is False
        assert line.status(order()) is None
        assert line.status(order()) is None
    assert [path.suffix for path in (server.home / "line" / ".drafts").iterdir()] == [".withdrawn"]


def test_without_a_journal_a_vanished_file_stays_an_open_question(tmp_path: Path) -> None:
    with running(tmp_path, "--no-hidden") as server, server.line() as line:
        assert "no journal" in line.probe()
        line.send(order())
        assert line.status(order()) is not None
        (server.tray / "order.xml").unlink()
        with pytest.raises(Unreachable, match="only the bank's messages"):
            line.status(order())


def test_complete_files_are_read_oldest_first_and_moved(server: Server) -> None:
    tray = server.home / "line" / "from-bank"
    for name in ("b.xml", "a.xml", ".hidden.xml", "growing.xml.part"):
        (tray / name).write_bytes(name.encode())
    with server.line() as line:
        files = list(line.collect(""))
        assert [file.data for file in files] in ([b"b.xml", b"a.xml"], [b"a.xml", b"b.xml"])
        place = line.place_for(files[0])
        line.put_away(files[0], place)
        bad = line.place_for(files[1], reason="unreadable")
        line.put_away(files[1], bad, reason="unreadable")
        assert line.lies_at(place)
        assert list(line.collect("")) == []
    assert (server.home / "line" / f"{bad}.reason.txt").read_text() == "unreadable\n"


def sftp_wish(server: Server, **changes: Any) -> services.ConnectionIn:
    facts: dict[str, Any] = {
        "code": "bank-sftp",
        "name": "Bank over SFTP",
        "kind": "SFTP",
        "base_url": f"sftp://127.0.0.1:{server.port}/line",
        "outbound_path": "to-bank",
        "inbound_path": "from-bank",
        "access": "PASSWORD",
        "username": USER,
        "secret": PASSWORD,
        "server_trust": server.host_key,
        "rate_per_minute": 6_000,
    }
    return services.ConnectionIn(**{**facts, **changes})


def test_a_payment_leaves_and_a_message_comes_over_the_line(
    server: Server, house: MakeHouse
) -> None:
    home = house(sftp_wish(server))
    message = home.queue()
    assert home.dispatch().sent == 1
    assert home.state(message) == "SENT"
    assert (server.tray / message.name).read_bytes() == bytes(message.body)
    (server.home / "line" / "from-bank" / "note.txt").write_bytes(b"not a bank message")
    assert home.collect().set_aside == 1
    assert home.collect().set_aside == 0


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"server_trust": ""}, "server_trust"),
        ({"server_trust": "ssh-ed25519 nonsense"}, "server_trust"),
        ({"access": ""}, "access"),
        ({"username": ""}, "username"),
        ({"base_url": "sftp://user@host/line"}, "base_url"),
        ({"base_url": "ftp://host/line"}, "base_url"),
        ({"inbound_path": "../elsewhere"}, "inbound_path"),
        ({"inbound_path": "to-bank"}, "inbound_path"),
        ({"access": "KEY", "secret": "no key"}, "secret"),
        ({"collect_zone": "Mars/Olympus"}, "collect_zone"),
        ({"collect_weekdays": "08"}, "collect_weekdays"),
        ({"kind": "EBICS"}, "kind"),
    ],
)
def test_settings_that_cannot_work_are_refused(
    server: Server, changes: dict[str, str], field: str
) -> None:
    with pytest.raises(LineMisconfigured) as refusal:
        services.check_connection(wish=sftp_wish(server, **changes))
    assert refusal.value.context["field"] == field
