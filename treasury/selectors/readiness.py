"""Whether beneficiaries could be paid today: addresses as the rails want them since November 2026.

A payment to each one is thought through to its name, address and bank, on the rail and in the way
of writing of the account that would pay it.
"""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from typing import Final

from core.browsing import cell
from core.errors import Invalid
from integrations.codecs.instructions import Party
from integrations.codecs.preflight import payee_findings
from integrations.codecs.records import Finding, Severity
from integrations.dialects.writing import STANDARD, Writing
from integrations.selectors import writing_for
from treasury.engine.rails import rail_to
from treasury.models import BankAccount, Beneficiary
from treasury.selectors import beneficiaries
from treasury.selectors.payees import address_of, agent_of

READY: Final = "ready"
CHECK: Final = "check"
FIX: Final = "fix"
STATES: Final = (FIX, CHECK, READY)
BEYOND_OUR_RAILS: Final = "SWIFT_GPI"
CSV_HEADS: Final = (
    "beneficiary", "name", "currency", "country", "town", "rail", "state", "rule", "field", "words",
)  # fmt: skip
_BANK_CHARS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessed:
    """One beneficiary with what a payment to it would meet."""

    beneficiary: Beneficiary
    rail: str
    findings: tuple[Finding, ...]

    @property
    def state(self) -> str:
        """Return `fix` when a bank would refuse, `check` when a person should look, or `ready`."""
        if any(one.severity is Severity.ERROR for one in self.findings):
            return FIX
        return CHECK if self.findings else READY


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCount:
    """How many beneficiaries break one rule; `words` are those of the first of them."""

    code: str
    words: str
    severity: str
    count: int


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """All beneficiaries that may be paid, and how ready they are."""

    rows: tuple[Assessed, ...]

    @cached_property
    def counts(self) -> dict[str, int]:
        """Return how many are in each state."""
        found = Counter(row.state for row in self.rows)
        return {state: found[state] for state in STATES}

    @property
    def total(self) -> int:
        """Return how many there are."""
        return len(self.rows)

    @property
    def payable(self) -> int:
        """Return how many no bank would refuse."""
        return self.total - self.counts[FIX]

    @property
    def percent(self) -> int:
        """Return the score: who could be paid today, in whole percent, never rounded up."""
        return self.payable * 100 // self.total if self.total else 100

    @cached_property
    def rules(self) -> tuple[RuleCount, ...]:
        """Return the broken rules, refusals first, then the most frequent."""
        first: dict[str, Finding] = {}
        counted: Counter[str] = Counter()
        for row in self.rows:
            counted.update({one.code for one in row.findings})
            for one in row.findings:
                first.setdefault(one.code, one)
        found = [
            RuleCount(
                code=code, words=one.message, severity=one.severity.value, count=counted[code]
            )
            for code, one in first.items()
        ]
        return tuple(sorted(found, key=lambda one: (one.severity, -one.count, one.code)))

    def chosen(self, *, state: str = "", rule: str = "", country: str = "") -> list[Assessed]:
        """Return the beneficiaries that fit, those to fix first."""
        fitting = [
            row
            for row in self.rows
            if (not state or row.state == state)
            and (not country or row.beneficiary.country == country)
            and (not rule or any(one.code == rule for one in row.findings))
        ]
        return sorted(fitting, key=lambda row: STATES.index(row.state))


def readiness() -> Readiness:
    """Return how ready all beneficiaries on the list are that may be paid."""
    payers = _Payers(BankAccount.objects.filter(is_active=True).select_related("bank"))
    # The number is encrypted and not asked for here.
    rows = beneficiaries.payable().defer("number").order_by("name", "id")
    return Readiness(rows=tuple(_assessed(row, payers) for row in rows.iterator(chunk_size=500)))


class _Payers:
    """The accounts that would pay, and how their banks want orders; each profile is read once."""

    def __init__(self, accounts: Iterable[BankAccount]) -> None:
        self._by_currency: dict[str, list[BankAccount]] = {}
        self._writings: dict[str, Writing] = {}
        for account in accounts:
            self._by_currency.setdefault(account.currency, []).append(account)

    def route(self, somebody: Beneficiary) -> tuple[str, Writing]:
        """Return rail and way of writing of a payment to somebody."""
        accounts = self._by_currency.get(somebody.currency, [])
        bank = somebody.bank_bic[:_BANK_CHARS]
        near = (one for one in accounts if one.bank.bic[:_BANK_CHARS] == bank)
        payer = next(near, accounts[0] if accounts else None)
        if payer is None:
            return BEYOND_OUR_RAILS, STANDARD
        try:
            rail = rail_to(
                currency=somebody.currency, debit_bic=payer.bank.bic, credit_bic=somebody.bank_bic
            )
        except Invalid:
            rail = BEYOND_OUR_RAILS
        return rail, self._writing(payer.bank.connection)

    def _writing(self, connection: str) -> Writing:
        if connection not in self._writings:
            self._writings[connection] = writing_for(connection)
        return self._writings[connection]


def _assessed(somebody: Beneficiary, payers: _Payers) -> Assessed:
    rail, writing = payers.route(somebody)
    found = payee_findings(
        Party(name=somebody.name, address=address_of(somebody)),
        agent_of(somebody.bank_bic, somebody.bank_country, somebody.clearing_code),
        rail=rail,
        writing=writing,
    )
    return Assessed(beneficiary=somebody, rail=rail, findings=found)


def as_csv(rows: Sequence[Assessed]) -> str:
    """Return beneficiaries as CSV, one line for each finding, safe to open in a spreadsheet."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(CSV_HEADS)
    for row in rows:
        for line in _lines(row):
            writer.writerow([cell(one) for one in line])
    return out.getvalue()


def _lines(row: Assessed) -> Iterator[tuple[str, ...]]:
    somebody = row.beneficiary
    known = (
        str(somebody.pk), somebody.name, somebody.currency, somebody.country, somebody.town,
        row.rail, row.state,
    )  # fmt: skip
    for one in row.findings:
        yield (*known, one.code, one.locator, one.message)
    if not row.findings:
        yield (*known, "", "", "")
