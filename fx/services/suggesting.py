"""Suggest the deals that close what is open. Nothing is ever dealt from here.

A suggestion becomes a draft when a dealer takes it, and that draft goes the way of every deal:
every limit, another person's approval, execution. The same need gives no second suggestion; a
newer reckoning supersedes what is still open; what a dealer left open on purpose is not suggested
again that day.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final

import structlog
from django.db import transaction

from calendars import selectors as calendars
from core import policies
from core.errors import DomainError
from core.events import publish
from core.money import Money, smallest_unit
from fx import policies as knobs
from fx.constants import RATE_PLACES
from fx.engine import dates, limits, quotes
from fx.engine import suggesting as engine
from fx.engine.dates import Short as Tenor
from fx.engine.exposure import ZERO
from fx.engine.pairs import USD, Pair, pair_of
from fx.engine.quotes import Side
from fx.engine.suggesting import Choice, Part, Way
from fx.events import SuggestionsChanged
from fx.models import DealSuggestion, HedgeNeed, SuggestionState
from fx.selectors import deals as deal_reads
from fx.selectors import rates
from fx.selectors import suggestions as reads
from fx.selectors.suggestions import Partner, Wanted
from fx.services.terms import day_end
from fx.services.turns import take_turn
from fx.services.unfunded import Short, unfunded_of
from treasury.engine.rails import rail_for

logger = structlog.get_logger(__name__)
# What a reckoning depends on besides amounts and rates.
_KNOBS: Final[tuple[policies.Policy[Any], ...]] = (
    knobs.MAX_SINGLE_DEAL_USD,
    knobs.FX_CASH_CUTOFFS,
    knobs.FX_TOM_CUTOFFS,
    knobs.FX_SUGGESTION_MIN_USD,
    knobs.EXPOSURE_DENOMINATOR,
)
NOTHING_OPEN: Final = "Nothing is left to be bought."
NEWER: Final = "A newer reckoning took its place."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """Everything that the suggestions of one need are made of."""

    wanted: Wanted
    pair: Pair
    side: Side
    rate: Decimal
    rate_at: datetime
    rate_source: str
    usd_per_base: Decimal
    trade: date
    choice: Choice
    partners: tuple[Partner, ...]
    parts: tuple[Part, ...]


def suggest_all(*, now: datetime) -> list[DealSuggestion]:
    """Reckon every currency anew; one that cannot be reckoned stops no other."""
    found: list[DealSuggestion] = []
    for currency in rates.currencies():
        if currency == reads.funding():
            continue
        try:
            with transaction.atomic():
                found += suggest(currency=currency, now=now)
        except DomainError as refusal:
            logger.warning("nothing_suggested", currency=currency, code=refusal.code)
    return found


@transaction.atomic
def suggest(*, currency: str, now: datetime, told: Short | None = None) -> list[DealSuggestion]:
    """Reckon what is to be bought of a currency and suggest it; return what is new.

    With the same inputs nothing is written. `told` is a shortfall that was announced just now.

    Raises:
        RateMissing: nobody has a fresh rate to reckon with.
        CalendarCoverageError: a calendar does not reach far enough.
    """
    take_turn(f"suggest:{currency}")
    unfunded = unfunded_of(currency, now=now, told=told)
    wanted = reads.wanted(currency, now=now, unfunded=unfunded)
    standing = list(_standing(currency))
    if not _is_worth_a_deal(wanted, now):
        return _closed(standing, wanted, now)
    plan = _planned(wanted, now)
    if plan is None:
        return _closed(standing, wanted, now)
    digest = _digest(plan)
    if _is_as_before(standing, digest, plan):
        return []
    _supersede(standing, NEWER, now)
    made = _made(plan, digest, now)
    _tell(wanted, "reckoned", len(made), now)
    return made


def _standing(currency: str) -> Any:
    return (
        DealSuggestion.objects.select_for_update(of=("self",))
        .select_related("need")
        .filter(currency=currency, state=SuggestionState.OPEN)
        .order_by("part")
    )


def _is_worth_a_deal(wanted: Wanted, now: datetime) -> bool:
    if wanted.amount <= 0:
        return False
    money = Money(wanted.amount, wanted.board.currency)
    worth = rates.convert(money, USD, now=now).result.amount
    return worth >= policies.get(knobs.FX_SUGGESTION_MIN_USD)


def _closed(standing: list[DealSuggestion], wanted: Wanted, now: datetime) -> list[DealSuggestion]:
    if standing:
        _supersede(standing, NOTHING_OPEN, now)
        _tell(wanted, "closed", 0, now)
    return []


def _supersede(standing: list[DealSuggestion], reason: str, now: datetime) -> None:
    for one in standing:
        if one.expires_at <= now:
            one.expire(at=now)
        else:
            one.supersede(at=now, reason=reason)
        one.save()


def _planned(wanted: Wanted, now: datetime) -> _Plan | None:
    """Return how the need is met; None where nothing can be dealt any more today."""
    currency, funding = wanted.board.currency, reads.funding()
    pair = pair_of(currency, funding)
    side = Side.BUY if pair.base == currency else Side.SELL
    market = deal_reads.market_for(pair, now=now)
    quote = market.quote or rates.quote_for(pair, now=now)
    rate = quotes.rounded_rate(quote.taken(side), pair)
    centres = deal_reads.centres_of(pair)
    trade = dates.trade_date(pair, now)
    choice = engine.choose_way(_ways(wanted, centres, trade), need=wanted.needed_on, now=now)
    if choice is None:
        return None
    usd_per_base = market.usd_per_base or rates.quote_for(Pair(pair.base, USD), now=now).mid
    if pair.quote == USD:
        usd_per_base = rate
    unit = smallest_unit(pair.base)
    total = (
        engine.rounded_up(wanted.amount, currency)
        if side is Side.BUY
        else engine.dollars_first(wanted.amount, rate, unit)
    )
    partners = reads.partners(funding, trade=trade, value=choice.way.value_date)
    # A worth that moves with the rate leaves room for it to move until the deal is executed.
    slack = 1 if pair.base == USD else 1 + policies.get(knobs.FX_SLIPPAGE_PCT)
    parts = engine.parts_of(
        total,
        unit=unit,
        usd_per_unit=usd_per_base * slack,
        deal_usd_max=policies.get(knobs.MAX_SINGLE_DEAL_USD),
        rooms=[one.room for one in partners],
    )
    return _Plan(
        wanted=wanted,
        pair=pair,
        side=side,
        rate=rate,
        rate_at=quote.at,
        rate_source="/".join(quote.sources)[:40],
        usd_per_base=usd_per_base,
        trade=trade,
        choice=choice,
        partners=tuple(partners),
        parts=parts,
    )


def _ways(wanted: Wanted, centres: dates.Centres, trade: date) -> list[Way]:
    """Return the value dates, each with the first of the desk's, the rail's and the day's ends."""
    currency = wanted.board.currency
    desk = {
        str(Tenor.CASH): engine.parse_cutoffs(policies.get(knobs.FX_CASH_CUTOFFS)),
        str(Tenor.TOM): engine.parse_cutoffs(policies.get(knobs.FX_TOM_CUTOFFS)),
    }
    ways = []
    for value, period in engine.dates_of(centres, trade, wanted.needed_on).items():
        ends = [(day_end(trade), "the trading day's end")]
        if period in desk:
            ends.append(
                (
                    engine.cutoff_at(desk[period], currency, trade),
                    f"the desk's cut-off for {period}",
                )
            )
        if (rail := _rail_end(reads.funding(), value)) is not None:
            ends.append(rail)
        until, shut_by = min(ends)
        ways.append(
            Way(period=period, value_date=value, until=until.astimezone(UTC), shut_by=shut_by)
        )
    return ways


def _rail_end(funding: str, value: date) -> tuple[datetime, str] | None:
    """Return until when what we sell can still be paid for a value date.

    Where no rail is installed the desk's own cut-off stands alone.
    """
    rail = rail_for(currency=funding, same_bank=False)
    try:
        lands = calendars.latest_landing(rail=rail, need_by=value, currency=funding)
    except DomainError as refusal:
        logger.info("rail_not_known", rail=rail, code=refusal.code)
        return None
    return None if lands is None else (lands, f"the last {rail} payment of {value}")


def _digest(plan: _Plan) -> str:
    """Digest what makes a need another one: not the rate, which moves all the time."""
    wanted = plan.wanted
    parts = [
        wanted.board.currency, wanted.board.cap.day, wanted.needed_on, f"{wanted.amount:f}",
        wanted.cause, str(plan.pair), plan.trade, plan.choice.way.period,
        plan.choice.way.value_date, [(one.party.code, one.room.left_usd) for one in plan.partners],
        policies.get(knobs.MAX_SINGLE_DEAL_USD),
    ]  # fmt: skip
    return sha256(repr(parts).encode()).hexdigest()


def _is_as_before(standing: list[DealSuggestion], digest: str, plan: _Plan) -> bool:
    if not standing:
        return False
    need = standing[0].need
    drift = policies.get(knobs.FX_SUGGESTION_DRIFT_PCT)
    return need.digest == digest and quotes.apart(plan.rate, need.rate) <= drift


def _made(plan: _Plan, digest: str, now: datetime) -> list[DealSuggestion]:
    wanted, exposure = plan.wanted, plan.wanted.board.exposure
    need = HedgeNeed.objects.create(
        currency=wanted.board.currency,
        funding=reads.funding(),
        day=wanted.board.cap.day,
        cause=wanted.cause,
        amount=wanted.amount,
        needed_on=wanted.needed_on,
        required=exposure.required,
        prefunded=exposure.prefunded,
        hedged=exposure.hedged,
        open_amount=exposure.open,
        shortfall=wanted.unfunded.total,
        inventory=wanted.unfunded.inventory,
        in_works=wanted.in_works,
        left_open=wanted.left_open,
        rate=plan.rate.quantize(RATE_PLACES),
        rate_at=plan.rate_at,
        rate_source=plan.rate_source,
        digest=digest,
        inputs=_inputs(plan),
        computed_at=now,
    )
    accounts = _accounts(plan, now)
    return [_suggestion(plan, need, number, accounts, now) for number in range(len(plan.parts))]


def _inputs(plan: _Plan) -> dict[str, Any]:
    wanted = plan.wanted
    return {
        "until": wanted.board.cap.until.isoformat(),
        "cap_at": wanted.board.cap.at.astimezone(UTC).isoformat(),
        "is_stale": wanted.board.is_stale,
        "shortfalls": list(wanted.unfunded.facts),
        "rooms": [
            {
                "counterparty": one.party.code,
                "left_usd": None if one.room.left_usd is None else f"{one.room.left_usd:f}",
            }
            for one in plan.partners
        ],
        "policies": {
            one.key: str(policies.get(one)) for one in _KNOBS
        },
    }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Accounts:
    pay: Any
    receive: Any


def _accounts(plan: _Plan, now: datetime) -> _Accounts:
    wanted, on = plan.wanted, plan.choice.way.value_date
    emptiest = reads.emptiest(wanted.board.currency, on=on, now=now)
    pay = reads.fullest(reads.funding(), on=on, now=now)
    receive = wanted.unfunded.account or (emptiest.pk if emptiest else None)
    return _Accounts(pay=pay.pk if pay else None, receive=receive)


def _suggestion(
    plan: _Plan, need: HedgeNeed, index: int, accounts: _Accounts, now: datetime
) -> DealSuggestion:
    part, way, pair = plan.parts[index], plan.choice.way, plan.pair
    base = Money(part.amount, pair.base)
    other = quotes.contra(base, pair, plan.rate)
    worth = limits.worth_in_usd(base, other, plan.usd_per_base) or ZERO
    party = next((one.party for one in plan.partners if one.party.code == part.counterparty), None)
    buys = base.amount if plan.side is Side.BUY else other.amount
    return DealSuggestion.objects.create(
        need=need,
        currency=need.currency,
        day=need.day,
        part=index + 1,
        parts=len(plan.parts),
        base=pair.base,
        quote=pair.quote,
        side=plan.side,
        dealt_currency=pair.base,
        dealt_amount=part.amount,
        buys=buys,
        rate=need.rate,
        usd_equivalent=worth,
        trade_date=plan.trade,
        value_date=way.value_date,
        period=way.period,
        dealt_until=way.until,
        is_late=plan.choice.is_late,
        counterparty=party,
        headroom_usd=part.left_usd,
        pay_account_id=accounts.pay,
        receive_account_id=accounts.receive,
        reason=_reason(plan, need, has_party=party is not None),
        rejected=[
            {"period": one.period, "value_date": one.value_date.isoformat(), "why": one.why}
            for one in plan.choice.rejected
        ],
        created_at=now,
        expires_at=day_end(plan.trade),
    )


def _reason(plan: _Plan, need: HedgeNeed, *, has_party: bool) -> str:
    """Say in one sentence why this deal and why for this date; a second one where none can deal."""
    way, amount = plan.choice.way, Money(need.amount, need.currency)
    lacking = f"{amount} are to be bought ({need.get_cause_display()}), first needed on"
    lacking = f"{lacking} {need.needed_on}"
    if plan.choice.is_late:
        words = (
            f"{lacking}: nothing that can still be dealt comes in time, and {way.period} for"
            f" {way.value_date} is the earliest; the day itself needs another source."
        )
    else:
        words = (
            f"{lacking}: {way.period} for {way.value_date} is the latest value date that comes in"
            f" time, and is dealt until {way.until:%d %b %H:%M} UTC ({way.shut_by})."
        )
    if not has_party:
        words += " No counterparty has room for it: raise a limit, or deal it with a new one."
    return words


def _tell(wanted: Wanted, what: str, count: int, now: datetime) -> None:
    publish(
        SuggestionsChanged(
            currency=wanted.board.currency,
            day=wanted.board.cap.day,
            what=what,
            open_count=count,
            at=now,
        )
    )
