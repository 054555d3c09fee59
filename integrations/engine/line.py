"""When a line may be used: circuit breaker, rate limit, growing pauses. Pure functions."""

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from integrations.constants import (
    BACKOFF_FIRST_SECONDS,
    BACKOFF_SECONDS_MAX,
    BURST_SHARE,
    CIRCUIT_FAILURES_MAX,
    CIRCUIT_OPEN_SECONDS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """What a line puts up with, and how long it pauses."""

    circuit_failures_max: int = CIRCUIT_FAILURES_MAX
    circuit_open_seconds: float = CIRCUIT_OPEN_SECONDS
    backoff_first_seconds: float = BACKOFF_FIRST_SECONDS
    backoff_seconds_max: float = BACKOFF_SECONDS_MAX


USUAL = Patience()


class Admission(Enum):
    """Whether one request may go out now."""

    GRANTED = "granted"
    CIRCUIT_OPEN = "circuit open"
    RATE_EXCEEDED = "rate exceeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What is remembered about a line between two requests."""

    failures_in_a_row: int = 0
    circuit_open_until: datetime | None = None
    tokens: float = 0.0
    tokens_at: datetime | None = None


def burst(rate_per_minute: int) -> float:
    """Return how many requests may go out at once."""
    return float(max(1, rate_per_minute // BURST_SHARE))


def admit(
    line: Line, *, rate_per_minute: int, now: datetime, patience: Patience = USUAL
) -> tuple[Admission, Line]:
    """Take one request out of the bucket, unless the circuit is open or the bucket empty.

    An open circuit lets one request through when its time is over, and is open for the others
    until that one has answered or another period has passed.
    """
    if line.circuit_open_until is not None and now < line.circuit_open_until:
        return Admission.CIRCUIT_OPEN, line
    tokens = _refilled(line, rate_per_minute=rate_per_minute, now=now)
    if tokens < 1:
        return Admission.RATE_EXCEEDED, line
    pause_after_probe = timedelta(seconds=patience.circuit_open_seconds)
    probing_until = None if line.circuit_open_until is None else now + pause_after_probe
    return Admission.GRANTED, replace(
        line, tokens=tokens - 1, tokens_at=now, circuit_open_until=probing_until
    )


def _refilled(line: Line, *, rate_per_minute: int, now: datetime) -> float:
    full = burst(rate_per_minute)
    if line.tokens_at is None:
        return full
    seconds = max(0.0, (now - line.tokens_at).total_seconds())
    return min(full, line.tokens + seconds * rate_per_minute / 60)


def after_success(line: Line) -> Line:
    """Close the circuit and forget the failures."""
    return replace(line, failures_in_a_row=0, circuit_open_until=None)


def after_failure(line: Line, *, now: datetime, patience: Patience = USUAL) -> Line:
    """Count a failure; open the circuit when there were too many, or when the probe failed."""
    failures = line.failures_in_a_row + 1
    opens = failures >= patience.circuit_failures_max
    until = now + timedelta(seconds=patience.circuit_open_seconds) if opens else None
    return replace(line, failures_in_a_row=failures, circuit_open_until=until)


def pause(attempts: int, *, rng: random.Random, patience: Patience = USUAL) -> timedelta:
    """Return the pause after attempt number `attempts`: doubling, bounded, with jitter.

    Between half and the whole of the bound, so that many waiting messages do not return at once.
    """
    exponent = min(max(attempts, 1) - 1, 16)
    bound = min(patience.backoff_first_seconds * 2**exponent, patience.backoff_seconds_max)
    return timedelta(seconds=bound * rng.uniform(0.5, 1.0))
