"""What the last forecast rested on, and when a currency is to be forecast anew."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from core.money_columns import finite, not_negative
from core.tenancy import TenantModel
from fx.models.rates import is_rate, rate_column


def _amount() -> models.DecimalField:  # type: ignore[type-arg]
    return models.DecimalField(max_digits=20, decimal_places=4)


class ForecastBasis(TenantModel):
    """What a forecast said of a currency's day, and how things stood then; never changed.

    `outflow` is what was still to go out on `day`, `booked` what had gone out before; `rate` is
    the middle rate against the funding currency, None where nobody had a fresh one.
    """

    currency = models.CharField(max_length=3)
    forecast = models.UUIDField()
    as_of = models.DateTimeField()
    day = models.DateField()
    outflow = _amount()
    booked = _amount()
    required = _amount()
    prefunded = _amount()
    hedged = _amount()
    open_amount = _amount()
    rate = rate_column(null=True)

    class Meta:
        verbose_name_plural = "forecast bases"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "currency", "forecast"], name="forecast_basis_once"
            ),
            not_negative(
                "forecast_basis_amounts", "outflow", "booked", "required", "open_amount"
            ),
            finite("forecast_basis_signed", "prefunded", "hedged"),
            models.CheckConstraint(
                name="forecast_basis_rate", condition=Q(rate=None) | is_rate("rate")
            ),
        ]  # fmt: skip
        indexes = [models.Index(fields=["tenant", "currency", "-as_of"], name="forecast_basis_new")]

    def __str__(self) -> str:
        return f"{self.currency} {self.day}"


class ReforecastReason(models.TextChoices):
    """Why a currency is forecast anew."""

    DEVIATION = "DEVIATION", "the day runs otherwise than forecast"
    RATE_MOVE = "RATE_MOVE", "the rate moved"
    DEAL_FAILED = "DEAL_FAILED", "a deal was cancelled or failed"
    HOLIDAY = "HOLIDAY", "a holiday changed"
    MANUAL = "MANUAL", "a person asked"


class ReforecastTrigger(TenantModel):
    """A currency is to be forecast anew: noticed, and fired once its cool-down is over.

    `old` and `new` are what changed, in the words of the reason: amounts, rates, day states.
    Fired once; nothing else ever changes.
    """

    currency = models.CharField(max_length=3)
    local_date = models.DateField()
    reason = models.CharField(max_length=11, choices=ReforecastReason)
    bucket = models.PositiveSmallIntegerField(help_text="Which half hour of the local day.")
    old = models.CharField(max_length=60)
    new = models.CharField(max_length=60)
    words = models.CharField(max_length=300)
    noticed_at = models.DateTimeField()
    due_at = models.DateTimeField()
    fired_at = models.DateTimeField(null=True)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "currency", "local_date", "reason", "bucket"],
                name="reforecast_once",
            ),
            models.CheckConstraint(
                name="reforecast_fired_when_due",
                condition=Q(fired_at=None) | Q(fired_at__gte=models.F("due_at")),
            ),
            models.CheckConstraint(
                name="reforecast_person_asks",
                condition=Q(reason="MANUAL", asked_by__isnull=False)
                | (~Q(reason="MANUAL") & Q(asked_by=None)),
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "currency", "-fired_at"], name="reforecast_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.local_date} {self.reason}"
