"""What may exist in the risk room: passes over the accounts, readings, backtests."""

from decimal import Decimal

from django.db import models
from django.db.models import F, Q

from core.money_columns import finite, not_negative
from core.tenancy import TenantModel
from risk.constants import OBSERVATIONS_MAX
from risk.engine.backtest import Zone
from risk.engine.tails import Quantile

ACCOUNT = "treasury.BankAccount"


def _amount(*, null: bool = True) -> models.DecimalField:  # type: ignore[type-arg]
    return models.DecimalField(max_digits=20, decimal_places=4, null=null)


def _share(*, null: bool = False) -> models.DecimalField:  # type: ignore[type-arg]
    return models.DecimalField(max_digits=7, decimal_places=6, null=null)


def _statistic(*, null: bool = False) -> models.DecimalField:  # type: ignore[type-arg]
    return models.DecimalField(max_digits=14, decimal_places=6, null=null)


def _shares(name: str, *columns: str) -> models.CheckConstraint:
    condition = Q()
    for column in columns:
        condition &= Q(**{f"{column}__gte": 0, f"{column}__lte": 1})
    return models.CheckConstraint(name=name, condition=condition)


class Missing(models.TextChoices):
    """Why a reading has no figure in basis points."""

    TOO_FEW = "TOO_FEW", "too few business days are known"
    NO_BASE = "NO_BASE", "the balance it would be a share of is not positive"
    NO_CALENDAR = "NO_CALENDAR", "the currency's calendar does not say which days were open"


QUANTILES = [(one.value, one.value.replace("_", " ")) for one in Quantile]
ZONES = [(one.value, one.value.lower()) for one in Zone]


class RiskRun(TenantModel):
    """One pass over all accounts; written once, never changed."""

    observed_at = models.DateTimeField()
    accounts_count = models.PositiveIntegerField()
    measured_count = models.PositiveIntegerField(help_text="Accounts with a figure.")
    over_limit_count = models.PositiveIntegerField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="risk_run_counts_are_parts",
                condition=Q(measured_count__lte=F("accounts_count"))
                & Q(over_limit_count__lte=F("measured_count")),
            )
        ]

    def __str__(self) -> str:
        return f"{self.observed_at:%Y-%m-%d %H:%M}"


class AccountRisk(TenantModel):
    """What an account may lose on one day, as known before that day; never changed.

    Amounts are in the account's currency; losses are positive. `day` is the day that the figure
    is a forecast for; it rests on `observations` business days from `first_day` to `last_day`,
    all of them earlier. `tested_…` compares the reading before this one with what then happened:
    the flow of its day is signed, and exceeded it when more than its VaR was lost.
    """

    account = models.ForeignKey(ACCOUNT, on_delete=models.PROTECT, related_name="+")
    currency = models.CharField(max_length=3)
    day = models.DateField()
    observed_at = models.DateTimeField()
    quantile = models.CharField(max_length=12, choices=QUANTILES)
    confidence = _share()
    window_days = models.PositiveSmallIntegerField()
    observations = models.PositiveSmallIntegerField()
    first_day = models.DateField(null=True)
    last_day = models.DateField(null=True)
    var_amount = _amount()
    expected_shortfall = _amount()
    normal_var = _amount()
    cornish_fisher_var = _amount()
    base_kind = models.CharField(max_length=20)
    base_amount = _amount()
    var_bps = models.DecimalField(max_digits=14, decimal_places=4, null=True)
    limit_bps = models.DecimalField(max_digits=14, decimal_places=4)
    missing = models.CharField(max_length=11, choices=Missing, blank=True)
    inputs_sha256 = models.CharField(max_length=64)
    tested_day = models.DateField(null=True)
    tested_var = _amount()
    tested_flow = _amount()
    is_exceeded = models.BooleanField(null=True)

    class Meta:
        verbose_name = "reading"
        ordering = ["-id"]
        constraints = [
            not_negative(
                "account_risk_losses_are_not_negative",
                "var_amount",
                "expected_shortfall",
                "normal_var",
                "cornish_fisher_var",
                "tested_var",
            ),
            finite("account_risk_amounts_are_finite", "base_amount", "tested_flow"),
            not_negative("account_risk_bps_are_not_negative", "var_bps", "limit_bps"),
            models.CheckConstraint(
                name="account_risk_confidence_is_a_share",
                condition=Q(confidence__gt=Decimal(0), confidence__lt=Decimal(1)),
            ),
            models.CheckConstraint(
                name="account_risk_says_why_nothing",
                condition=(Q(var_bps__isnull=False) & Q(missing=""))
                | (Q(var_bps=None) & Q(missing__in=Missing.values)),
            ),
            models.CheckConstraint(
                name="account_risk_share_has_its_parts",
                condition=Q(var_bps=None)
                | Q(var_amount__isnull=False, base_amount__isnull=False, base_amount__gt=0),
            ),
            models.CheckConstraint(
                name="account_risk_knows_only_earlier_days",
                condition=Q(last_day=None, observations=0)
                | Q(first_day__lte=F("last_day"), last_day__lt=F("day"), observations__gte=1),
            ),
            models.CheckConstraint(
                name="account_risk_window_in_range",
                condition=Q(observations__lte=F("window_days"))
                & Q(window_days__lte=OBSERVATIONS_MAX),
            ),
            models.CheckConstraint(
                name="account_risk_test_is_whole",
                condition=Q(tested_day=None, tested_var=None, tested_flow=None, is_exceeded=None)
                | Q(
                    tested_day__lt=F("day"),
                    tested_var__isnull=False,
                    tested_flow__isnull=False,
                    is_exceeded__isnull=False,
                ),
            ),
            models.CheckConstraint(
                name="account_risk_exceeded_means_lost_more",
                condition=Q(is_exceeded=None)
                | Q(is_exceeded=True, tested_flow__lt=-F("tested_var"))
                | Q(is_exceeded=False, tested_flow__gte=-F("tested_var")),
            ),
            models.CheckConstraint(
                name="account_risk_digest_form",
                condition=Q(inputs_sha256__regex=r"^[0-9a-f]{64}$"),
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "account", "-day", "-id"], name="account_risk_newest"),
            models.Index(fields=["tenant", "day", "-id"], name="account_risk_by_day"),
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.day}"

    @property
    def is_short(self) -> bool:
        """Tell whether fewer days were known than the window has."""
        return bool(self.observations < self.window_days)

    @property
    def percent(self) -> str:
        """Return the confidence in percent, as people write it."""
        return f"{(self.confidence * 100).normalize():f}"

    @property
    def is_over_limit(self) -> bool:
        """Tell whether the figure is above the limit; equal to it is not."""
        return self.var_bps is not None and bool(self.var_bps > self.limit_bps)

    @property
    def why_missing(self) -> str:
        """Return why there is no figure, as a sentence; empty where there is one."""
        words = self.get_missing_display()
        return f"{words[0].upper()}{words[1:]}." if words else ""


class Backtest(TenantModel):
    """How the figures of the last year would have held; written with its reading, never changed.

    Every day tested was forecast from the days before it alone, by the reading's own definition.
    """

    risk = models.OneToOneField(AccountRisk, on_delete=models.PROTECT, related_name="backtest")
    first_day = models.DateField()
    last_day = models.DateField()
    days = models.PositiveSmallIntegerField()
    exceedances = models.PositiveSmallIntegerField()
    expected = models.DecimalField(max_digits=9, decimal_places=4)
    kupiec_statistic = _statistic()
    kupiec_p = _share()
    first_failure = models.PositiveSmallIntegerField(null=True)
    tuff_statistic = _statistic(null=True)
    tuff_p = _share(null=True)
    christoffersen_statistic = _statistic(null=True)
    christoffersen_p = _share(null=True)
    conditional_statistic = _statistic(null=True)
    conditional_p = _share(null=True)
    zone = models.CharField(max_length=6, choices=ZONES)
    plus = models.DecimalField(max_digits=5, decimal_places=4)

    class Meta:
        ordering = ["-id"]
        constraints = [
            not_negative(
                "backtest_statistics_are_not_negative",
                "kupiec_statistic",
                "tuff_statistic",
                "christoffersen_statistic",
                "conditional_statistic",
                "expected",
            ),
            _shares("backtest_p_values", "kupiec_p", "tuff_p", "christoffersen_p", "conditional_p"),
            _shares("backtest_plus_in_range", "plus"),
            models.CheckConstraint(
                name="backtest_counts_are_parts",
                condition=Q(days__gte=1, exceedances__lte=F("days"))
                & Q(first_day__lte=F("last_day")),
            ),
            models.CheckConstraint(
                name="backtest_first_failure_is_one_of_them",
                condition=Q(first_failure=None, exceedances=0)
                | Q(first_failure__gte=1, first_failure__lte=F("days"), exceedances__gte=1),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.exceedances} of {self.days}"
