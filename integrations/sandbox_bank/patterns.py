"""What a company's account looks like: one day's entries, the same for the same seed."""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from integrations.sandbox_bank.bankdays import bank_day_after, is_bank_day
from integrations.sandbox_bank.currencies import to_minor
from integrations.sandbox_bank.records import Account

CODES = {
    "receipt": ("PMNT", "RCDT", "DMCT"),
    "payout": ("PMNT", "ICDT", "DMCT"),
    "salary": ("PMNT", "ICDT", "SALA"),
    "fee": ("ACMT", "MDOP", "CHRG"),
    "interest": ("ACMT", "MCOP", "INTR"),
    "return": ("PMNT", "RCDT", "RRTN"),
    "own_out": ("PMNT", "ICDT", "BOOK"),
    "own_in": ("PMNT", "RCDT", "BOOK"),
    "swept": ("CAMT", "ACCB", "SWEP"),
    "topped": ("CAMT", "ACCB", "TOPG"),
}
BACK_VALUED_SHARE = 0.02
FEE_REVERSED_SHARE = 0.25
RETURNED_SHARE = 0.08
BUSINESS_OPENS_MINUTE, BUSINESS_CLOSES_MINUTE = 9 * 60, 18 * 60
DAYS_BACK_MAX = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One entry to come; `amount` is signed minor units, `minute` counts from local midnight."""

    minute: int
    amount: int
    kind: str
    name: str
    text: str
    end_to_end_id: str
    uetr: str = ""
    value_date: date
    batch_count: int = 0
    return_code: str = ""
    is_reversal: bool = False


def plan_day(account: Account, day: date, *, seed: int, balance: int) -> list[Planned]:
    """Return the day's entries of an account by its profile, in the order of the clock."""
    planned = [
        *_flows(account, day, seed=seed, balance=balance),
        *_standing(account, day),
        *_salaries(account, day),
        *_fees(account, day, seed),
        *_interest(account, day, balance),
        *_returns(account, day, seed),
        *_one_offs(account, day),
    ]
    return sorted(planned, key=lambda line: (line.minute, line.end_to_end_id, line.amount))


def _one_offs(account: Account, day: date) -> list[Planned]:
    """Return what the profile says of this very day: receipts by name, amount and reference."""
    return [
        Planned(
            minute=BUSINESS_OPENS_MINUTE, amount=to_minor(str(one["amount"]), account.currency),
            kind="receipt", name=str(one["name"]), text=str(one["text"]),
            end_to_end_id=str(one["end_to_end_id"]), value_date=day,
        )
        for one in account.profile.get("one_offs", [])
        if one["on"] == day.isoformat()
    ]  # fmt: skip


def weekday_weight(account: Account, day: date) -> float:
    """Return how busy this weekday is beside an average one."""
    weights = account.profile.get("weekday_weights", [1.0] * 7)
    return float(weights[day.weekday()])


def daily_minor(account: Account, name: str) -> int:
    text = str(account.profile.get(name, "0"))
    return to_minor(text, account.currency)


def rng_for(account: Account, day: date, seed: int, purpose: str) -> random.Random:
    return random.Random(f"{seed}:{account.name}:{account.currency}:{day}:{purpose}")  # noqa: S311 - reproducible figures, no secrets


def reference(account: Account, day: date, letter: str, number: int) -> str:
    """Return an end-to-end id of 16 characters, the most that an MT940 line holds."""
    return f"{account.currency}{account.name[-4:]}{day:%y%m%d}{letter}{number:02d}"


def _previous_bank_day(currency: str, day: date) -> date:
    for back in range(1, DAYS_BACK_MAX):
        if is_bank_day(currency, day - timedelta(days=back)):
            return day - timedelta(days=back)
    return day - timedelta(days=1)


def _is_first_bank_day(currency: str, day: date) -> bool:
    return _previous_bank_day(currency, day).month != day.month


def _is_last_bank_day(currency: str, day: date) -> bool:
    return bank_day_after(currency, day).month != day.month


def _month_end(account: Account, day: date) -> float:
    uplift = float(account.profile.get("month_end_uplift", 1.0))
    near_end = (day + timedelta(days=3)).month != day.month or day.day == 1
    return uplift if near_end else 1.0


def _pull(account: Account, balance: int) -> float:
    """Return a factor on receipts that keeps a business near the balance it is used to."""
    target = daily_minor(account, "target_balance")
    if target <= 0:
        return 1.0
    return min(1.8, max(0.4, 1.0 + 1.5 * (target - balance) / target))


def _flows(account: Account, day: date, *, seed: int, balance: int) -> list[Planned]:
    rng = rng_for(account, day, seed, "flows")
    busy = weekday_weight(account, day) * _month_end(account, day)
    noise = float(account.profile.get("noise", 0.15))
    lines: list[Planned] = []
    for sign, direction in ((1, "inflow"), (-1, "outflow")):
        factor = (
            busy * math.exp(rng.gauss(0, noise)) * (_pull(account, balance) if sign > 0 else 1.0)
        )
        total = int(daily_minor(account, f"{direction}_daily") * factor)
        count = int(account.profile.get(f"{direction}_items", 3))
        for number, amount in enumerate(_split(rng, total, count), start=1):
            lines.append(_flow(account, day, rng, (sign, direction), (number, amount)))
    return [line for line in lines if line.amount]


def _split(rng: random.Random, total: int, count: int) -> list[int]:
    if total <= 0 or count <= 0:
        return []
    weights = [0.4 + rng.random() for _ in range(count)]
    parts = [int(total * weight / sum(weights)) for weight in weights]
    parts[0] += total - sum(parts)
    return parts


def _flow(
    account: Account,
    day: date,
    rng: random.Random,
    side: tuple[int, str],
    item: tuple[int, int],
) -> Planned:
    (sign, direction), (number, amount) = side, item
    names = account.profile.get(f"{direction}_names") or ["Trading partner"]
    is_batch = direction == "outflow" and bool(account.profile.get("outflow_in_batches"))
    is_late = sign > 0 and rng.random() < BACK_VALUED_SHARE
    text = str(account.profile.get(f"{direction}_text", "Settlement"))
    uetr = "" if is_batch else str(UUID(int=rng.getrandbits(128), version=4))
    count = rng.randint(400, 2400) if is_batch else 0
    return Planned(
        minute=rng.randint(BUSINESS_OPENS_MINUTE, BUSINESS_CLOSES_MINUTE),
        amount=sign * amount,
        kind="receipt" if sign > 0 else "payout",
        name=str(rng.choice(names)),
        text=f"{text} {day:%d %b} {number}",
        end_to_end_id=reference(account, day, "R" if sign > 0 else "P", number),
        uetr=uetr,
        value_date=_previous_bank_day(account.currency, day) if is_late else day,
        batch_count=count,
    )


def _standing(account: Account, day: date) -> list[Planned]:
    """Return monthly items of this day; those of a closed day come on the next bank day."""
    lines = []
    previous = _previous_bank_day(account.currency, day)
    for number, item in enumerate(account.profile.get("standing", []), start=1):
        due_days = {
            previous + timedelta(days=ahead) for ahead in range(1, (day - previous).days + 1)
        }
        if not any(due.day == int(item["day"]) for due in due_days):
            continue
        lines.append(_single(account, day, item, letter="S", number=number))
    return lines


def _single(
    account: Account, day: date, item: Mapping[str, Any], *, letter: str, number: int
) -> Planned:
    amount = to_minor(str(item["amount"]), account.currency)
    return Planned(
        minute=BUSINESS_OPENS_MINUTE + number,
        amount=-amount,
        kind=str(item.get("kind", "payout")),
        name=str(item.get("name", "Supplier")),
        text=str(item.get("text", "Standing order")),
        end_to_end_id=reference(account, day, letter, number),
        value_date=day,
    )


def _salaries(account: Account, day: date) -> list[Planned]:
    """Return the payroll on its day of the month, or on the bank day before when that is closed."""
    payroll = account.profile.get("payroll")
    if not payroll:
        return []
    following = bank_day_after(account.currency, day)
    covered = [day + timedelta(days=ahead) for ahead in range((following - day).days)]
    if not any(moment.day == int(payroll["day"]) for moment in covered):
        return []
    item = {
        "amount": payroll["amount"],
        "kind": "salary",
        "name": "Employees",
        "text": f"Salaries {day:%b %Y}",
    }
    line = _single(account, day, item, letter="W", number=1)
    headcount = int(payroll.get("employees", 60))
    return [
        Planned(
            minute=line.minute, amount=line.amount, kind="salary", name=line.name,
            text=line.text,
            end_to_end_id=line.end_to_end_id, value_date=day, batch_count=headcount,
        )
    ]  # fmt: skip


def _fees(account: Account, day: date, seed: int) -> list[Planned]:
    """Return the monthly fee; sometimes it is charged twice and reversed the next bank day."""
    fee = daily_minor(account, "fee_monthly")
    if not fee:
        return []
    lines = []
    previous = _previous_bank_day(account.currency, day)
    if _is_first_bank_day(account.currency, day):
        times = 2 if _charged_twice(account, day, seed) else 1
        lines += [_fee(day, -fee, number) for number in range(1, times + 1)]
    elif _is_first_bank_day(account.currency, previous) and _charged_twice(account, previous, seed):
        lines.append(_fee(day, fee, 3))
    return lines


def _charged_twice(account: Account, day: date, seed: int) -> bool:
    return rng_for(account, day, seed, "fee").random() < FEE_REVERSED_SHARE


def _fee(day: date, amount: int, number: int) -> Planned:
    return Planned(
        minute=7 * 60 + number,
        amount=amount,
        kind="fee",
        name="",
        text="Account fee charged twice, reversed" if amount > 0 else f"Account fee {day:%b %Y}",
        end_to_end_id="",
        value_date=day,
        is_reversal=amount > 0,
    )


def _interest(account: Account, day: date, balance: int) -> list[Planned]:
    rate = Decimal(str(account.profile.get("interest_rate", "0")))
    if not rate or balance <= 0 or not _is_last_bank_day(account.currency, day):
        return []
    amount = int(balance * rate / 12)
    if not amount:
        return []
    return [
        Planned(
            minute=22 * 60, amount=amount, kind="interest", name="",
            text=f"Credit interest {day:%b %Y}",
            end_to_end_id="", value_date=day,
        )
    ]  # fmt: skip


def _returns(account: Account, day: date, seed: int) -> list[Planned]:
    """Return today's single payout that will bounce, and yesterday's coming back."""
    lines = []
    if sent := _bouncing(account, day, seed):
        lines.append(sent)
    if came_back := _bouncing(account, _previous_bank_day(account.currency, day), seed):
        lines.append(
            Planned(
                minute=12 * 60, amount=-came_back.amount, kind="return", name=came_back.name,
                text=f"Return of {came_back.end_to_end_id}: account closed",
                end_to_end_id=came_back.end_to_end_id, uetr=came_back.uetr, value_date=day,
                return_code="AC04",
            )
        )  # fmt: skip
    return lines


def _bouncing(account: Account, day: date, seed: int) -> Planned | None:
    rng = rng_for(account, day, seed, "bounce")
    base = daily_minor(account, "outflow_daily")
    if not base or rng.random() >= RETURNED_SHARE:
        return None
    return Planned(
        minute=rng.randint(BUSINESS_OPENS_MINUTE, BUSINESS_CLOSES_MINUTE),
        amount=-max(1, int(base * (0.001 + 0.004 * rng.random()))),
        kind="payout",
        name="Beneficiary",
        text="Single payout",
        end_to_end_id=reference(account, day, "B", 1),
        uetr=str(UUID(int=rng.getrandbits(128), version=4)),
        value_date=day,
    )
