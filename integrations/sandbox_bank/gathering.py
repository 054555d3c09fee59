"""What a round of the agenda says about the orders of one file: one report, one advice each.

An order that came alone is answered alone and at once, as ever.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from integrations.sandbox_bank.records import Entry


@dataclass(slots=True, kw_only=True)
class Report:
    """One status of several orders of a file; `references` are the bank's own, by payment id."""

    at: datetime
    payments: list[sqlite3.Row] = field(default_factory=list)
    references: dict[int, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Advice:
    """The entries of one account that belong to the orders of one file."""

    account_id: int
    at: datetime
    copies: int = 1
    entries: list[Entry] = field(default_factory=list)


@dataclass(slots=True)
class Round:
    """What waits for the end of the present round, in the order in which it came up."""

    reports: dict[tuple[int, str], Report] = field(default_factory=dict)
    advices: dict[tuple[int, int], Advice] = field(default_factory=dict)
    order: list[Report | Advice] = field(default_factory=list)

    def report(self, payment: sqlite3.Row, at: datetime, *, reference: str) -> None:
        """Keep an order's status for the report of its file."""
        key = (payment["incoming_id"], payment["status"])
        if key not in self.reports:
            self.reports[key] = Report(at=at)
            self.order.append(self.reports[key])
        found = self.reports[key]
        found.payments.append(payment)
        found.at = max(found.at, at)
        if reference:
            found.references[payment["id"]] = reference

    def advise(self, payment: sqlite3.Row, entry: Entry, advice: Advice) -> None:
        """Keep an entry for its account's advice of that file."""
        key = (payment["incoming_id"], advice.account_id)
        if key not in self.advices:
            self.advices[key] = advice
            self.order.append(advice)
        found = self.advices[key]
        found.entries.append(entry)
        found.at = max(found.at, advice.at)
        found.copies = max(found.copies, advice.copies)

    def tell(self, *, report: Callable[[Report], None], advise: Callable[[Advice], None]) -> None:
        """Say everything that waits, each once."""
        for one in self.order:
            if isinstance(one, Report):
                report(one)
            else:
                advise(one)
