"""Where rates come from, what was delivered, each rate for ever, and alarms about them."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from core.tenancy import TenantModel
from fx.constants import RATE_BOUND

_CURRENCY = r"^[A-Z]{3}$"


def rate_column(**options: object) -> models.DecimalField:  # type: ignore[type-arg]
    """Return a column for a rate: ten places, below ten million."""
    return models.DecimalField(max_digits=17, decimal_places=10, **options)  # type: ignore[arg-type]


def is_rate(*columns: str) -> Q:
    """Return the condition that every column is a positive, finite rate."""
    condition = Q()
    for column in columns:
        condition &= Q(**{f"{column}__gt": 0, f"{column}__lt": RATE_BOUND})
    return condition


class SourceKind(models.TextChoices):
    """How rates come in."""

    FEED = "FEED", "live feed"
    API = "API", "pushed over the API"
    FILE = "FILE", "uploaded file"
    ECB = "ECB", "reference rates of the European Central Bank"


class RateSource(TenantModel):
    """Somebody whose rates we take: the trusted one is taken first, while it is fresh."""

    code = models.SlugField(max_length=20, help_text="Shown beside every rate that comes from it.")
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=4, choices=SourceKind)
    priority = models.PositiveSmallIntegerField(help_text="The lowest number is taken first.")
    age_minutes_max = models.PositiveIntegerField(
        "fresh for (minutes)",
        validators=[MinValueValidator(1), MaxValueValidator(20_160)],
        help_text="An older rate of this source counts as missing.",
    )
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["priority", "code"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "code"], name="rate_source_code"),
            models.CheckConstraint(
                name="rate_source_age_in_range",
                condition=Q(age_minutes_max__gte=1, age_minutes_max__lte=20_160),
            ),
        ]

    def __str__(self) -> str:
        return self.code


class RateDelivery(TenantModel):
    """One file, push, tick or package of rates, as it came in; never changed."""

    source = models.ForeignKey(RateSource, on_delete=models.PROTECT, related_name="deliveries")
    name = models.CharField(max_length=120, help_text="File name, package and version, or path.")
    sha256 = models.CharField(max_length=64)
    received_at = models.DateTimeField()
    received_from = models.CharField(max_length=80)
    rates_count = models.PositiveIntegerField()

    class Meta:
        verbose_name_plural = "rate deliveries"
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="rate_delivery_digest_form", condition=Q(sha256__regex=r"^[0-9a-f]{64}$")
            )
        ]

    def __str__(self) -> str:
        return self.name


class Rate(TenantModel):
    """What a source said a pair was worth at an instant; never changed."""

    source = models.ForeignKey(RateSource, on_delete=models.PROTECT, related_name="rates")
    delivery = models.ForeignKey(RateDelivery, on_delete=models.PROTECT, related_name="rates")
    base = models.CharField(max_length=3)
    quote = models.CharField(max_length=3)
    bid = rate_column()
    ask = rate_column()
    as_of = models.DateTimeField()

    class Meta:
        ordering = ["-as_of", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "source", "base", "quote", "as_of"], name="rate_per_instant"
            ),
            models.CheckConstraint(name="rate_is_positive", condition=is_rate("bid", "ask")),
            models.CheckConstraint(name="rate_sides_in_order", condition=Q(bid__lte=F("ask"))),
            models.CheckConstraint(
                name="rate_has_two_currencies",
                condition=Q(base__regex=_CURRENCY, quote__regex=_CURRENCY) & ~Q(base=F("quote")),
            ),
        ]
        indexes = [models.Index(fields=["tenant", "base", "quote", "-as_of"], name="rate_newest")]

    def __str__(self) -> str:
        return f"{self.base}/{self.quote} {self.bid}–{self.ask}"


class AlarmKind(models.TextChoices):
    """What is wrong with the rates of a pair."""

    STALE = "STALE", "no fresh rate"
    DISAGREE = "DISAGREE", "sources disagree"


class RateAlarm(TenantModel):
    """A pair without a fresh rate, or with sources that disagree, until it is right again."""

    kind = models.CharField(max_length=8, choices=AlarmKind)
    pair = models.CharField(max_length=7)
    words = models.CharField(max_length=300)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "kind", "pair"],
                condition=Q(closed_at=None),
                name="rate_alarm_once_open",
            ),
            models.CheckConstraint(
                name="rate_alarm_ends_after_it_began",
                condition=Q(closed_at=None) | Q(closed_at__gte=F("opened_at")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pair}: {self.get_kind_display()}"
