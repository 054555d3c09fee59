"""Deals from a CSV file: every row becomes a draft, or none does."""

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import transaction

from core import clock
from core.errors import DomainError, Invalid
from core.identity.models import User
from core.money import Money, parse_amount
from fx.engine.dates import Short
from fx.engine.pairs import parse_pair
from fx.engine.quotes import Side
from fx.errors import DealsRefused
from fx.models import DealFile, DealFileRow, DealKind, DealSide
from fx.selectors import deals as reads
from fx.services.deals import capture_deal, require_dealer
from fx.services.terms import DealIn
from fx.services.turns import take_turn
from fx.services.uploading import NAME_CHARS_MAX, read_number, text_of
from treasury.selectors import accounts

REQUIRED: Final = ("pair", "side", "amount", "limit_rate", "counterparty", "why")
OPTIONAL: Final = (
    "currency", "tenor", "value_date", "kind", "pay_account", "receive_account",
)  # fmt: skip
COLUMNS: Final = (*REQUIRED, *OPTIONAL)
ROWS_MAX: Final = 500
WHY_CHARS_MAX: Final = 500
_FINDINGS_MAX: Final = 200
# What a service calls a field, as a column of the file.
_COLUMN_OF: Final = {"dealt_currency": "currency"}
TEMPLATE_ROWS: Final = (
    {
        "pair": "USD/INR", "side": "SELL", "amount": "1000000.00", "currency": "USD",
        "limit_rate": "84.9950", "counterparty": "BANKCODE", "tenor": "SPOT",
        "why": "Rupees for the payouts of Monday",
    },
    {
        "pair": "GBP/USD", "side": "SELL", "amount": "750000.00", "currency": "GBP",
        "limit_rate": "1.2650", "counterparty": "BANKCODE", "value_date": "2026-12-09",
        "kind": "DELIVERABLE", "pay_account": "GBP collections", "receive_account": "USD funding",
        "why": "Pounds that were collected",
    },
)  # fmt: skip


@transaction.atomic
def capture_file(*, name: str, data: bytes, maker: User) -> DealFile:
    """Make a draft of every row of a file, or of none; the same bytes again are the same file.

    Raises:
        Forbidden: this person may not deal.
        Invalid: no CSV file, columns missing or unknown, too large, empty.
        DealsRefused: rows that cannot be drafts; `findings` names row, column and what is wrong.
    """
    require_dealer(maker)
    digest = hashlib.sha256(data).hexdigest()
    take_turn(f"deals:{digest}")
    known = DealFile.objects.filter(sha256=digest).first()
    if known is not None:
        return known
    rows = list(_rows(text_of(data)))
    if not rows:
        raise Invalid("The file has no row below its columns.", field="file")
    kept = DealFile.objects.create(
        name="".join(one for one in name if one.isprintable())[:NAME_CHARS_MAX] or "deals.csv",
        sha256=digest,
        rows_count=len(rows),
        maker=maker,
        received_at=clock.now(),
    )
    wrong: list[dict[str, object]] = []
    for number, cells in rows:
        try:
            with transaction.atomic():
                made = capture_deal(draft=_draft(cells), maker=maker)
                DealFileRow.objects.create(file=kept, row_number=number, deal=made)
        except DomainError as refusal:
            wrong.append(_finding(number, refusal))
    if wrong:
        first = wrong[0]
        raise DealsRefused(
            f"{len(wrong)} of {len(rows)} rows cannot be drafts; nothing was captured."
            f" Row {first['row']}, {first['column']}: {first['message']}",
            field="file",
            findings=wrong[:_FINDINGS_MAX],
        )
    return kept


def template() -> str:
    """Return a file to fill in: the columns, and two rows that show how."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\r\n", restval="")
    writer.writeheader()
    writer.writerows(TEMPLATE_ROWS)
    return out.getvalue()


def _finding(number: int, refusal: DomainError) -> dict[str, object]:
    field = str(refusal.context.get("field", ""))
    column = _COLUMN_OF.get(field, field)
    return {
        "row": number,
        "column": column if column in COLUMNS else "row",
        "code": refusal.code,
        "message": refusal.message,
    }


def _draft(cells: Mapping[str, str]) -> DealIn:
    for column in REQUIRED:
        if not cells.get(column):
            raise Invalid("It is empty.", field=column)
    pair = parse_pair(cells["pair"].upper())
    side = _side(cells["side"].upper())
    currency = (cells.get("currency") or pair.base).upper()
    if currency not in pair.currencies:
        raise Invalid(f"{currency[:3]} is not in {pair}.", field="currency")
    bought, sold = pair.currencies if side is Side.BUY else (pair.quote, pair.base)
    if len(cells["why"]) > WHY_CHARS_MAX:
        raise Invalid(f"It has more than {WHY_CHARS_MAX} characters.", field="why")
    return DealIn(
        counterparty=_counterparty(cells["counterparty"]),
        pair=pair,
        side=side,
        dealt=Money(parse_amount(cells["amount"], currency), currency),
        limit_rate=_rate(cells["limit_rate"]),
        pay_account=_account(cells.get("pay_account", ""), sold, "pay_account"),
        receive_account=_account(cells.get("receive_account", ""), bought, "receive_account"),
        why=cells["why"],
        tenor=(cells.get("tenor") or Short.SPOT).upper(),
        value_date=_day(cells.get("value_date", "")),
        kind=(cells.get("kind") or DealKind.DELIVERABLE).upper(),
    )


def _side(text: str) -> Side:
    if text not in DealSide.values:
        raise Invalid(f"Write BUY or SELL, seen from us, not {text[:10]!r}.", field="side")
    return Side(text)


def _rate(text: str) -> Decimal:
    return read_number(name="limit_rate", text=text)


def _counterparty(code: str) -> UUID:
    found = reads.counterparties().filter(code__iexact=code).first()
    if found is None:
        raise Invalid(f"We deal with nobody whose code is {code[:20]!r}.", field="counterparty")
    return found.pk


def _account(text: str, currency: str, column: str) -> UUID:
    """Return our account by its label or the last digits of its number; the only one if empty."""
    held = list(accounts.accounts(currency))
    named = [one for one in held if text in (one.label, one.number_hint)] if text else held
    if len(named) == 1:
        return named[0].pk
    if not text:
        words = f"We have {len(held)} accounts in {currency}: name one by its label."
    elif named:
        words = f"Several accounts in {currency} are called {text[:40]!r}."
    else:
        words = f"We have no active account in {currency} called {text[:40]!r}."
    raise Invalid(words, field=column)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise Invalid(
            f"Write the day as 2026-11-23, not {text[:20]!r}.", field="value_date"
        ) from error


def _rows(words: str) -> Iterator[tuple[int, dict[str, str]]]:
    first = words.partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    try:
        lines = list(csv.reader(io.StringIO(words), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise Invalid(f"The file is not well-formed CSV: {error}.", field="file") from error
    names = [name.strip().lower() for name in lines[0]] if lines else []
    if missing := [one for one in REQUIRED if one not in names]:
        raise Invalid(f"Row 1 lacks the columns {', '.join(missing)}.", field="file")
    unknown = [one for one in names if one not in COLUMNS]
    if unknown or len(set(names)) < len(names):
        named = ", ".join(unknown)[:80] or "a column twice"
        raise Invalid(f"Row 1 names what is no column: {named}.", field="file")
    if len(lines) > ROWS_MAX + 1:
        raise Invalid(f"A file has at most {ROWS_MAX} deals.", field="file")
    for number, line in enumerate(lines[1:], start=2):
        if not any(cell.strip() for cell in line):
            continue
        if len(line) > len(names):
            raise Invalid(f"Row {number} has more cells than columns.", field="file")
        yield number, dict(zip(names, (cell.strip() for cell in line), strict=False))
