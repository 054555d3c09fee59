"""Receipts of another amount than agreed: taken as they came by two people, and said as what."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from core.money_columns import finite, not_negative
from core.tenancy import TenantModel
from fx.models.settlement import ENTRY, DealLeg


class DifferenceKind(models.TextChoices):
    """What the difference is."""

    FEE = "FEE", "charges that a bank kept back"
    SHORT = "SHORT", "paid short, and let go"
    OVER = "OVER", "paid too much, and kept"


class DifferenceState(models.TextChoices):
    """Where it stands."""

    PROPOSED = "PROPOSED", "awaits another person"
    ACCEPTED = "ACCEPTED", "accepted"
    REFUSED = "REFUSED", "refused"
    REVERSED = "REVERSED", "its entry does not count any more"


_S = DifferenceState


class ReceiptDifference(TenantModel):
    """What came for a leg in place of what was agreed; accepted, it settles the leg.

    `difference` is what came less what was agreed, in the leg's currency; `amount_usd` is its
    worth on the day it was accepted, and part of what the deal brought. The agreed amount, and
    what came, never change. A trigger holds who may say so, and the edges.
    """

    leg = models.ForeignKey(DealLeg, on_delete=models.PROTECT, related_name="differences")
    entry = models.ForeignKey(ENTRY, on_delete=models.PROTECT, related_name="deal_differences")
    kind = models.CharField(max_length=5, choices=DifferenceKind)
    came = models.DecimalField(max_digits=20, decimal_places=4)
    difference = models.DecimalField(max_digits=20, decimal_places=4)
    reason = models.TextField(help_text="Why it is taken as it came.")
    state = models.CharField(max_length=8, choices=_S, default=_S.PROPOSED)
    maker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    checker = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)
    note = models.TextField(blank=True, help_text="Why it was refused, or does not hold any more.")
    amount_usd = models.DecimalField(max_digits=20, decimal_places=4, null=True)
    usd_rate = models.DecimalField(max_digits=24, decimal_places=12, null=True)
    reversed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            finite("receipt_difference_is_finite", "came", "difference", "amount_usd"),
            not_negative("receipt_difference_rate", "usd_rate"),
            models.CheckConstraint(
                name="receipt_difference_is_what_it_says",
                condition=Q(came__gt=0)
                & (
                    Q(kind=DifferenceKind.OVER, difference__gt=0)
                    | Q(kind__in=(DifferenceKind.FEE, DifferenceKind.SHORT), difference__lt=0)
                ),
            ),
            models.CheckConstraint(name="receipt_difference_has_a_reason", condition=~Q(reason="")),
            models.CheckConstraint(
                name="receipt_difference_takes_two",
                condition=Q(checker=None) | ~Q(checker=F("maker")),
            ),
            models.CheckConstraint(
                name="receipt_difference_decided",
                condition=Q(state=_S.PROPOSED, checker=None, decided_at=None, amount_usd=None)
                | Q(state=_S.REFUSED, checker__isnull=False, amount_usd=None) & ~Q(note="")
                | Q(
                    state__in=(_S.ACCEPTED, _S.REVERSED),
                    checker__isnull=False,
                    decided_at__isnull=False,
                    amount_usd__isnull=False,
                    usd_rate__gt=0,
                ),
            ),
            models.CheckConstraint(
                name="receipt_difference_reversed",
                condition=Q(state=_S.REVERSED, reversed_at__isnull=False)
                | (~Q(state=_S.REVERSED) & Q(reversed_at=None)),
            ),
            models.UniqueConstraint(
                fields=["tenant", "leg"],
                condition=Q(state__in=(_S.PROPOSED, _S.ACCEPTED)),
                name="receipt_difference_once_a_leg",
            ),
            models.UniqueConstraint(
                fields=["tenant", "entry"],
                condition=Q(state__in=(_S.PROPOSED, _S.ACCEPTED)),
                name="receipt_difference_once_an_entry",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.leg}: {self.difference.normalize():f} {self.leg.currency}"
