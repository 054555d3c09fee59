"""What stands inside a batch booking: the payments that a bank booked as one entry."""

from django.db import models
from django.db.models import Q

from core.money_columns import finite
from core.tenancy import TenantModel
from treasury.models.statements import BankEntry


class PartSource(models.TextChoices):
    """Who says what is inside a batch."""

    BANK = "BANK", "listed by the bank"
    ORDER = "ORDER", "our own file, which the bank names"


class EntryPart(TenantModel):
    """One payment inside an entry. The entry alone counts; its parts add up to it, to the cent."""

    entry = models.ForeignKey(
        BankEntry, on_delete=models.PROTECT, related_name="parts", db_index=False
    )
    number = models.PositiveIntegerField(help_text="Its place in the batch, from one.")
    source = models.CharField(max_length=5, choices=PartSource)
    amount = models.DecimalField(max_digits=20, decimal_places=4)
    bank_reference = models.CharField(max_length=70, blank=True)
    end_to_end_id = models.CharField(max_length=70, blank=True)
    uetr = models.CharField("UETR", max_length=36, blank=True)
    counterparty = models.CharField(max_length=140, blank=True)
    remittance = models.TextField(blank=True)
    return_reason = models.CharField(max_length=70, blank=True)
    locator = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["entry", "number"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "entry", "number"], name="entry_part_number"),
            finite("entry_part_amount_is_finite", "amount"),
        ]
        indexes = [
            models.Index(
                fields=["tenant", "end_to_end_id"],
                condition=~Q(end_to_end_id=""),
                name="entry_part_by_end_to_end_id",
            ),
            models.Index(
                fields=["tenant", "uetr"], condition=~Q(uetr=""), name="entry_part_by_uetr"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number}: {self.amount}"
