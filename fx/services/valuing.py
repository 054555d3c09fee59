"""Value open deals for a day, and book what that says: in one statement for all of them.

A day is valued once. Valued again for a reason it gets a new version, until a later day is valued.
What stood booked is reversed, then the new value is booked; both rows stay visible.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import structlog
from django.db import connection, transaction

from core import clock
from core.errors import DomainError, Forbidden, Invalid
from core.events import publish
from core.identity.models import User
from core.identity.roles import RISK_OFFICER, TREASURY_MANAGER
from core.ids import uuid7
from core.tenancy import current_tenant_id
from fx import valuation_guards as formula
from fx.engine.quotes import ONE, Side
from fx.engine.valuation import Open, Priced, worth_of
from fx.errors import RevaluationClosed
from fx.events import DealsRevalued
from fx.models import Deal, DealKind, DealState, PnlEntry, PnlKind, RevaluationRun
from fx.selectors import valuation as reads
from fx.selectors.curves import Market
from fx.selectors.valuation import Mark

logger = structlog.get_logger(__name__)

# Who may have deals valued by hand; beat does it for everybody each afternoon.
VALUERS: Final = (RISK_OFFICER, TREASURY_MANAGER)
REASON_CHARS_MAX: Final = 300

_VALUE = f"""
INSERT INTO fx_dealvaluation (id, tenant_id, run_id, deal_id, spot, forward, discount, usd_rate,
                              market_at, sources, is_stale, gap, pnl_quote, pnl_usd)
SELECT gen_random_uuid(), d.tenant_id, %(run)s::uuid, d.id, v.spot, v.forward, v.discount,
       v.usd_rate, v.market_at, v.sources, v.is_stale, v.gap,
       CASE WHEN v.gap = '' THEN round({formula.PNL_QUOTE}, v.digits) END,
       CASE WHEN v.gap = '' THEN {formula.PNL_USD} END
  FROM {reads.MARKED_SQL}
 WHERE {reads.OPEN_SQL}
"""  # noqa: S608 - our own texts
# The newest booking of a deal that counts, as `e`.
_TIP = """
  LATERAL (SELECT * FROM fx_pnlentry x
            WHERE x.tenant_id = t.tenant_id AND x.deal_id = t.deal_id
              AND x.kind IN ('UNREALISED', 'REALISED')
            ORDER BY x.number DESC LIMIT 1) e
"""
# What is valued anew, and what ended without a result: a realised one as well, however old.
_REVERSE = f"""
INSERT INTO fx_pnlentry (id, tenant_id, deal_id, kind, number, day, amount_usd, earlier_id,
                         booked_at)
SELECT gen_random_uuid(), e.tenant_id, e.deal_id, 'REVERSAL', e.number,
       greatest(%(day)s::date, e.day),
       -e.amount_usd, e.id, %(now)s::timestamptz
  FROM (SELECT tenant_id, deal_id FROM fx_dealvaluation WHERE run_id = %(run)s::uuid AND gap = ''
        UNION
        SELECT d.tenant_id, d.id FROM fx_deal d
         WHERE d.executed_at IS NOT NULL AND d.state <> 'SETTLED' AND NOT {reads.OPEN_SQL}) t,
{_TIP}
 WHERE NOT EXISTS (SELECT 1 FROM fx_pnlentry r
                    WHERE r.tenant_id = e.tenant_id AND r.deal_id = e.deal_id
                      AND r.number = e.number AND r.kind = 'REVERSAL')
"""  # noqa: S608 - our own texts
_BOOK = f"""
INSERT INTO fx_pnlentry (id, tenant_id, deal_id, kind, number, day, amount_usd, valuation_id,
                         earlier_id, booked_at)
SELECT gen_random_uuid(), t.tenant_id, t.deal_id, 'UNREALISED', coalesce(e.number, 0) + 1,
       %(day)s::date, t.pnl_usd, t.id, e.id, %(now)s::timestamptz
  FROM fx_dealvaluation t LEFT JOIN {_TIP} ON true
 WHERE t.run_id = %(run)s::uuid AND t.gap = ''
"""  # noqa: S608 - our own texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Revalued:
    """A day's valuation; `is_new` is False where it had been made before."""

    run: RevaluationRun
    is_new: bool


def require_valuer(actor: User) -> None:
    """Refuse people who may not have deals valued.

    Raises:
        Forbidden: this person may not.
    """
    if not actor.has_role(*VALUERS):
        raise Forbidden("Risk officers and treasury managers have deals valued.")


@transaction.atomic
def revalue(*, at: datetime, reason: str = "") -> Revalued:
    """Value every deal that is open at an instant, for the trading day of that instant.

    A day that is valued already is returned as it is; with a reason it is restated as a new
    version. Deals without a market are kept with what is missing, and what stood booked for them
    stays booked.

    Raises:
        RevaluationClosed: a later day has been valued.
        Invalid: the reason is too long.
    """
    if len(reason) > REASON_CHARS_MAX:
        raise Invalid(f"A reason has at most {REASON_CHARS_MAX} characters.", field="reason")
    _take_turn()
    day = reads.day_of(at)
    last = reads.newest_run()
    if last is not None and last.day > day:
        raise RevaluationClosed(f"{last.day} has been valued: {day} stays as it is.", day=str(day))
    same_day = last if last is not None and last.day == day else None
    if same_day is not None and not reason.strip():
        return Revalued(run=same_day, is_new=False)
    _realise_late(at)
    run = RevaluationRun(
        id=uuid7(),
        day=day,
        version=same_day.version + 1 if same_day else 1,
        marked_at=at,
        made_at=clock.now(),
        reason=reason.strip() if same_day else "",
    )
    _write(run, reads.marks(Market(at=at), day), at=at)
    publish(
        DealsRevalued(
            day=day,
            day_version=run.version,
            deals=run.deals_count,
            missing=run.missing_count,
            unrealised_usd=run.unrealised_usd,
            at=run.made_at,
        )
    )
    return Revalued(run=run, is_new=True)


def _take_turn() -> None:
    """Let one revaluation of the tenant happen after the other."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
            [f"fx.revaluation:{current_tenant_id()}"],
        )


def _write(run: RevaluationRun, found: Sequence[Mark], *, at: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_VALUE, {"run": run.pk, "at": at, **reads.columns_of(found)})
        cursor.execute(
            "SELECT count(*), count(*) FILTER (WHERE gap <> ''), count(*) FILTER (WHERE is_stale),"
            " coalesce(sum(pnl_usd), 0) FROM fx_dealvaluation WHERE run_id = %s::uuid",
            [run.pk],
        )
        run.deals_count, run.missing_count, run.stale_count, run.unrealised_usd = cursor.fetchone()
        run.save(force_insert=True)
        facts: dict[str, Any] = {"run": run.pk, "day": run.day, "now": run.made_at, "at": at}
        cursor.execute(_REVERSE, facts)
        cursor.execute(_BOOK, facts)


def _realise_late(at: datetime) -> None:
    """Realise what settled and nobody booked, at its own day's market; unpriced deals wait."""
    markets: dict[date, Market] = {}
    for deal in reads.unrealised_settled(by=at):
        on = deal.closed_at.date() if deal.closed_at else reads.day_of(at)
        if on not in markets:
            markets[on] = Market(at=min(at, reads.end_of(on)))
        market = markets[on]
        try:
            realise(deal_id=deal.pk, on=on, rate=reads.settled_at(deal, market), market=market)
        except DomainError as refusal:
            logger.warning("deal_not_realised", deal=deal.reference, code=refusal.code)


@transaction.atomic
def realise(*, deal_id: UUID, on: date, rate: Decimal, market: Market | None = None) -> PnlEntry:
    """Book what a deal brought: its whole result at `rate`, and what stood unrealised taken back.

    `rate` is spot of the day it settled, the rate it was closed out at, or the fixing. The same
    again changes nothing; another rate takes the first result back and books the new one.

    Raises:
        RateMissing: nobody has had a dollar rate for a week.
        Invalid: the deal was never dealt.
    """
    deal = Deal.objects.select_for_update(of=("self",)).get(pk=deal_id)
    terms = terms_of(deal)
    tip = reads.standing(deal_id)
    is_known = tip is not None and tip.kind == PnlKind.REALISED and tip.rate == rate
    if tip is not None and is_known and not _is_reversed(tip):
        return tip
    now = clock.now()
    day = max(on, tip.day) if tip else on
    if tip is not None and not _is_reversed(tip):
        PnlEntry.objects.create(
            deal=deal,
            kind=PnlKind.REVERSAL,
            number=tip.number,
            day=day,
            amount_usd=-tip.amount_usd,
            earlier=tip,
            booked_at=now,
        )
    usd_rate = (market or Market(at=now)).usd_per(deal.base if _is_ndf(deal) else deal.quote)
    priced = Priced(spot=rate, forward=rate, discount=ONE, usd_rate=usd_rate)
    return PnlEntry.objects.create(
        deal=deal,
        kind=PnlKind.REALISED,
        number=tip.number + 1 if tip else 1,
        day=day,
        amount_usd=worth_of(terms, priced).usd,
        earlier=tip,
        rate=rate,
        usd_rate=usd_rate,
        booked_at=now,
    )


def _is_reversed(entry: PnlEntry) -> bool:
    same = PnlEntry.objects.filter(deal=entry.deal_id, number=entry.number)
    return same.filter(kind=PnlKind.REVERSAL).exists()


def _is_ndf(deal: Deal) -> bool:
    return bool(deal.kind == DealKind.NDF)


def terms_of(deal: Deal) -> Open:
    """Return a deal as its value asks.

    Raises:
        Invalid: it was never dealt.
    """
    if deal.rate is None:
        raise Invalid("It was never dealt.", field="deal")
    return Open(
        side=Side(deal.side),
        is_ndf=_is_ndf(deal),
        amount=deal.base_amount,
        strike=deal.rate,
        quote=deal.quote,
    )


def realise_settled(*, deal_id: UUID, settled_on: date) -> PnlEntry | None:
    """Realise a deal that has settled, at the market of that day; None where it is open again.

    Told twice, the first result stays.

    Raises:
        RateMissing: nobody has had a rate for a week; the next revaluation tries again.
    """
    deal = Deal.objects.filter(pk=deal_id, state=DealState.SETTLED).first()
    if deal is None:
        return None
    tip = reads.standing(deal_id)
    if tip is not None and tip.kind == PnlKind.REALISED and not _is_reversed(tip):
        return tip
    market = Market(at=min(clock.now(), reads.end_of(settled_on)))
    rate = reads.settled_at(deal, market)
    return realise(deal_id=deal_id, on=settled_on, rate=rate, market=market)
