"""What the fx room puts under four eyes: what steers rates and deals."""

from core.changes.models import Control
from core.changes.registry import govern
from fx.models import Counterparty, NettingAgreement, RateSource, SettlementInstruction

GOVERNED = (RateSource, Counterparty, SettlementInstruction, NettingAgreement)
GUARDS = frozenset(f"{model._meta.db_table}.governed" for model in GOVERNED)


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
    )
    govern(
        NettingAgreement,
        fields=("counterparty", "reference", "signed_on", "starts_on", "ends_on", "is_active"),
        label="netting agreement",
    )
