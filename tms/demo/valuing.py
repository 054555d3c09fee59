"""A demo's forwards: points and interest of a month, two deals of that month, and their values.

The points are made up from the interest of both currencies, and wander a little from day to day.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from approvals import selectors as approval_reads
from approvals import services as approvals
from approvals.policies import STEP_UP_FOR_EVERY_APPROVAL
from core import clock, policies
from core.errors import DomainError
from core.identity.models import User
from core.money import Money
from core.tenancy import bound, current_tenant_id
from fx.engine.pairs import USD, Pair, pair_of, parse_pair
from fx.engine.quotes import Side, rounded_rate
from fx.selectors import curves as curve_reads
from fx.selectors import deals as deal_reads
from fx.selectors import rates as prices
from fx.services import curves, dealing, deals
from fx.services.rates import Origin
from fx.services.sources import FILE
from fx.services.valuing import revalue
from tms.demo import fixings
from treasury.selectors import accounts

LONDON: Final = ZoneInfo("Europe/London")
CLOSE: Final = time(16, 1)
DAYS: Final = 30
# Every second close is valued, the newest one among them: seeding is to stay quick.
STEP: Final = 2
SATURDAY: Final = 5
FRESH: Final = timedelta(hours=20)
INTEREST: Final = {"USD": 0.0395, "EUR": 0.0205, "GBP": 0.0385, "AED": 0.0400, "INR": 0.0590}
_DAYS_OF: Final = {"ON": 1, "TN": 1, "1W": 7, "1M": 30, "2M": 61, "3M": 91, "6M": 182, "1Y": 365}
_PIP: Final = Decimal("0.1")
# Days ago; pair, side, amount of the base, tenor, why.
_DEALS: Final = (
    (28, ("USD/INR", Side.SELL, "480000.00", "3M", "Rupees for the winter's payouts")),
    (16, ("EUR/USD", Side.BUY, "350000.00", "3M", "Euros for the rent of Frankfurt")),
)


def make_month(*, now: datetime, with_fixings: bool = False) -> int:
    """Record a month of points and interest, deal two forwards in it, and value its days.

    With fixings two non-deliverable deals of it are fixed as well: their receipts take a past.
    """
    closes = [*_closes(now)]
    put_curves(closes)
    _ask_for_devices(wanted=False, reason="Approvals of the made-up past need no device.")
    for back, wish in _DEALS:
        at = next(one for one in closes if one >= now - timedelta(days=back))
        with clock.frozen(at):
            _deal(*wish)
    if with_fixings:
        fixings.deal_and_fix(closes, now=now, dealt=_deal_ndf)
    _ask_for_devices(wanted=True, reason="From now on each approval needs its second factor.")
    done = 0
    for at in closes[::-STEP][::-1]:
        with clock.frozen(at):
            done += revalue(at=at).is_new
    return done


def _ask_for_devices(*, wanted: bool, reason: str) -> None:
    policies.write_version(
        policy=STEP_UP_FOR_EVERY_APPROVAL, value=wanted, actor=None, reason=reason
    )


def keep_curves(*, now: datetime) -> int:
    """Record the points and interest of now, where those that are there have grown old."""
    newest = curve_reads.points().first()
    if newest is not None and now - newest.as_of < FRESH:
        return 0
    return put_curves([now])


def _closes(now: datetime) -> Iterator[datetime]:
    for back in range(DAYS, -1, -1):
        day = now.date() - timedelta(days=back)
        at = datetime.combine(day, CLOSE, LONDON)
        if day.weekday() < SATURDAY and at < now:
            yield at


def put_curves(instants: list[datetime]) -> int:
    """Record points of every pair against the dollar, and interest, for each instant."""
    if not instants:
        return 0
    kept = prices.currencies()
    pairs = [pair_of(one, USD) for one in kept if one != USD and one in INTEREST]
    spots = {pair: prices.quote_for(pair, now=clock.now()).mid for pair in pairs}
    points = [
        _point(pair, tenor, spot, at)
        for at in instants
        for pair, spot in spots.items()
        for tenor in _DAYS_OF
    ]
    rates = [
        curves.InterestIn(
            row=1, currency=one, tenor=tenor, rate=Decimal(repr(INTEREST[one])), as_of=at
        )
        for at in instants
        for one in kept
        if one in INTEREST
        for tenor in ("1W", "1Y")
    ]
    data = f"{instants[0]} {instants[-1]}".encode()
    origin = Origin(source=FILE, name="demo curves", data=data, received_from="demo")
    curves.record_interest(origin=origin, rates=rates)
    return curves.record_points(origin=origin, points=points).new


def _point(pair: Pair, tenor: str, spot: Decimal, at: datetime) -> curves.PointIn:
    years = _DAYS_OF[tenor] / 365
    wander = 1 + 0.02 * Random(f"{pair} {at:%Y-%m-%d}").gauss(0, 1)  # noqa: S311 - made up
    carry = (INTEREST[pair.quote] - INTEREST[pair.base]) * years * wander
    middle = (spot * Decimal(repr(carry)) / pair.pip).quantize(_PIP)
    half = max(_PIP, (abs(middle) / 100).quantize(_PIP))
    return curves.PointIn(
        row=1, pair=pair, tenor=tenor, bid=middle - half, ask=middle + half, as_of=at
    )


def _deal_ndf(pair: str, side: Side, amount: str, tenor: str) -> UUID:
    return _deal(pair, side, amount, tenor, "Rupees that are not to move", kind="NDF")


def _deal(
    pair: str, side: Side, amount: str, tenor: str, why: str, *, kind: str = "DELIVERABLE"
) -> UUID:
    """Let the people of a deal capture, approve, deal and confirm it; return it."""
    tenant, bank = current_tenant_id(), deal_reads.counterparties()[0]
    dealer, checker, back_office = (
        User.objects.get(username__startswith=f"{name}@")
        for name in ("dealer", "checker1", "backoffice")
    )
    with bound(tenant, actor=dealer.pk, reason="a demo tenant"):
        wish = replace(_wish(parse_pair(pair), side, amount, (bank.pk, tenor, why)), kind=kind)
        made = deals.capture_deal(draft=wish, maker=dealer)
        deals.submit_deal(deal_id=made.pk, actor=dealer)
    with bound(tenant, actor=checker.pk, reason="a demo tenant"):
        request = approval_reads.request_of(
            subject_type=deals.SUBJECT, subject_id=made.pk, subject_version=made.version
        )
        if request is None:
            raise DomainError("Nobody is asked about the demo's forward.")
        approvals.decide(
            request_id=request.pk,
            checker=checker,
            outcome="APPROVE",
            content_hash=request.content_hash,
            version=request.subject_version,
            evidence=approvals.Evidence(
                auth_method="password",
                auth_at=clock.now(),
                ip=None,
                acknowledged=tuple(one["code"] for one in request.flags),
            ),
        )
    with bound(tenant, actor=dealer.pk, reason="a demo tenant"):
        dealt = dealing.execute_deal(
            deal_id=made.pk,
            rate=made.limit_rate,
            counterparty_reference=f"EXF-{made.reference[-4:]}",
            actor=dealer,
        )
    with bound(tenant, actor=back_office.pk, reason="a demo tenant"):
        stated = dealing.Stated(
            pair=dealt.pair,
            side=dealt.side,
            base_amount=dealt.base_amount,
            quote_amount=dealt.quote_amount,
            rate=made.limit_rate,
            value_date=dealt.value_date,
            counterparty_reference=dealt.counterparty_reference,
        )
        dealing.confirm_deal(deal_id=made.pk, stated=stated, actor=back_office)
    return made.pk


def _wish(pair: Pair, side: Side, amount: str, rest: tuple[UUID, str, str]) -> deals.DealIn:
    party, tenor, why = rest
    market = curve_reads.Market(at=clock.now())
    [day] = [one.day for one in market.curve(pair).pillars if one.tenor == tenor]
    outright = market.forward(pair, day).outright
    bought, sold = pair.currencies if side is Side.BUY else (pair.quote, pair.base)
    return deals.DealIn(
        counterparty=party,
        pair=pair,
        side=side,
        dealt=Money(Decimal(amount), pair.base),
        limit_rate=rounded_rate(outright.taken(side), pair),
        pay_account=accounts.accounts(sold)[0].pk,
        receive_account=accounts.accounts(bought)[0].pk,
        why=why,
        tenor=tenor,
    )
