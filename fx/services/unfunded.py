"""What accounts that run short need, and what other own accounts of the currency can spare."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from core import policies
from fx.engine.exposure import ZERO
from fx.selectors.suggestions import NOTHING_UNFUNDED, Unfunded
from treasury.engine.prefunding import Terms, local_day, transfer_amount
from treasury.policies import DEDUPE_DAY_TZ, PREFUNDING_BUFFER_PCT, PREFUNDING_MIN_TRANSFER
from treasury.selectors import accounts, movement
from treasury.services.prefunding import sources_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Short:
    """An account that lacks an amount: `transfer` with its buffer, to be there on `needed_on`."""

    account: UUID
    transfer: Decimal
    needed_on: date


def short_of(*, currency: str, account: UUID, shortfall: Decimal, needed_on: date) -> Short:
    """Return what a shortfall takes: with the buffer and in whole minor units, as prefunding does.

    Raises:
        Invalid: the shortfall is negative or endless.
    """
    terms = Terms(
        buffer=policies.get(PREFUNDING_BUFFER_PCT), minimum=policies.get(PREFUNDING_MIN_TRANSFER)
    )
    amount = transfer_amount(shortfall=shortfall, currency=currency, terms=terms)
    return Short(account=account, transfer=amount, needed_on=needed_on)


def unfunded_of(currency: str, *, now: datetime, told: Short | None = None) -> Unfunded:
    """Return the currency's shortfalls of today that prefunding found no source for.

    One that is told now counts by itself, unless a single own account can pay it: then prefunding
    proposes that. What several accounts can spare together is taken off the sum.
    """
    day = local_day(currency=currency, occurred_at=now, by=policies.get(DEDUPE_DAY_TZ))
    rows = movement.prefunding_requests().filter(
        currency=currency, local_date=day, proposal=None, need_date__gte=day
    )
    short = {
        row.account_id: Short(
            account=row.account_id, transfer=row.transfer_amount, needed_on=row.need_date
        )
        for row in rows
        if row.problem
    }
    if told is not None and told.transfer > 0:
        short[told.account] = told
    if not short:
        return NOTHING_UNFUNDED
    return _after_inventory(list(short.values()), told, now)


def _after_inventory(short: list[Short], told: Short | None, now: datetime) -> Unfunded:
    spare: dict[str, Decimal] = {}
    kept: list[Short] = []
    facts: list[dict[str, Any]] = []
    for one in short:
        account = accounts.account(one.account)
        able = [
            source
            for source in sources_for(account=account, need_date=one.needed_on, now=now)
            if source.surplus > 0 and (source.lands_until is None or now < source.lands_until)
        ]
        if one is told and any(source.surplus >= one.transfer for source in able):
            continue  # prefunding proposes exactly this
        spare |= {source.account: source.surplus for source in able}
        kept.append(one)
        facts.append(
            {
                "account": account.label,
                "transfer": f"{one.transfer:f}",
                "needed_on": one.needed_on.isoformat(),
                "others_can_spare": [
                    {"account": accounts.account(each.account).label, "amount": f"{each.surplus:f}"}
                    for each in able
                ],
            }
        )
    if not kept:
        return NOTHING_UNFUNDED
    largest = max(kept, key=lambda one: one.transfer)
    for one in kept:  # who runs short spares nothing
        spare.pop(str(one.account), None)
    return Unfunded(
        total=sum((one.transfer for one in kept), ZERO),
        inventory=sum(spare.values(), ZERO),
        needed_on=min(one.needed_on for one in kept),
        account=largest.account,
        facts=tuple(facts),
    )
