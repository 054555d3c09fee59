"""Balances that a bank or a feed reports through the API, one at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import IntegrityError, connection, transaction

from core import clock
from core.crypto import blind_index
from core.errors import Invalid
from core.events import present_trace, traced
from core.events.bus import consumers_of
from core.ids import uuid7, uuid7_texts
from core.money import parse_amount
from integrations.codecs.records import AccountRef
from treasury.engine.numbers import spellings
from treasury.engine.positions import HEADLINE_ORDER
from treasury.errors import AccountUnknown, BalanceConflict
from treasury.events import NostroBalanceUpdate
from treasury.models import (
    BankAccount,
    Proof,
    Statement,
    StatementBalance,
    StatementSource,
    StatementState,
)
from treasury.selectors import accounts
from treasury.services.announcing import newest_balance, tell_balance
from treasury.services.rows import plain_array

# The sender's clock may run ahead of ours by this much.
AHEAD_MAX: Final = timedelta(minutes=5)
# An older one is a mistake: before the year 1 there are no days.
BEHIND_MAX: Final = timedelta(days=3_653)
# Statement, balance and event; each delivery of the event is a row more.
_ROWS_EACH: Final = 3
_RECORD: Final = (
    "SELECT * FROM treasury_record_balances(%s, %s::text[], %s::text[], %s, %s, %s::numeric[],"
    " %s::timestamptz[], %s::text[], %s::text[], %s, %s, %s::uuid[], %s)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedBalance:
    """A balance as it was reported; `account` is an IBAN or a local number."""

    event_id: str
    account: str
    currency: str
    balance_type: str
    amount: Decimal
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Where it was recorded, whether it is new, and whether it is the newest we have."""

    statement_id: UUID
    account_id: UUID
    is_new: bool
    is_newest: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedSet:
    """What became of one report of a set; `why` is empty where it is recorded and new."""

    why: str = ""
    statement_id: UUID | None = None
    account_id: UUID | None = None
    is_newest: bool = False


@transaction.atomic
def record_balance(*, balance: ReportedBalance) -> Recorded:
    """Record a reported balance once per event id; an older one is kept but is not the newest.

    Raises:
        AccountUnknown: no account of ours has this number and currency.
        Invalid: more decimals than the currency has, or an instant in the future.
        BalanceConflict: the event id was used for another balance.
    """
    now = clock.now()
    _check(balance, now)
    ref = AccountRef(iban=balance.account, currency=balance.currency)
    found = accounts.find_account(ref)
    if found is None:
        raise AccountUnknown("We have no account of that number and currency.")
    account = BankAccount.objects.select_for_update().get(pk=found.pk)
    digest = _digest(balance)
    known = Statement.objects.filter(
        source=StatementSource.API, statement_ref=balance.event_id
    ).first()
    if known is not None and known.content_sha256 != digest:
        raise BalanceConflict("This event_id was used for another balance.")
    row = known or _store(account, balance, digest=digest, now=now)
    newest = newest_balance(account, before=now + AHEAD_MAX)
    is_newest = newest is not None and newest.statement_id == row.pk
    if known is None and is_newest:
        with traced(row.trace_id):
            tell_balance(account, brings_entries=False)
    return Recorded(
        statement_id=row.pk,
        account_id=row.account_id,
        is_new=known is None,
        is_newest=is_newest,
    )


def report_balance(*, balance: ReportedBalance) -> Recorded:
    """Record a reported balance as `record_balance` does, in one statement where it is new.

    Raises:
        AccountUnknown: no account of ours has this number and currency.
        Invalid: more decimals than the currency has, or an instant in the future.
        BalanceConflict: the event id was used for another balance.
    """
    try:
        with transaction.atomic():
            (told,) = record_balances(balances=[balance])
    except IntegrityError:
        # The same name arrived for another account at the same instant: the service says so.
        return record_balance(balance=balance)
    if told.why or told.statement_id is None or told.account_id is None:
        return record_balance(balance=balance)
    return Recorded(
        statement_id=told.statement_id,
        account_id=told.account_id,
        is_new=True,
        is_newest=told.is_newest,
    )


def _check(balance: ReportedBalance, now: datetime) -> None:
    if balance.as_of > now + AHEAD_MAX:
        raise Invalid("as_of lies in the future.", field="as_of")
    if balance.as_of < now - BEHIND_MAX:
        raise Invalid("as_of lies more than ten years back.", field="as_of")
    parse_amount(f"{balance.amount:f}", balance.currency)


def record_balances(*, balances: Sequence[ReportedBalance]) -> list[RecordedSet]:
    """Record reports in the order given, in one statement; name what the service must look at.

    One statement of the caller's transaction, whose commit tells the relay. The rows are those
    that `record_balance` writes for one after the other. What is not new, what
    cannot be recorded and what the sender's clock puts ahead of ours is left to it (`why`): it
    answers, or refuses, by name.
    """
    now = clock.now()
    ready, left = [], {}
    for place, balance in enumerate(balances):
        try:
            _check(balance, now)
        except Invalid:
            left[place] = "INVALID"
            continue
        if balance.as_of > now:
            left[place] = "AHEAD"
        else:
            ready.append((place, balance))
    found = {place: RecordedSet(why=why) for place, why in left.items()}
    rows = _recorded([balance for _, balance in ready], now) if ready else []
    for number, what, statement_id, account_id, is_newest in rows:
        found[ready[number - 1][0]] = RecordedSet(
            why="" if what == "NEW" else what,
            statement_id=statement_id,
            account_id=account_id,
            is_newest=is_newest,
        )
    return [found[place] for place in range(len(balances))]


def _recorded(
    balances: Sequence[ReportedBalance], now: datetime
) -> list[tuple[int, str, UUID | None, UUID | None, bool]]:
    indexes = [[blind_index(each) for each in spellings(one.account)] for one in balances]
    consumers = consumers_of(NostroBalanceUpdate.topic, {"brings_entries": False})
    with connection.cursor() as cursor:
        cursor.execute(
            _RECORD,
            [
                [one.event_id for one in balances],
                plain_array(each[0] for each in indexes),
                plain_array(each[-1] for each in indexes),
                [one.currency for one in balances],
                [one.balance_type for one in balances],
                plain_array(one.amount for one in balances),
                plain_array(one.as_of.isoformat() for one in balances),
                plain_array(_digest(one) for one in balances),
                plain_array(HEADLINE_ORDER),
                now,
                now + AHEAD_MAX,
                plain_array(uuid7_texts((_ROWS_EACH + len(consumers)) * len(balances))),
                list(consumers),
            ],
        )
        told: list[tuple[int, str, UUID | None, UUID | None, bool]] = cursor.fetchall()
    return told


def _digest(balance: ReportedBalance) -> str:
    facts = (
        "".join(balance.account.split()).upper(),
        balance.currency,
        balance.balance_type,
        f"{balance.amount.normalize():f}",
        balance.as_of.timestamp(),
    )
    return sha256("|".join(map(str, facts)).encode()).hexdigest()


def _store(
    account: BankAccount, balance: ReportedBalance, *, digest: str, now: datetime
) -> Statement:
    day = balance.as_of.astimezone(ZoneInfo(account.timezone)).date()
    row = Statement.objects.create(
        account=account,
        source=StatementSource.API,
        statement_ref=balance.event_id,
        content_sha256=digest,
        statement_date=day,
        period_start=day,
        period_end=day,
        bank_created_at=balance.as_of,
        received_at=now,
        state=StatementState.POSTED,
        proof=Proof.NO_BALANCES,
        trace_id=present_trace() or uuid7(),
    )
    StatementBalance.objects.create(
        statement=row,
        account=account,
        code=balance.balance_type,
        amount=balance.amount,
        on_date=day,
        as_of=balance.as_of,
    )
    return row
