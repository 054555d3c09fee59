"""Approve several requests at once: one second factor, one decision and one result for each."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from uuid import UUID

from django.db import IntegrityError, ProgrammingError, transaction

from approvals.constants import AT_ONCE_MAX, LISTED_MAX
from approvals.errors import ListRefused
from approvals.models import ApprovalRequest, DecisionList, Outcome, Viewing
from approvals.registry import hooks_for
from approvals.selectors.listing import list_text, why_alone
from approvals.services.deciding import DecisionResult, Evidence, decide
from core import clock
from core.errors import DomainError
from core.identity import step_up
from core.identity.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedItem:
    """One request as it was shown: decisions bind to its hash, every flag was acknowledged."""

    request_id: UUID
    version: int
    content_hash: str
    acknowledged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemResult:
    """What became of one request: a decision, or the refusal."""

    request_id: UUID
    result: DecisionResult | None
    refusal: DomainError | None


def list_digest(hashes: Sequence[str]) -> str:
    """Return what one second factor for several contents is bound to.

    The hash of the sorted content hashes; the database computes the same for every decision.
    """
    return sha256(list_text(hashes).encode()).hexdigest()


@transaction.atomic
def approve_together(
    *, items: Sequence[ListedItem], checker: User, evidence: Evidence
) -> list[ItemResult]:
    """Approve each request as if it were alone; one that is refused does not stop the others.

    The evidence's second factor was shown for `list_digest` of exactly these items.

    Raises:
        ListRefused: none or too many, one twice, or one that this person never opened.
        StepUpMissing: the second factor was not shown for exactly this list.
    """
    hashes = [item.content_hash for item in items]
    _require_list(items, checker)
    proof = evidence.step_up
    if proof is None:
        raise step_up.StepUpMissing("Confirm this with your second factor first.")
    step_up.require(step_up=proof, user=checker, content_hash=list_digest(hashes))
    made = DecisionList.objects.create(
        checker=checker, step_up_id=proof, content_hashes=sorted(hashes)
    )
    _hold_all(items)
    listed = replace(evidence, listed=made.pk)
    return [_approve_one(item, checker, listed) for item in items]


@transaction.atomic
def approve_each(
    *, items: Sequence[ListedItem], checker: User, evidence: Evidence
) -> list[ItemResult]:
    """Approve each request as if it were the only one, in one transaction.

    One that is refused does not stop the others; what needs a second factor is refused here, for
    each would need its own. All are locked first, in one order for everybody.

    Raises:
        ListRefused: none or too many, or one twice.
    """
    if not 1 <= len(items) <= AT_ONCE_MAX:
        raise ListRefused(f"1 to {AT_ONCE_MAX} requests are approved at once.", field="items")
    if len({item.request_id for item in items}) < len(items):
        raise ListRefused("A request is named twice.", field="items")
    alone = replace(evidence, step_up=None, listed=None)
    _hold_all(items)
    return [_decided_by_itself(item, checker, alone) for item in items]


def _hold_all(items: Sequence[ListedItem]) -> None:
    """Lock the requests, then what their subjects lock: in one order for everybody."""
    ids = [item.request_id for item in items]
    subjects: dict[str, list[UUID]] = defaultdict(list)
    for held in ApprovalRequest.objects.locked().filter(pk__in=ids).order_by("id"):
        subjects[held.subject_type].append(held.subject_id)
    for subject_type in sorted(subjects):
        hooks = hooks_for(subject_type)
        if hooks.before_several is not None:
            hooks.before_several(subjects[subject_type])


def _require_list(items: Sequence[ListedItem], checker: User) -> None:
    if not 1 <= len(items) <= LISTED_MAX:
        raise ListRefused(f"One second factor serves 1 to {LISTED_MAX} requests.", field="item")
    if len({item.request_id for item in items}) < len(items):
        raise ListRefused("A request is on the list twice.", field="item")
    hashes = {item.content_hash for item in items}
    seen = Viewing.objects.filter(viewer=checker, content_hash__in=hashes)
    if set(seen.values_list("content_hash", flat=True)) < hashes:
        raise ListRefused("Open every request before you approve it.", field="item")


def _approve_one(item: ListedItem, checker: User, evidence: Evidence) -> ItemResult:
    request = ApprovalRequest.objects.filter(pk=item.request_id).first()
    if request is not None and (alone := why_alone(request, clock.now())):
        refusal = ListRefused(alone, request=str(item.request_id))
        return ItemResult(request_id=item.request_id, result=None, refusal=refusal)
    return _decided(item, checker, evidence)


def _decided(item: ListedItem, checker: User, evidence: Evidence) -> ItemResult:
    try:
        result = decide(
            request_id=item.request_id,
            checker=checker,
            outcome=Outcome.APPROVE,
            content_hash=item.content_hash,
            version=item.version,
            evidence=replace(evidence, acknowledged=item.acknowledged),
        )
    except DomainError as refusal:
        return ItemResult(request_id=item.request_id, result=None, refusal=refusal)
    return ItemResult(request_id=item.request_id, result=result, refusal=None)


def _decided_by_itself(item: ListedItem, checker: User, evidence: Evidence) -> ItemResult:
    """Decide one; what a guard of its subject refuses is taken back alone, the others stand."""
    try:
        return _decided(item, checker, evidence)
    except (IntegrityError, ProgrammingError) as error:
        words = str(error).partition("\n")[0]
        refused = ListRefused(f"The database refuses it: {words}.", request=str(item.request_id))
        return ItemResult(request_id=item.request_id, result=None, refusal=refused)
