"""Legs: the two payments that a deal settles by, and what is wrong while only one is done."""

from datetime import datetime

from django.db import models
from django.db.models import F, Q
from django_fsm import FSMField, FSMModelMixin, transition

from core.tenancy import TenantModel
from fx.models.deals import ACCOUNT, Deal, SettlementInstruction
from fx.models.netting import SettlementNet

PROPOSAL = "treasury.Proposal"
ENTRY = "treasury.BankEntry"
ENTRY_PART = "treasury.EntryPart"


class LegDirection(models.TextChoices):
    """Who moves the money."""

    PAY = "PAY", "we pay"
    RECEIVE = "RECEIVE", "we receive"


class LegState(models.TextChoices):
    """Where a leg stands."""

    EXPECTED = "EXPECTED", "expected"
    NETTED = "NETTED", "part of a net"
    INSTRUCTED = "INSTRUCTED", "payment awaits approval or its bank"
    SENT = "SENT", "with the bank"
    SETTLED = "SETTLED", "seen on a statement"
    FAILED = "FAILED", "failed"
    VOID = "VOID", "replaced"


_S = LegState
# What stands of a deal; a leg that was replaced is kept and does not count.
STANDING = (_S.EXPECTED, _S.NETTED, _S.INSTRUCTED, _S.SENT, _S.SETTLED, _S.FAILED)
# What still moves the position: neither proven by an entry nor given up.
UNSETTLED = (_S.EXPECTED, _S.NETTED, _S.INSTRUCTED, _S.SENT)


class DealLeg(FSMModelMixin, TenantModel):
    """One payment of a deal: what we pay to the counterparty, or what it pays to us.

    Amount, currency, accounts and day never change: a leg is replaced by its next version. It is
    settled by the bank's entry alone. Only services fire transitions; a trigger holds the edges.
    """

    deal = models.ForeignKey(Deal, on_delete=models.PROTECT, related_name="legs")
    leg_no = models.PositiveSmallIntegerField(help_text="1 is what we pay, 2 what we receive.")
    version = models.PositiveSmallIntegerField(default=1)
    direction = models.CharField(max_length=7, choices=LegDirection)
    currency = models.CharField(max_length=3)
    amount = models.DecimalField(max_digits=20, decimal_places=4)
    account = models.ForeignKey(ACCOUNT, on_delete=models.PROTECT, related_name="+")
    instruction = models.ForeignKey(
        SettlementInstruction,
        on_delete=models.PROTECT,
        null=True,
        related_name="legs",
        help_text="Where the counterparty is paid.",
    )
    rail = models.CharField(max_length=12, blank=True)
    value_date = models.DateField()
    due_at = models.DateTimeField(help_text="When it should be done at the latest.")
    state = FSMField(choices=LegState.choices, default=_S.EXPECTED, protected=True)
    proposal = models.OneToOneField(
        PROPOSAL, on_delete=models.PROTECT, null=True, related_name="deal_leg"
    )
    entry = models.ForeignKey(ENTRY, on_delete=models.PROTECT, null=True, related_name="deal_legs")
    entry_part = models.OneToOneField(
        ENTRY_PART,
        on_delete=models.PROTECT,
        null=True,
        related_name="deal_leg",
        help_text="Which payment of the entry it is, where the bank booked several as one.",
    )
    net = models.ForeignKey(SettlementNet, on_delete=models.PROTECT, null=True, related_name="legs")
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField()
    instructed_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["deal", "leg_no", "version"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "deal", "leg_no", "version"], name="deal_leg_version"
            ),
            models.UniqueConstraint(
                fields=["tenant", "deal", "leg_no"],
                condition=~Q(state=_S.VOID),
                name="deal_leg_stands_once",
            ),
            models.CheckConstraint(
                name="deal_leg_amount_is_positive", condition=Q(amount__gt=0, amount__lt=10**16)
            ),
            models.CheckConstraint(
                name="deal_leg_number_is_its_direction",
                condition=Q(leg_no=1, direction="PAY", instruction__isnull=False)
                | Q(leg_no=2, direction="RECEIVE", instruction=None, proposal=None),
            ),
            models.CheckConstraint(
                name="deal_leg_settled_by_an_entry",
                condition=Q(state=_S.SETTLED, settled_at__isnull=False)
                & (Q(entry__isnull=False, net=None) | Q(entry=None, net__isnull=False))
                | (~Q(state=_S.SETTLED) & Q(entry=None, settled_at=None)),
            ),
            models.CheckConstraint(
                name="deal_leg_netted_in_a_net",
                condition=~Q(state=_S.NETTED) | Q(net__isnull=False),
            ),
            models.CheckConstraint(
                name="deal_leg_instructed_by_a_proposal",
                condition=~Q(state__in=(_S.INSTRUCTED, _S.SENT)) | Q(proposal__isnull=False),
            ),
            models.CheckConstraint(
                name="deal_leg_fails_for_a_reason", condition=~Q(state=_S.FAILED) | ~Q(reason="")
            ),
            models.CheckConstraint(name="deal_leg_version_counts", condition=Q(version__gte=1)),
            models.UniqueConstraint(
                fields=["tenant", "entry"],
                condition=Q(entry_part=None),
                name="deal_leg_entry_alone",
            ),
            models.CheckConstraint(
                name="deal_leg_part_in_entry", condition=Q(entry_part=None) | ~Q(entry=None)
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "state", "value_date"], name="deal_leg_by_state"),
            models.Index(fields=["tenant", "value_date"], name="deal_leg_by_day"),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def reference(self) -> str:
        """Return its name: the payment of a PAY leg carries it as its end-to-end id."""
        return f"{self.deal.reference}{self.direction[0]}{self.version}"

    @property
    def is_pay(self) -> bool:
        """Tell whether we pay it."""
        return self.direction == LegDirection.PAY

    @transition(state, _S.EXPECTED, _S.INSTRUCTED)
    def instruct(self, *, at: datetime) -> None:
        """Its payment was proposed."""
        self.instructed_at = at

    @transition(state, _S.EXPECTED, _S.NETTED)
    def join(self) -> None:
        """It is paid, or received, as part of a net."""

    @transition(state, _S.NETTED, _S.EXPECTED)
    def leave(self) -> None:
        """Its net was undone: it stands by itself again."""
        self.net = None

    @transition(state, _S.SETTLED, _S.NETTED)
    def wait_again(self) -> None:
        """The entry of its net does not count any more."""
        self.settled_at = None

    @transition(state, [_S.FAILED, _S.VOID], _S.NETTED)
    def rejoin(self) -> None:
        """The payment of its net was made after all; what had replaced it is replaced itself."""
        self.reason, self.closed_at = "", None

    @transition(state, [_S.INSTRUCTED, _S.FAILED, _S.SETTLED], _S.SENT)
    def send(self, *, at: datetime) -> None:
        """The bank may have it; maybe after it had said the opposite, or its entry is gone."""
        self.sent_at = self.sent_at or at
        self.entry, self.entry_part, self.settled_at = None, None, None
        self.reason, self.closed_at = "", None

    @transition(state, _S.SETTLED, _S.EXPECTED)
    def expect_again(self) -> None:
        """The entry that proved it does not count any more."""
        self.entry, self.entry_part, self.settled_at = None, None, None

    @transition(state, [_S.EXPECTED, _S.SENT, _S.NETTED], _S.SETTLED)
    def settle(self, *, at: datetime) -> None:
        """The bank booked it."""
        self.settled_at = at

    @transition(state, [_S.EXPECTED, _S.NETTED, _S.INSTRUCTED, _S.SENT, _S.SETTLED], _S.FAILED)
    def fail(self, *, at: datetime, reason: str) -> None:
        """It was refused, came back, or nobody will pay it as agreed."""
        self.entry, self.entry_part, self.settled_at = None, None, None
        self.reason, self.closed_at = reason, at

    @transition(state, [_S.EXPECTED, _S.INSTRUCTED, _S.FAILED], _S.VOID)
    def void(self, *, at: datetime, reason: str) -> None:
        """A next version takes its place."""
        self.reason, self.closed_at = reason, at


class SettlementAlarmKind(models.TextChoices):
    """What is wrong with the settlement of a deal."""

    ONE_LEG_SETTLED = "ONE_LEG_SETTLED", "one leg only is settled"


class SettlementAlarm(TenantModel):
    """A deal of which one leg is done and the other one is not, until that is right again."""

    kind = models.CharField(max_length=20, choices=SettlementAlarmKind)
    deal = models.ForeignKey(Deal, on_delete=models.PROTECT, related_name="settlement_alarms")
    words = models.CharField(max_length=300)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "kind", "deal"],
                condition=Q(closed_at=None),
                name="settlement_alarm_once_open",
            ),
            models.CheckConstraint(
                name="settlement_alarm_ends_after_it_began",
                condition=Q(closed_at=None) | Q(closed_at__gte=F("opened_at")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.deal}: {self.get_kind_display()}"
