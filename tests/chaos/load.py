"""People at work: makers propose over the API, checkers approve, all repeat with the same key."""

import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, Self

import httpx

from tests.chaos.live import LiveSystem

ANSWER_SECONDS_MAX: Final = 20.0
PAUSE_SECONDS: Final = 0.15
UNAVAILABLE: Final = 503
TOO_MANY: Final = 429
SERVER_ERROR: Final = 500
AT_ONCE: Final = 25  # approvals in one call
# Debit, credit and the smallest amount that the rail between them moves; as much comes as goes, so
# that no account runs dry however long the load lasts.
ROUTES: Final = (
    ("near", "home", 1_000),
    ("home", "near", 1_000),
    ("near", "home", 1_000),
    ("home", "near", 1_000),
    ("far", "near", 200_000),
    ("near", "far", 200_000),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A proposal as its maker wants it; the key stays the same for every repetition."""

    key: str
    body: dict[str, Any]


@dataclass(slots=True)
class Journal:
    """What the clients were told; nothing of the system's own."""

    acknowledged: dict[str, str] = field(default_factory=dict)  # key → proposal id
    approved: set[str] = field(default_factory=set)  # "request id checker"
    answers: Counter[int] = field(default_factory=Counter)
    broken_count: int = 0
    hangs: list[str] = field(default_factory=list)  # calls without an answer in time
    slowest_seconds: float = 0.0
    oddities: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def progress(self, count: int) -> float:
        """Return the share of `count` proposals that is acknowledged, approvals keeping pace."""
        return min(len(self.acknowledged), len(self.approved)) / count


def wishes(*, count: int, accounts: dict[str, str], rng: random.Random) -> list[Wish]:
    """Draw `count` proposals over both doors."""
    drawn = []
    for number in range(count):
        debit, credit, least = rng.choice(ROUTES)
        amount = f"{rng.randint(least, least + 50_000)}.{rng.randint(0, 99):02d}"
        body = {
            "debit_account": accounts[debit],
            "credit_account": accounts[credit],
            "amount": amount,
        }
        key = f"load-{number}-{rng.getrandbits(64):x}"
        drawn.append(Wish(key=key, body={**body, "why": f"Wish {key}"}))
    return drawn


class Person:
    """One API client. A broken connection, a 503 or a 500 is answered by the same call again."""

    def __init__(self, system: LiveSystem, journal: Journal, *, name: str, until: float) -> None:
        self.journal = journal
        self.until = until
        self.name = name
        self.http = httpx.Client(
            base_url=f"{system.url}/api/v1",
            headers={"Authorization": f"Bearer {system.facts['tokens'][name]}"},
            timeout=httpx.Timeout(ANSWER_SECONDS_MAX, connect=3),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_trouble: object) -> None:
        self.http.close()

    def insist(self, method: str, path: str, *, key: str = "", body: Any = None) -> Any:
        """Repeat until there is an answer that stays; None when the time is over."""
        headers = {"Idempotency-Key": key} if key else {}
        while time.monotonic() < self.until:
            began = time.monotonic()
            try:
                answer = self.http.request(method, path, json=body, headers=headers)
            except httpx.TransportError as trouble:
                with self.journal.lock:
                    self.journal.broken_count += 1
                    if isinstance(trouble, httpx.ReadTimeout):
                        self.journal.hangs.append(f"{method} {path}")
                threading.Event().wait(PAUSE_SECONDS)
                continue
            self._note(answer, time.monotonic() - began)
            if answer.status_code < SERVER_ERROR and answer.status_code != TOO_MANY:
                return answer
            threading.Event().wait(PAUSE_SECONDS)
        return None

    def _note(self, answer: httpx.Response, seconds: float) -> None:
        with self.journal.lock:
            self.journal.answers[answer.status_code] += 1
            self.journal.slowest_seconds = max(self.journal.slowest_seconds, seconds)
            if answer.status_code == SERVER_ERROR:
                self.journal.oddities.append(f"500 {answer.request.url.path} {answer.text[:300]}")


def make(person: Person, mine: Sequence[Wish]) -> None:
    """Propose everything of `mine`, one after the other."""
    with person:
        for wish in mine:
            answer = person.insist("POST", "/proposals", key=wish.key, body=wish.body)
            if answer is None:
                return
            with person.journal.lock:
                if answer.status_code == httpx.codes.CREATED:
                    person.journal.acknowledged[wish.key] = answer.json()["id"]
                else:
                    person.journal.oddities.append(f"{answer.status_code} {answer.text[:300]}")


def check(person: Person, *, done: threading.Event, part: int = 0, parts: int = 1) -> None:
    """Approve a part of what waits for this checker, until `done` and nothing waits any more."""
    with person:
        while time.monotonic() < person.until:
            ended_before = done.is_set()
            page = person.insist("GET", "/approvals?state=PENDING&waiting_for_me=true")
            if page is None:
                return
            results = page.json()["results"]
            waiting = [one for one in results if int(one["id"][-4:], 16) % parts == part]
            if waiting:
                _approve(person, waiting[:AT_ONCE])
            else:
                if ended_before and not results:
                    return
                threading.Event().wait(PAUSE_SECONDS * 2)


def look(person: Person, paths: Sequence[str], *, done: threading.Event) -> None:
    """Read pages one after the other, as a desk does, until `done`."""
    with person:
        while not done.is_set() and time.monotonic() < person.until:
            for path in paths:
                person.insist("GET", path)
            threading.Event().wait(PAUSE_SECONDS)


def _approve(person: Person, requests: Sequence[dict[str, Any]]) -> None:
    """Approve several in one call; its key stays the same for exactly these."""
    named = ",".join(one["id"] for one in requests)
    answer = person.insist(
        "POST",
        "/approvals/approve",
        key=f"{person.name}-{sha256(named.encode()).hexdigest()[:32]}",
        body={
            "items": [
                {
                    "request": one["id"],
                    "version": one["subject_version"],
                    "content_hash": one["content_hash"],
                }
                for one in requests
            ]
        },
    )
    if answer is None:
        return
    with person.journal.lock:
        if answer.status_code != httpx.codes.OK:
            person.journal.oddities.append(f"{answer.status_code} {answer.text[:300]}")
            return
        for one in answer.json()["results"]:
            if one["approved"]:
                person.journal.approved.add(f"{one['request']} {person.name}")
            elif one["code"] not in ("not_pending", "already_decided"):
                person.journal.oddities.append(f"{one['code']} {one['message'][:300]}")


@dataclass(slots=True, kw_only=True)
class Load:
    """The threads of makers and checkers, bounded in count and in time."""

    journal: Journal
    makers: list[threading.Thread]
    checkers: list[threading.Thread]
    made: threading.Event

    def start(self) -> None:
        for thread in (*self.makers, *self.checkers):
            thread.start()

    def is_over(self) -> bool:
        """Tell the checkers when all makers are done; return whether everybody is."""
        if not any(thread.is_alive() for thread in self.makers):
            self.made.set()
        return not any(thread.is_alive() for thread in (*self.makers, *self.checkers))


def load_on(
    system: LiveSystem,
    *,
    count: int,
    rng: random.Random,
    seconds_max: float,
    makers: int = 3,
    hands: int = 1,
) -> Load:
    """Prepare a load of `count` proposals by `makers` threads and two checkers with `hands`."""
    journal, made = Journal(), threading.Event()
    until = time.monotonic() + seconds_max
    drawn = wishes(count=count, accounts=dict(system.facts["accounts"]), rng=rng)

    def maker(share: Sequence[Wish]) -> threading.Thread:
        person = Person(system, journal, name="maker", until=until)
        return threading.Thread(target=make, args=(person, share), daemon=True)

    def checker(name: str, part: int) -> threading.Thread:
        person = Person(system, journal, name=name, until=until)
        share = {"done": made, "part": part, "parts": hands}
        return threading.Thread(target=check, args=(person,), kwargs=share, daemon=True)

    return Load(
        journal=journal,
        makers=[maker(drawn[part::makers]) for part in range(makers)],
        checkers=[
            checker(name, part) for name in ("checker-one", "checker-two") for part in range(hands)
        ],
        made=made,
    )
