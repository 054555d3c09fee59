"""The health of a line over time: calls per span of time, and a picture of them. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

SPAN_MINUTES = 5
BAR_WIDTH = 4
PICTURE_HEIGHT = 28
_EMPTY_HEIGHT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What happened on a line within one span of time."""

    at: datetime
    ok: int = 0
    failed: int = 0
    latency_ms_sum: int = 0
    latency_ms_max: int = 0

    @property
    def calls(self) -> int:
        """Return how many calls ended."""
        return self.ok + self.failed

    @property
    def latency_ms(self) -> int | None:
        """Return how long an answer took on average, None without any."""
        return self.latency_ms_sum // self.calls if self.calls else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar of the picture; a failure stands on top of what went well."""

    x: int
    ok_y: int
    ok_height: int
    failed_y: int
    failed_height: int
    latency_y: int
    sample: Sample


def span_of(moment: datetime, *, minutes: int = SPAN_MINUTES) -> datetime:
    """Return the beginning of the span that a moment falls into."""
    seconds = minutes * 60
    return datetime.fromtimestamp(int(moment.timestamp()) // seconds * seconds, UTC)


def gathered(
    samples: Sequence[Sample], *, until: datetime, minutes: int, count: int
) -> list[Sample]:
    """Return `count` wider spans, oldest first, the last of which holds `until`."""
    width = timedelta(minutes=minutes)
    last = span_of(until, minutes=minutes)
    spans = {last - width * back: Sample(at=last - width * back) for back in range(count)}
    for sample in samples:
        at = span_of(sample.at, minutes=minutes)
        if at in spans:
            spans[at] = _added(spans[at], sample)
    return [spans[at] for at in sorted(spans)]


def _added(total: Sample, more: Sample) -> Sample:
    return Sample(
        at=total.at,
        ok=total.ok + more.ok,
        failed=total.failed + more.failed,
        latency_ms_sum=total.latency_ms_sum + more.latency_ms_sum,
        latency_ms_max=max(total.latency_ms_max, more.latency_ms_max),
    )


def picture(samples: Sequence[Sample]) -> list[Bar]:
    """Return bars: the height is the share of the busiest span, the point the average latency."""
    busiest = max((sample.calls for sample in samples), default=0) or 1
    slowest = max((sample.latency_ms or 0 for sample in samples), default=0) or 1
    return [_bar(number, sample, busiest, slowest) for number, sample in enumerate(samples)]


def _bar(number: int, sample: Sample, busiest: int, slowest: int) -> Bar:
    failed = _height(sample.failed, busiest)
    ok = min(_height(sample.ok, busiest), PICTURE_HEIGHT - failed)
    latency = _height(sample.latency_ms or 0, slowest)
    return Bar(
        x=number * BAR_WIDTH,
        ok_y=PICTURE_HEIGHT - ok,
        ok_height=ok,
        failed_y=PICTURE_HEIGHT - ok - failed,
        failed_height=failed,
        latency_y=PICTURE_HEIGHT - latency,
        sample=sample,
    )


def _height(part: int, whole: int) -> int:
    """Return a height; whatever happened at all can be seen."""
    return max(_EMPTY_HEIGHT, part * PICTURE_HEIGHT // whole) if part else 0
