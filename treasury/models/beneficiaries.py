"""Whom we pay besides ourselves. The number is encrypted; its keyed digest finds it."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from core.crypto import EncryptedTextField
from core.tenancy import TenantModel
from treasury.constants import BeneficiaryState


class Beneficiary(TenantModel):
    """An account of somebody else that money may go to.

    The database stamps who last changed anything that steers money, and when; the stamp ends the
    verification. A typed-in one was written into a single proposal and stands on no list.
    """

    name = models.CharField(max_length=140)
    currency = models.CharField(max_length=3)
    bank_bic = models.CharField("bank's BIC", max_length=11)
    bank_name = models.CharField(max_length=70, blank=True)
    is_iban = models.BooleanField(default=False, editable=False)
    number = EncryptedTextField()
    number_index = models.CharField(max_length=64, editable=False)
    number_hint = models.CharField(max_length=8, editable=False, help_text="The last four digits.")
    clearing_code = models.CharField(
        max_length=20, blank=True, help_text="ABA number, sort code or IFSC where there is no IBAN."
    )
    street = models.CharField(max_length=70, blank=True)
    building_number = models.CharField(max_length=16, blank=True)
    post_code = models.CharField(max_length=16, blank=True)
    town = models.CharField(max_length=35)
    country = models.CharField(max_length=2)
    payment_purpose = models.CharField(
        max_length=5,
        blank=True,
        help_text="Purpose code that its payments carry, like SUPP; FIS (UAE); P1301 (India).",
    )
    state = models.CharField(
        max_length=7, choices=BeneficiaryState, default=BeneficiaryState.ACTIVE
    )
    is_typed_in = models.BooleanField(default=False, editable=False)
    is_verified = models.BooleanField(
        default=False, editable=False, help_text="Somebody else confirmed the number by a call."
    )
    verified_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
    )
    created_at = models.DateTimeField(editable=False)
    changed_at = models.DateTimeField(
        null=True, editable=False, help_text="By the database's clock."
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
        verbose_name_plural = "beneficiaries"
        ordering = ["name", "currency"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "number_index", "currency", "bank_bic"],
                condition=Q(is_typed_in=False),
                name="beneficiary_number",
            ),
            models.CheckConstraint(
                name="beneficiary_currency_form", condition=Q(currency__regex=r"^[A-Z]{3}$")
            ),
            models.CheckConstraint(
                name="beneficiary_country_form", condition=Q(country__regex=r"^[A-Z]{2}$")
            ),
            models.CheckConstraint(name="beneficiary_has_a_town", condition=Q(town__regex=r"\S")),
            models.CheckConstraint(
                name="beneficiary_verified_by_somebody",
                condition=Q(is_verified=False) | Q(verified_by__isnull=False),
            ),
        ]
        indexes = [models.Index(fields=["tenant", "number_index"], name="beneficiary_by_number")]

    def __str__(self) -> str:
        return self.name

    @property
    def bank_country(self) -> str:
        """Return the country of its bank, as the BIC says."""
        return self.bank_bic[4:6]

    @property
    def bank_words(self) -> str:
        """Return its bank as people read it."""
        return self.bank_name or self.bank_bic
