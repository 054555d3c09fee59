"""Reads of cash pools: what a run rests on, when it is due, and what was run."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet, Sum

from calendars import selectors as calendars
from core.errors import DomainError, NotFound
from treasury.engine import pools as rule
from treasury.engine.pool_rules import Place, forbidden
from treasury.engine.rails import BOOK, rail_for
from treasury.errors import PoolNotRun
from treasury.models import (
    BankAccount,
    CashPool,
    CashPoolMember,
    PoolDirection,
    PoolKind,
    PoolMove,
    PoolPair,
    PoolRun,
    Proposal,
    ProposalState,
    Purpose,
)
from treasury.selectors import movement, positions
from treasury.selectors.positions import AccountPosition

# Banks move money between accounts of their own until the end of their afternoon.
BOOK_UNTIL: Final = time(18, 0)
GAP: Final = "GAP"
_OVER: Final = (
    ProposalState.DRAFT,
    ProposalState.REJECTED,
    ProposalState.CANCELLED,
    ProposalState.EXPIRED,
    ProposalState.FAILED,
    ProposalState.RETURNED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """How a member and its header are connected today, and until when.

    `is_open` tells whether a move proposed now still gets today's value date.
    """

    rail: str
    cutoff_at: datetime
    is_open: bool


def pools() -> QuerySet[CashPool]:
    """Return all pools with their headers."""
    return CashPool.objects.select_related("header__bank", "header__entity")


def pool(pool_id: UUID) -> CashPool:
    """Return one pool.

    Raises:
        NotFound: no such pool.
    """
    found = pools().filter(pk=pool_id).first()
    if found is None:
        raise NotFound("There is no such pool.", field="pool")
    return found


def members(of: CashPool) -> QuerySet[CashPoolMember]:
    """Return the members of a pool, those funded first before the others."""
    return (
        CashPoolMember.objects.select_related("account__bank", "account__entity", "pool")
        .filter(pool=of)
        .order_by("priority", "account__label")
    )


def runs() -> QuerySet[PoolRun]:
    """Return all runs, newest first."""
    return PoolRun.objects.select_related("pool__header")


def run(run_id: UUID) -> PoolRun:
    """Return one run.

    Raises:
        NotFound: no such run.
    """
    found = runs().filter(pk=run_id).first()
    if found is None:
        raise NotFound("There is no such run.", field="run")
    return found


def moves() -> QuerySet[PoolMove]:
    """Return what runs made of members."""
    return PoolMove.objects.select_related("account__entity", "proposal", "run__pool__header")


def pairs() -> QuerySet[PoolPair]:
    """Return the sweeps that banks made by themselves."""
    return PoolPair.objects.select_related("pool", "debit_entry__account", "credit_entry__account")


def place_of(account: BankAccount) -> Place:
    """Return where an account and its company are."""
    return Place(bank_country=account.bank.country, entity_country=account.entity.country)


def closed_border(account: BankAccount, header: BankAccount) -> str:
    """Return why no money may be pooled between two accounts today; empty where it may.

    Banks and companies move after they were let into a pool, so every run looks anew.
    """
    return forbidden([place_of(account), place_of(header)])


def header_of(of: CashPool) -> BankAccount:
    """Return the header of a pool that moves money.

    Raises:
        PoolNotRun: a pool that moves nothing.
    """
    if of.header is None or of.kind == PoolKind.NOTIONAL:
        raise PoolNotRun(f"{of.code} is notional: nothing moves.", field="pool")
    return of.header


def today_of(of: CashPool, *, now: datetime) -> date:
    """Return the pool's business date: the header's own calendar day."""
    return now.astimezone(ZoneInfo(header_of(of).timezone)).date()


def legs_of(
    listed: Iterable[CashPoolMember], *, header: BankAccount, now: datetime
) -> dict[UUID, Leg]:
    """Return the way between each member and its header, by account.

    Accounts of one bank and zone have one way, looked up once.

    Raises:
        Invalid: a currency that we have no rail for.
        CalendarCoverageError: a calendar does not reach far enough.
    """
    ways: dict[tuple[UUID, str], Leg] = {}
    legs = {}
    for one in listed:
        key = one.account.bank_id, one.account.timezone
        if key not in ways:
            ways[key] = _leg(one.account, header, now)
        legs[one.account_id] = ways[key]
    return legs


def _leg(account: BankAccount, header: BankAccount, now: datetime) -> Leg:
    """Return the way between two accounts, with the earlier cut-off of both directions."""
    day = now.astimezone(ZoneInfo(header.timezone)).date()
    if account.bank_id == header.bank_id:
        cutoff = datetime.combine(day, BOOK_UNTIL, ZoneInfo(header.timezone))
        return Leg(rail=BOOK, cutoff_at=cutoff, is_open=now < cutoff)
    rail = rail_for(currency=header.currency, same_bank=False)
    windows = [movement.window_for(rail=rail, account=one, now=now) for one in (account, header)]
    first = min(windows, key=lambda one: one.cutoff_at)
    return Leg(
        rail=rail,
        cutoff_at=first.cutoff_at,
        is_open=all(one.value_date == day for one in windows),
    )


def first_cutoff(of: CashPool, *, now: datetime) -> datetime | None:
    """Return the first cut-off of today that still lies ahead of a member, or None.

    Raises:
        PoolNotRun: a pool that moves nothing.
    """
    listed = members(of).filter(is_poolable=True)
    legs = legs_of(listed, header=header_of(of), now=now)
    return min((leg.cutoff_at for leg in legs.values() if leg.is_open), default=None)


def is_business_day(of: CashPool, day: date) -> bool:
    """Say whether the pool's currency settles on a day.

    Raises:
        CalendarUnknown: the currency has no calendar here.
        CalendarCoverageError: the calendar does not reach that far.
    """
    return calendars.settlement_calendar(of.currency).is_open(day)


def due_pools(*, now: datetime) -> list[CashPool]:
    """Return the pools that are to be decided now: near enough to their first cut-off, not run yet.

    A pool whose calendar or cut-off cannot be told is returned too: running it says why.
    """
    return [one for one in pools().filter(is_active=True, is_bank_run=False) if _is_due(one, now)]


def _is_due(one: CashPool, now: datetime) -> bool:
    if one.kind == PoolKind.NOTIONAL:
        return False
    day = today_of(one, now=now)
    if PoolRun.objects.filter(pool=one, day=day).exists():
        return False
    try:
        cutoff = first_cutoff(one, now=now)
        is_open = is_business_day(one, day)
    except DomainError:
        return True
    lead = timedelta(minutes=one.lead_minutes)
    return is_open and cutoff is not None and cutoff - lead <= now < cutoff


def floor_above(proposal: Proposal) -> Decimal | None:
    """Return what a pool keeps on the account that pays, above the account's own floor.

    None for all but a header that funds a member; the pool's floor of today counts.
    """
    if proposal.purpose != Purpose.POOL:
        return None
    move = PoolMove.objects.filter(proposal=proposal, direction=PoolDirection.DOWN)
    found = move.select_related("run__pool__header").first()
    if found is None:
        return None
    held = found.run.pool
    return max(held.header_floor - positions.floor_of(header_of(held)), rule.ZERO)


def inputs_for(of: CashPool, *, now: datetime) -> rule.Inputs:
    """Gather everything that the moves of today rest on.

    Raises:
        PoolNotRun: nothing to run, a closed day, or a header whose balance cannot be relied on.
        CalendarUnknown, CalendarCoverageError: nobody can tell whether it is a business day.
    """
    header = header_of(of)
    day = today_of(of, now=now)
    if not is_business_day(of, day):
        raise PoolNotRun(f"{of.currency} does not settle on {day:%A %d %B %Y}.", field="day")
    listed = list(members(of))
    accounts = [header, *(one.account for one in listed)]
    found = {one.account_id: one for one in positions.positions(on=day, accounts=accounts)}
    held = _asked_for(accounts, until=day)
    top = found[header.pk]
    if (problem := _unreliable(top)) is not None:
        raise PoolNotRun(
            f"{header.label}: {_WORDS[problem]}; nothing is decided on it.", field="header"
        )
    moved = _moved_today(header, accounts[1:], day=day)
    legs = legs_of(listed, header=header, now=now)
    return rule.Inputs(
        pool=str(of.pk),
        day=day,
        decided_at=now,
        currency=of.currency,
        rule=rule.ShortfallRule(of.shortfall_rule),
        header=rule.Header(
            account=str(header.pk),
            balance=top.projected - held.get(header.pk, rule.ZERO),
            floor=max(of.header_floor, top.floor),
        ),
        members=tuple(
            _member(
                one,
                found[one.account_id],
                held=held.get(one.account_id, rule.ZERO),
                moved=moved.get(one.account_id, rule.ZERO),
                leg=legs[one.account_id],
                is_closed=bool(closed_border(one.account, header)),
            )
            for one in listed
        ),
    )


_WORDS: Final = {
    rule.Reason.STALE_BALANCE: "its newest balance is too old",
    rule.Reason.GAP_IN_STATEMENTS: "a statement is missing before its newest one",
}


def _unreliable(position: AccountPosition) -> rule.Reason | None:
    if position.balance is None or position.is_stale:
        return rule.Reason.STALE_BALANCE
    return rule.Reason.GAP_IN_STATEMENTS if GAP in position.flags else None


def _member(
    one: CashPoolMember,
    position: AccountPosition,
    *,
    held: Decimal,
    moved: Decimal,
    leg: Leg,
    is_closed: bool,
) -> rule.Member:
    target = max(one.target, position.floor)
    obstacle = _unreliable(position)
    if not leg.is_open:
        obstacle = rule.Reason.CUTOFF_PASSED
    if not one.is_poolable or not one.account.is_active or is_closed:
        obstacle = rule.Reason.NOT_POOLABLE
    return rule.Member(
        account=str(one.account_id),
        balance=position.projected - held,
        target=target,
        minimum=one.minimum,
        multiple=one.multiple,
        lower=one.lower,
        # A floor above the member's own target lifts the band with it.
        upper=None if one.upper is None else max(one.upper, target),
        is_one_way=one.is_one_way,
        priority=one.priority,
        moved_today=moved,
        obstacle=obstacle,
    )


def _asked_for(accounts: Iterable[BankAccount], *, until: date) -> Mapping[UUID, Decimal]:
    """Return what proposals that wait for checkers would take from each account.

    Approved ones are expected flows already. What might come in does not count before it is agreed.
    """
    waiting = Proposal.objects.filter(
        state=ProposalState.PENDING, debit_account__in=list(accounts), value_date__lte=until
    )
    sums = waiting.order_by().values("debit_account").annotate(total=Sum("amount"))
    return {row["debit_account"]: row["total"] for row in sums}


def _moved_today(
    header: BankAccount, accounts: Sequence[BankAccount], *, day: date
) -> Mapping[UUID, Decimal]:
    """Return what goes between header and each member today already, from the member's side."""
    ids = {one.pk for one in accounts}
    between = Proposal.objects.filter(value_date=day).exclude(state__in=_OVER)
    rows = between.filter(
        Q(debit_account=header, credit_account__in=ids)
        | Q(credit_account=header, debit_account__in=ids)
    ).values_list("debit_account", "credit_account", "amount")
    sums: dict[UUID, Decimal] = {}
    for debit, credit, amount in rows:
        member, signed = (credit, amount) if debit == header.pk else (debit, -amount)
        sums[member] = sums.get(member, rule.ZERO) + signed
    return sums
