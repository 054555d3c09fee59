"""Reading account descriptions, from a file or over HTTP, strictly."""

import json
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from integrations.sandbox_bank import currencies, identifiers
from integrations.sandbox_bank.manners import STATEMENT_FORMATS, Manners, manner_of
from integrations.sandbox_bank.records import Account, BankError

ACCOUNTS_MAX = 5_000
TEXT_CHARACTERS_MAX = 140
SEQUENCE_MAX = 1_000_000
CHANNELS = ("folder", "http", "sftp")
NO_MANNERS: Manners = MappingProxyType({})
DEMO_ACCOUNTS = Path(__file__).with_name("demo_accounts.json")
_FIELDS = {
    "bank_bic", "bank_name", "iban", "number", "clearing_system", "clearing_code", "currency",
    "owner_name", "timezone", "channel", "statement_format", "credit_line", "opening_balance",
    "bank_date", "statement_seq", "profile",
}  # fmt: skip


def load_accounts(path: Path, manners: Manners = NO_MANNERS) -> list[Account]:
    """Read an accounts file.

    Raises:
        BankError: the file or one of its accounts is unusable; the message says which.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BankError("accounts_unreadable", f"{path.name}: {error}") from error
    return parse_accounts(content, manners)


def parse_accounts(content: object, manners: Manners = NO_MANNERS) -> list[Account]:
    """Turn a JSON list (or one object) of account descriptions into accounts.

    Raises:
        BankError: something is missing or wrong, named by its place in the list.
    """
    items = content if isinstance(content, list) else [content]
    if len(items) > ACCOUNTS_MAX:
        raise BankError("too_many_accounts", f"at most {ACCOUNTS_MAX} accounts at once")
    return [_parse_one(item, place, manners) for place, item in enumerate(items)]


def _parse_one(item: object, place: int, manners: Manners) -> Account:
    if not isinstance(item, dict):
        raise _refused(place, "is not an object")
    if unknown := sorted(set(item) - _FIELDS):
        raise _refused(place, f"has unknown fields: {', '.join(map(str, unknown))}")
    currency = _text(item, "currency", place)
    if not re.fullmatch(r"[A-Z]{3}", currency, re.ASCII):
        raise _refused(place, "currency must be three capital letters")
    opening = _money(item, "opening_balance", currency, place)
    bank_date = _date(item, place)
    sequence = item.get("statement_seq", 0)
    profile = item.get("profile", {})
    if (
        not isinstance(sequence, int)
        or not 0 <= sequence <= SEQUENCE_MAX
        or not isinstance(profile, dict)
    ):
        raise _refused(place, "statement_seq must be a number from 0, profile an object")
    bic = _text(item, "bank_bic", place)
    spoken = manner_of(manners, bic).statement_format
    account = Account(
        bank_bic=bic,
        bank_name=_text(item, "bank_name", place, default="Sandbox Bank"),
        iban=_text(item, "iban", place, default="").replace(" ", ""),
        number=_text(item, "number", place, default=""),
        clearing_system=_text(item, "clearing_system", place, default=""),
        clearing_code=_text(item, "clearing_code", place, default=""),
        currency=currency,
        owner_name=_text(item, "owner_name", place),
        timezone=_text(item, "timezone", place, default="UTC"),
        channel=_text(item, "channel", place, default="folder"),
        statement_format=_text(item, "statement_format", place, default=spoken),
        credit_line=_money(item, "credit_line", currency, place),
        opening=opening,
        balance=opening,
        bank_date=bank_date,
        statement_seq=sequence,
        closed_balance=opening,
        profile=profile,
    )
    _check_identity(account, place)
    _check_choices(account, place)
    return account


def _check_identity(account: Account, place: int) -> None:
    if not identifiers.bic_is_valid(account.bank_bic):
        raise _refused(place, "bank_bic is not a BIC")
    if not account.iban and not account.number:
        raise _refused(place, "needs an iban or a number")
    if account.iban and not identifiers.iban_is_valid(account.iban):
        raise _refused(place, "iban has wrong check digits or length")
    if account.number and not re.fullmatch(r"[A-Za-z0-9]{1,34}", account.number, re.ASCII):
        raise _refused(place, "number must be 1 to 34 letters and digits")
    if account.clearing_system and not identifiers.clearing_code_is_valid(
        account.clearing_system, account.clearing_code
    ):
        raise _refused(place, f"clearing_code is not a {account.clearing_system} code")


def _check_choices(account: Account, place: int) -> None:
    if account.channel not in CHANNELS:
        raise _refused(place, f"channel must be one of {', '.join(CHANNELS)}")
    if account.statement_format not in STATEMENT_FORMATS:
        raise _refused(place, f"statement_format must be one of {', '.join(STATEMENT_FORMATS)}")
    try:
        ZoneInfo(account.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise _refused(place, "timezone is not an IANA zone") from error


def _refused(place: int, sentence: str) -> BankError:
    return BankError("account_invalid", f"account {place + 1} {sentence}", status=422)


def _text(item: Mapping[str, Any], name: str, place: int, *, default: str | None = None) -> str:
    value = item.get(name, default)
    if (
        not isinstance(value, str)
        or len(value) > TEXT_CHARACTERS_MAX
        or (default is None and not value)
    ):
        raise _refused(place, f"needs {name} as text")
    return value


def _money(item: Mapping[str, Any], name: str, currency: str, place: int) -> int:
    value = item.get(name, "0")
    if not isinstance(value, str):
        raise _refused(place, f"needs {name} as decimal text")
    try:
        return currencies.signed_to_minor(value, currency)
    except ValueError as error:
        raise _refused(place, f"has a wrong {name}: {error}") from error


def _date(item: Mapping[str, Any], place: int) -> date | None:
    value = item.get("bank_date")
    if value is None:
        return None
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise _refused(place, "has a bank_date that is not YYYY-MM-DD") from error
