"""Open the channel that a line's settings ask for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from integrations.channels.folder import FolderChannel
from integrations.channels.http import HttpChannel
from integrations.channels.protocol import Channel, LineSettings, Unreachable
from integrations.channels.sftp import SftpChannel

KINDS: Final[dict[str, Callable[[LineSettings], Channel]]] = {
    "FOLDER": FolderChannel,
    "SFTP": SftpChannel,
    "HTTP": HttpChannel,
}
# Kinds that have their place in the tables, and what to say to whoever wants to use them.
NOT_AVAILABLE: Final = {
    "EBICS": (
        "EBICS is not available in this installation. Use the bank's SFTP or HTTP line, or let an"
        " EBICS client of your choice exchange files with a folder line."
    ),
}


@contextmanager
def opened(line: LineSettings) -> Iterator[Channel]:
    """Open a line's channel for the length of a block.

    Raises:
        Unreachable: lines of this kind are not available.
    """
    if line.kind not in KINDS:
        raise Unreachable(NOT_AVAILABLE.get(line.kind, f"There are no {line.kind} lines."))
    channel = KINDS[line.kind](line)
    try:
        yield channel
    finally:
        channel.close()
