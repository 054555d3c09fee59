"""What waits for a person: opened once, acknowledged, closed by a person or by the answer."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import transaction

from core import clock
from core.errors import Forbidden, Invalid, NotFound
from core.identity.models import User
from core.identity.roles import (
    BACK_OFFICE,
    RECON_ANALYST,
    RISK_OFFICER,
    TREASURY_CHECKER,
    TREASURY_MAKER,
    TREASURY_MANAGER,
)
from treasury.errors import TaskDone
from treasury.models import Task, Transfer
from treasury.services.news import raise_alert

WORKERS: Final = (
    TREASURY_MAKER,
    TREASURY_CHECKER,
    TREASURY_MANAGER,
    BACK_OFFICE,
    RECON_ANALYST,
    RISK_OFFICER,
)
NOTE_CHARS_MAX: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskIn:
    """What a person must look into; one open task per kind and key."""

    kind: str
    key: str
    title: str
    detail: str
    transfer: Transfer | None = None
    severity: str = "high"


@transaction.atomic
def open_task(*, task: TaskIn) -> Task:
    """Open a task and alert about it; while it is open, the same again changes nothing."""
    made = Task(
        kind=task.kind,
        key=task.key,
        severity=task.severity,
        title=task.title[:200],
        detail=task.detail,
        transfer=task.transfer,
        opened_at=clock.now(),
    )
    # Two workers may find the same thing at once: the unique key decides.
    Task.objects.bulk_create([made], ignore_conflicts=True)
    kept = Task.objects.open().get(kind=task.kind, key=task.key)
    if kept.pk == made.pk:
        raise_alert(
            kind=task.kind,
            severity=task.severity,
            subject_type="transfer" if task.transfer else "task",
            subject_id=task.transfer.pk if task.transfer else kept.pk,
            title=task.title,
            detail=task.detail,
        )
    return kept


@transaction.atomic
def acknowledge_task(*, task_id: UUID, actor: User) -> Task:
    """Note that somebody looks into it; the first one stays named.

    Raises:
        Forbidden: this person has none of the roles.
        NotFound: no such task.
        TaskDone: it is closed.
    """
    held = _locked(task_id, actor)
    if held.acknowledged_at is None:
        held.acknowledged_by, held.acknowledged_at = actor, clock.now()
        held.save(update_fields=["acknowledged_by", "acknowledged_at"])
    return held


@transaction.atomic
def close_task(*, task_id: UUID, actor: User, note: str) -> Task:
    """Close a task with a note of what was found.

    Raises:
        Forbidden: this person has none of the roles.
        Invalid: no note.
        NotFound: no such task.
        TaskDone: it is closed already.
    """
    if not note.strip():
        raise Invalid("Say what was found or done.", field="note")
    held = _locked(task_id, actor)
    held.done_by, held.done_at = actor, clock.now()
    held.note = note.strip()[:NOTE_CHARS_MAX]
    held.save(update_fields=["done_by", "done_at", "note"])
    return held


def settle_tasks(
    *, transfer: Transfer, kinds: Iterable[str], note: str, keep: Iterable[str] = ()
) -> int:
    """Close the open tasks of a transfer that an answer settled, but for the keys in `keep`."""
    standing = Task.objects.open().filter(transfer=transfer, kind__in=tuple(kinds))
    return standing.exclude(key__in=tuple(keep)).update(
        done_at=clock.now(), note=note[:NOTE_CHARS_MAX]
    )


def answer_task(*, kind: str, key: str, note: str, actor: User | None = None) -> int:
    """Close the open task of this kind and key, if there is one; what it waited for was done."""
    standing = Task.objects.open().filter(kind=kind, key=key)
    return standing.update(done_by=actor, done_at=clock.now(), note=note[:NOTE_CHARS_MAX])


def _locked(task_id: UUID, actor: User) -> Task:
    if actor.is_service or not actor.has_role(*WORKERS):
        raise Forbidden("Tasks are worked on by the treasury, back office or risk.")
    held = Task.objects.select_for_update(of=("self",)).filter(pk=task_id).first()
    if held is None:
        raise NotFound("There is no such task.", field="task")
    if held.done_at is not None:
        raise TaskDone("It is closed already.", note=held.note)
    return held
