"""Breaker, bucket and pauses as pure functions."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.constants import (
    BACKOFF_SECONDS_MAX,
    CIRCUIT_FAILURES_MAX,
    CIRCUIT_OPEN_SECONDS,
)
from integrations.engine.line import (
    Admission,
    Line,
    admit,
    after_failure,
    after_success,
    burst,
    pause,
)

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def failed(times: int) -> Line:
    line = Line()
    for _ in range(times):
        line = after_failure(line, now=NOW)
    return line


def asked(line: Line, *, seconds: float, rate: int = 600) -> tuple[Admission, Line]:
    return admit(line, rate_per_minute=rate, now=NOW + timedelta(seconds=seconds))


def test_four_failures_leave_the_circuit_closed_and_the_fifth_opens_it() -> None:
    assert asked(failed(CIRCUIT_FAILURES_MAX - 1), seconds=0)[0] is Admission.GRANTED
    assert asked(failed(CIRCUIT_FAILURES_MAX), seconds=0)[0] is Admission.CIRCUIT_OPEN


def test_one_success_in_between_starts_the_count_again() -> None:
    line = after_failure(after_success(failed(CIRCUIT_FAILURES_MAX - 1)), now=NOW)
    assert asked(line, seconds=0)[0] is Admission.GRANTED


def test_after_its_time_the_circuit_lets_exactly_one_through() -> None:
    admission, probing = asked(failed(CIRCUIT_FAILURES_MAX), seconds=CIRCUIT_OPEN_SECONDS)
    assert admission is Admission.GRANTED
    assert asked(probing, seconds=CIRCUIT_OPEN_SECONDS + 1)[0] is Admission.CIRCUIT_OPEN


def test_a_failed_probe_opens_it_again_and_a_good_one_closes_it() -> None:
    _, probing = asked(failed(CIRCUIT_FAILURES_MAX), seconds=CIRCUIT_OPEN_SECONDS)
    later = NOW + timedelta(seconds=CIRCUIT_OPEN_SECONDS)
    again = after_failure(probing, now=later)
    assert asked(again, seconds=CIRCUIT_OPEN_SECONDS + 29)[0] is Admission.CIRCUIT_OPEN
    assert asked(after_success(probing), seconds=CIRCUIT_OPEN_SECONDS)[0] is Admission.GRANTED


@given(
    st.integers(1, 6_000),
    st.lists(st.floats(0, 5, allow_nan=False), min_size=1, max_size=200),
)
def test_no_more_leaves_than_the_burst_and_the_rate_allow(
    rate: int, gaps_seconds: list[float]
) -> None:
    line, at, granted = Line(), NOW, 0
    for gap in gaps_seconds:
        at += timedelta(seconds=gap)
        admission, line = admit(line, rate_per_minute=rate, now=at)
        granted += admission is Admission.GRANTED
    seconds = (at - NOW).total_seconds()
    assert granted <= burst(rate) + seconds * rate / 60 + 1e-3


@pytest.mark.parametrize(("attempts", "bound"), [(1, 2), (2, 4), (5, 32), (9, 60), (10_000, 60)])
def test_pauses_double_up_to_a_limit_and_vary(attempts: int, bound: float) -> None:
    rng = random.Random(11)
    pauses = [pause(attempts, rng=rng).total_seconds() for _ in range(50)]
    assert all(bound / 2 <= seconds <= bound <= BACKOFF_SECONDS_MAX for seconds in pauses)
    assert len(set(pauses)) > 40
