"""The emergency stop of all outflows."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django_fsm import FSMField, FSMModelMixin, transition
from simple_history.models import HistoricalRecords

from core.identity.models import User
from core.tenancy import TenantModel
from treasury.constants import FreezeState

_S = FreezeState


class Freeze(FSMModelMixin, TenantModel):
    """Nothing leaves for a bank from here on until two other people release it.

    One stands per tenant at most. `version` counts the attempts to release it.
    """

    state = FSMField(choices=FreezeState.choices, default=_S.FROZEN, protected=True)
    reason = models.CharField(max_length=500)
    frozen_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    frozen_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=0)
    release_asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    release_asked_at = models.DateTimeField(null=True)
    release_reason = models.CharField(max_length=500, blank=True)
    released_at = models.DateTimeField(null=True)
    history = HistoricalRecords(bases=[FSMModelMixin, models.Model])

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant"], condition=~Q(state="RELEASED"), name="freeze_stands_once"
            ),
            models.CheckConstraint(name="freeze_has_a_reason", condition=~Q(reason="")),
        ]

    def __str__(self) -> str:
        return f"Freeze of {self.frozen_at:%Y-%m-%d %H:%M}"

    @transition(state, _S.FROZEN, _S.RELEASING)
    def ask_release(self, *, by: User, at: datetime, reason: str) -> None:
        """Put the release before its checkers."""
        self.version += 1
        self.release_asked_by = by
        self.release_asked_at = at
        self.release_reason = reason

    @transition(state, _S.RELEASING, _S.FROZEN)
    def keep(self) -> None:
        """The release was not approved: it stands."""

    @transition(state, _S.RELEASING, _S.RELEASED)
    def release(self, *, at: datetime) -> None:
        """Two other people agreed."""
        self.released_at = at
