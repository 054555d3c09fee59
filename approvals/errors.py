"""Refusals of the approvals room."""

from core.errors import DomainError, Forbidden, Invalid, NotFound


class RequestUnknown(NotFound):
    """There is no such approval request."""

    code = "request_unknown"


class SubjectUnknown(Invalid):
    """No room registered this kind of subject."""

    code = "subject_unknown"


class VersionNotNewer(DomainError):
    """A request for this or a later version of the subject exists already."""

    code = "version_not_newer"


class NobodyEligible(DomainError):
    """Too few other people may check this, so it could never be approved."""

    code = "nobody_eligible"


class SelfApprovalRefused(Forbidden):
    """The checker made, edited or triggered what is to be checked."""

    code = "self_approval_refused"


class RoleMissing(Forbidden):
    """The account may not check."""

    code = "role_missing"


class NotTheActor(Forbidden):
    """Nobody records a decision for somebody else."""

    code = "not_the_actor"


class NotTheMaker(Forbidden):
    """Only who made it may withdraw it."""

    code = "not_the_maker"


class NotEscalated(Forbidden):
    """Managers approve this once it has escalated."""

    code = "not_escalated"


class NotYourTurn(DomainError):
    """The present step waits for somebody else; the approval would not count."""

    code = "not_your_turn"


class AlreadyDecided(DomainError):
    """The person has decided on the request before."""

    code = "already_decided"


class ContentChanged(DomainError):
    """What the checker saw is not what would be approved."""

    code = "content_changed"


class NotPending(DomainError):
    """The request is closed."""

    code = "not_pending"


class PastCutoff(DomainError):
    """The cut-off has passed; the request can only expire."""

    code = "past_cutoff"


class NotExpired(DomainError):
    """The cut-off has not passed yet."""

    code = "not_expired"


class ReasonRequired(Invalid):
    """The step needs a reason in words."""

    code = "reason_required"


class AuthorityExceeded(Forbidden):
    """The amount is beyond what this person may approve."""

    code = "authority_exceeded"


class AcknowledgementRequired(Invalid):
    """A warning that the request carries was not acknowledged."""

    code = "acknowledgement_required"


class DelegationUnknown(NotFound):
    """There is no such delegation."""

    code = "delegation_unknown"


class DelegationRefused(Forbidden):
    """Who delegates, or to whom, may not."""

    code = "delegation_refused"


class DelegationVoid(Forbidden):
    """No delegation in force covers this decision."""

    code = "delegation_void"


class ListRefused(DomainError):
    """The request cannot be approved with others, or the list makes no sense."""

    code = "list_refused"


class BreakGlassRefused(DomainError):
    """Broken glass does not let this through."""

    code = "break_glass_refused"
