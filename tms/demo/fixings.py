"""A demo's non-deliverable deals: fixed by their day, one fixing corrected, one receipt short.

Both were dealt weeks ago for a week ahead, and their bank pays what they brought: the second one to
the cent, the first one less the charges of a correspondent, which two people took as it came.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from random import Random
from typing import Any, Final
from uuid import UUID

from django.db import connection

from core import clock
from core.identity.models import User
from core.tenancy import bound, current_tenant_id
from fx.engine.pairs import Pair
from fx.engine.quotes import Side
from fx.selectors import closing, settlement
from fx.selectors import deals as deal_reads
from fx.selectors.curves import Market
from fx.selectors.differences import Came, came_instead
from fx.services import correcting, differing, fixing, settling
from tms.demo.accounts import DemoAccount

PAIR: Final = Pair("USD", "INR")
TENOR: Final = "1W"
# They were dealt within these days before now: what they bring is paid within the last weeks.
_FIRST_BACK: Final = 27
_LAST_BACK: Final = 13
AMOUNTS: Final = ("2000000.00", "1500000.00")
HISTORY_DAYS_MIN: Final = 30
# When the rupee's benchmark is out: half past one in Mumbai.
_PUBLISHED: Final = timedelta(hours=8)
_DAY_IS_OVER: Final = timedelta(hours=21)
_SAID_BY: Final = "FBIL"
_CHARGES: Final = Decimal("25.00")
_CHARGES_SHARE_MAX: Final = Decimal("0.005")
_CENT: Final = Decimal("0.01")
_FOUR_DIGITS: Final = Decimal("0.0001")
Deals = Callable[[str, Side, str, str], UUID]


def deal_and_fix(closes: Sequence[datetime], *, now: datetime, dealt: Deals) -> None:
    """Sell dollars in two NDFs that bring some, fix each on its day, and correct one fixing."""
    possible = [
        one
        for one in closes
        if timedelta(days=_LAST_BACK) < now - one <= timedelta(days=_FIRST_BACK)
    ]
    best = sorted(possible, key=_brings, reverse=True)[: len(AMOUNTS)]
    for number, (at, amount) in enumerate(zip(sorted(best), AMOUNTS, strict=False)):
        with clock.frozen(at):
            made = deal_reads.deal(dealt(str(PAIR), Side.SELL, amount, TENOR))
        if made.fixing_date is not None:
            _fix(made.fixing_date, with_a_slip=number == 0)
    with connection.cursor() as cursor:  # what is asked at commit is asked while a tenant is bound
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def _brings(at: datetime) -> Decimal:
    """Return how far what is published two days before the value date lies below the forward."""
    with clock.frozen(at):
        market = Market(at=at)
        [day] = [one.day for one in market.curve(PAIR).pillars if one.tenor == TENOR]
        agreed = market.forward(PAIR, day).outright.bid
    return agreed - _published(_on(day, -2))


def _on(day: date, days: int) -> datetime:
    return datetime.combine(day + timedelta(days=days), datetime.min.time(), clock.now().tzinfo)


def _published(day: datetime) -> Decimal:
    """Return what is published on a day: the day's market, a paisa or two beside it."""
    middle: Decimal = Market(at=day + _DAY_IS_OVER).spot(PAIR).mid
    beside = Random(f"{day:%Y-%m-%d}").uniform(-0.02, 0.02)  # noqa: S311 - made up
    return (middle + Decimal(repr(beside))).quantize(_FOUR_DIGITS)


def _fix(day: date, *, with_a_slip: bool) -> None:
    """Enter the fixing of a day; with a slip first, which two people correct within the hour."""
    published = _published(_on(day, 0))
    slip = published + 1 if with_a_slip else published
    at = _on(day, 0) + _PUBLISHED
    with clock.frozen(at):
        _as("backoffice", lambda who: fixing.record_fixing(
            pair=PAIR, day=day, rate=slip, said_by=_SAID_BY, actor=who
        ))  # fmt: skip
    if not with_a_slip:
        return
    wrong = closing.fixings().filter(fixed_on=day, state="IN_FORCE")[0]
    with clock.frozen(at + timedelta(minutes=20)):
        made = _as("backoffice", lambda who: correcting.propose_correction(
            fixing_id=wrong.pk, rate=published, said_by=_SAID_BY,
            reason=f"A digit was mistyped: {published:f} was published.", actor=who,
        ))  # fmt: skip
    with clock.frozen(at + timedelta(minutes=35)):
        _as("backoffice2", lambda who: correcting.accept_correction(fixing_id=made.pk, actor=who))


def _as(name: str, act: Callable[[User], Any]) -> Any:
    person = User.objects.get(username__startswith=f"{name}@")
    with bound(current_tenant_id(), actor=person.pk, reason="a demo tenant"):
        return act(person)


def _receipts() -> list[Any]:
    found = settlement.legs().filter(deal__kind="NDF", direction="RECEIVE")
    return list(found.exclude(state="VOID").order_by("value_date", "id"))


def paid_by_bank(accounts: Sequence[DemoAccount]) -> list[DemoAccount]:
    """Return the accounts with what the bank will have booked for these deals in their past."""
    owed: dict[str, list[dict[str, str]]] = {}
    for number, leg in enumerate(_receipts()):
        least = (leg.amount * _CHARGES_SHARE_MAX).quantize(_CENT, ROUND_DOWN)
        charges = min(_CHARGES, least) if number == 0 else Decimal(0)
        owed.setdefault(leg.account.number, []).append(
            {
                "on": leg.value_date.isoformat(),
                "amount": f"{leg.amount - charges:.2f}",
                "name": leg.deal.counterparty.name,
                "text": f"Settlement of {leg.deal.counterparty_reference}",
                "end_to_end_id": leg.deal.counterparty_reference,
            }
        )
    return [
        replace(one, facts={**one.facts, "profile": {**one.facts["profile"], "one_offs": paid}})
        if (paid := owed.get(one.number))
        else one
        for one in accounts
    ]


def take_receipts() -> None:
    """Settle what came: to the cent by itself, short of it by two people."""
    for leg in _receipts():
        settling.follow_deal(deal_id=leg.deal_id)
    for leg in _receipts():
        # The nearest one; this bank's statements carry no names of payers.
        came = came_instead(leg, most=1) if leg.state == "EXPECTED" else []
        if not came or not 0 < leg.amount - came[0].amount <= _CHARGES:
            continue
        _take_short(leg, came[0])


def _take_short(leg: Any, came: Came) -> None:
    wish = differing.Wish(
        entry=came.entry.pk, kind="FEE", reason="Their correspondent kept its charges."
    )
    made = _as(
        "backoffice",
        lambda who: differing.propose_difference(leg_id=leg.pk, wish=wish, actor=who),
    )
    _as("checker1", lambda who: differing.accept_difference(difference_id=made.pk, actor=who))
