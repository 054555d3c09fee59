"""Days by script: what arrives when, which faults are armed, when the books close."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from integrations.sandbox_bank import faults, statements
from integrations.sandbox_bank.currencies import signed_to_minor
from integrations.sandbox_bank.ledger import Posting, notify, post_movement
from integrations.sandbox_bank.office import Office
from integrations.sandbox_bank.records import BankError

STEPS_MAX = 10_000
DEEDS = ("book", "fault", "clear_faults", "end_of_day", "report")
_FIELDS = {
    "after_seconds", "day", "at", "zone", "do", "account", "amount", "kind", "name", "text",
    "end_to_end_id", "fault",
}  # fmt: skip
# What kinds of bookings there are: the code of the transaction when money comes, and when it goes.
_KINDS = {
    "transfer": (("PMNT", "RCDT", "DMCT"), ("PMNT", "ICDT", "DMCT")),
    "charge": (("ACMT", "MCOP", "CHRG"), ("ACMT", "MDOP", "CHRG")),
    "interest": (("ACMT", "MCOP", "INTR"), ("ACMT", "MDOP", "INTR")),
    "correction": (("ACMT", "ACOP", "PSTE"), ("ACMT", "ACOP", "PSTE")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happens, and when."""

    due_at: datetime
    wish: Mapping[str, Any]


def load_script(path: Path) -> object:
    """Read a script from a JSON file.

    Raises:
        BankError: it is no JSON.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BankError("script_unreadable", f"{path.name}: {error}") from error


def plan(office: Office, content: object) -> int:
    """Put a script on the agenda; the same script again changes nothing. Return its new steps.

    Raises:
        BankError: a step is wrong, named by its place; nothing is planned then.
    """
    if not isinstance(content, list) or len(content) > STEPS_MAX:
        raise BankError("script_invalid", f"a list of at most {STEPS_MAX} steps", status=422)
    with office.book.transaction():
        steps = [_parsed(office, item, place) for place, item in enumerate(content)]
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        if office.book.meta(f"script:{digest}"):
            return 0
        office.book.set_meta(f"script:{digest}", office.now().isoformat())
        for step in steps:
            office.schedule("script", 0, step.due_at, step.wish)
        return len(steps)


def _parsed(office: Office, item: object, place: int) -> Step:
    if not isinstance(item, dict) or set(item) - _FIELDS:
        raise _refused(place, f"is an object with {', '.join(sorted(_FIELDS))}")
    if item.get("do") not in DEEDS:
        raise _refused(place, f"does one of {', '.join(DEEDS)}")
    if item["do"] == "book":
        account = office.book.require_account(item.get("account"))
        try:
            amount = signed_to_minor(str(item.get("amount", "")), account.currency)
        except ValueError as error:
            raise _refused(place, f"has a wrong amount: {error}") from error
        if not amount or item.get("kind", "transfer") not in _KINDS:
            raise _refused(place, f"books an amount of one of {', '.join(_KINDS)}")
    if item["do"] == "fault":
        faults.checked(item.get("fault"))
    if item.get("account"):
        office.book.require_account(item["account"])
    return Step(due_at=_moment(office, item, place), wish=item)


def _moment(office: Office, item: Mapping[str, Any], place: int) -> datetime:
    now = office.now()
    if "after_seconds" in item:
        seconds = item["after_seconds"]
        if not isinstance(seconds, int | float) or isinstance(seconds, bool) or seconds < 0:
            raise _refused(place, "has after_seconds that are no number from 0")
        return now + timedelta(seconds=seconds)
    try:
        zone = ZoneInfo(str(item.get("zone", "UTC")))
        day = now.astimezone(zone).date() + timedelta(days=int(item.get("day", 0)))
        return datetime.combine(day, time.fromisoformat(str(item["at"])), zone).astimezone(UTC)
    except (KeyError, ValueError, OSError) as error:
        raise _refused(place, "says when: after_seconds, or day, at and zone") from error


def on_step(office: Office, at: datetime, wish: Mapping[str, Any]) -> None:
    """Agenda: do what the script says."""
    match wish["do"]:
        case "book":
            _book(office, at, wish)
        case "fault":
            faults.add_fault(office.book, wish.get("fault"))
        case "clear_faults":
            faults.clear_faults(office.book)
        case "end_of_day":
            for account in _accounts(office, wish):
                until = account.bank_date or date.max
                statements.close_days(office, account.id, at, until=until)
        case _:
            for account in _accounts(office, wish):
                statements.send_interim_report(office, account, at)


def _accounts(office: Office, wish: Mapping[str, Any]) -> Sequence[Any]:
    name = wish.get("account")
    return [office.book.require_account(name)] if name else office.book.accounts()


def _book(office: Office, at: datetime, wish: Mapping[str, Any]) -> None:
    account = office.book.require_account(wish["account"])
    amount = signed_to_minor(str(wish["amount"]), account.currency)
    codes = _KINDS[str(wish.get("kind", "transfer"))]
    posting = Posting(
        account=account,
        amount=amount,
        leg="script",
        value_date=account.bank_date or at.date(),
        code=codes[amount < 0],
        payment_id=None,
        details={
            "counterparty_name": str(wish.get("name", "")),
            "remittance": str(wish.get("text", "")),
            "end_to_end_id": str(wish.get("end_to_end_id", "")),
        },
    )
    notify(office, account.id, [post_movement(office, posting, at)], at)


def _refused(place: int, sentence: str) -> BankError:
    return BankError("script_invalid", f"step {place + 1} {sentence}", status=422)
