"""What the fx room puts under four eyes: what steers rates and deals."""

from core.changes.registry import govern
from fx.models import RateSource

GOVERNED = (RateSource,)
GUARDS = frozenset(f"{model._meta.db_table}.governed" for model in GOVERNED)


def govern_static_data() -> None:
    """Name what this room governs."""
    govern(
        RateSource,
        fields=("code", "name", "kind", "priority", "age_minutes_max", "is_active"),
        known_by="code",
        label="source of rates",
    )
