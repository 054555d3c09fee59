"""Sources of rates: the usual ones, and changes of them."""

from typing import Final

from fx.constants import FIXING_SOURCE
from fx.models import RateSource, SourceKind

_MINUTES_A_DAY: Final = 24 * 60
FEED: Final = "FEED"
API: Final = "API"
FILE: Final = "FILE"
ECB: Final = "ECB"
# Reference rates are set on the days of TARGET: four days reach over Christmas and Easter.
_USUAL: Final = (
    (FEED, "Live prices", SourceKind.FEED, 10, 15),
    (API, "Pushed by another system", SourceKind.API, 20, 60),
    (FILE, "Uploaded by hand", SourceKind.FILE, 30, _MINUTES_A_DAY),
    (ECB, "European Central Bank", SourceKind.ECB, 40, 5 * _MINUTES_A_DAY),
    # What NDFs are fixed at is nobody's price to deal at: fresh for a minute only.
    (FIXING_SOURCE, "Fixings of non-deliverable forwards", SourceKind.FILE, 90, 1),
)


def install_usual_sources() -> list[RateSource]:
    """Make sure of the usual sources; what exists stays as it was decided."""
    return [
        RateSource.objects.get_or_create(
            code=code,
            defaults={
                "name": name,
                "kind": kind,
                "priority": priority,
                "age_minutes_max": minutes,
            },
        )[0]
        for code, name, kind, priority, minutes in _USUAL
    ]
