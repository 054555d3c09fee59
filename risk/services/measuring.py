"""Measure what accounts may lose on a day, hand it down to the treasury, and warn."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.db import transaction

from core.identity.roles import RISK_OFFICER, TREASURY_MANAGER
from core.money import Money
from liquidity.engine.boundary import FloatArray, as_amount, as_floats
from liquidity.services.locking import take_turn
from risk.constants import BASIS_POINTS
from risk.engine.backtest import Ratio
from risk.engine.moments import cornish_fisher_var, moments_of, normal_var
from risk.engine.series import ONE_DAY, ZERO, Observation
from risk.engine.tails import Figure, tails
from risk.errors import NotEnoughData
from risk.models import AccountRisk, Backtest, Missing, RiskRun
from risk.selectors import readings as reads
from risk.selectors.backtests import Judged, backtest_of
from risk.selectors.inputs import Definition, Gathered, definition, gather
from treasury.selectors import accounts as account_selectors
from treasury.services.news import raise_alert
from treasury.services.readings import ReadingIn, record_risk_reading

if TYPE_CHECKING:
    from treasury.models import BankAccount

# Who may have accounts measured at once; beat does it for everybody each morning.
RUNNERS: Final = (RISK_OFFICER, TREASURY_MANAGER)
BPS_UNIT: Final = Decimal("0.0001")
BPS_MAX: Final = Decimal("9999999999.9999")
SHARE_UNIT: Final = Decimal("0.000001")
STATISTIC_MAX: Final = Decimal("99999999.999999")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a pass came to: every account's newest reading, and which of them are new."""

    run: RiskRun
    readings: tuple[AccountRisk, ...]
    new: frozenset[UUID]


@transaction.atomic
def measure_risk(*, now: datetime, day: date | None = None) -> Measured:
    """Measure every active account of the bound tenant for `day`, or each for its own today.

    Only days before that one count. A reading whose inputs are those of the account's newest one
    of the day is not written again. Readings of today are handed down to the treasury, the ones
    without a figure too: they make its sweeps fall back. When nothing is new, the last run is
    returned as it is.
    """
    take_turn("risk")
    readings, new = _measure(list(account_selectors.accounts()), now=now, day=day)
    last = reads.last_run()
    if last is not None and not new and last.accounts_count == len(readings):
        return Measured(run=last, readings=readings, new=new)
    run = RiskRun.objects.create(
        observed_at=now,
        accounts_count=len(readings),
        measured_count=sum(one.var_bps is not None for one in readings),
        over_limit_count=sum(one.is_over_limit for one in readings),
    )
    return Measured(run=run, readings=readings, new=new)


@transaction.atomic
def measure_account(
    *, account_id: UUID | str, now: datetime, day: date | None = None
) -> AccountRisk:
    """Measure one account as `measure_risk` does, without a run of its own.

    Raises:
        AccountUnknown: there is no such account.
    """
    account = account_selectors.account(account_id)
    take_turn("risk")
    readings, _ = _measure([account], now=now, day=day)
    return readings[0]


def _measure(
    accounts: Sequence["BankAccount"], *, now: datetime, day: date | None
) -> tuple[tuple[AccountRisk, ...], frozenset[UUID]]:
    wanted = definition()
    found = gather(accounts, wanted=wanted, now=now, day=day)
    ids = [one.account.pk for one in found]
    last = max((one.day for one in found), default=now.date())
    newest = reads.newest_by_account(ids, until=last)
    earlier = reads.forecasts_before(ids, last)
    figures = _figures(found, wanted)
    readings: list[AccountRisk] = []
    made: list[tuple[Gathered, AccountRisk, AccountRisk | None]] = []
    for one in found:
        before = newest.get(one.account.pk)
        if before is not None and (before.day, before.inputs_sha256) == (one.day, one.digest):
            readings.append(before)
            continue
        row = _row(one, figures.get(one.account.pk), wanted, now=now)
        _test(row, one.observations, earlier.get(one.account.pk, ()))
        made.append((one, row, before))
        readings.append(row)
    AccountRisk.objects.bulk_create(row for _, row, _ in made)
    Backtest.objects.bulk_create(_backtests(made, wanted))
    for one, row, before in made:
        if one.is_today:
            _hand_down(row)
            _warn(one.account, row, before)
    return tuple(readings), frozenset(row.pk for _, row, _ in made)


def _figures(found: Sequence[Gathered], wanted: Definition) -> dict[UUID, Figure]:
    """Return VaR and ES of every account with enough days; those with as many go together."""
    alike: dict[int, list[Gathered]] = defaultdict(list)
    for one in found:
        if one.problem is None:
            alike[len(one.window(wanted))].append(one)
    figures: dict[UUID, Figure] = {}
    for group in alike.values():
        flows = as_floats(
            observation.amount for one in group for observation in one.window(wanted)
        ).reshape(len(group), -1)
        tail = tails(flows, confidence=float(wanted.confidence), quantile=wanted.quantile)
        for one, var, es in zip(group, tail.var, tail.es, strict=True):
            figures[one.account.pk] = Figure(var=float(var), es=float(es))
    return figures


def _row(one: Gathered, figure: Figure | None, wanted: Definition, *, now: datetime) -> AccountRisk:
    window, currency = one.window(wanted), one.account.currency
    var = None if figure is None else _loss(figure.var, currency)
    bps = _bps(var, one.base)
    missing = one.problem or (Missing.NO_BASE if bps is None else None)
    row = AccountRisk(
        account=one.account,
        currency=currency,
        day=one.day,
        observed_at=now,
        quantile=wanted.quantile.value,
        confidence=wanted.confidence,
        window_days=wanted.window_days,
        observations=len(window),
        first_day=window[0].day if window else None,
        last_day=window[-1].day if window else None,
        var_amount=var,
        expected_shortfall=None if figure is None else _loss(figure.es, currency),
        base_kind=wanted.base_kind,
        base_amount=one.base,
        var_bps=bps,
        limit_bps=wanted.limit_bps,
        missing=missing or "",
        inputs_sha256=one.digest,
    )
    if figure is not None:
        _beside(row, as_floats(day.amount for day in window), float(wanted.confidence))
    return row


def _loss(value: float, currency: str) -> Decimal:
    """Return a loss as an amount; where nothing could be lost it is zero."""
    return as_amount(max(value, 0.0), currency)


def _bps(var: Decimal | None, base: Decimal | None) -> Decimal | None:
    """Return the share in basis points; None where there is nothing to be a share of."""
    if var is None or base is None or base <= 0:
        return None
    return min((var * BASIS_POINTS / base).quantize(BPS_UNIT, ROUND_HALF_EVEN), BPS_MAX)


def _beside(row: AccountRisk, flows: FloatArray, confidence: float) -> None:
    """Put the figures of the other methods beside the historical one, where they exist."""
    try:
        moments = moments_of(flows)
    except NotEnoughData:  # flows that never differ have no spread
        return
    row.normal_var = _loss(normal_var(moments, confidence=confidence), row.currency)
    bent = cornish_fisher_var(moments, confidence=confidence)
    row.cornish_fisher_var = None if bent is None else _loss(bent, row.currency)


def _test(
    row: AccountRisk, observations: Sequence[Observation], forecasts_made: Sequence[AccountRisk]
) -> None:
    """Hold the newest earlier forecast for a business day against what was then booked."""
    flows = {one.day: one.amount for one in observations}
    for earlier in forecasts_made:
        if earlier.day in flows and earlier.day < row.day and earlier.var_amount is not None:
            row.tested_day = earlier.day
            row.tested_var = earlier.var_amount
            row.tested_flow = flows[earlier.day]
            row.is_exceeded = flows[earlier.day] < -earlier.var_amount
            return


def _backtests(
    made: Sequence[tuple[Gathered, AccountRisk, AccountRisk | None]], wanted: Definition
) -> list[Backtest]:
    found = []
    for one, row, _ in made:
        judged = backtest_of(one, wanted=wanted)
        if judged is not None and row.var_amount is not None:
            found.append(_backtest(row, judged))
    return found


def _backtest(row: AccountRisk, judged: Judged) -> Backtest:
    report = judged.report
    return Backtest(
        risk=row,
        first_day=judged.observations[0].day,
        last_day=judged.observations[-1].day,
        days=report.days,
        exceedances=report.exceedances,
        expected=Decimal(repr(report.expected)).quantize(BPS_UNIT),
        first_failure=report.first,
        zone=report.zone.value,
        plus=Decimal(repr(report.plus)),
        **_ratio("kupiec", report.proportion),
        **_ratio("tuff", report.tuff),
        **_ratio("christoffersen", report.independence),
        **_ratio("conditional", report.conditional),
    )


def _ratio(name: str, ratio: Ratio | None) -> dict[str, Decimal | None]:
    if ratio is None:
        return {f"{name}_statistic": None, f"{name}_p": None}
    statistic = Decimal(repr(ratio.statistic)).quantize(SHARE_UNIT)
    return {
        f"{name}_statistic": min(statistic, STATISTIC_MAX),
        f"{name}_p": Decimal(repr(ratio.p_value)).quantize(SHARE_UNIT),
    }


def _hand_down(row: AccountRisk) -> None:
    """Let the treasury keep the reading: a missing figure is a word too."""
    record_risk_reading(
        reading=ReadingIn(
            account_id=row.account_id,
            as_of=row.last_day or row.day - ONE_DAY,
            observed_at=row.observed_at,
            method=f"historical_{row.quantile}",
            confidence=row.confidence,
            observations=row.observations,
            var_amount=row.var_amount,
            expected_shortfall=row.expected_shortfall,
            base_amount=row.base_amount,
            base_kind=row.base_kind,
            var_bps=row.var_bps,
            inputs_sha256=row.inputs_sha256,
        )
    )


def _warn(account: "BankAccount", row: AccountRisk, before: AccountRisk | None) -> None:
    """Tell a person when a reading passes the limit that the one before it kept."""
    if not row.is_over_limit or (before is not None and before.is_over_limit):
        return
    lost = Money(row.var_amount or ZERO, row.currency)
    base = Money(row.base_amount or ZERO, row.currency)
    raise_alert(
        kind="var_over_limit",
        severity="medium",
        subject_type="account",
        subject_id=account.pk,
        title=f"{account.label}: value at risk above the limit",
        detail=f"{row.var_bps:.1f} basis points of {base.quantized()}, the limit is"
        f" {row.limit_bps:.1f}: on one day of a hundred more than {lost} may leave. Sweeps take"
        " their fall-back.",
    )
