"""The company's own business going on while the bank is open: receipts and payouts by profile."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from integrations.sandbox_bank.bankdays import is_bank_day
from integrations.sandbox_bank.ledger import Posting, notify, post_movement
from integrations.sandbox_bank.office import Office
from integrations.sandbox_bank.patterns import CODES, plan_day
from integrations.sandbox_bank.records import Account

PLANNING_TIME = time(0, 5)


def plan_next(office: Office, account: Account, day: date) -> None:
    """Put the planning of a local day on the agenda."""
    at = datetime.combine(day, PLANNING_TIME, ZoneInfo(account.timezone)).astimezone(UTC)
    office.schedule("activity", account.id, at)


def on_activity(office: Office, account_id: int, at: datetime) -> None:
    """Agenda: shortly after local midnight; plan the day's flows and the next planning."""
    if office.activity_seed is None:
        return
    account = office.book.account(account_id)
    zone = ZoneInfo(account.timezone)
    day = at.astimezone(zone).date()
    if is_bank_day(account.currency, day):
        for line in plan_day(account, day, seed=office.activity_seed, balance=account.balance):
            moment = datetime.combine(day, time(line.minute // 60, line.minute % 60), zone)
            office.schedule("flow", account_id, moment.astimezone(UTC), _as_json(asdict(line)))
    plan_next(office, account, day + timedelta(days=1))


def on_flow(office: Office, account_id: int, at: datetime, line: Mapping[str, Any]) -> None:
    """Agenda: book one planned flow, unless the account cannot pay it."""
    account = office.book.account(account_id)
    amount = int(line["amount"])
    if amount < 0 and office.book.available(account) + amount < 0:
        return
    posting = Posting(
        account=account,
        amount=amount,
        leg="business",
        value_date=date.fromisoformat(line["value_date"]),
        code=CODES[line["kind"]],
        payment_id=None,
        details={
            "end_to_end_id": line["end_to_end_id"],
            "uetr": line["uetr"],
            "counterparty_name": line["name"],
            "remittance": line["text"],
            "is_reversal": line["is_reversal"],
            "return_code": line["return_code"],
            "batch_count": line["batch_count"],
        },
    )
    notify(office, account_id, [post_movement(office, posting, at)], at)


def _as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, date) else value
        for name, value in values.items()
    }
