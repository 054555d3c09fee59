"""When a currency's exposure was out of bounds, once for each of its days."""

from django.db import models

from core.money_columns import finite, not_negative
from core.tenancy import TenantModel


class ExposureAlarmKind(models.TextChoices):
    """What was out of bounds."""

    BREACH = "BREACH", "too much is open"
    OVERHEDGED = "OVERHEDGED", "more was bought than is needed"


class ExposureAlarm(TenantModel):
    """An exposure out of bounds, as it was first seen on a day; never changed."""

    kind = models.CharField(max_length=10, choices=ExposureAlarmKind)
    currency = models.CharField(max_length=3)
    day = models.DateField()
    required = models.DecimalField(max_digits=20, decimal_places=4)
    prefunded = models.DecimalField(max_digits=20, decimal_places=4)
    hedged = models.DecimalField(max_digits=20, decimal_places=4)
    open_amount = models.DecimalField(max_digits=20, decimal_places=4)
    share = models.DecimalField(max_digits=16, decimal_places=6)
    limit_share = models.DecimalField(max_digits=9, decimal_places=6)
    raised_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "kind", "currency", "day"], name="exposure_alarm_once_a_day"
            ),
            not_negative(
                "exposure_alarm_amounts", "required", "open_amount", "share", "limit_share"
            ),
            finite("exposure_alarm_signed", "prefunded", "hedged"),
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.day}"
