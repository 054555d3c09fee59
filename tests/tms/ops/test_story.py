"""The parts of the walkthrough that need no running system."""

import base64
import time
from pathlib import Path
from typing import Any

import pytest

from tms.story.api import Api
from tms.story.cast import People
from tms.story.codes import STEP_SECONDS, CodeBook, code_at
from tms.story.errors import StoryFailed
from tms.story.narrator import Line, Narrator
from tms.story.patience import wait_for
from tms.story.stream import Stream

# RFC 6238 appendix B, SHA-1: the last six of its eight digits.
RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()
RFC_CODES = {59: "287082", 1111111109: "081804", 1234567890: "005924", 20000000000: "353130"}


@pytest.mark.parametrize(("seconds", "code"), RFC_CODES.items())
def test_codes_are_those_of_the_standard(seconds: int, code: str) -> None:
    assert code_at(RFC_SECRET, seconds // STEP_SECONDS) == code


def test_a_time_step_is_never_used_twice(tmp_path: Path) -> None:
    book = CodeBook(tmp_path / "codes.json")
    present = int(time.time()) // STEP_SECONDS
    near = {code_at(RFC_SECRET, step) for step in range(present, present + 3)}
    first = book.next_code(username="maker", secret=RFC_SECRET)
    second = CodeBook(tmp_path / "codes.json").next_code(username="maker", secret=RFC_SECRET)
    assert first != second
    assert {first, second} <= near
    assert book.next_code(username="checker", secret=RFC_SECRET) in near


def test_the_story_numbers_its_chapters() -> None:
    heard: list[Line] = []
    tell = Narrator(heard.append)
    tell.chapter("One")
    tell.say("Something happened.", amount="1.00")
    tell.prove("It is true.")
    assert [line.kind for line in heard] == ["chapter", "line", "proof"]
    assert heard[1].as_json()["facts"] == {"amount": "1.00"}
    assert "1. One" in heard[0].as_text()
    assert tell.lines == heard


def test_waiting_ends_with_a_failure_that_says_for_what() -> None:
    with pytest.raises(StoryFailed, match="in vain for the moon"):
        wait_for(lambda: None, what="the moon", seconds=0)


def test_waiting_returns_what_comes_and_helps_along() -> None:
    helped: list[int] = []
    found = wait_for(
        lambda: "here" if helped else None,
        what="it",
        seconds=10,
        meanwhile=lambda: helped.append(1),
    )
    assert found == "here"


def _person(name: str, *roles: str) -> dict[str, Any]:
    return {
        "username": name, "display_name": name, "roles": roles, "password": "x", "totp_secret": "",
    }  # fmt: skip


def test_the_cast_needs_two_checkers() -> None:
    people = [
        _person("maker", "treasury_maker"),
        _person("one", "treasury_checker"),
        _person("auditor", "auditor"),
    ]
    with pytest.raises(StoryFailed, match="two checkers"):
        People.from_facts({"people": people})
    found = People.from_facts({"people": [*people, _person("two", "treasury_checker")]})
    assert (found.checker_one.username, found.checker_two.username) == ("one", "two")


def test_the_stream_remembers_where_it_is() -> None:
    stream = Stream(Api(base_url="http://127.0.0.1:9", person="Auditor"))
    for line in ("retry: 1000", "", "id: 12", "event: a.b", 'data: {"type": "a.b"}', ": here"):
        stream._take(line)
    assert stream.position == 12
    assert stream.heard(lambda event: event["type"] == "a.b") == {"type": "a.b"}
    assert stream.heard(lambda event: event["type"] == "c") is None


def test_nobody_answering_is_a_failure_in_words() -> None:
    with pytest.raises(StoryFailed, match="does not answer"):
        Api(base_url="http://127.0.0.1:9", person="Auditor").get("/health")
