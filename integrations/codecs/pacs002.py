"""Read pacs.002: what one bank tells another, or its tracker tells us, about single payments."""

from integrations.codecs.elements import text
from integrations.codecs.pain002 import StatusReader
from integrations.codecs.records import MessageKind, StatusReport


class _InterbankReader(StatusReader):
    kind = MessageKind.PACS002

    def _original(self) -> str:
        """Return the original message; between banks each payment may name its own instead."""
        named = (payment.original_message_id for payment in self.payments)
        return text(self.group, "OrgnlMsgId") or next(filter(None, named), "")


def read_pacs002(data: bytes, *, version: str) -> StatusReport:
    """Read an interbank status report whose bytes come from `elements.as_utf8`.

    Raises:
        UnreadableMessage: not well-formed.
    """
    return _InterbankReader(version=version).read(data)
