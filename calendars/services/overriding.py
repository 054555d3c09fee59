"""Move a rail's window for one business date, with two people."""

from dataclasses import dataclass
from datetime import date, time
from uuid import UUID

from django.db.models import Max

from calendars.engine.rails import WindowKind
from calendars.errors import OverrideRefused
from calendars.events import WindowChanged
from calendars.models import Rail, RailWindowOverride
from calendars.selectors import require_rail
from calendars.services.authority import (
    require_other_person,
    require_own_hand,
    require_static_data,
)
from core import clock
from core.errors import Invalid, NotFound
from core.events import publish
from core.identity.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideRequest:
    """What shall differ on one business date; without a time the rail stays closed."""

    rail: str
    business_date: date
    kind: WindowKind
    local_time: time | None
    reason: str
    source_url: str = ""
    currency: str | None = None


def override_window(*, request: OverrideRequest, actor: User) -> RailWindowOverride:
    """Enter an override; it is in force only once somebody else has approved it.

    Raises:
        Forbidden: the actor does not look after static data, or somebody else acts.
        Invalid: no reason is given.
        RailUnknown: no such rail is installed.
        RailAmbiguous: the rail carries several currencies and none was named.
    """
    require_static_data(actor)
    require_own_hand(actor)
    if not request.reason.strip():
        raise Invalid("Say why the window moves.", field="reason")
    found = require_rail(request.rail, request.currency)
    rail = Rail.objects.select_for_update().get(pk=found.pk)  # serialises the revisions
    same = RailWindowOverride.objects.filter(
        rail=rail, business_date=request.business_date, kind=request.kind
    )
    last = same.aggregate(last=Max("revision"))["last"] or 0
    return RailWindowOverride.objects.create(
        rail=rail,
        business_date=request.business_date,
        kind=request.kind,
        revision=last + 1,
        local_time=request.local_time,
        reason=request.reason.strip(),
        source_url=request.source_url,
        entered_by=actor,
        entered_at=clock.now(),
    )


def approve_override(*, override_id: UUID, actor: User) -> RailWindowOverride:
    """Put an override in force and announce it.

    Raises:
        Forbidden: the actor does not look after static data, or somebody else acts.
        NotFound: there is no such override.
        OverrideRefused: it was approved already, or a later revision replaces it.
        SameHandRefused: the actor entered it.
    """
    require_static_data(actor)
    require_own_hand(actor)
    override = (
        RailWindowOverride.objects.select_for_update(of=("self",))
        .select_related("rail", "entered_by")
        .filter(pk=override_id)
        .first()
    )
    if override is None:
        raise NotFound("There is no such override.", override=str(override_id))
    if override.approved_by_id is not None:
        raise OverrideRefused("This override is in force already.")
    if _is_superseded(override):
        raise OverrideRefused("A later revision is in force.", revision=override.revision)
    require_other_person(actor, override.entered_by)
    override.approved_by, override.approved_at = actor, clock.now()
    override.save()
    publish(
        WindowChanged(
            rail=override.rail.code,
            currency=override.rail.currency,
            business_date=override.business_date,
            kind=override.kind,
            local_time=override.local_time.isoformat() if override.local_time else None,
        )
    )
    return override


def _is_superseded(override: RailWindowOverride) -> bool:
    return RailWindowOverride.objects.filter(
        rail=override.rail,
        business_date=override.business_date,
        kind=override.kind,
        revision__gt=override.revision,
        approved_by__isnull=False,
    ).exists()
