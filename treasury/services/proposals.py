"""Propose to move our money: create, submit, amend, withdraw."""

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from simple_history.utils import bulk_create_with_history

from approvals import selectors as approvals
from approvals import services as approval_services
from core import clock
from core.errors import Forbidden, Invalid, NotFound
from core.identity.models import User
from core.identity.roles import DEALER, INTEGRATION, TREASURY_MAKER, TREASURY_MANAGER
from core.money import Money
from treasury.constants import PROPOSAL_SUBJECT
from treasury.errors import CutoffPassed, NotTheMaker
from treasury.models import Proposal, ProposalState, Purpose
from treasury.selectors import controls as control_reads
from treasury.selectors import movement as reads
from treasury.selectors.accounts import usd_equivalent
from treasury.services import controls
from treasury.services.news import tell_status
from treasury.services.preflighting import seal_for_approval
from treasury.services.references import next_reference, next_references
from treasury.services.terms import ProposalIn, RoutedTerms, require_payable, routed

__all__ = [
    "ACTION", "MAKERS", "SUBJECT", "ProposalIn", "amend_proposal", "close_proposal",
    "create_proposal", "create_proposals", "submit_proposal", "withdraw_proposal",
]  # fmt: skip

SUBJECT = PROPOSAL_SUBJECT
ACTION = "fund_movement"
# A request whose checkers asked for changes is closed; its proposal waits for its maker.
SENT_BACK = "RETURNED"
MAKERS = (TREASURY_MAKER, TREASURY_MANAGER, DEALER, INTEGRATION)


@transaction.atomic
def create_proposal(
    *, draft: ProposalIn, maker: User | None, maker_label: str = "", reference: str = ""
) -> Proposal:
    """Create a draft. After today's cut-off it is born with the next business day.

    `reference` is a name that somebody else keeps unique; without one the next number is taken.

    Raises:
        Forbidden: this person may not make proposals.
        NotFound: an account or beneficiary is not ours.
        BeneficiaryBlocked: it may not be paid.
        Invalid: amount, accounts, rail or value date do not fit; names the field.
    """
    _require_maker(maker)
    fields = routed(draft)
    return Proposal.objects.create(
        reference=reference or next_reference(kind="FMP"),
        purpose=draft.purpose,
        maker=maker,
        maker_label=maker_label or (maker.display_name if maker else "system"),
        created_at=clock.now(),
        **fields,
    )


@transaction.atomic
def create_proposals(*, terms: Sequence[RoutedTerms], maker: User) -> list[Proposal]:
    """Create drafts of terms that `routed` found right in this very transaction, all of one maker.

    Their numbers are taken last and together: until the transaction ends, nobody else gets one.

    Raises:
        Forbidden: this person may not make proposals.
    """
    _require_maker(maker)
    references = next_references(kind="FMP", count=len(terms))
    rows = [
        Proposal(
            reference=reference,
            purpose=Purpose.MANUAL,
            maker=maker,
            maker_label=maker.display_name,
            created_at=clock.now(),
            **fields,
        )
        for reference, fields in zip(references, terms, strict=True)
    ]
    made: list[Proposal] = bulk_create_with_history(rows, Proposal)
    return made


@transaction.atomic
def submit_proposal(
    *,
    proposal_id: UUID,
    actor: User | None,
    break_glass: approval_services.BreakGlass | None = None,
    involved: Sequence[User] = (),
) -> Proposal:
    """Put a draft before its checkers; in an emergency with broken glass, which ends a cool-off.

    Who is `involved` in what it pays does not check it, like its maker.

    Raises:
        NotTheMaker: somebody else's draft.
        CutoffPassed: it can no longer land on its value date.
        BeneficiaryBlocked: it may not be paid any more.
        PreflightFailed: the bank would refuse the order; all reasons in words.
        LimitExceeded: too much would leave within 24 hours.
        NobodyEligible: too few other people may check it (from the approvals room).
    """
    proposal = _locked(proposal_id)
    _require_own(proposal, actor)
    _require_time(proposal)
    require_payable(proposal.beneficiary)
    before = proposal.state
    proposal.order_seal = seal_for_approval(proposal=proposal)
    Proposal.objects.filter(pk=proposal.pk).update(order_seal=proposal.order_seal)
    # Before the instant is taken: who comes later counts who came earlier, never neither the other.
    controls.count_alone(proposal)
    proposal.submit(at=clock.now())
    _ask_for_approval(proposal, break_glass, involved)
    tell_status(proposal=proposal, from_state=before)
    return proposal


@transaction.atomic
def amend_proposal(*, proposal_id: UUID, draft: ProposalIn, actor: User) -> Proposal:
    """Change what is proposed: a new version; decisions on the old one do not count any more.

    Raises:
        NotTheMaker: somebody else's proposal.
        CutoffPassed: the new terms cannot land.
        PreflightFailed: the bank would refuse the order; all reasons in words.
        LimitExceeded: too much would leave within 24 hours.
    """
    proposal = _locked(proposal_id)
    _require_own(proposal, actor)
    for name, value in routed(draft).items():
        setattr(proposal, name, value)
    _require_time(proposal)
    proposal.order_seal = seal_for_approval(proposal=proposal)
    proposal.amend(at=clock.now())
    _ask_for_approval(proposal)
    tell_status(proposal=proposal, from_state=ProposalState.PENDING, reason="amended")
    return proposal


@transaction.atomic
def withdraw_proposal(*, proposal_id: UUID, actor: User | None, reason: str) -> Proposal:
    """Take a proposal back before anything was sent; `actor` None is the system itself.

    Raises:
        NotTheMaker: somebody else's proposal.
        Invalid: no reason.
    """
    if not reason.strip():
        raise Invalid("Say why it is withdrawn.", field="reason")
    proposal = _locked(proposal_id)
    _require_own(proposal, actor)
    request = approvals.request_of(
        subject_type=SUBJECT, subject_id=proposal.pk, subject_version=proposal.version
    )
    if request is None or request.state == SENT_BACK:
        close_proposal(proposal_id=proposal.pk, outcome="cancel", reason=reason)
    else:
        approval_services.cancel(request_id=request.pk, actor=actor, reason=reason)
    return _locked(proposal_id)


@transaction.atomic
def close_proposal(*, proposal_id: UUID, outcome: str, reason: str) -> Proposal:
    """Close a proposal that will not be sent: `reject`, `cancel` or `expire`."""
    proposal = _locked(proposal_id)
    before, at = proposal.state, clock.now()
    match outcome:
        case "reject":
            proposal.reject(at=at, reason=reason)
        case "expire":
            proposal.expire(at=at)
        case _:
            proposal.cancel(at=at, reason=reason)
    proposal.save(update_fields=["state", "closed_at", "closing_reason"])
    tell_status(proposal=proposal, from_state=before, reason=reason)
    return proposal


def _ask_for_approval(
    proposal: Proposal,
    break_glass: approval_services.BreakGlass | None = None,
    involved: Sequence[User] = (),
) -> None:
    worth = usd_equivalent(money=Money(proposal.amount, proposal.currency), now=clock.now())
    proposal.usd_equivalent = worth.amount
    proposal.save()
    if proposal.version > 1:  # its account or payee may be another now
        controls.count_alone(proposal)
    controls.require_limits(proposal)
    approval_services.submit(
        submission=approval_services.Submission(
            action=ACTION,
            subject_type=SUBJECT,
            subject_id=proposal.pk,
            subject_version=proposal.version,
            title=f"{proposal.reference}: {Money(proposal.amount, proposal.currency)} to"
            f" {proposal.payee}",
            content=reads.content_of(proposal.pk),
            maker=proposal.maker,
            maker_label=proposal.maker_label,
            amount=Money(proposal.amount, proposal.currency),
            rail=proposal.rail,
            usd_equivalent=worth.amount,
            usd_rate=worth.rate,
            usd_rate_at=worth.as_of,
            cutoff_at=proposal.cutoff_at,
            involved=(*control_reads.recent_editors(proposal), *involved),
            entity=proposal.debit_account.entity_id,
            flags=controls.flags_for_checkers(proposal),
            at_least=controls.at_least(proposal, action=ACTION),
            break_glass=break_glass,
        )
    )
    proposal.refresh_from_db(fields=["content_hash"])


def _locked(proposal_id: UUID) -> Proposal:
    found = (
        Proposal.objects.select_for_update(of=("self",))
        .select_related(
            "debit_account__bank",
            "debit_account__entity",
            "credit_account__bank",
            "credit_account__entity",
            "credit_account__changed_by",
            "beneficiary__changed_by",
        )
        .filter(pk=proposal_id)
        .first()
    )
    if found is None:
        raise NotFound("There is no such proposal.", field="proposal")
    return found


def _require_maker(maker: User | None) -> None:
    if maker is not None and not maker.has_role(*MAKERS):
        raise Forbidden("Making proposals takes the role treasury_maker.", field="maker")


def _require_own(proposal: Proposal, actor: User | None) -> None:
    if actor is not None and proposal.maker_id != actor.pk:
        raise NotTheMaker("Only its maker may do this.", proposal=proposal.reference)


def _require_time(proposal: Proposal) -> None:
    if clock.now() >= proposal.cutoff_at:
        raise CutoffPassed(
            f"The cut-off for value {proposal.value_date} on {proposal.rail} has passed.",
            cutoff_at=proposal.cutoff_at,
        )
