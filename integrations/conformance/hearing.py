"""What the bank has sent: read without taking anything away from those who fetch it for good."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from integrations.channels import Channel, Unreachable
from integrations.codecs.camt029 import RecallReport
from integrations.codecs.errors import UnreadableMessage
from integrations.codecs.reading import read_message
from integrations.codecs.records import ParsedMessage, StatusReport
from integrations.dialects.reading import Dialect

FILES_MAX = 500
# Messages of the line that were fetched meanwhile: the system goes on working beside the battery.
Archive = Callable[[], Sequence[bytes]]


@dataclass(slots=True, kw_only=True)
class Heard:
    """Everything seen so far, each message once, whichever way it was seen."""

    dialect: Dialect
    archive: Archive
    messages: list[ParsedMessage | StatusReport | RecallReport] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    _known: set[bytes] = field(default_factory=set)

    def listen(self, channel: Channel, cursor: str) -> None:
        """Look at what waits on the line and at what was fetched."""
        for data in (*self.archive(), *_waiting(channel, cursor)):
            if data in self._known:
                continue
            self._known.add(data)
            try:
                self.messages.append(read_message(data, dialect=self.dialect))
            except UnreadableMessage as error:
                self.unreadable.append(str(error))

    def statuses(self, *, message_id: str, end_to_end_id: str) -> list[str]:
        """Return what the bank said about an order, in the order of its messages."""
        found = []
        for report in self.reports():
            for payment in report.transactions:
                if payment.original_end_to_end_id == end_to_end_id:
                    reason = f" {payment.reason_code}" if payment.reason_code else ""
                    found.append(f"{payment.status}{reason}")
            if report.original_message_id == message_id and not report.transactions:
                reason = f" {report.reasons[0].code}" if report.reasons else ""
                found.append(f"{report.group_status}{reason}")
        return found

    def reports(self) -> list[StatusReport]:
        """Return the status reports."""
        return [one for one in self.messages if isinstance(one, StatusReport)]

    def statements(self) -> list[ParsedMessage]:
        """Return statements, intraday reports and notifications."""
        return [one for one in self.messages if isinstance(one, ParsedMessage)]

    def bookings(self, end_to_end_id: str, kind: str) -> int:
        """Return how many debits of an order the messages of one kind show."""
        return sum(
            entry.end_to_end_id == end_to_end_id and entry.amount < 0
            for message in self.statements()
            for statement in message.statements
            for entry in statement.entries
            if str(statement.kind or message.kind) == kind
        )


def _waiting(channel: Channel, cursor: str) -> Iterator[bytes]:
    try:
        for number, file in enumerate(channel.collect(cursor)):
            if number >= FILES_MAX:
                return
            if not file.problem:
                yield file.data
    except Unreachable:
        return
