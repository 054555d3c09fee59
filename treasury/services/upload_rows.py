"""The rows of an uploaded file against our accounts, rails and rules; every problem by row."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from uuid import UUID

from core import clock
from core.crypto import blind_index
from core.errors import DomainError
from core.money import parse_amount
from integrations.codecs.records import AccountRef, Severity
from treasury.engine.numbers import comparable
from treasury.models import BankAccount, Beneficiary, Proposal, Purpose
from treasury.selectors import accounts, beneficiaries, controls
from treasury.services.preflighting import findings_of
from treasury.services.terms import ProposalIn, RoutedTerms, routed
from treasury.uploads.records import CELL_CHARS_MAX, Row, RowFinding

_SHOWN_DIGITS = 4
Numbered = Callable[[str], list[BankAccount]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedRow:
    """A row that would be accepted as a proposal right now."""

    row: Row
    draft: ProposalIn
    terms: RoutedTerms
    draft_currency: str
    account_label: str


class _Problem(Exception):
    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def checked_rows(*, rows: Sequence[Row], findings: list[RowFinding]) -> Iterator[CheckedRow]:
    """Yield the rows that would be accepted; add a finding for each that would not, and twins."""
    alike: dict[tuple[UUID, UUID, object], list[int]] = defaultdict(list)
    numbered = cache(_numbered)  # a file names the same few accounts of ours again and again
    for row in rows:
        try:
            checked = _checked(row, numbered)
            twins = _tried(checked)
        except _Problem as problem:
            findings.append(_finding(row, problem.field, str(problem)))
            continue
        except DomainError as refusal:
            field = str(refusal.context.get("field", ""))
            findings.append(_finding(row, field, refusal.message))
            continue
        if twins:
            words = f"It looks like {', '.join(twins)}."
            findings.append(_finding(row, "amount", words, is_error=False))
        draft = checked.draft
        target = draft.credit_account or draft.beneficiary or draft.debit_account
        before = alike[draft.debit_account, target, draft.amount]
        if before:
            words = f"It says the same as row {before[0]}."
            findings.append(_finding(row, "amount", words, is_error=False))
        before.append(row.number)
        yield checked


def _finding(row: Row, field: str, message: str, *, is_error: bool = True) -> RowFinding:
    return RowFinding(row=row.number, field=field, message=message, is_error=is_error)


def _numbered(number: str) -> list[BankAccount]:
    return accounts.accounts_numbered(AccountRef(iban=number))


def _checked(row: Row, numbered: Numbered) -> CheckedRow:
    for field in ("from_account", "to_account", "amount", "currency", "why"):
        if not getattr(row, field):
            raise _Problem(field, "It is empty.")
    if len(row.why) > CELL_CHARS_MAX:
        raise _Problem("why", f"It has more than {CELL_CHARS_MAX} characters.")
    debit = _own(numbered(row.from_account), row.currency)
    if debit is None:
        shown = row.from_account[-_SHOWN_DIGITS:]
        raise _Problem("from_account", f"We have no {row.currency[:3]} account …{shown}.")
    credit, somebody = _payee(row, numbered)
    draft = ProposalIn(
        debit_account=debit.pk,
        credit_account=credit.pk if credit else None,
        beneficiary=somebody.pk if somebody else None,
        amount=parse_amount(row.amount, debit.currency),
        why=row.why,
        value_date=_day(row.value_date),
    )
    return CheckedRow(
        row=row,
        draft=draft,
        terms=routed(draft),
        draft_currency=debit.currency,
        account_label=debit.label,
    )


def _own(found: Sequence[BankAccount], currency: str) -> BankAccount | None:
    return next((one for one in found if one.is_active and one.currency == currency), None)


def _payee(row: Row, numbered: Numbered) -> tuple[BankAccount | None, Beneficiary | None]:
    """Return the account of ours or the listed beneficiary that a number means."""
    own = _own(numbered(row.to_account), row.currency)
    if own is not None:
        return own, None
    index = blind_index(comparable(row.to_account))
    found = list(beneficiaries.listed().filter(number_index=index, currency=row.currency)[:2])
    if len(found) == 1:
        return None, found[0]
    shown = row.to_account[-_SHOWN_DIGITS:]
    words = (
        f"Several beneficiaries have the number …{shown}; propose this one on its own."
        if found
        else f"…{shown} is neither an account of ours nor on the list of beneficiaries."
    )
    raise _Problem("to_account", words)


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise _Problem("value_date", "Write the day like 2026-11-24.") from error


def _tried(checked: CheckedRow) -> tuple[str, ...]:
    """Route and pre-flight a row as a single proposal would be; return what it looks like."""
    trial = Proposal(
        reference=f"ROW-{checked.row.number}",
        purpose=Purpose.MANUAL,
        created_at=clock.now(),
        **checked.terms,
    )
    errors = [one for one in findings_of(proposal=trial) if one.severity is Severity.ERROR]
    if errors:
        raise _Problem(errors[0].locator, " ".join(one.message for one in errors))
    return controls.twins_of(trial)
