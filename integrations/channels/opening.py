"""Open the channel that a line's settings ask for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from integrations.channels.folder import FolderChannel
from integrations.channels.http import HttpChannel
from integrations.channels.protocol import Channel, LineSettings

_KINDS: Final[dict[str, Callable[[LineSettings], Channel]]] = {
    "FOLDER": FolderChannel,
    "HTTP": HttpChannel,
}


@contextmanager
def opened(line: LineSettings) -> Iterator[Channel]:
    """Open a line's channel for the length of a block."""
    channel = _KINDS[line.kind](line)
    try:
        yield channel
    finally:
        channel.close()
