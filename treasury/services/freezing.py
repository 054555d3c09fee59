"""The emergency stop: one person stops all outflows at once, two other people release them."""

from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction

from approvals import selectors as approvals
from approvals import services as approval_services
from core import clock
from core.errors import Forbidden, Invalid
from core.events import publish
from core.identity.models import User
from core.identity.roles import (
    RISK_OFFICER,
    TREASURY_CHECKER,
    TREASURY_MAKER,
    TREASURY_MANAGER,
)
from treasury.constants import FREEZE_SUBJECT
from treasury.errors import NotFrozen
from treasury.events import OutflowsReleased, OutflowsStopped
from treasury.models import Freeze, FreezeState
from treasury.selectors import freezing as reads
from treasury.services.news import raise_alert

STOPPERS: Final = (TREASURY_MAKER, TREASURY_CHECKER, TREASURY_MANAGER, RISK_OFFICER)
ACTION: Final = "freeze_release"
PEOPLE_NEEDED: Final = 2
_ASKED_FIELDS: Final = (
    "state",
    "version",
    "release_asked_by",
    "release_asked_at",
    "release_reason",
)


@transaction.atomic
def stop_outflows(*, actor: User, reason: str) -> Freeze:
    """Stop everything that would leave for a bank, from this commit on. Again changes nothing.

    Raises:
        Forbidden: this person may not.
        Invalid: no reason.
    """
    _require(actor)
    if not reason.strip():
        raise Invalid("Say why everything stops.", field="reason")
    standing = reads.standing_freeze()
    if standing is not None:
        return standing
    try:
        with transaction.atomic():
            made = Freeze.objects.create(
                reason=reason.strip(), frozen_by=actor, frozen_at=clock.now()
            )
    except IntegrityError:
        standing = reads.standing_freeze()  # somebody else was faster
        if standing is None:
            raise
        return standing
    publish(
        OutflowsStopped(
            freeze_id=made.pk, reason=made.reason, by=actor.display_name, at=made.frozen_at
        )
    )
    raise_alert(
        kind="outflows_stopped",
        severity="high",
        subject_type="freeze",
        subject_id=made.pk,
        title=f"{actor.display_name} stopped all outflows",
        detail=made.reason,
    )
    return made


@transaction.atomic
def ask_release(*, freeze_id: UUID, actor: User, reason: str) -> Freeze:
    """Put the release before people who did not stop it; with the asker they must be two.

    Raises:
        Forbidden: this person may not.
        Invalid: no reason.
        NotFound: no such freeze.
        NotFrozen: it is released, or its release waits for approval already.
        NobodyEligible: too few other people may approve it (from the approvals room).
    """
    _require(actor)
    if not reason.strip():
        raise Invalid("Say why outflows may go on.", field="reason")
    held = _locked(freeze_id)
    if held.state != FreezeState.FROZEN:
        raise NotFrozen(f"It is: {held.get_state_display()}.", state=held.state)
    held.ask_release(by=actor, at=clock.now(), reason=reason.strip())
    held.save(update_fields=_ASKED_FIELDS)
    is_second = actor.person_number != held.frozen_by.person_number
    approval_services.submit(
        submission=approval_services.Submission(
            action=ACTION,
            subject_type=FREEZE_SUBJECT,
            subject_id=held.pk,
            subject_version=held.version,
            title=f"Release all outflows, stopped by {held.frozen_by.display_name}",
            content=reads.freeze_content(held.pk),
            maker=actor,
            maker_label=actor.display_name,
            amount=None,
            involved=(held.frozen_by,),
            at_least=approvals.Requirement.of(PEOPLE_NEEDED - is_second),
        )
    )
    return held


@transaction.atomic
def release(*, freeze_id: UUID) -> Freeze:
    """Let outflows go on, after enough people approved it."""
    held = _locked(freeze_id)
    held.release(at=clock.now())
    held.save(update_fields=["state", "released_at"])
    publish(OutflowsReleased(freeze_id=held.pk, reason=held.release_reason, at=clock.now()))
    raise_alert(
        kind="outflows_released",
        severity="medium",
        subject_type="freeze",
        subject_id=held.pk,
        title="Outflows are released",
        detail=held.release_reason,
    )
    return held


@transaction.atomic
def keep_stopped(*, freeze_id: UUID) -> Freeze:
    """Note that the release was not approved; it can be asked for again."""
    held = _locked(freeze_id)
    if held.state == FreezeState.RELEASING:
        held.keep()
        held.save(update_fields=["state"])
    return held


def _require(actor: User) -> None:
    if actor.is_service or not actor.has_role(*STOPPERS):
        raise Forbidden("This takes a maker, checker, manager or risk officer.")


def _locked(freeze_id: UUID) -> Freeze:
    found = reads.freeze(freeze_id)
    return (
        Freeze.objects.select_for_update(of=("self",)).select_related("frozen_by").get(pk=found.pk)
    )
