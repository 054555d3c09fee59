"""Listening to the event stream while the story goes on."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import httpx

from tms.story.api import Api
from tms.story.patience import wait_for

QUIET_SECONDS: Final = 1.5
CATCH_UP_SECONDS_MAX: Final = 20.0
CONNECT_SECONDS_MAX: Final = 10.0
# Enough to find the present end of the stream without reading a year of balance updates.
RARE_TOPICS: Final = ("maker_checker.proposal.submitted", "ops.fund.movement.status")


class Stream:
    """Reads server-sent events in a thread, from a position on; reconnects where it left off."""

    def __init__(self, api: Api, *, after: int = 0, topics: tuple[str, ...] = ()) -> None:
        self._api = api
        self._topics = topics
        self._events: list[dict[str, Any]] = []
        self._news = threading.Event()
        self._stop = threading.Event()
        self.position = after
        self.last_heard = time.monotonic()
        self._thread = threading.Thread(target=self._listen, daemon=True, name="event stream")

    def __enter__(self) -> "Stream":
        self._thread.start()
        return self

    def __exit__(self, *_trouble: object) -> None:
        self._stop.set()

    def heard(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
        """Return the first event so far that fits."""
        return next((event for event in list(self._events) if fits(event)), None)

    def wait(
        self, fits: Callable[[dict[str, Any]], bool], *, what: str, seconds: float
    ) -> dict[str, Any]:
        """Return the first event that fits, past or to come.

        Raises:
            StoryFailed: it did not come in time.
        """
        return wait_for(lambda: self.heard(fits), what=f"the event: {what}", seconds=seconds)

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                self._read_once()
            except (httpx.HTTPError, ValueError):
                self._stop.wait(0.5)

    def _read_once(self) -> None:
        headers = {"Authorization": f"Bearer {self._api.token}", "Accept": "text/event-stream"}
        if self.position:
            headers["Last-Event-ID"] = str(self.position)
        params = {"topics": ",".join(self._topics)} if self._topics else {}
        patience = httpx.Timeout(None, connect=CONNECT_SECONDS_MAX)
        address = f"{self._api.base_url}/api/v1/events"
        with httpx.stream(
            "GET", address, headers=headers, params=params, timeout=patience
        ) as answer:
            answer.raise_for_status()
            for line in answer.iter_lines():
                if self._stop.is_set():
                    return
                self._take(line)

    def _take(self, line: str) -> None:
        self.last_heard = time.monotonic()
        name, _, value = line.partition(": ")
        if name == "id":
            self.position = int(value)
        elif name == "data":
            self._events.append(json.loads(value))


def present_position(api: Api) -> int:
    """Return a position shortly before the end of the stream, to listen from there on."""
    with Stream(api, topics=RARE_TOPICS) as stream:
        deadline = time.monotonic() + CATCH_UP_SECONDS_MAX
        while time.monotonic() < deadline:
            if time.monotonic() - stream.last_heard > QUIET_SECONDS:
                break
            time.sleep(0.1)
        return stream.position
