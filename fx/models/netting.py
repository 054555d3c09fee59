"""Nets: legs of one counterparty, currency and day that are one payment, under an agreement."""

from datetime import datetime

from django.db import models
from django.db.models import F, Q
from django_fsm import FSMField, FSMModelMixin, transition

from core.tenancy import TenantModel
from fx.models.deals import ACCOUNT, Counterparty, SettlementInstruction

PROPOSAL = "treasury.Proposal"
ENTRY = "treasury.BankEntry"
ENTRY_PART = "treasury.EntryPart"


class NettingAgreement(TenantModel):
    """What a counterparty and we signed: payments of one day and currency are one payment."""

    counterparty = models.ForeignKey(
        Counterparty, on_delete=models.PROTECT, related_name="netting_agreements"
    )
    reference = models.CharField(max_length=80, help_text="What the signed paper is called.")
    signed_on = models.DateField()
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["counterparty", "-starts_on"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "counterparty"],
                condition=Q(is_active=True),
                name="netting_agreement_once",
            ),
            models.CheckConstraint(
                name="netting_agreement_days_in_order",
                condition=Q(starts_on__gte=F("signed_on"))
                & (Q(ends_on=None) | Q(ends_on__gte=F("starts_on"))),
            ),
            models.CheckConstraint(
                name="netting_agreement_has_a_paper", condition=~Q(reference="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.counterparty}: {self.reference}"


class NetDirection(models.TextChoices):
    """Who moves what is left."""

    PAY = "PAY", "we pay"
    RECEIVE = "RECEIVE", "we receive"
    NOTHING = "NOTHING", "nothing is left"


class NetState(models.TextChoices):
    """Where a net stands."""

    EXPECTED = "EXPECTED", "expected"
    INSTRUCTED = "INSTRUCTED", "payment awaits approval or its bank"
    SENT = "SENT", "with the bank"
    SETTLED = "SETTLED", "seen on a statement"
    FAILED = "FAILED", "failed"
    VOID = "VOID", "undone"


_S = NetState


class SettlementNet(FSMModelMixin, TenantModel):
    """One payment or receipt in place of several legs; settled by its entry, and they with it."""

    reference = models.CharField(max_length=20)
    agreement = models.ForeignKey(NettingAgreement, on_delete=models.PROTECT, related_name="nets")
    counterparty = models.ForeignKey(Counterparty, on_delete=models.PROTECT, related_name="nets")
    currency = models.CharField(max_length=3)
    value_date = models.DateField()
    direction = models.CharField(max_length=7, choices=NetDirection)
    amount = models.DecimalField(max_digits=20, decimal_places=4)
    gross = models.DecimalField(max_digits=20, decimal_places=4)
    legs_count = models.PositiveSmallIntegerField()
    account = models.ForeignKey(ACCOUNT, on_delete=models.PROTECT, related_name="+")
    instruction = models.ForeignKey(
        SettlementInstruction, on_delete=models.PROTECT, related_name="nets"
    )
    rail = models.CharField(max_length=12, blank=True)
    due_at = models.DateTimeField()
    state = FSMField(choices=NetState.choices, default=_S.EXPECTED, protected=True)
    proposal = models.OneToOneField(
        PROPOSAL, on_delete=models.PROTECT, null=True, related_name="settlement_net"
    )
    entry = models.ForeignKey(
        ENTRY, on_delete=models.PROTECT, null=True, related_name="settlement_nets"
    )
    entry_part = models.OneToOneField(
        ENTRY_PART,
        on_delete=models.PROTECT,
        null=True,
        related_name="settlement_net",
        help_text="Which payment of the entry it is, where the bank booked several as one.",
    )
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "reference"], name="settlement_net_name"),
            models.CheckConstraint(
                name="settlement_net_amounts",
                condition=Q(gross__gt=0, gross__lt=10**16, amount__lt=10**16)
                & Q(amount__lte=F("gross"))
                & (
                    Q(amount__gt=0, direction__in=("PAY", "RECEIVE"))
                    | Q(amount=0, direction="NOTHING")
                ),
            ),
            models.CheckConstraint(
                name="settlement_net_is_of_several", condition=Q(legs_count__gte=2)
            ),
            models.CheckConstraint(
                name="settlement_net_settled_by_an_entry",
                condition=Q(state=_S.SETTLED, settled_at__isnull=False)
                & (Q(entry__isnull=False) | Q(direction="NOTHING"))
                | (~Q(state=_S.SETTLED) & Q(entry=None, settled_at=None)),
            ),
            models.UniqueConstraint(
                fields=["tenant", "entry"],
                condition=Q(entry_part=None),
                name="settlement_net_entry_alone",
            ),
            models.CheckConstraint(
                name="settlement_net_part_in_entry", condition=Q(entry_part=None) | ~Q(entry=None)
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "state", "value_date"], name="settlement_net_by_state")
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def is_pay(self) -> bool:
        """Tell whether we pay it."""
        return self.direction == NetDirection.PAY

    @transition(state, _S.EXPECTED, _S.INSTRUCTED)
    def instruct(self, *, at: datetime) -> None:
        """Its payment was proposed."""
        del at

    @transition(state, [_S.INSTRUCTED, _S.FAILED, _S.SETTLED], _S.SENT)
    def send(self, *, at: datetime) -> None:
        """The bank may have it."""
        del at
        self.entry, self.entry_part, self.settled_at = None, None, None
        self.reason, self.closed_at = "", None

    @transition(state, _S.SETTLED, _S.EXPECTED)
    def expect_again(self) -> None:
        """The entry that proved it does not count any more."""
        self.entry, self.entry_part, self.settled_at = None, None, None

    @transition(state, [_S.EXPECTED, _S.SENT], _S.SETTLED)
    def settle(self, *, at: datetime) -> None:
        """The bank booked it, or nothing was left to book."""
        self.settled_at = at

    @transition(state, [_S.EXPECTED, _S.INSTRUCTED, _S.SENT, _S.SETTLED], _S.FAILED)
    def fail(self, *, at: datetime, reason: str) -> None:
        """It was refused, or came back."""
        self.entry, self.entry_part, self.settled_at = None, None, None
        self.reason, self.closed_at = reason, at

    @transition(state, [_S.EXPECTED, _S.INSTRUCTED], _S.VOID)
    def void(self, *, at: datetime, reason: str) -> None:
        """Undone before it left: its legs stand by themselves again."""
        self.reason, self.closed_at = reason, at
