"""Pools and their members: checked here, changed by two people."""

from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Final, TypeVar
from uuid import UUID

from django.db import IntegrityError, transaction

from core.errors import Invalid
from core.money import smallest_unit
from treasury.engine.pool_interest import usual_day_count
from treasury.engine.pool_rules import forbidden
from treasury.errors import AlreadyKnown
from treasury.models import (
    BankAccount,
    CashPool,
    CashPoolMember,
    DayCount,
    PoolKind,
    ShortfallRule,
)
from treasury.selectors import accounts as account_selectors
from treasury.selectors import pools as reads

LEAD_MINUTES_MAX: Final = 720
Row = TypeVar("Row", CashPool, CashPoolMember)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolIn:
    """A pool to record; without `day_count` the currency's own. Rates are yearly shares."""

    code: str
    name: str
    kind: str
    currency: str
    header: UUID | None = None
    header_floor: Decimal = Decimal(0)
    shortfall_rule: str = ShortfallRule.PRIORITY
    is_bank_run: bool = False
    lead_minutes: int = 120
    intercompany_rate: Decimal = Decimal(0)
    day_count: str = ""
    credit_rate: Decimal = Decimal(0)
    debit_rate: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberIn:
    """A member to record; without a multiple, to the currency's smallest unit."""

    pool: str
    account: UUID
    target: Decimal = Decimal(0)
    minimum: Decimal = Decimal(0)
    multiple: Decimal | None = None
    lower: Decimal | None = None
    upper: Decimal | None = None
    is_one_way: bool = False
    priority: int = 100
    is_poolable: bool = True
    reason: str = ""
    credit_rate: Decimal = Decimal(0)
    debit_rate: Decimal = Decimal(0)


def add_pool(*, pool: PoolIn) -> CashPool:
    """Record a pool.

    Raises:
        AccountUnknown: there is no such header.
        Invalid: kind, currency, header, floor or rates cannot be right.
        AlreadyKnown: there is one of that code.
    """
    facts = {one.name: getattr(pool, one.name) for one in fields(PoolIn)}
    header = facts.pop("header")
    facts["day_count"] = facts["day_count"] or usual_day_count(pool.currency)
    return save_pool(
        pool=CashPool(header=account_selectors.account(header) if header else None, **facts)
    )


def add_member(*, member: MemberIn) -> CashPoolMember:
    """Record a member.

    Raises:
        AccountUnknown: there is no such account.
        Invalid: no such pool, another currency, the header itself, a place elsewhere, a border that
            is closed, or numbers that cannot be right.
        AlreadyKnown: it is in the pool already.
    """
    facts = {one.name: getattr(member, one.name) for one in fields(MemberIn)}
    pool = reads.pools().filter(code=facts.pop("pool")).first()
    if pool is None:
        raise Invalid(f"There is no pool {member.pool}.", field="pool")
    account = account_selectors.account(facts.pop("account"))
    facts["multiple"] = facts["multiple"] or smallest_unit(account.currency)
    return save_member(member=CashPoolMember(pool=pool, account=account, **facts))


@transaction.atomic
def save_pool(*, pool: CashPool) -> CashPool:
    """Record a pool, or store a corrected one; its code, kind and currency stay.

    Raises:
        Invalid: kind, currency, header, floor, rates or lead cannot be right.
        AlreadyKnown: there is one of that code.
    """
    _check_kind(pool)
    _check_header(pool)
    _check_rates(pool, "intercompany_rate", "credit_rate", "debit_rate")
    _check_amounts(pool, pool.currency, "header_floor")
    if pool.header_floor < 0:
        raise Invalid("A floor is not negative.", field="header_floor")
    if not 1 <= pool.lead_minutes <= LEAD_MINUTES_MAX:
        raise Invalid(
            f"A pool is decided 1 to {LEAD_MINUTES_MAX} minutes before its cut-off.",
            field="lead_minutes",
        )
    for member in reads.members(pool) if not pool._state.adding else ():  # noqa: SLF001
        _check_border(member, pool)
    return _saved(pool, f"There is a pool {pool.code} already.")


@transaction.atomic
def save_member(*, member: CashPoolMember) -> CashPoolMember:
    """Record a member, or store changed terms.

    Raises:
        Invalid: another currency, the header itself, a place elsewhere, a border that is closed, or
            numbers that cannot be right; names the field.
        AlreadyKnown: it is in the pool already.
    """
    pool, account = member.pool, member.account
    if account.currency != pool.currency:
        raise Invalid(
            f"{account.label} holds {account.currency}, {pool.code} pools {pool.currency}.",
            field="account",
        )
    if account.pk == pool.header_id:
        raise Invalid(f"{account.label} is the header of {pool.code}.", field="account")
    _check_place(member)
    _check_numbers(member)
    _check_rates(member, "credit_rate", "debit_rate")
    if not member.is_poolable and not member.reason.strip():
        raise Invalid(f"Say why {account.label} may not be pooled.", field="reason")
    _check_border(member, pool)
    return _saved(member, f"{account.label} is in {pool.code} already.")


def _check_kind(pool: CashPool) -> None:
    if pool.kind not in PoolKind.values:
        raise Invalid("Choose how the pool works.", field="kind")
    if pool.shortfall_rule not in ShortfallRule.values:
        raise Invalid("Choose who is funded first.", field="shortfall_rule")
    if pool.day_count not in DayCount.values:
        raise Invalid("Choose how days are counted.", field="day_count")
    if pool.kind == PoolKind.NOTIONAL and pool.is_bank_run:
        raise Invalid("In a notional pool nothing is swept.", field="is_bank_run")
    smallest_unit(pool.currency)


def _check_header(pool: CashPool) -> None:
    header = pool.header
    if header is None:
        if pool.kind != PoolKind.NOTIONAL:
            raise Invalid("A pool that moves money has a header.", field="header")
        return
    if header.currency != pool.currency:
        raise Invalid(
            f"{header.label} holds {header.currency}, {pool.code} pools {pool.currency}.",
            field="header",
        )
    if pool.kind != PoolKind.NOTIONAL:
        _require_free(header, pool, field="header")


def _check_place(member: CashPoolMember) -> None:
    if member.pool.is_active:
        _require_free(member.account, member.pool, field="account")


def _require_free(account: BankAccount, pool: CashPool, *, field: str) -> None:
    """Refuse an account that another active pool of the same sort has already."""
    others = CashPool.objects.filter(is_active=True).exclude(pk=pool.pk)
    if pool.kind == PoolKind.NOTIONAL:
        others = others.filter(kind=PoolKind.NOTIONAL, members__account=account)
    else:
        moving = others.exclude(kind=PoolKind.NOTIONAL)
        others = moving.filter(header=account) | moving.filter(members__account=account)
    if (other := others.order_by("code").first()) is not None:
        raise Invalid(f"{account.label} has its place in {other.code} already.", field=field)


def _check_numbers(member: CashPoolMember) -> None:
    currency = member.pool.currency
    _check_amounts(member, currency, "target", "minimum", "multiple", "lower", "upper")
    if member.target < 0 or member.minimum < 0:
        raise Invalid("Target and smallest move are not negative.", field="target")
    if member.pool.kind == PoolKind.ZERO_BALANCE and member.target != 0:
        raise Invalid("A zero-balance pool leaves nothing: the target is 0.", field="target")
    if member.multiple <= 0:
        raise Invalid("Moves are multiples of a positive amount.", field="multiple")
    if member.lower is not None and member.lower > member.target:
        raise Invalid("The lower trigger is at or below the target.", field="lower")
    if member.upper is not None and member.upper < member.target:
        raise Invalid("The upper trigger is at or above the target.", field="upper")


def _check_amounts(row: CashPool | CashPoolMember, currency: str, *names: str) -> None:
    unit = smallest_unit(currency)
    for name in names:
        value = getattr(row, name)
        if value is None:
            continue
        if not value.is_finite() or value != value.quantize(unit):
            raise Invalid(f"{name}: an amount of {currency} has fewer decimals.", field=name)


def _check_rates(row: CashPool | CashPoolMember, *names: str) -> None:
    for name in names:
        value = getattr(row, name)
        if not value.is_finite() or not -1 < value < 1:
            raise Invalid(f"{name}: write a rate as a share: 0.0385 for 3.85 %.", field=name)


def _check_border(member: CashPoolMember, pool: CashPool) -> None:
    """Refuse to pool across a border that a country keeps closed."""
    if not member.is_poolable:
        return
    places = [reads.place_of(member.account)]
    if pool.header is not None:
        places.append(reads.place_of(pool.header))
    elif not pool._state.adding:  # noqa: SLF001 - Django's own flag
        others = reads.members(pool).filter(is_poolable=True).exclude(pk=member.pk)
        places += [reads.place_of(one.account) for one in others]
    if words := forbidden(places):
        raise Invalid(f"{member.account.label}: {words}", field="is_poolable")


def _saved(row: Row, taken: str) -> Row:
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        if "duplicate" in str(error) or "unique" in str(error):
            raise AlreadyKnown(taken) from error
        raise Invalid("The database does not allow this.", field="row") from error
    return row
