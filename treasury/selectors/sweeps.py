"""Reads of sweeps: what a decision rests on, and what was decided and ordered."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet, Sum

from calendars import selectors as calendars
from calendars.engine.days import next_business_day
from core import clock, policies
from core.errors import NotFound
from treasury import policies as knobs
from treasury.engine import sweeps as rule
from treasury.engine.sweep_records import inputs_of
from treasury.engine.sweep_replays import Past
from treasury.engine.sweep_windows import (
    ZONE,
    ClosedDays,
    ProductKind,
    ProductTerms,
    Window,
    next_cutoff,
    parse_cutoffs,
    window_at,
)
from treasury.models import (
    BankAccount,
    ExpectedFlow,
    FlowSource,
    FlowState,
    RiskReading,
    Settlement,
    SweepDecision,
    SweepMandate,
    SweepOrder,
    SweepProduct,
    SweepState,
    SweepUniverse,
)
from treasury.selectors import positions, readings

HOUSE_CALENDAR: Final = "FED"
NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Overnight money that lands on a long weekend, and a rung that a holiday moves.
MARGIN_DAYS: Final = 21
COMMITTED: Final = (FlowSource.TRANSFER, FlowSource.DEAL)
FORECAST: Final = (FlowSource.PAYOUT, FlowSource.PATTERN, FlowSource.FORECAST, FlowSource.MANUAL)
_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderOfPlan:
    """One rung of an account's ladder: when it matures and what it carries."""

    matures_on: date
    amount: Decimal


def decisions() -> QuerySet[SweepDecision]:
    """Return all decisions with their accounts, the newest first."""
    return SweepDecision.objects.select_related("account", "order")


def decision(decision_id: UUID) -> SweepDecision:
    """Return one decision.

    Raises:
        NotFound: no such decision.
    """
    found = decisions().filter(pk=decision_id).first()
    if found is None:
        raise NotFound("There is no such decision.", field="decision")
    return found


def orders() -> QuerySet[SweepOrder]:
    """Return all orders with what they name, the newest first."""
    return SweepOrder.objects.select_related("account", "product", "mandate", "decision")


def order(order_id: str) -> SweepOrder:
    """Return one order by its name.

    Raises:
        NotFound: no such order.
    """
    found = orders().filter(order_id=order_id).first()
    if found is None:
        raise NotFound("There is no such order.", field="order_id")
    return found


def products() -> QuerySet[SweepProduct]:
    """Return all products."""
    return SweepProduct.objects.all()


def hold_capped_products() -> None:
    """Let decisions that share a cap be made one after the other; the database counts again."""
    capped = SweepProduct.objects.filter(cap__isnull=False, is_active=True).order_by("id")
    list(capped.select_for_update(no_key=True).values_list("pk"))


def mandates() -> QuerySet[SweepMandate]:
    """Return all mandates with what they name."""
    return SweepMandate.objects.select_related("account", "product")


def mandates_in_force(*, account: BankAccount, on: date) -> QuerySet[SweepMandate]:
    """Return the mandates of an account that hold on a day, the widest first."""
    return (
        mandates()
        .filter(account=account, is_active=True, valid_from__lte=on, valid_until__gte=on)
        .order_by("-order_max", "name")
    )


def swept_accounts(*, on: date) -> QuerySet[BankAccount]:
    """Return the dollar accounts that a mandate in force lets sweep."""
    return (
        BankAccount.objects.select_related("entity", "bank")
        .filter(
            is_active=True,
            currency="USD",
            pk__in=SweepMandate.objects.filter(
                is_active=True, valid_from__lte=on, valid_until__gte=on
            ).values("account"),
        )
        .order_by("label")
    )


_NAMED: Final = (
    "SELECT account_id FROM treasury_sweepmandate WHERE account_id = ANY(%s) AND is_active"
)


def with_mandate(accounts: Sequence[UUID]) -> list[UUID]:
    """Return those of the accounts that any active mandate names, in the order given."""
    listed = list(dict.fromkeys(accounts))
    with connection.cursor() as cursor:
        cursor.execute(_NAMED, [listed])
        named = {row[0] for row in cursor.fetchall()}
    return [one for one in listed if one in named]


def mandate_used(*, mandate: SweepMandate, on: date) -> Decimal:
    """Return what a mandate has let through on a day."""
    nobody = UUID(int=0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT treasury_mandate_used(%s, %s, %s)", [mandate.pk, on, nobody])
        used: Decimal = cursor.fetchone()[0]
    return used


def sweep_content(order_id: UUID) -> dict[str, Any]:
    """Return exactly what checkers approve, as the database builds it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT treasury_sweep_content(o)::text FROM treasury_sweeporder o WHERE o.id = %s",
            [order_id],
        )
        content: dict[str, Any] = json.loads(cursor.fetchone()[0])
    return content


def next_window(*, now: datetime) -> Window:
    """Return the window that is decided next, closed or open.

    Raises:
        CalendarUnknown: the calendar of dollars is not installed.
        CalendarCoverageError: it does not reach that day.
    """
    cutoffs = parse_cutoffs(policies.get(knobs.SWEEP_CUTOFFS_UTC))
    return window_at(next_cutoff(now, cutoffs), calendars.calendar_data(HOUSE_CALENDAR))


def policy() -> rule.Policy:
    """Return the knobs of the rule as they are in force."""
    return rule.Policy(
        buffer_share=policies.get(knobs.LIQ_BUFFER_PCT),
        var_limit_bps=policies.get(knobs.VAR_LIMIT_BPS),
        minimum_sweep=policies.get(knobs.MIN_SWEEP_USD),
        balance_age_minutes_max=policies.get(knobs.MAX_BALANCE_AGE_MINUTES),
        ladder_days=policies.get(knobs.TARGET_LADDER_DAYS),
        observations_min=policies.get(knobs.VAR_OBSERVATIONS_MIN),
        prefers_green=policies.get(knobs.SWEEP_ESG_PREFERENCE),
        fallback_keeps_buffer=policies.get(knobs.FALLBACK_KEEPS_BUFFER),
        keeps_term_liquidity=policies.get(knobs.TERM_LIQUIDITY),
    )


def inputs_for(
    *, account: BankAccount, window: Window, now: datetime, besides: SweepOrder | None = None
) -> rule.Inputs:
    """Gather everything that a decision about an account rests on.

    `besides` is an order that the decision may replace: it does not count as held.

    Raises:
        CalendarUnknown: a product's calendar is not installed.
        CalendarCoverageError: a calendar does not reach far enough.
    """
    knob = policy()
    rows = list(SweepProduct.objects.prefetch_related("eligibilities"))
    codes = sorted({HOUSE_CALENDAR, *(row.calendar for row in rows)})
    ahead = days_ahead(rows, knob)
    found = tuple(closed_days(code, window.day, ahead) for code in codes)
    return rule.Inputs(
        account=str(account.pk),
        decided_at=now,
        window=window,
        money=_money(account, window, knob, now=now),
        risk=_risk(account, now=now),
        policy=knob,
        products=tuple(_product(row, account, window.day, besides) for row in rows),
        calendars=found,
        ladder=tuple(
            rule.Held(matures_on=one.matures_on, amount=one.amount)
            for one in ladder_of(account=account, on=window.day, besides=besides)
        ),
    )


def days_ahead(rows: Iterable[SweepProduct], knob: rule.Policy) -> int:
    """Return how many days after a window's own a decision has to know."""
    tenor = max((row.tenor_days for row in rows), default=0)
    return max(tenor, knob.ladder_days) + MARGIN_DAYS


def closed_days(code: str, day: date, ahead: int) -> ClosedDays:
    """Return a calendar around a window's day, as a record keeps it.

    Raises:
        CalendarUnknown: it is not installed.
        CalendarCoverageError: it does not reach far enough.
    """
    calendar = calendars.calendar_data(code)
    start, end = day - timedelta(days=3), day + timedelta(days=ahead)
    days = (start + timedelta(days=step) for step in range((end - start).days + 1))
    closed = tuple(one for one in days if not calendar.is_open(one))
    return ClosedDays(code=code, start=start, end=end, closed=closed)


def _money(account: BankAccount, window: Window, knob: rule.Policy, *, now: datetime) -> rule.Money:
    """Return the cash of an account; outflows count up to the next business day.

    Value dates are days: what the next 24 hours may take is what is due until overnight money is
    back, weekends and holidays included.
    """
    day = window.day
    until = next_business_day(calendars.calendar_data(HOUSE_CALENDAR), day)
    stated = positions.available(account_id=account.pk, on=day, now=now)
    lowest = None
    if knob.keeps_term_liquidity:
        days = positions.position_ladder(
            account_id=account.pk, start=day, days=knob.ladder_days + 1
        )
        lowest = min((one.closing for one in days), default=None)
    return rule.Money(
        available=(stated.balance or _ZERO)
        - stated.credit_line_included
        + stated.booked_since
        + stated.booked_ahead,
        as_of=stated.balance_as_of or NEVER,
        committed=_outflows(account, COMMITTED, until=until),
        in_flight=_outflows(account, (FlowSource.SWEEP,), until=None),
        minimum=stated.floor,
        outflows=_outflows(account, FORECAST, until=until),
        lowest=lowest,
    )


def _outflows(account: BankAccount, sources: Iterable[str], *, until: date | None) -> Decimal:
    standing = ExpectedFlow.objects.filter(
        account=account, source__in=tuple(sources), state=FlowState.EXPECTED, amount__lt=0
    )
    if until is not None:
        standing = standing.filter(value_date__lte=until)
    found: Decimal | None = standing.aggregate(total=Sum("amount"))["total"]
    return -(found or _ZERO)


def _risk(account: BankAccount, *, now: datetime) -> rule.Risk:
    age = timedelta(hours=policies.get(knobs.VAR_READING_HOURS_MAX))
    newest = readings.latest_reading(account, now, age)
    days_max = policies.get(knobs.VAR_AS_OF_DAYS_MAX)
    if newest is not None and (now.astimezone(ZONE).date() - newest.as_of).days <= days_max:
        return rule.Risk(
            state=rule.RiskState.FRESH, var_bps=newest.var_bps, observations=newest.observations
        )
    had_one = RiskReading.objects.filter(account=account, observed_at__lte=now).exists()
    return rule.Risk(state=rule.RiskState.STALE if had_one else rule.RiskState.MISSING)


def _product(
    row: SweepProduct, account: BankAccount, day: date, besides: SweepOrder | None
) -> rule.Product:
    named = any(one.entity_id == account.entity_id for one in row.eligibilities.all())
    held = None
    if row.cap is not None:
        orders = _held(on=day, besides=besides).filter(product=row)
        held = orders.aggregate(total=Sum("amount"))["total"]
    is_open = row.is_active and (row.for_all_companies or named)
    return product_facts(row, held=held or _ZERO, is_open=is_open)


def product_facts(row: SweepProduct, *, held: Decimal, is_open: bool) -> rule.Product:
    """Return a product as the rule takes it; what is held counts only against a cap."""
    return rule.Product(
        code=row.code,
        kind=ProductKind(row.kind),
        is_green=row.is_green,
        is_open_to_us=is_open,
        terms=ProductTerms(
            kind=ProductKind(row.kind),
            cutoff=row.cutoff_local,
            timezone=row.timezone,
            lag_days=row.settlement_days,
            tenor_days=row.tenor_days,
        ),
        calendar=row.calendar,
        increment=row.increment,
        minimum=row.minimum,
        cap=row.cap,
        held=held,
        rate=row.rate,
    )


def mandate_covers(order_pk: UUID) -> bool:
    """Ask the database whether the mandate of an order still lets it through."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT treasury_mandate_covers(o) FROM treasury_sweeporder o WHERE o.id = %s",
            [order_pk],
        )
        found = cursor.fetchone()
    return bool(found and found[0])


def _held(*, on: date, besides: SweepOrder | None) -> QuerySet[SweepOrder]:
    """Return orders whose money is in a product, or on its way there."""
    found = SweepOrder.objects.filter(matures_on__gt=on).exclude(settlement=Settlement.RETURNED)
    found = found.filter(~Q(state=SweepState.FAILED) | Q(late_ack_at__isnull=False))
    return found if besides is None else found.exclude(pk=besides.pk)


def ladder_of(
    *, account: BankAccount, on: date, besides: SweepOrder | None = None
) -> list[OrderOfPlan]:
    """Return what an account has in bills, by maturity."""
    rows = (
        _held(on=on, besides=besides)
        .filter(account=account, product__kind=ProductKind.BILL)
        .order_by("matures_on")
        .values("matures_on")
        .annotate(total=Sum("amount"))
    )
    return [OrderOfPlan(matures_on=row["matures_on"], amount=row["total"]) for row in rows]


def pasts_since(*, since: datetime, limit: int) -> list[Past]:
    """Return each window's last decision since an instant, the newest first."""
    last = (
        SweepDecision.objects.filter(decided_at__gte=since)
        .order_by("account_id", "-cutoff_at", "-sequence")
        .distinct("account_id", "cutoff_at")
        .values("pk")
    )
    rows = list(decisions().filter(pk__in=last)[:limit])
    named = universes().filter(sha256__in={row.universe_sha256 for row in rows})
    universe = dict(named.values_list("sha256", "content"))
    return [
        Past(
            name=f"{row.account.label}, {row.cutoff_at:%Y-%m-%d %H:%M} UTC",
            record=row.record,
            universe=universe.get(row.universe_sha256, ""),
        )
        for row in rows
    ]


def universes() -> QuerySet[SweepUniverse]:
    """Return what decisions could choose from, as their records name it."""
    return SweepUniverse.objects.all()


def universe_of(decision: SweepDecision) -> str:
    """Return the universe that a decision's record names; '' where it holds it itself."""
    named = universes().filter(sha256=decision.universe_sha256)
    return named.values_list("content", flat=True).first() or ""


def records_inputs(decision: SweepDecision) -> rule.Inputs:
    """Return what a stored decision rested on.

    Raises:
        Invalid: its record cannot be read.
    """
    return inputs_of(decision.record, universe_of(decision))


def present_inputs(*, account: BankAccount) -> rule.Inputs:
    """Return what the next decision about an account would rest on, as of now."""
    now = clock.now()
    return inputs_for(account=account, window=next_window(now=now), now=now)
