"""A believable past: statements that add up, chain, and are the same for the same seed."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

from integrations.sandbox_bank.bankdays import bank_day_after, is_bank_day
from integrations.sandbox_bank.currencies import to_minor
from integrations.sandbox_bank.office import ENDINGS
from integrations.sandbox_bank.patterns import (
    CODES,
    Planned,
    daily_minor,
    plan_day,
    reference,
    rng_for,
    weekday_weight,
)
from integrations.sandbox_bank.records import Account, BankError, Entry, Statement
from integrations.sandbox_bank.statements import closing_time, render_statement

DAYS_MAX = 3_660
SMALLEST_PAYOUT_SHARE = 100
TOP_UP_MINUTE = 9 * 60 + 5
SWEEP_MINUTE = 20 * 60
WEEKEND_STARTS = 5


@dataclass(kw_only=True)
class Life:
    """An account while its past is being written."""

    account: Account
    balance: int
    sequence: int
    lines: list[Planned] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The days to be written, both ends included."""

    first: date
    last: date
    seed: int


def span_until(*, until: date, days: int, seed: int) -> Span:
    """Return the span of `days` calendar days that ends with `until`.

    Raises:
        BankError: not between one day and ten years.
    """
    if not 1 <= days <= DAYS_MAX:
        raise BankError("days_refused", f"days must be 1 to {DAYS_MAX}")
    return Span(first=until - timedelta(days=days - 1), last=until, seed=seed)


def write_history(
    accounts: Sequence[Account], span: Span, folder: Path
) -> tuple[int, list[Account]]:
    """Write one file per account and bank day; return how many, and the accounts after it."""
    folder.mkdir(parents=True, exist_ok=True)
    lives = [Life(account=one, balance=one.opening, sequence=one.statement_seq) for one in accounts]
    written = 0
    for statement in live_through(lives, span):
        (folder / file_name(statement)).write_bytes(render_statement(statement))
        written += 1
    return written, [_end_state(life, span) for life in lives]


def file_name(statement: Statement) -> str:
    """Return a name that sorts by date first."""
    account = statement.account
    ending = ENDINGS.get(account.statement_format, "xml")
    kind = account.statement_format.replace(".", "")
    place = f"{account.bank_bic[:8]}_{account.name[-10:]}_{account.currency}"
    return f"{statement.bank_date}_{place}_{kind}.{ending}"


def _end_state(life: Life, span: Span) -> Account:
    return replace(
        life.account,
        opening=life.balance,
        balance=life.balance,
        closed_balance=life.balance,
        statement_seq=life.sequence,
        bank_date=bank_day_after(life.account.currency, span.last),
    )


def live_through(lives: Sequence[Life], span: Span) -> Iterator[Statement]:
    """Live day by day through all accounts together and yield each statement at its evening."""
    for ahead in range((span.last - span.first).days + 1):
        day = span.first + timedelta(days=ahead)
        open_lives = [life for life in lives if is_bank_day(life.account.currency, day)]
        for life in open_lives:
            life.lines = []
        for life in open_lives:
            _top_up(life, open_lives, day, span)
        for life in open_lives:
            topped = life.balance + sum(line.amount for line in life.lines)
            life.lines += plan_day(life.account, day, seed=span.seed, balance=topped)
        for life in open_lives:
            _sweep(life, open_lives, day)
        for life in open_lives:
            yield _evening(life, day, span)


def _top_up(life: Life, open_lives: Sequence[Life], day: date, span: Span) -> None:
    """Fund a payout account from its source in the morning, as far as its rule says."""
    rule = life.account.profile.get("top_up")
    if not rule or day.weekday() >= WEEKEND_STARTS:
        return
    source = next((one for one in open_lives if one.account.name == rule["source"]), None)
    wanted = _wanted(life, day, span) - life.balance
    if source is None or wanted <= 0:
        return
    step = to_minor(str(rule.get("round_to", "1000000")), life.account.currency)
    amount = min(-(-wanted // step) * step, source.balance // 2 // step * step)
    if amount <= 0:
        return
    rng = rng_for(life.account, day, span.seed, "top_up")
    uetr = str(UUID(int=rng.getrandbits(128), version=4))
    for side, sign, other in ((source, -1, life), (life, 1, source)):
        side.lines.append(
            Planned(
                minute=TOP_UP_MINUTE, amount=sign * amount,
                kind="own_out" if sign < 0 else "own_in",
                name=other.account.owner_name, text="Prefunding of payout account",
                end_to_end_id=reference(life.account, day, "F", 1), uetr=uetr, value_date=day,
            )
        )  # fmt: skip


def _sweep(life: Life, open_lives: Sequence[Life], day: date) -> None:
    """Bring an account to its target in the evening, from and to its header, as far as it pays."""
    rule = life.account.profile.get("sweep")
    header = next((one for one in open_lives if rule and one.account.name == rule["header"]), None)
    if not rule or header is None:
        return
    currency = life.account.currency
    step, least = (to_minor(str(rule[name]), currency) for name in ("round_to", "minimum"))
    above = life.balance + sum(line.amount for line in life.lines)
    above -= daily_minor(life.account, "target_balance")
    amount = abs(above) // step * step
    payer, payee = (life, header) if above > 0 else (header, life)
    held = payer.balance + sum(line.amount for line in payer.lines)
    if amount < max(step, least) or amount > held:
        return
    for side, sign, other in ((payer, -1, payee), (payee, 1, payer)):
        side.lines.append(
            Planned(
                minute=SWEEP_MINUTE, amount=sign * amount, kind="swept" if above > 0 else "topped",
                name=other.account.owner_name, text="Cash concentration",
                end_to_end_id=reference(life.account, day, "Z", 1), value_date=day,
            )
        )  # fmt: skip


def _wanted(life: Life, day: date, span: Span) -> int:
    """Return what the account should hold this morning: payouts to the next weekday, and spare.

    The last funding before the end of the span is meagre,
    so that the present begins with a need.
    """
    rule = life.account.profile["top_up"]
    following = day + timedelta(days=1)
    while following.weekday() >= WEEKEND_STARTS:
        following += timedelta(days=1)
    is_last = following > span.last
    covered = min((following - day).days, (span.last - day).days + 1)
    weight = sum(weekday_weight(life.account, day + timedelta(days=n)) for n in range(covered))
    spare = float(rule.get("end_days", 0.6) if is_last else rule.get("spare_days", 1.0))
    return int(daily_minor(life.account, "outflow_daily") * (weight + spare))


def _evening(life: Life, day: date, span: Span) -> Statement:
    """Book the day in the order of the clock; an account never pays what it does not have."""
    opening = life.balance
    entries: list[Entry] = []
    digest = hashlib.sha256(
        f"{span.seed}:{life.account.name}:{life.account.currency}".encode()
    ).hexdigest()
    prefix = f"H{digest[:5].upper()}{day:%y%m%d}"
    for line in sorted(life.lines, key=lambda one: one.minute):
        amount = _payable(life, line)
        if not amount:
            continue
        life.balance += amount
        entries.append(_entry(line, amount, day, f"{prefix}{len(entries) + 1:03d}"))
    life.sequence += 1
    return Statement(
        account=life.account,
        message_id=f"H{digest[:10].upper()}-{day:%Y%m%d}",
        statement_id=f"{life.account.name[-12:]}-{day:%Y%m%d}-{life.sequence}",
        sequence=life.sequence,
        created_at=closing_time(life.account, day),
        bank_date=day,
        opening=opening,
        closing=life.balance,
        available=life.balance + life.account.credit_line,
        entries=tuple(entries),
    )


def _payable(life: Life, line: Planned) -> int:
    if line.amount > 0:
        return line.amount
    payable = max(line.amount, -max(0, life.balance + life.account.credit_line))
    too_little = -payable * SMALLEST_PAYOUT_SHARE < -line.amount
    # Only payouts shrink to what is there; the rest of them waits for the next funding.
    return 0 if too_little or (payable != line.amount and line.kind != "payout") else payable


def _entry(line: Planned, amount: int, day: date, bank_reference: str) -> Entry:
    return Entry(
        reference=bank_reference,
        amount=amount,
        booking_date=day,
        value_date=line.value_date,
        code=CODES[line.kind],
        end_to_end_id=line.end_to_end_id,
        uetr=line.uetr,
        counterparty_name=line.name,
        remittance=line.text,
        is_reversal=line.is_reversal,
        return_code=line.return_code,
        batch_count=line.batch_count,
    )
