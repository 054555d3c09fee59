"""Host to host: complete files, each handled once, whatever ends in the middle."""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from core.tenancy import bound
from integrations import selectors, services
from integrations.channels import (
    InboundFile,
    LineSettings,
    NotSent,
    Outgoing,
    Refused,
    Unreachable,
)
from integrations.channels import folder as folder_module
from integrations.channels.folder import FolderChannel
from integrations.models import LineNote, Message
from tests.integrations.room.conftest import (
    CREDITOR_IBAN,
    House,
    MakeHouse,
    SandboxBank,
    folder_line,
    later,
    order,
)

STATEMENT = (
    b'<?xml version="1.0"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">'
    b"<BkToCstmrStmt><GrpHdr><MsgId>S1</MsgId><CreDtTm>2026-11-20T18:00:00Z</CreDtTm></GrpHdr>"
    b"<Stmt><Id>1</Id><CreDtTm>2026-11-20T18:00:00Z</CreDtTm><Acct><Id><IBAN>DE42990000010532013000"
    b"</IBAN></Id><Ccy>EUR</Ccy></Acct><Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp>"
    b'<Amt Ccy="EUR">5.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-20</Dt></Dt></Bal>'
    b"</Stmt></BkToCstmrStmt></Document>"
)


@pytest.fixture
def trays(house: MakeHouse, tmp_path: Path) -> tuple[House, Path]:
    home = house(folder_line(tmp_path))
    home.collect()
    return home, tmp_path / "inbound"


def inbound_rows(house: House) -> list[Message]:
    with bound(house.tenant, actor="system:test"):
        return list(selectors.messages().inbound().order_by("id"))


def wait_until(condition: Callable[[], bool], seconds: float = 15) -> None:
    """Poll a separate process with a deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the bank did not do it in time"
        threading.Event().wait(0.05)


# Both ways with the real bank


def test_a_payment_goes_out_as_a_file_and_the_answers_come_back_as_files(
    house: MakeHouse, bank: SandboxBank
) -> None:
    home = house(folder_line(bank.folder))
    message = home.queue()
    assert home.dispatch().sent == 1
    wait_until(lambda: bank.attempts(message.reference) == 1)
    bank.advance(60)
    assert bank.executed(message.reference) == 1
    bank.report(CREDITOR_IBAN)
    wait_until(lambda: any((bank.folder / "inbound").glob("*camt.052*")))
    report = home.collect()
    assert report.archived >= 2
    kinds = {row.kind for row in inbound_rows(home)}
    assert {"camt.052", "camt.054"} <= kinds
    assert not [path for path in (bank.folder / "inbound").iterdir() if path.is_file()]


def test_an_archived_message_opens_to_its_bytes(trays: tuple[House, Path]) -> None:
    home, inbound = trays
    (inbound / "a.xml").write_bytes(STATEMENT)
    assert home.collect().archived == 1
    (row,) = inbound_rows(home)
    with bound(home.tenant, actor="system:test"):
        assert services.message_bytes(row.pk) == STATEMENT
        assert selectors.read_archived(row.pk).message_id == "S1"
    assert (row.kind, row.state, row.sha256) == (
        "camt.053",
        "RECEIVED",
        hashlib.sha256(STATEMENT).hexdigest(),
    )
    assert row.put_away.startswith("inbound/.handled/")
    assert (inbound.parent / row.put_away).read_bytes() == STATEMENT
    assert home.topics() == ["integrations.message.received"]


# In


def test_the_same_bytes_twice_are_one_message(trays: tuple[House, Path]) -> None:
    home, inbound = trays
    (inbound / "a.xml").write_bytes(STATEMENT)
    home.collect()
    (inbound / "b.xml").write_bytes(STATEMENT)
    report = home.collect()
    assert (report.archived, report.seen_before) == (0, 1)
    (row,) = inbound_rows(home)
    assert row.seen_count == 2
    assert home.topics() == ["integrations.message.received"]


def test_two_files_of_one_name_are_both_kept(trays: tuple[House, Path]) -> None:
    home, inbound = trays
    for content in (STATEMENT, STATEMENT + b"\n"):
        (inbound / "a.xml").write_bytes(content)
        home.collect()
    rows = inbound_rows(home)
    assert len(rows) == 2
    assert len({row.put_away for row in rows}) == 2
    kept = {(inbound.parent / row.put_away).read_bytes() for row in rows}
    assert kept == {STATEMENT, STATEMENT + b"\n"}


@pytest.mark.parametrize("name", [".a.xml", "a.xml.tmp", "a.xml.part", "a.filepart"])
def test_an_unfinished_file_is_left_alone(trays: tuple[House, Path], name: str) -> None:
    home, inbound = trays
    (inbound / name).write_bytes(STATEMENT[:50])
    assert home.collect().archived == 0
    (inbound / name).write_bytes(STATEMENT)
    (inbound / name).rename(inbound / "whole.xml")
    assert home.collect().archived == 1


def test_links_and_directories_are_left_alone(trays: tuple[House, Path], tmp_path: Path) -> None:
    home, inbound = trays
    secret = tmp_path / "elsewhere.xml"
    secret.write_bytes(STATEMENT)
    (inbound / "link.xml").symlink_to(secret)
    (inbound / "directory.xml").mkdir()
    assert home.collect().archived == 0
    assert secret.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\x00\x01\x02", ""),
        (b"<?xml version='1.0'?><Invoice/>", "neither a statement"),
        (b"<!DOCTYPE x [<!ENTITY e 'y'>]><Document>&e;</Document>", ""),
    ],
)
def test_a_file_that_is_no_bank_message_is_set_aside_with_its_reason(
    trays: tuple[House, Path], content: bytes, words: str
) -> None:
    home, inbound = trays
    (inbound / "odd.xml").write_bytes(content)
    assert home.collect().set_aside == 1
    (row,) = inbound_rows(home)
    assert row.state == "SET_ASIDE"
    assert len(row.reason) > 10
    assert words in row.reason
    aside = inbound / ".set_aside"
    assert (aside / "odd.xml").read_bytes() == content
    assert (aside / "odd.xml.reason.txt").read_text(encoding="utf-8").strip() == row.reason
    assert "integrations.message.set_aside" in home.topics()
    with bound(home.tenant, actor="system:test"):
        assert LineNote.objects.filter(kind="SET_ASIDE").exists()


def test_a_file_that_is_too_large_is_recorded_but_not_kept(
    trays: tuple[House, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, inbound = trays
    monkeypatch.setattr(folder_module, "INBOUND_BYTES_MAX", 100)
    (inbound / "huge.xml").write_bytes(STATEMENT)
    assert home.collect().set_aside == 1
    (row,) = inbound_rows(home)
    assert (row.state, row.size_bytes) == ("SET_ASIDE", len(STATEMENT))
    assert "at most 100" in row.reason
    with bound(home.tenant, actor="system:test"):
        assert services.message_bytes(row.pk) == b""
    assert (inbound / ".set_aside" / "huge.xml").exists()


def test_a_file_whose_reading_fails_later_moves_to_those_set_aside(
    trays: tuple[House, Path],
) -> None:
    home, inbound = trays
    (inbound / "a.xml").write_bytes(STATEMENT)
    home.collect()
    (row,) = inbound_rows(home)
    with bound(home.tenant, actor="system:test"):
        services.set_aside(message_id=row.pk, reason="The account 12 is not ours.")
    home.collect()
    (after,) = inbound_rows(home)
    assert after.put_away == "inbound/.set_aside/a.xml"
    assert (inbound / ".set_aside" / "a.xml").read_bytes() == STATEMENT
    reason = (inbound / ".set_aside" / "a.xml.reason.txt").read_text(encoding="utf-8")
    assert reason == "The account 12 is not ours.\n"
    assert not (inbound.parent / row.put_away).exists()


def test_a_name_of_odd_bytes_is_collected_all_the_same(trays: tuple[House, Path]) -> None:
    home, inbound = trays
    odd = os.fsencode(inbound) + b"/st\xff\nate.xml"
    with open(odd, "wb") as stream:
        stream.write(STATEMENT)
    assert home.collect().archived == 1
    (row,) = inbound_rows(home)
    assert row.name == "st??ate.xml"


class Crash(BaseException):
    """The process ends here."""


def test_a_crash_at_any_statement_of_collecting_loses_and_doubles_nothing(
    trays: tuple[House, Path],
) -> None:
    home, inbound = trays
    survived, statement = False, 0
    while not survived:
        statement += 1
        content = STATEMENT + b"\n" * statement
        (inbound / f"{statement}.xml").write_bytes(content)
        seen = {"statements": 0}

        def run(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
            seen["statements"] += 1  # noqa: B023 - used within this round only
            if seen["statements"] == statement:  # noqa: B023 - as above
                raise Crash
            return execute(sql, params, many, context)

        try:
            with connection.execute_wrapper(run):
                home.collect()
            survived = True
        except Crash:
            connection.close()
        with later(seconds=61):
            home.collect()
        row = inbound_rows(home)[-1]
        assert row.sha256 == hashlib.sha256(content).hexdigest(), statement
        assert row.seen_count == 1, statement
        assert (inbound.parent / row.put_away).read_bytes() == content, statement
        assert not (inbound / f"{statement}.xml").exists()
    assert statement > 15
    assert len(inbound_rows(home)) == statement
    assert home.topics() == ["integrations.message.received"] * statement


def test_two_collectors_do_not_work_on_one_line(trays: tuple[House, Path]) -> None:
    home, inbound = trays
    from integrations.services import collecting

    with bound(home.tenant, actor="system:test"):
        (line,) = selectors.connections()
    turn = collecting._take_turn(home.tenant, line.pk)
    assert turn is not None
    (inbound / "a.xml").write_bytes(STATEMENT)
    assert home.collect().archived == 0, "another collector holds the line"
    with later(seconds=61):
        assert home.collect().archived == 1, "a collector that died is replaced"
    late = collecting._archive(
        turn,
        channel_at(inbound.parent),
        InboundFile(name="b.xml", data=STATEMENT + b" ", sha256="0" * 64, size_bytes=1),
    )
    assert late is None, "the late one may not write"


def test_a_folder_that_is_gone_is_trouble_on_the_line_not_silence(
    house: MakeHouse, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    home = house(folder_line(tmp_path / "file"))
    assert home.collect().lines_in_trouble == 1
    with bound(home.tenant, actor="system:test"):
        (line,) = selectors.connectivity()
    assert line.health == "failing"
    assert "folder cannot be read" in line.last_error


# Out


BODY = b"<Document>order</Document>"
OUTGOING = Outgoing(
    key="k",
    name="M1_abc.pain.001.xml",
    reference="E1",
    message_reference="M1",
    sha256=hashlib.sha256(BODY).hexdigest(),
    body=BODY,
)


def channel_at(directory: Path) -> FolderChannel:
    return FolderChannel(LineSettings(code="f", kind="FOLDER", directory=str(directory)))


def test_the_same_file_again_counts_as_done(tmp_path: Path) -> None:
    channel = channel_at(tmp_path)
    assert "seen_before" not in channel.send(OUTGOING).facts
    (tmp_path / "outbound" / OUTGOING.name).unlink()
    assert channel.send(OUTGOING).facts["seen_before"] is True
    assert not (tmp_path / "outbound" / OUTGOING.name).exists(), "the bank took it already"


def test_another_file_of_the_same_name_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "outbound").mkdir()
    (tmp_path / "outbound" / OUTGOING.name).write_bytes(b"something else")
    with pytest.raises(Refused):
        channel_at(tmp_path).send(OUTGOING)
    assert (tmp_path / "outbound" / OUTGOING.name).read_bytes() == b"something else"


def test_a_folder_that_cannot_be_written_means_not_sent(tmp_path: Path) -> None:
    (tmp_path / "outbound").write_text("in the way", encoding="utf-8")
    with pytest.raises(NotSent):
        channel_at(tmp_path).send(OUTGOING)
    with pytest.raises(Unreachable):
        channel_at(tmp_path).probe()


def test_only_a_complete_file_ever_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[int] = []

    def look(_descriptor: int) -> None:
        found = list((tmp_path / "outbound").iterdir())
        shown.extend(path.stat().st_size for path in found)

    monkeypatch.setattr(os, "fsync", look)
    channel_at(tmp_path).send(OUTGOING)
    assert set(shown) == {len(BODY)}


@contextmanager
def stopped_at(step: int, *, after: bool, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Stop the sender thread before or after its k-th step on disk until it is let go."""
    counter = {"steps": 0}
    reached, go_on = threading.Event(), threading.Event()
    sender_name = "sender"

    def stopping(original: Callable[..., Any]) -> Callable[..., Any]:
        def act(*args: Any, **more: Any) -> Any:
            if threading.current_thread().name != sender_name:
                return original(*args, **more)
            counter["steps"] += 1
            is_here = counter["steps"] == step
            if is_here and not after:
                reached.set()
                go_on.wait(10)
            result = original(*args, **more)
            if is_here and after:
                reached.set()
                go_on.wait(10)
            return result

        return act

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", stopping(os.link))
        patch.setattr(os, "fsync", stopping(os.fsync))
        patch.setattr(Path, "rename", stopping(Path.rename))
        patch.setattr(Path, "open", stopping(Path.open))
        yield reached, go_on, counter


@pytest.mark.parametrize("after", [False, True])
def test_the_verdict_about_a_stopped_sender_stays_true_when_it_wakes_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    """Every step: the asker says sent or not sent, and the late sender cannot make it a lie."""
    verdicts = set()
    for step in range(1, 8):
        home = tmp_path / f"{step}"
        with stopped_at(step, after=after, monkeypatch=monkeypatch) as (reached, go_on, counter):
            sender = threading.Thread(target=_send_quietly, args=(home,), name="sender")
            sender.start()
            reached.wait(5 if step <= 6 else 0.2)
            known = channel_at(home).status(OUTGOING) is not None
            go_on.set()
            sender.join(10)
        published = (home / "outbound" / OUTGOING.name).exists()
        assert published == known, (step, after)
        assert (channel_at(home).status(OUTGOING) is not None) == known, "and stays so"
        verdicts.add(known)
        if counter["steps"] < step:
            break
    assert verdicts == {False, True}


def _send_quietly(home: Path) -> None:
    try:
        channel_at(home).send(OUTGOING)
    except (Refused, NotSent):
        return


def test_without_the_journal_the_verdict_would_be_a_lie(tmp_path: Path) -> None:
    """Negative control: the bank took the file; its absence alone says nothing."""
    channel_at(tmp_path).send(OUTGOING)
    (tmp_path / "outbound" / OUTGOING.name).unlink()
    assert channel_at(tmp_path).status(OUTGOING) is not None
    (tmp_path / ".journal" / OUTGOING.name).unlink()
    assert channel_at(tmp_path).status(OUTGOING) is None


def test_a_folder_payment_whose_sender_died_is_resolved_at_once(
    house: MakeHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = house(folder_line(tmp_path))
    sent, unsent = home.queue(), home.queue(order())

    def die(*_args: Any, **_more: Any) -> None:
        raise Crash

    for step in ("_record", "_call"):
        with monkeypatch.context() as patch:
            patch.setattr(f"integrations.services.dispatching.{step}", die)
            with pytest.raises(Crash):
                home.dispatch()
    with later(seconds=70):
        home.dispatch()
        with later(seconds=5):
            report = home.enquire()
    assert (report.found, report.not_found) == (1, 1)
    assert (home.state(sent), home.state(unsent)) == ("SENT", "REFUSED")
    assert len(list((tmp_path / "outbound").iterdir())) == 1


def test_the_test_of_a_line_finds_a_working_folder(tmp_path: Path) -> None:
    assert "0 files wait" in channel_at(tmp_path).probe()
    assert not list((tmp_path / ".drafts").iterdir())


def test_messages_of_one_line_are_not_those_of_another(
    trays: tuple[House, Path], tmp_path: Path, committed_tenant: UUID
) -> None:
    home, inbound = trays
    with bound(committed_tenant, actor="system:test"):
        services.save_connection(wish=folder_line(tmp_path / "two", code="second"))
    home.collect()
    for tray in (inbound, tmp_path / "two" / "inbound"):
        (tray / "a.xml").write_bytes(STATEMENT)
    assert home.collect().archived == 2, "each bank's delivery is kept for itself"


def test_a_publication_that_failed_halfway_is_completed_by_the_next_offer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", full)
        with pytest.raises(NotSent, match="no space left"):
            channel_at(tmp_path).send(OUTGOING)
    assert not list((tmp_path / "outbound").iterdir())
    channel_at(tmp_path).send(OUTGOING)
    assert (tmp_path / "outbound" / OUTGOING.name).read_bytes() == BODY


def test_a_withdrawn_order_is_refused_when_offered_again(tmp_path: Path) -> None:
    assert channel_at(tmp_path).status(OUTGOING) is None
    with pytest.raises(Refused):
        channel_at(tmp_path).send(OUTGOING)
    assert not list((tmp_path / "outbound").iterdir())
