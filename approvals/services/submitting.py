"""Submit one version of a subject for approval."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Literal
from uuid import UUID

from django.db import transaction

from approvals.constants import (
    FLAGS_MAX,
    SYSTEM_LABEL,
    USD_TOLERANCE_ABSOLUTE,
    USD_TOLERANCE_RELATIVE,
)
from approvals.errors import BreakGlassRefused, NobodyEligible, PastCutoff, VersionNotNewer
from approvals.events import BreakGlassOpened, ProposalAmended, ProposalSubmitted
from approvals.models import LIVE, ApprovalRequest, CheckerRole
from approvals.policies import (
    APPROVAL_RATE_AGE_HOURS,
    DUAL_CHECKER_THRESHOLD_USD,
    MAKER_CHECKER_TIMEOUT_MIN,
    MANAGERS_APPROVE_FROM_LEVEL,
)
from approvals.registry import hooks_for
from approvals.selectors import (
    Requirement,
    Terms,
    Worth,
    at_least_two,
    content_hash_of,
    eligible_persons,
    matching_rules,
    requirement,
)
from approvals.selectors.levels import deciders_by_level, glass_refuses
from approvals.services.notifying import facts_of
from core import clock, policies
from core.errors import Invalid
from core.events import publish
from core.events.bus import jsonable
from core.identity.models import User
from core.money import Money
from core.tenancy import current_actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """What the checkers should know; one of severity `ack` they must acknowledge to approve."""

    code: str
    words: str
    severity: Literal["info", "ack"] = "info"


_BEYOND_GLASS: Final = {
    "amount": "Broken glass does not let such an amount through.",
    "count": "The glass was broken too often within 24 hours.",
    "amount of a day": "Too much went over broken glass within 24 hours.",
}


class BreakGlassReason(StrEnum):
    """Why somebody broke the glass."""

    RAIL_OUTAGE = "rail_outage"
    APPROVERS_UNREACHABLE = "approvers_unreachable"
    SYSTEMIC = "systemic"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakGlass:
    """An emergency: any two checkers may approve, whatever their limits, with passkeys."""

    incident: str
    reason: BreakGlassReason
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What is to be approved. `content` is all that will be acted on: decisions bind to its hash.

    `maker` None is the system's own work; whoever the bound actor is counts as a maker too.
    `amount` None is not about money: rules then compare 0.
    `usd_rate` is USD for one unit of the amount's currency. `involved` are further people who
    may not check it (an editor, the dealer of a linked deal, the creator of the beneficiary).
    `at_least` is required whatever the rules say, like that of a payment split in parts.
    """

    action: str
    subject_type: str
    subject_id: UUID
    subject_version: int
    title: str
    content: dict[str, Any]
    maker: User | None
    maker_label: str
    amount: Money | None
    rail: str = ""
    usd_equivalent: Decimal | None = None
    usd_rate: Decimal | None = None
    usd_rate_at: datetime | None = None
    cutoff_at: datetime | None = None
    involved: tuple[User, ...] = ()
    entity: UUID | None = None
    flags: tuple[Flag, ...] = ()
    break_glass: BreakGlass | None = None
    at_least: Requirement | None = None

    @property
    def currency(self) -> str:
        """Return the amount's currency, empty without an amount."""
        return self.amount.currency if self.amount else ""


@transaction.atomic
def submit(*, submission: Submission) -> ApprovalRequest:
    """Put a version of a subject before its checkers; an older version's approval becomes void.

    The same submission again returns the request that exists.

    Raises:
        SubjectUnknown: no room registered this kind of subject.
        Invalid: amount, rate or content cannot be accepted.
        PastCutoff: the cut-off has passed already.
        VersionNotNewer: this or a later version was submitted before, with another content.
        NobodyEligible: too few other people may check it.
        BreakGlassRefused: too much, or too often, goes over broken glass.
    """
    hooks_for(submission.subject_type)
    now = clock.now()
    worth = _check_worth(submission)
    content = _plain_content(submission.content)
    if submission.cutoff_at is not None and submission.cutoff_at <= now:
        raise PastCutoff("The cut-off has passed.", cutoff_at=submission.cutoff_at)
    earlier = list(
        ApprovalRequest.objects.locked()
        .of_subject(submission.subject_type, submission.subject_id)
        .order_by("-subject_version")
    )
    same = _same_again(submission, content, earlier)
    if same is not None:
        return same

    terms = Terms(
        action=submission.action,
        usd=worth.usd_for_rules(now),
        currency=submission.currency,
        rail=submission.rail,
        entity=submission.entity,
    )
    needed = _needed(submission, terms)
    persons = _involved_persons(submission)
    _require_checkers(persons, needed, _roles_in_time(submission, needed, now))
    voided = _void_older(earlier, submission.subject_version, now)
    request = _draft(submission, content, needed, sorted(persons), now)
    request.managers_from_level = _managers_from_level(submission, needed)
    request.policy_snapshot |= {
        "deciders": deciders_by_level(request.managers_from_level),
        "rules": matching_rules(terms=terms),
    }
    request = _stored(request)
    _announce(request, voided)
    return request


def _needed(submission: Submission, terms: Terms) -> Requirement:
    needed = requirement(terms=terms)
    if submission.at_least is not None:
        needed = needed.risen(submission.at_least)
    if submission.break_glass is not None:
        _check_break_glass(submission.break_glass, terms.usd)
        needed = at_least_two(needed)
    return needed


def _check_break_glass(glass: BreakGlass, usd: Decimal | None) -> None:
    if not glass.incident.strip() or not glass.words.strip():
        raise Invalid("Name the incident, and say what happened.", field="break_glass")
    if (beyond := glass_refuses(usd)) is not None:
        raise BreakGlassRefused(_BEYOND_GLASS[beyond], limit=beyond)


def _check_worth(submission: Submission) -> Worth:
    money = submission.amount
    if money is None:
        return _check_worthless(submission)
    if money.amount <= 0 or money != money.quantized():
        raise Invalid("The amount is positive and in whole minor units.", field="amount")
    usd, rate = submission.usd_equivalent, submission.usd_rate
    if money.currency == "USD":
        if usd is not None and usd != money.amount:
            raise Invalid("The USD-equivalent of USD is itself.", field="usd_equivalent")
    elif usd is not None:
        if rate is None or submission.usd_rate_at is None or rate <= 0:
            raise Invalid("An equivalent needs its rate and the rate's time.", field="usd_rate")
        floor = money.amount * rate * (1 - USD_TOLERANCE_RELATIVE) - USD_TOLERANCE_ABSOLUTE
        if usd < floor:
            raise Invalid(
                "The USD-equivalent is below amount times rate (USD for one unit).",
                field="usd_equivalent",
            )
    return Worth(
        amount=money.amount,
        currency=money.currency,
        usd_equivalent=usd,
        usd_rate_at=submission.usd_rate_at,
    )


def _check_worthless(submission: Submission) -> Worth:
    if (submission.usd_equivalent, submission.usd_rate, submission.usd_rate_at) != (None,) * 3:
        raise Invalid("What is not money has no USD-equivalent.", field="usd_equivalent")
    return Worth(amount=None, currency="", usd_equivalent=None, usd_rate_at=None)


def _plain_content(content: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = jsonable(content)
    if not plain:
        raise Invalid("There is nothing to approve.", field="content")
    _refuse_floats(plain)
    return plain


def _refuse_floats(value: object) -> None:
    match value:
        case float():
            raise Invalid("Write numbers of the content as decimals or text.", field="content")
        case dict():
            for item in value.values():
                _refuse_floats(item)
        case list():
            for item in value:
                _refuse_floats(item)


def _same_again(
    submission: Submission, content: dict[str, Any], earlier: list[ApprovalRequest]
) -> ApprovalRequest | None:
    if not earlier or submission.subject_version > earlier[0].subject_version:
        return None
    for request in earlier:
        if (
            request.subject_version == submission.subject_version
            and request.content == content
            and _money_of(request) == submission.amount
        ):
            return request
    raise VersionNotNewer(
        "This or a later version was submitted before.",
        latest_version=earlier[0].subject_version,
        version=submission.subject_version,
    )


def _money_of(request: ApprovalRequest) -> Money | None:
    return None if request.amount is None else Money(request.amount, request.currency)


def _involved_persons(submission: Submission) -> set[str]:
    """Return the persons who may not check: makers, editors, and whoever acts right now."""
    people = [*submission.involved, submission.maker]
    persons = {person.person_number for person in people if person is not None}
    acting = current_actor()
    try:
        acting_id = UUID(acting)
    except ValueError:  # the system's own work
        return persons
    found = User.objects.filter(pk=acting_id).values_list("person_number", flat=True)
    return persons | set(found)


def _managers_from_level(submission: Submission, needed: Requirement) -> int:
    """Return from which level of escalation on managers may approve this too."""
    if submission.amount is None or submission.break_glass or needed.manager_count:
        return 0
    return policies.get(MANAGERS_APPROVE_FROM_LEVEL)


def _roles_in_time(submission: Submission, needed: Requirement, now: datetime) -> tuple[str, ...]:
    """Return whose approvals can count before the cut-off, at whatever level of escalation."""
    level, cutoff_at = _managers_from_level(submission, needed), submission.cutoff_at
    if cutoff_at and now + level * _escalation_interval(cutoff_at, now) >= cutoff_at:
        return (CheckerRole.CHECKER,)
    return tuple(CheckerRole.values)


def _require_checkers(persons: set[str], needed: Requirement, roles: tuple[str, ...]) -> None:
    there = eligible_persons(besides=persons, roles=roles)
    if there.count < needed.count or there.manager_count < needed.manager_count:
        raise NobodyEligible(
            f"{needed.count} other people must approve this ({needed.manager_count} managers);"
            f" {there.count} could ({there.manager_count} managers).",
            required_count=needed.count,
            eligible_count=there.count,
        )


def _void_older(
    earlier: list[ApprovalRequest], version: int, now: datetime
) -> ApprovalRequest | None:
    """Void what an older version still holds; return the newest one voided."""
    live = [request for request in earlier if request.state in LIVE]
    for request in live:
        request.void(at=now, reason=f"Version {version} replaces it.")
        request.save(update_fields=["state", "decided_at", "reason", "next_escalation_at"])
    return live[0] if live else None


def _escalation_interval(cutoff_at: datetime | None, now: datetime) -> timedelta:
    patience = timedelta(minutes=policies.get(MAKER_CHECKER_TIMEOUT_MIN))
    return patience if cutoff_at is None else min(patience, (cutoff_at - now) / 2)


def _draft(
    submission: Submission,
    content: dict[str, Any],
    needed: Requirement,
    persons: list[str],
    now: datetime,
) -> ApprovalRequest:
    interval = _escalation_interval(submission.cutoff_at, now)
    amount = submission.amount.amount if submission.amount else None
    is_usd = submission.currency == "USD"
    label = submission.maker.display_name if submission.maker else SYSTEM_LABEL
    return ApprovalRequest(
        action=submission.action,
        subject_type=submission.subject_type,
        subject_id=submission.subject_id,
        subject_version=submission.subject_version,
        title=submission.title,
        content=content,
        maker=submission.maker,
        maker_label=submission.maker_label or label,
        involved_persons=persons,
        amount=amount,
        currency=submission.currency,
        rail=submission.rail,
        usd_equivalent=amount if is_usd else submission.usd_equivalent,
        usd_rate=Decimal(1) if is_usd else submission.usd_rate,
        usd_rate_at=now if is_usd else submission.usd_rate_at,
        entity=submission.entity,
        needs=needed.stored(),
        flags=[asdict(flag) for flag in submission.flags[:FLAGS_MAX]],
        break_glass=asdict(submission.break_glass) if submission.break_glass else None,
        required_count=needed.count,
        required_manager_count=needed.manager_count,
        policy_snapshot={
            "dual_threshold_usd": str(policies.get(DUAL_CHECKER_THRESHOLD_USD)),
            "timeout_minutes": policies.get(MAKER_CHECKER_TIMEOUT_MIN),
            "rate_age_hours": policies.get(APPROVAL_RATE_AGE_HOURS),
        },
        submitted_at=now,
        cutoff_at=submission.cutoff_at,
        escalation_interval=interval,
        next_escalation_at=now + interval,
    )


def _stored(request: ApprovalRequest) -> ApprovalRequest:
    # The insert trigger sets these again; the history row should carry them too.
    request.content_hash = content_hash_of(request)
    request.submitted_by = current_actor()
    request.save(force_insert=True)
    return ApprovalRequest.objects.get(pk=request.pk)  # the database completed it


def _announce(request: ApprovalRequest, voided: ApprovalRequest | None) -> None:
    if voided is not None:
        publish(
            ProposalAmended(
                **facts_of(request),
                previous_version=voided.subject_version,
                previous_content_hash=voided.content_hash,
                voided_decisions_count=voided.decisions.count(),
            )
        )
    publish(
        ProposalSubmitted(
            **facts_of(request),
            title=request.title,
            maker=request.maker_id,
            maker_label=request.maker_label,
            amount=request.amount,
            currency=request.currency,
            rail=request.rail,
            usd_equivalent=request.usd_equivalent,
            required_count=request.required_count,
            cutoff_at=request.cutoff_at,
        )
    )
    if request.break_glass is not None:
        publish(
            BreakGlassOpened(
                **facts_of(request),
                title=request.title,
                maker_label=request.maker_label,
                incident=request.break_glass["incident"],
                reason=request.break_glass["reason"],
                usd_equivalent=request.usd_equivalent,
            )
        )
