"""How one bank's messages are read where the standards leave it open."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from integrations.dialects.errors import ProfileInvalid
from integrations.dialects.keys import Keys, amount_value, text_value

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


class DateOrder(StrEnum):
    """How a bank writes the six digits of a date."""

    YEAR_FIRST = "YMD"
    DAY_FIRST = "DMY"
    MONTH_FIRST = "MDY"


class Intraday(StrEnum):
    """Whether reports of a day repeat what came before, or only add to it."""

    BY_ACCOUNT = "by_account"
    CUMULATIVE = "cumulative"
    DELTA = "delta"


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
    intraday: Intraday = Intraday.BY_ACCOUNT
    credit_lines: Mapping[str, Decimal] = field(default_factory=_nothing)
    accounts: Mapping[str, str] = field(default_factory=_nothing)


PLAIN: Final = Dialect()
ENCODINGS: Final = {
    name: name for name in ("", "utf-8", "utf-16", "cp1252", "iso-8859-1", "iso-8859-15", "cp850")
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
    (
        "intraday",
        "by_account, cumulative or delta",
        "Whether intraday reports repeat what came before; by_account asks the account's own rule.",
    ),
    ("credit_lines", '{"USD": "50000.00"}', "Counted into available balances without a word."),
    ("accounts", '{"as written": "as registered"}', "Accounts that the bank names differently."),
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
        intraday=keys.choice("intraday", _words(Intraday), default="by_account"),
        credit_lines=MappingProxyType(_lines(keys.table("credit_lines", amount_value))),
        accounts=MappingProxyType(keys.table("accounts", text_value)),
    )
    keys.nothing_left()
    return dialect


def _words(kind: type[Any]) -> dict[str, Any]:
    return {str(one.value): one for one in kind}


def _lines(found: dict[str, Decimal]) -> dict[str, Decimal]:
    for name in found:
        _currency(f"credit_lines.{name}", name)
    return found


def _currency(path: str, code: str) -> str:
    if code and not (len(code) == CURRENCY_CHARS and code.isascii() and code.isupper()):
        raise ProfileInvalid(f"{path} is a currency code like USD.", field=path)
    return code
