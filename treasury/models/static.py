"""Static data: who we are, where we bank, and what a currency is worth in dollars."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from core.crypto import EncryptedTextField
from core.money_columns import not_negative
from core.tenancy import TenantModel


class LegalEntity(TenantModel):
    """One of our companies; debtor and creditor in its own transfers."""

    name = models.CharField(max_length=70)
    lei = models.CharField("LEI", max_length=20)
    street = models.CharField(max_length=70, blank=True)
    building_number = models.CharField(max_length=16, blank=True)
    post_code = models.CharField(max_length=16, blank=True)
    town = models.CharField(max_length=35)
    country = models.CharField(max_length=2)
    closed_until = models.DateField(
        null=True,
        blank=True,
        help_text="Days up to this one change only through a person; an account may close later.",
    )
    history = HistoricalRecords()

    class Meta:
        verbose_name_plural = "legal entities"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="legal_entity_name"),
            models.CheckConstraint(
                name="legal_entity_lei_form", condition=Q(lei__regex=r"^[A-Z0-9]{18}[0-9]{2}$")
            ),
            models.CheckConstraint(
                name="legal_entity_country_form", condition=Q(country__regex=r"^[A-Z]{2}$")
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Bank(TenantModel):
    """A bank we hold accounts with."""

    bic = models.CharField("BIC", max_length=11)
    name = models.CharField(max_length=70)
    country = models.CharField(max_length=2)
    connection = models.CharField(
        max_length=40, blank=True, help_text="Code of the bank connection that payments leave by."
    )
    history = HistoricalRecords()

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["tenant", "bic"], name="bank_bic")]

    def __str__(self) -> str:
        return self.name


class AccountKind(models.TextChoices):
    """What an account is for."""

    NOSTRO = "NOSTRO", "Nostro"
    VOSTRO_RDA = "VOSTRO_RDA", "Rupee drawing account"
    DDA = "DDA", "Operating account"
    POOL_HEADER = "POOL_HEADER", "Pool header"
    POOL_CHILD = "POOL_CHILD", "Pool child"


class IntradayMode(models.TextChoices):
    """How this bank's intraday reports relate to each other (camt.052)."""

    CUMULATIVE = "CUMULATIVE", "each report repeats the whole day"
    DELTA = "DELTA", "each report brings only what is new"


class BankAccount(TenantModel):
    """One account in one currency. The number is encrypted; its keyed digest finds it."""

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, related_name="accounts")
    bank = models.ForeignKey(Bank, on_delete=models.PROTECT, related_name="accounts")
    label = models.CharField(max_length=70)
    currency = models.CharField(max_length=3)
    kind = models.CharField(max_length=12, choices=AccountKind, default=AccountKind.NOSTRO)
    is_iban = models.BooleanField(default=False)
    number = EncryptedTextField()
    number_index = models.CharField(max_length=64, editable=False)
    number_hint = models.CharField(max_length=8, editable=False, help_text="The last four digits.")
    clearing_code = models.CharField(
        max_length=20, blank=True, help_text="ABA number, sort code or IFSC where there is no IBAN."
    )
    timezone = models.CharField(max_length=40)
    rda_procedure = models.CharField(max_length=12, blank=True)
    min_balance = models.DecimalField(max_digits=20, decimal_places=4, default=0)
    required_collateral = models.DecimalField(max_digits=20, decimal_places=4, default=0)
    overdraft_limit = models.DecimalField(max_digits=20, decimal_places=4, default=0)
    intraday_mode = models.CharField(
        max_length=10, choices=IntradayMode, default=IntradayMode.CUMULATIVE
    )
    statement_hours_expected = models.PositiveSmallIntegerField(
        default=30, help_text="A balance older than this is stale."
    )
    is_active = models.BooleanField(default=True)
    closed_until = models.DateField(
        null=True,
        blank=True,
        help_text="Days up to this one change only through a person; its company may close later.",
    )
    changed_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text="When what steers money changed last, by the database's clock.",
    )
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
    )
    history = HistoricalRecords()

    class Meta:
        ordering = ["currency", "label"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "number_index", "currency"], name="bank_account_number"
            ),
            models.UniqueConstraint(fields=["tenant", "label"], name="bank_account_label"),
            models.CheckConstraint(
                name="bank_account_currency_form", condition=Q(currency__regex=r"^[A-Z]{3}$")
            ),
            not_negative(
                "bank_account_floors_are_not_negative",
                "min_balance",
                "required_collateral",
                "overdraft_limit",
            ),
        ]

    def __str__(self) -> str:
        return self.label


class UsdRate(TenantModel):
    """What one unit of a currency is worth in US dollars, handed down by the fx room or a feed."""

    currency = models.CharField(max_length=3)
    usd_per_unit = models.DecimalField(max_digits=20, decimal_places=10)
    as_of = models.DateTimeField()
    source = models.CharField(max_length=40)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "currency", "as_of"], name="usd_rate_as_of"),
            models.CheckConstraint(
                name="usd_rate_is_positive",
                condition=Q(usd_per_unit__gt=0, usd_per_unit__lt=10_000_000),
            ),
        ]
        ordering = ["-as_of"]

    def __str__(self) -> str:
        return f"{self.currency} {self.usd_per_unit}"
