"""Receipts of another amount than agreed: taken as they came by two people, and said as what."""

from decimal import Decimal
from typing import cast

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from core.money_columns import finite, not_negative
from core.tenancy import TenantModel
from fx.models.netting import SettlementNet
from fx.models.settlement import ENTRY, ENTRY_PART, DealLeg


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
    """What came in place of what was agreed; accepted, it settles the leg, or the net, it is for.

    What was owed is a leg, or a net of several. What came is an entry, or the part of it that is
    named where the bank booked several payments as one. `difference` is what came less what was
    agreed, in their currency; `amount_usd` is its worth on the day it was accepted, and booked as
    a result of its own. The agreed amount, and what came, never change. A trigger holds who may say
    so, and the edges.
    """

    leg = models.ForeignKey(
        DealLeg, on_delete=models.PROTECT, null=True, related_name="differences"
    )
    net = models.ForeignKey(
        SettlementNet, on_delete=models.PROTECT, null=True, related_name="differences"
    )
    entry = models.ForeignKey(ENTRY, on_delete=models.PROTECT, related_name="deal_differences")
    entry_part = models.ForeignKey(
        ENTRY_PART,
        on_delete=models.PROTECT,
        null=True,
        related_name="deal_differences",
        help_text="Which payment of the entry it is, where the bank booked several as one.",
    )
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
            models.CheckConstraint(
                name="receipt_difference_of_a_leg_or_net",
                condition=Q(leg__isnull=False, net=None) | Q(leg=None, net__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["tenant", "leg"],
                condition=Q(state__in=(_S.PROPOSED, _S.ACCEPTED)),
                name="receipt_difference_once_a_leg",
            ),
            models.UniqueConstraint(
                fields=["tenant", "net"],
                condition=Q(state__in=(_S.PROPOSED, _S.ACCEPTED)),
                name="receipt_difference_once_a_net",
            ),
            models.UniqueConstraint(
                fields=["tenant", "entry"],
                condition=Q(state__in=(_S.PROPOSED, _S.ACCEPTED), entry_part=None),
                name="receipt_difference_once_an_entry",
            ),
            models.UniqueConstraint(
                fields=["tenant", "entry_part"],
                condition=Q(state__in=(_S.PROPOSED, _S.ACCEPTED)),
                name="receipt_difference_once_a_part",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reference}: {self.difference.normalize():f} {self.currency}"

    @property
    def owed(self) -> DealLeg | SettlementNet:
        """Return the leg, or the net, that it is for."""
        return self.leg if self.leg is not None else cast("SettlementNet", self.net)

    @property
    def reference(self) -> str:
        """Return the name of what it is for."""
        return str(self.owed.reference)

    @property
    def currency(self) -> str:
        """Return the currency of what was agreed and of what came."""
        return str(self.owed.currency)

    @property
    def agreed(self) -> Decimal:
        """Return what was to come."""
        amount: Decimal = self.owed.amount
        return amount
