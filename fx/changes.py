"""What the fx room puts under four eyes: what steers rates and deals."""

from django.db import models

from core.changes.models import ChangeState, Control
from core.changes.registry import Hooks, govern
from core.changes.selectors import acting, changes
from fx.models import Counterparty, NettingAgreement, RateSource, SettlementInstruction
from fx.services import payees

GOVERNED = (RateSource, Counterparty, SettlementInstruction, NettingAgreement)
GUARDS = frozenset(f"{model._meta.db_table}.governed" for model in GOVERNED)


def _payee_in_force(row: models.Model) -> None:
    """Answer what was asked for want of an instruction, in the transaction of its change."""
    if isinstance(row, SettlementInstruction):
        said = changes().filter(row_id=str(row.pk), state=ChangeState.APPLIED)
        reason = said.order_by("-decided_at", "-id").values_list("reason", flat=True).first()
        payees.back_in_force(row, actor=acting(), reason=reason or "its change was approved.")


def govern_static_data() -> None:
    """Name what this room governs; the limits of a counterparty take a manager to approve."""
    govern(
        RateSource,
        fields=("code", "name", "kind", "priority", "age_minutes_max", "is_active"),
        known_by="code",
        label="source of rates",
    )
    govern(
        Counterparty,
        fields=(
            "code",
            "name",
            "bic",
            "lei",
            "day_usd_max",
            "settlement_usd_max",
            "tenor_days_max",
            "is_active",
        ),
        action=Control.CONTROL,
        known_by="code",
    )
    govern(
        SettlementInstruction,
        fields=("counterparty", "currency", "beneficiary", "is_active"),
        label="settlement instruction",
        hooks=Hooks(applied=_payee_in_force),
    )
    govern(
        NettingAgreement,
        fields=("counterparty", "reference", "signed_on", "starts_on", "ends_on", "is_active"),
        label="netting agreement",
    )
