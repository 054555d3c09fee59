"""Waiting for something real, with an end."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from tms.story.errors import StoryFailed

Found = TypeVar("Found")
POLL_SECONDS: Final = 0.25


def wait_for(
    look: Callable[[], Found | None],
    *,
    what: str,
    seconds: float,
    meanwhile: Callable[[], None] | None = None,
) -> Found:
    """Return what `look` finds, as soon as it finds something; `meanwhile` may help along.

    Raises:
        StoryFailed: it did not come in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found is not None:
            return found
        if time.monotonic() > deadline:
            raise StoryFailed(f"Waited {seconds:.0f} s in vain for {what}.", waited_for=what)
        if meanwhile:
            meanwhile()
        time.sleep(POLL_SECONDS)
