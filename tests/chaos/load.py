"""People at work: makers propose one by one or bring files, checkers approve, all repeat calls."""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any, Final, Self

import httpx

from tests.chaos.files import PaymentFile, in_files
from tests.chaos.live import LiveSystem
from tests.chaos.seed import DESKS, at_desk

ANSWER_SECONDS_MAX: Final = 20.0
PAUSE_SECONDS: Final = 0.15
UNAVAILABLE: Final = 503
TOO_MANY: Final = 429
SERVER_ERROR: Final = 500
# Approvals in one call: the more, the cheaper each, and the more a kill undoes.
AT_ONCE: Final = int(os.environ.get("TMS_CHAOS_AT_ONCE", "10"))
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
    """A payment as its maker wants it; the key stays the same for every repetition."""

    key: str
    desk: int
    debit: str  # names of accounts
    credit: str
    amount: str

    @property
    def why(self) -> str:
        """Say what it is for: how the payment is known again in our books."""
        return f"Wish {self.key}"


@dataclass(slots=True)
class Journal:
    """What the clients were told; nothing of the system's own."""

    acknowledged: dict[str, str] = field(default_factory=dict)  # key → proposal id
    taken_in_files: dict[str, str] = field(default_factory=dict)  # why of a row → file, submitted
    approved: set[str] = field(default_factory=set)  # "request id checker"
    answers: Counter[int] = field(default_factory=Counter)
    broken_count: int = 0
    hangs: list[str] = field(default_factory=list)  # calls without an answer in time
    slowest_seconds: float = 0.0
    oddities: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def proposed(self) -> int:
        """Return how many payments were acknowledged, by themselves or in files."""
        return len(self.acknowledged) + len(self.taken_in_files)

    def progress(self, count: int) -> float:
        """Return the share of `count` payments that is acknowledged, approvals keeping pace."""
        return min(self.proposed(), len(self.approved)) / count


def wishes(*, count: int, desks: int, rng: random.Random) -> list[Wish]:
    """Draw `count` payments over both doors, in turn for each of the first `desks` desks."""
    drawn = []
    for number in range(count):
        debit, credit, least = rng.choice(ROUTES)
        amount = f"{rng.randint(least, least + 50_000)}.{rng.randint(0, 99):02d}"
        desk = number % desks
        drawn.append(
            Wish(
                key=f"load-{number}-{rng.getrandbits(64):x}",
                desk=desk,
                debit=at_desk(debit, desk),
                credit=at_desk(credit, desk),
                amount=amount,
            )
        )
    return drawn


class Person:
    """One API client. A broken connection, a 503 or a 500 is answered by the same call again."""

    def __init__(self, system: LiveSystem, journal: Journal, *, name: str, until: float) -> None:
        self.system = system
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

    def insist(
        self,
        method: str,
        path: str,
        *,
        key: str = "",
        body: Any = None,
        file: tuple[str, bytes] | None = None,
    ) -> Any:
        """Repeat until there is an answer that stays; None when the time is over."""
        files = {"file": file} if file else None
        headers = {"Idempotency-Key": key} if key else {}
        while time.monotonic() < self.until:
            began = time.monotonic()
            try:
                answer = self.http.request(method, path, json=body, headers=headers, files=files)
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
    accounts = person.system.facts["accounts"]
    with person:
        for wish in mine:
            body = {
                "debit_account": accounts[wish.debit],
                "credit_account": accounts[wish.credit],
                "amount": wish.amount,
                "why": wish.why,
            }
            answer = person.insist("POST", "/proposals", key=wish.key, body=body)
            if answer is None:
                return
            with person.journal.lock:
                if answer.status_code == httpx.codes.CREATED:
                    person.journal.acknowledged[wish.key] = answer.json()["id"]
                else:
                    person.journal.oddities.append(f"{answer.status_code} {answer.text[:300]}")


def bring(person: Person, mine: Sequence[PaymentFile]) -> None:
    """Upload every file of `mine` and submit it; wait until all its payments are proposed.

    The answer to the submission is the promise: from then on no row may be lost.
    """
    with person:
        for file in mine:
            upload = person.insist("POST", "/proposal-uploads", file=(file.name, file.data))
            if upload is None:
                return
            where = f"/proposal-uploads/{upload.json().get('id')}"
            answer = person.insist("POST", f"{where}/submit", key=f"load-{file.name}")
            if answer is None:
                return
            with person.journal.lock:
                if answer.status_code != httpx.codes.OK:
                    person.journal.oddities.append(f"{file.name}: {answer.text[:300]}")
                    continue
                person.journal.taken_in_files |= dict.fromkeys(file.whys, file.name)
            _await_submission(person, where, file.name)


def _await_submission(person: Person, where: str, name: str) -> None:
    while time.monotonic() < person.until:
        seen = person.insist("GET", where)
        if seen is None or seen.json()["submitted_at"]:
            return
        if seen.json()["problem"]:
            with person.journal.lock:
                person.journal.oddities.append(f"{name}: {seen.json()['problem']}")
            return
        threading.Event().wait(PAUSE_SECONDS * 4)


def check(
    person: Person, *, done: threading.Event, part: int = 0, parts: int = 1, step: int = 1
) -> None:
    """Approve a part of what waits for this checker, until `done` and nothing waits any more.

    With `step` -1 from the other end of the page: where one approval is enough, two checkers who
    open the same requests would only wait for each other.
    """
    with person:
        while time.monotonic() < person.until:
            ended_before = done.is_set()
            page = person.insist("GET", "/approvals?state=PENDING&waiting_for_me=true")
            if page is None:
                return
            results = page.json()["results"]
            waiting = [one for one in results if _desk_of(one["maker_label"]) % parts == part]
            if waiting or results:
                _approve(person, (waiting or results)[::step][:AT_ONCE])
            else:
                if ended_before and not results:
                    return
                threading.Event().wait(PAUSE_SECONDS * 2)


def _desk_of(maker: str) -> int:
    number = maker.rpartition("-")[2]
    return int(number) - 1 if number.isdigit() else 0


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """Which share of the payments comes in files, and how many rows those have in turn."""

    share: float
    rows: tuple[int, ...]


NOTHING_FILED: Final = Filed(share=0.0, rows=())


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
    filed: Filed = NOTHING_FILED,
) -> Load:
    """Prepare a load of `count` payments by `makers` and two checkers with `hands`.

    Every maker has a desk; what `filed` says goes in files, brought beside the single payments.
    """
    journal, made = Journal(), threading.Event()
    until = time.monotonic() + seconds_max
    desks = min(makers, DESKS)
    drawn = wishes(count=count, desks=desks, rng=rng)

    def maker(desk: int, work: Callable[[Person], None]) -> threading.Thread:
        person = Person(system, journal, name=at_desk("maker", desk), until=until)
        return threading.Thread(target=work, args=(person,), daemon=True)

    def at_work(desk: int) -> Iterator[threading.Thread]:
        mine = drawn[desk::desks]
        cut = round(len(mine) * filed.share)
        files = in_files(mine[:cut], rows=filed.rows, prefix=at_desk("payments", desk))
        if mine[cut:]:
            yield maker(desk, partial(make, mine=mine[cut:]))
        if files:
            yield maker(desk, partial(bring, mine=files))

    def checker(name: str, step: int, part: int) -> threading.Thread:
        person = Person(system, journal, name=name, until=until)
        share = {"done": made, "part": part, "parts": hands, "step": step}
        return threading.Thread(target=check, args=(person,), kwargs=share, daemon=True)

    return Load(
        journal=journal,
        makers=[thread for desk in range(desks) for thread in at_work(desk)],
        checkers=[
            checker(name, step, part)
            for name, step in (("checker-one", 1), ("checker-two", -1))
            for part in range(hands)
        ],
        made=made,
    )
