"""The only reader of the system clock.

In local demo mode the whole system can be moved forward: the offset lives in a small file that
every process looks at, so that web, workers and the command line agree on the time.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from core.errors import Forbidden

_frozen: ContextVar[datetime | None] = ContextVar("frozen_clock", default=None)
_state: dict[str, object] = {"path": None, "mtime_ns": -1, "offset": timedelta()}


def configure(offset_file: Path | None) -> None:
    """Name the file that carries the demo offset; None switches moving the clock off."""
    _state.update(path=offset_file, mtime_ns=-1, offset=timedelta())


def _offset() -> timedelta:
    path = _state["path"]
    if path is None:
        return timedelta()
    try:
        mtime_ns = os.stat(str(path)).st_mtime_ns
    except FileNotFoundError:
        return timedelta()
    if mtime_ns != _state["mtime_ns"]:
        seconds = json.loads(Path(str(path)).read_text(encoding="utf-8"))["offset_seconds"]
        _state.update(mtime_ns=mtime_ns, offset=timedelta(seconds=seconds))
    offset = _state["offset"]
    return offset if isinstance(offset, timedelta) else timedelta()


def now() -> datetime:
    """Return the present instant in UTC."""
    return _frozen.get() or datetime.now(UTC) + _offset()


def wall() -> datetime:
    """Return what the host's clock shows, whatever the demo's clock was moved or held at.

    For what counts how long a person was away: moving the demo's day forward signs nobody out.
    """
    return datetime.now(UTC)


def today(zone: str) -> date:
    """Return the local date in the IANA zone `zone`."""
    return now().astimezone(ZoneInfo(zone)).date()


def advance(step: timedelta) -> datetime:
    """Move the demo clock forward for every process and return the new time.

    Raises:
        Forbidden: this system is not in local demo mode, or the step goes backwards.
    """
    path = _state["path"]
    if path is None:
        raise Forbidden("The clock can be moved in local demo mode only.")
    if step < timedelta():
        raise Forbidden("The clock moves forward only.")
    seconds = (_offset() + step).total_seconds()
    fresh = Path(f"{path}.{os.getpid()}")
    fresh.write_text(json.dumps({"offset_seconds": seconds}), encoding="utf-8")
    fresh.replace(str(path))
    return now()


@contextmanager
def frozen(at: datetime) -> Iterator[None]:
    """Hold the clock at `at` for the length of a block (tests and replays)."""
    if at.tzinfo is None:
        raise ValueError("The clock takes an aware datetime.")
    token = _frozen.set(at.astimezone(UTC))
    try:
        yield
    finally:
        _frozen.reset(token)
