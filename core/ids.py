"""Identifiers: time-ordered UUIDs for rows, random ones where a standard demands them."""

import os
import threading
import time
import uuid

_RANDOM_BITS = 74
_LOW = 2**62 - 1
_lock = threading.Lock()
_last = {"milliseconds": 0, "random": 0}


def _begin_anew() -> None:
    """In a forked child: draw numbers of its own, and wait for no thread of its parent.

    Where the clock is behind the parent's last number, all its children would count on from it.
    """
    global _lock  # noqa: PLW0603 - a lock that another thread held is never opened in a child
    _lock = threading.Lock()
    _last.update(milliseconds=0, random=0)


os.register_at_fork(after_in_child=_begin_anew)


def uuid7() -> uuid.UUID:
    """Return a UUID version 7 (RFC 9562), strictly increasing within this process.

    48 bits of milliseconds, then 74 bits that start at random in each millisecond and count up
    within it (RFC 9562 section 6.2, method 2).
    """
    milliseconds, random = _taken(1)
    return uuid.UUID(int=_number(milliseconds, random))


def uuid7_texts(count: int) -> list[str]:
    """Return `count` of them as 32 hexadecimal digits, which PostgreSQL reads as it reads any."""
    milliseconds, first = _taken(count)
    low, last = first & _LOW, (first + count - 1) & _LOW
    if last < low:  # the upper half counts on among them
        return [f"{_number(milliseconds, first + step):032x}" for step in range(count)]
    start = _number(milliseconds, first)
    return [f"{number:032x}" for number in range(start, start + count)]


def _taken(count: int) -> tuple[int, int]:
    """Take `count` numbers that follow each other; return the millisecond and the first."""
    with _lock:
        milliseconds = max(time.time_ns() // 1_000_000, _last["milliseconds"])
        if milliseconds > _last["milliseconds"]:
            # The top bit stays free, so that counting up cannot overflow into the version.
            random = int.from_bytes(os.urandom(10), "big") >> (80 - _RANDOM_BITS + 1)
        else:
            random = _last["random"] + 1
        _last.update(milliseconds=milliseconds, random=random + count - 1)
    return milliseconds, random


def _number(milliseconds: int, random: int) -> int:
    high, low = random >> 62, random & _LOW
    return milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low


def uetr() -> str:
    """Return a Unique End-to-end Transaction Reference: UUID version 4, lower case (ISO 20022)."""
    return str(uuid.uuid4())
