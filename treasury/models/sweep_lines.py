"""Lines of sweeps: which products of an account are paid through our own bank, and to whom."""

from django.db import models
from django.db.models import Q

from core.tenancy import TenantModel
from treasury.models.beneficiaries import Beneficiary
from treasury.models.static import BankAccount
from treasury.models.sweeps import SweepProduct


class SweepLine(TenantModel):
    """Where the money of one product goes when our own bank pays it. Changed by two people.

    Orders of an account and product without an active line are handed to the connector. `ends` is
    the digest of payer and payee as the bank reads them: no other ends leave under this line.
    """

    name = models.CharField(max_length=70)
    account = models.ForeignKey(BankAccount, on_delete=models.PROTECT, related_name="sweep_lines")
    product = models.ForeignKey(SweepProduct, on_delete=models.PROTECT, related_name="lines")
    credit_account = models.ForeignKey(
        BankAccount,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="An account of ours that holds the product; or else a beneficiary.",
    )
    beneficiary = models.ForeignKey(
        Beneficiary,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Who takes the money; or else an account of ours.",
    )
    rail = models.CharField(max_length=12, blank=True, help_text="Empty: the shortest way there.")
    report_code = models.CharField(
        max_length=10, blank=True, help_text="What the authority wants to read in every order."
    )
    report_text = models.CharField(max_length=35, blank=True)
    note_to_bank = models.CharField(
        max_length=140, blank=True, help_text="Written for our own bank in every order."
    )
    ends = models.CharField(max_length=64, editable=False, default="")
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="sweep_line_name"),
            models.UniqueConstraint(
                fields=["tenant", "account", "product"], name="sweep_line_of_product"
            ),
            models.CheckConstraint(
                name="sweep_line_pays_exactly_one",
                condition=Q(credit_account__isnull=True, beneficiary__isnull=False)
                | Q(credit_account__isnull=False, beneficiary__isnull=True),
            ),
            models.CheckConstraint(
                name="sweep_line_ends_are_a_digest", condition=Q(ends__regex=r"^[0-9a-f]{64}$")
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def payee(self) -> str:
        """Return who gets the money, in a word."""
        return self.credit_account.label if self.credit_account else str(self.beneficiary)
