"""How one bank's messages are read where the standards leave it open."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from integrations.dialects.errors import ProfileInvalid
from integrations.dialects.keys import Keys, amount_value, text_value
from integrations.dialects.sheet import SHEET_HELP, SheetMapping, parse_sheet

CURRENCY_CHARS: Final = 3


class DetailsStyle(StrEnum):
    """How field 86 of an MT940 is built."""

    AUTO = "auto"
    SUBFIELDS = "subfields"
    TAGS = "tags"
    TEXT = "text"


class Reversals(StrEnum):
    """Whose side a reversal's mark names: that of the reversal, or that of the original entry."""

    OWN = "own"
    ORIGINAL = "original"


class Side(StrEnum):
    """On which side of the account a kind of transaction is."""

    CREDIT = "credit"
    DEBIT = "debit"
    NEITHER = "neither"


class Totals(StrEnum):
    """What becomes of control totals that do not fit."""

    PROVED = "proved"
    IGNORED = "ignored"


class DateOrder(StrEnum):
    """How a bank writes the six digits of a date."""

    YEAR_FIRST = "YMD"
    DAY_FIRST = "DMY"
    MONTH_FIRST = "MDY"


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What is known about one bank's way of reporting; the defaults follow the standards.

    `mt_reversals` ORIGINAL is the standard: RC reverses a credit and is a debit. `camt_reversals`
    OWN is the standard: the indicator is that of the reversal. `credit_lines` are amounts by
    currency that the bank counts into available balances without saying so. `accounts` translates
    the account as the bank writes it into the account as it is registered.
    """

    mt_details: DetailsStyle = DetailsStyle.AUTO
    mt_reversals: Reversals = Reversals.ORIGINAL
    mt_dates: DateOrder = DateOrder.YEAR_FIRST
    camt_reversals: Reversals = Reversals.OWN
    encoding: str = ""
    currency: str = ""
    credit_lines: Mapping[str, Decimal] = field(default_factory=_nothing)
    accounts: Mapping[str, str] = field(default_factory=_nothing)
    bai2_totals: Totals = Totals.PROVED
    bai2_types: Mapping[str, Side] = field(default_factory=_nothing)
    sheet: SheetMapping | None = None


PLAIN: Final = Dialect()
ENCODINGS: Final = {
    name: name
    for name in ("", "utf-8", "utf-16", "cp1252", "iso-8859-1", "iso-8859-15", "cp850", "cp852")
}
# What the admin shows beside the JSON: key, what it takes, what it means.
HELP: Final = (
    ("mt_details", "auto, subfields, tags or text", "How field 86 of an MT940 is built."),
    (
        "mt_reversals",
        "original or own",
        "original: RC takes a credit back and is a debit. own: RC is a credit itself.",
    ),
    ("mt_dates", "YMD, DMY or MDY", "Order of the digits of dates in MT messages."),
    (
        "camt_reversals",
        "own or original",
        "own: a reversal's CdtDbtInd is its own side. original: that of the entry taken back.",
    ),
    ("encoding", ", ".join(sorted(filter(None, ENCODINGS))), "Used where the file states none."),
    ("currency", "ISO code", "Used where neither file nor account states one."),
    ("credit_lines", '{"USD": "50000.00"}', "Counted into available balances without a word."),
    (
        "bai2_totals",
        "proved or ignored",
        "proved: a statement whose BAI2 control totals differ is kept aside.",
    ),
    ("bai2_types", '{"799": "debit"}', "Sides of type codes that the BAI2 standard leaves open."),
    ("accounts", '{"as written": "as registered"}', "Accounts that the bank names differently."),
    *SHEET_HELP,
)


def parse_dialect(raw: Mapping[str, Any]) -> Dialect:
    """Return the dialect that a profile's JSON describes.

    Raises:
        ProfileInvalid: with the key that is unknown or cannot be right.
    """
    keys = Keys(raw)
    dialect = Dialect(
        mt_details=keys.choice("mt_details", _words(DetailsStyle), default="auto"),
        mt_reversals=keys.choice("mt_reversals", _words(Reversals), default="original"),
        mt_dates=keys.choice("mt_dates", _words(DateOrder), default="YMD"),
        camt_reversals=keys.choice("camt_reversals", _words(Reversals), default="own"),
        encoding=keys.choice("encoding", ENCODINGS, default=""),
        currency=_currency(keys.path("currency"), keys.word("currency")),
        credit_lines=MappingProxyType(_lines(keys.table("credit_lines", amount_value))),
        accounts=MappingProxyType(keys.table("accounts", text_value)),
        bai2_totals=keys.choice("bai2_totals", _words(Totals), default="proved"),
        bai2_types=MappingProxyType(keys.table("bai2_types", _side)),
        sheet=parse_sheet(keys.inner("sheet")) if keys.has("sheet") else None,
    )
    keys.nothing_left()
    return dialect


def _words(kind: type[Any]) -> dict[str, Any]:
    return {str(one.value): one for one in kind}


def _side(path: str, value: Any) -> Side:
    if value not in _words(Side):
        raise ProfileInvalid(f"{path} is credit, debit or neither.", field=path)
    return Side(value)


def _lines(found: dict[str, Decimal]) -> dict[str, Decimal]:
    for name in found:
        _currency(f"credit_lines.{name}", name)
    return found


def _currency(path: str, code: str) -> str:
    if code and not (len(code) == CURRENCY_CHARS and code.isascii() and code.isupper()):
        raise ProfileInvalid(f"{path} is a currency code like USD.", field=path)
    return code
