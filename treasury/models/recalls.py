"""Payments that are asked back from the banks."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django_fsm import FSMField, FSMModelMixin, transition
from simple_history.models import HistoricalRecords

from core.tenancy import TenantModel
from treasury.models.movement import Transfer


class RecallState(models.TextChoices):
    """The life of a recall."""

    REQUESTED = "REQUESTED", "recall awaits approval"
    DECLINED = "DECLINED", "recall not approved"
    SENT = "SENT", "asked back"
    FAILED = "FAILED", "recall not sent"
    REFUSED = "REFUSED", "recall refused"
    ACCEPTED = "ACCEPTED", "recall accepted"


class RecallReason(models.TextChoices):
    """Why a payer asks for money back (ISO 20022 cancellation reasons of a customer)."""

    DUPL = "DUPL", "it was paid twice"
    AC03 = "AC03", "the account that was paid is wrong"
    AM09 = "AM09", "the amount is wrong"
    AGNT = "AGNT", "the bank that was paid is wrong"
    FRAD = "FRAD", "it is a fraud"
    CUST = "CUST", "the payer wants it back"
    TECH = "TECH", "a technical fault sent it"
    UPAY = "UPAY", "it was not due"


_S = RecallState


class Recall(FSMModelMixin, TenantModel):
    """One request for the money of one transfer; accepted says only that the bank will try.

    The money is back when its entry is: the transfer is RETURNED by that entry, not by words.
    """

    transfer = models.ForeignKey(Transfer, on_delete=models.PROTECT, related_name="recalls")
    case_id = models.CharField(max_length=20)
    reason = models.CharField(max_length=4, choices=RecallReason)
    words = models.CharField(max_length=105)
    state = FSMField(choices=RecallState.choices, default=_S.REQUESTED, protected=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    requested_at = models.DateTimeField()
    order_sha256 = models.CharField(max_length=64, help_text="Of the message that is approved.")
    message_id = models.UUIDField(null=True)
    closing_reason = models.TextField(blank=True)
    answered_at = models.DateTimeField(null=True)
    history = HistoricalRecords(bases=[FSMModelMixin, models.Model])

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "case_id"], name="recall_case"),
            models.UniqueConstraint(
                fields=["tenant", "transfer"],
                condition=Q(state__in=("REQUESTED", "SENT", "ACCEPTED")),
                name="recall_stands_once",
            ),
            models.CheckConstraint(name="recall_has_words", condition=~Q(words="")),
        ]

    def __str__(self) -> str:
        return self.case_id

    @transition(state, _S.REQUESTED, _S.SENT)
    def send(self) -> None:
        """Enough people agreed: it goes to the bank."""

    @transition(state, _S.REQUESTED, _S.DECLINED)
    def decline(self, *, reason: str) -> None:
        """It was not approved."""
        self.closing_reason = reason

    @transition(state, _S.SENT, _S.FAILED)
    def fail(self, *, reason: str) -> None:
        """The bank certainly does not have it."""
        self.closing_reason = reason

    @transition(state, [_S.SENT, _S.REFUSED], _S.ACCEPTED)
    def accept(self, *, at: datetime, reason: str) -> None:
        """The bank gives the money back, or tries to."""
        self.answered_at, self.closing_reason = at, reason

    @transition(state, _S.SENT, _S.REFUSED)
    def refuse(self, *, at: datetime, reason: str) -> None:
        """The bank does not."""
        self.answered_at, self.closing_reason = at, reason
