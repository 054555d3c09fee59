"""A year gone by: the sandbox bank writes it, our own inbound path reads it."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.conf import settings

from core import clock
from core.audit import chain
from core.errors import DomainError
from core.events.drain import drain
from core.tenancy import bound
from integrations import services as integrations
from tms.demo.accounts import DemoAccount, line_of
from tms.demo.places import BankPlace

RECENT_DAYS: Final = 35
FILES_PER_TRANSACTION: Final = 40
GENERATE_SECONDS_MAX: Final = 300
ACTOR: Final = "system:demo"
# The day of the westernmost account ends last: no statement may lie in anybody's future.
LAST_ZONE: Final = "America/New_York"

Progress = Callable[[int, int], None]


class HistoryNotWritten(DomainError):
    """The sandbox bank could not write the past."""

    code = "history_not_written"


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What the bank wrote: statement files, newest first to be read, and how accounts stand."""

    recent: tuple[Path, ...]
    older: tuple[Path, ...]
    ends: tuple[dict[str, Any], ...]
    until: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Which days the bank writes, and from which seed."""

    until: date
    days: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """How many files came in, how many deliveries this process handled, and how long it took."""

    files: int
    handled: int
    seconds: float


def yesterday() -> date:
    """Return the last day that is over everywhere."""
    return clock.today(LAST_ZONE) - timedelta(days=1)


@contextmanager
def written_past(
    accounts: Sequence[DemoAccount], span: Span, *, book: Path | None
) -> Iterator[Past]:
    """Have the bank write a past; `book` is the home of a bank at rest.

    Raises:
        HistoryNotWritten: the bank refused.
    """
    with tempfile.TemporaryDirectory(prefix="tms-demo-") as made:
        folder = Path(made)
        described, ends = folder / "accounts.json", folder / "ends.json"
        described.write_text(json.dumps([dict(one.facts) for one in accounts]), "utf-8")
        command = [
            *(sys.executable, "-m", "integrations.sandbox_bank", "history"),
            *("--seed", str(span.seed), "--days", str(span.days)),
            *("--until", span.until.isoformat()),
            *("--out", str(folder / "files"), "--accounts", str(described)),
            *("--accounts-out", str(ends)),
            *(("--into-book", str(book)) if book else ()),
        ]
        outcome = subprocess.run(  # noqa: S603 - our own command
            command,
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            timeout=GENERATE_SECONDS_MAX,
            check=False,
        )
        if outcome.returncode:
            raise HistoryNotWritten(f"The bank wrote no past: {outcome.stderr.strip()}")
        yield _past(folder / "files", json.loads(ends.read_text("utf-8")), span.until)


def _past(folder: Path, ends: list[dict[str, Any]], until: date) -> Past:
    since = (until - timedelta(days=RECENT_DAYS - 1)).isoformat()
    names = sorted(path.name for path in folder.iterdir())
    recent = [folder / name for name in names if name >= since]
    # Backwards through the older ones: each joins what is there, and no gap is ever seen.
    older = [folder / name for name in reversed(names) if name < since]
    return Past(recent=tuple(recent), older=tuple(older), ends=tuple(ends), until=until)


def take_in(files: Sequence[Path], *, tenant: UUID, progress: Progress | None = None) -> Taken:
    """Bring files in the way every file of a bank comes in, and read them into the books.

    They are archived like arrivals of their lines; the event of each is delivered right away.
    """
    started = time.monotonic()
    done = handled = 0
    waiting = iter(files)
    while batch := list(islice(waiting, FILES_PER_TRANSACTION)):
        with bound(tenant, actor=ACTOR, reason="the demo's past"):
            for path in batch:
                bic = path.name.split("_")[1]
                integrations.archive_inbound(
                    connection_code=line_of(bic), name=path.name, data=path.read_bytes()
                )
        handled += settle_events(tenant=tenant)
        done += len(batch)
        if progress:
            progress(done, len(files))
    seconds = round(time.monotonic() - started, 1)
    return Taken(files=done, handled=handled, seconds=seconds)


def settle_events(*, tenant: UUID) -> int:
    """Deliver everything that waits for a tenant; return how many deliveries were handled."""
    total = 0
    while handled := drain(tenant=tenant):
        total += handled
    return total


def seal_all(*, tenant: UUID) -> int:
    """Seal the audit trail up to now; return how many entries were sealed."""
    total = 0
    while sealed := chain.seal(tenant=tenant):
        total += sealed
    return total


def load_book(place: BankPlace, past: Past) -> str:
    """Give a running bank the balances that the past ended with; say what it did with them."""
    outcomes = {str(one["outcome"]) for one in place.client().put_accounts(past.ends)}
    return ", ".join(sorted(outcomes))
