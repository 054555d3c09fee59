"""How one bank's spreadsheet is read: which column means what, drawn once by a person."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from integrations.dialects.errors import ProfileInvalid
from integrations.dialects.keys import Keys, text_value

HEADER_ROW_MAX: Final = 200
COLUMNS_MAX: Final = 200
_DATE_PARTS: Final = {"YYYY": "%Y", "YY": "%y", "MMM": "%b", "MM": "%m", "DD": "%d"}
_DATE_TOKEN: Final = re.compile("YYYY|YY|MMM|MM|DD")
_DATE_REST: Final = re.compile(r"[ ./:-]*", re.ASCII)
_DATE_NEEDS: Final = ({"YYYY", "YY"}, {"MM", "MMM"}, {"DD"})
DELIMITERS: Final = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
DECIMAL_MARKS: Final = {"point": ".", "comma": ","}


class Column(StrEnum):
    """What a column can mean."""

    BOOKED = "booked"
    VALUE = "value"
    AMOUNT = "amount"
    DEBIT = "debit"
    CREDIT = "credit"
    SIDE = "side"
    BALANCE = "balance"
    CURRENCY = "currency"
    ACCOUNT = "account"
    REFERENCE = "reference"
    END_TO_END = "end_to_end"
    COUNTERPARTY = "counterparty"
    COUNTERPARTY_ACCOUNT = "counterparty_account"
    CODE = "code"
    TEXT = "text"


class SignRule(StrEnum):
    """What the sign of the one amount column says."""

    AS_WRITTEN = "as_written"
    TURNED = "turned"


class RowOrder(StrEnum):
    """In which order the rows come; it matters for the running balance only."""

    OLDEST_FIRST = "oldest_first"
    NEWEST_FIRST = "newest_first"


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetMapping:
    """One bank's spreadsheet.

    `columns` names the heading of each meaning; text may come from several columns. The heading
    row is the first one that has all of them, wherever it stands. Amounts are one signed column,
    a debit and a credit column, or an amount with a column that says the side.
    """

    columns: Mapping[Column, tuple[str, ...]]
    sheet: str = ""
    delimiter: str = ";"
    decimal_mark: str = "."
    date_pattern: str = "%Y-%m-%d"
    sign: SignRule = SignRule.AS_WRITTEN
    order: RowOrder = RowOrder.OLDEST_FIRST
    account: str = ""
    currency: str = ""
    credit_words: frozenset[str] = frozenset()
    debit_words: frozenset[str] = frozenset()
    footers: tuple[str, ...] = field(default=())

    def heading(self, column: Column) -> str:
        """Return the heading of a column; empty where the sheet has none of that meaning."""
        found = self.columns.get(column, ())
        return found[0] if found else ""

    @property
    def headings(self) -> frozenset[str]:
        """Return every heading that the mapping names."""
        return frozenset(name for names in self.columns.values() for name in names)


SHEET_HELP: Final = (
    (
        "sheet",
        "an object",
        "How this bank's CSV or XLSX is read; easiest drawn from a sample on the mapping page.",
    ),
    (
        "sheet.columns",
        '{"booked": "Buchungstag", "amount": "Betrag", "text": ["Zweck", "Name"]}',
        "Headings by meaning: " + ", ".join(Column) + ".",
    ),
    ("sheet.sheet", "text", "Name of the sheet in a workbook; empty is the first."),
    ("sheet.delimiter", ", ".join(DELIMITERS), "What stands between the cells of a CSV."),
    ("sheet.decimal_mark", ", ".join(DECIMAL_MARKS), "How decimals are written in text."),
    ("sheet.dates", "DD.MM.YYYY", "How dates are written: YYYY or YY, MM or MMM, DD."),
    ("sheet.sign", "as_written or turned", "turned: money out is written without a minus."),
    ("sheet.order", "oldest_first or newest_first", "Order of the rows, for running balances."),
    ("sheet.account", "text", "The account, where no column names it."),
    ("sheet.currency", "ISO code", "The currency, where no column names it."),
    ("sheet.credit_words", '["H", "CR"]', "What the side column says of money in."),
    ("sheet.debit_words", '["S", "DR"]', "What the side column says of money out."),
    ("sheet.footers", '["Total"]', "Rows that start like this end the table."),
)


def parse_sheet(keys: Keys) -> SheetMapping:
    """Return the mapping that a profile's `sheet` describes.

    Raises:
        ProfileInvalid: with the key that is unknown, missing or cannot be right.
    """
    columns = keys.table("columns", _headings)
    mapping = SheetMapping(
        columns=MappingProxyType(_meanings(columns, path=keys.path("columns"))),
        sheet=keys.word("sheet"),
        delimiter=keys.choice("delimiter", DELIMITERS, default="semicolon"),
        decimal_mark=keys.choice("decimal_mark", DECIMAL_MARKS, default="point"),
        date_pattern=date_pattern(keys.word("dates", default="YYYY-MM-DD"), keys.path("dates")),
        sign=keys.choice("sign", {str(one): one for one in SignRule}, default="as_written"),
        order=keys.choice("order", {str(one): one for one in RowOrder}, default="oldest_first"),
        account=keys.word("account"),
        currency=keys.word("currency", chars_max=3),
        credit_words=_words(keys, "credit_words"),
        debit_words=_words(keys, "debit_words"),
        footers=tuple(_list(keys, "footers")),
    )
    keys.nothing_left()
    _require_sense(mapping, keys)
    return mapping


def date_pattern(written: str, path: str) -> str:
    """Return the pattern of `DD.MM.YYYY` and the like for `strptime`.

    Raises:
        ProfileInvalid: a part is missing, twice there, or unknown.
    """
    parts = _DATE_TOKEN.findall(written)
    is_whole = all(len(need & set(parts)) == 1 for need in _DATE_NEEDS)
    if (
        not is_whole
        or len(parts) != len(_DATE_NEEDS)
        or not _DATE_REST.fullmatch(_DATE_TOKEN.sub("", written))
    ):
        raise ProfileInvalid(f"{path} is written like DD.MM.YYYY.", field=path)
    return _DATE_TOKEN.sub(lambda part: _DATE_PARTS[part.group()], written)


def _headings(path: str, value: Any) -> tuple[str, ...]:
    given = value if isinstance(value, list) else [value]
    if not given or len(given) > COLUMNS_MAX:
        raise ProfileInvalid(f"{path} names one heading or a list of them.", field=path)
    return tuple(" ".join(text_value(path, one).split()) for one in given)


def _meanings(
    columns: Mapping[str, tuple[str, ...]], *, path: str
) -> dict[Column, tuple[str, ...]]:
    found: dict[Column, tuple[str, ...]] = {}
    for name, headings in columns.items():
        if name not in set(Column):
            known = ", ".join(Column)
            raise ProfileInvalid(f"{path}.{name} is not one of: {known}.", field=f"{path}.{name}")
        if len(headings) > 1 and name != Column.TEXT:
            raise ProfileInvalid(f"{path}.{name} is one heading.", field=f"{path}.{name}")
        found[Column(name)] = headings
    return found


def _require_sense(mapping: SheetMapping, keys: Keys) -> None:
    """Refuse a mapping that cannot give date, amount and account."""
    has = mapping.columns
    path = keys.path("columns")
    amounts = Column.AMOUNT in has
    both = Column.DEBIT in has and Column.CREDIT in has
    if amounts == both or (not both and (Column.DEBIT in has or Column.CREDIT in has)):
        words = "names an amount column, or a debit and a credit column"
        raise ProfileInvalid(f"{path} {words}.", field=path)
    if Column.BOOKED not in has and Column.VALUE not in has:
        raise ProfileInvalid(f"{path} names a column of dates.", field=path)
    if Column.SIDE in has and not (amounts and mapping.credit_words and mapping.debit_words):
        words = "belongs to an amount column, with credit_words and debit_words"
        raise ProfileInvalid(f"{path}.side {words}.", field=f"{path}.side")
    if Column.ACCOUNT not in has and not mapping.account:
        name = keys.path("account")
        raise ProfileInvalid(f"{name} or a column names the account.", field=name)
    if Column.CURRENCY not in has and not mapping.currency:
        name = keys.path("currency")
        raise ProfileInvalid(f"{name} or a column names the currency.", field=name)


def _list(keys: Keys, key: str) -> list[str]:
    given = keys.take(key)
    if given is None:
        return []
    if not isinstance(given, list) or len(given) > COLUMNS_MAX:
        raise keys.wrong(key, "is a list of texts")
    return [text_value(keys.path(key), one) for one in given]


def _words(keys: Keys, key: str) -> frozenset[str]:
    return frozenset(word.strip().upper() for word in _list(keys, key))
