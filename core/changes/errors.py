"""Refusals around changes."""

from core.errors import DomainError, Forbidden, Invalid, NotFound


class ChangeUnknown(NotFound):
    """There is no such change request."""

    code = "change_unknown"


class NotGoverned(Invalid):
    """What was named is not changed through change requests."""

    code = "not_governed"


class NothingChanges(Invalid):
    """The change would leave everything as it is."""

    code = "nothing_changes"


class ChangePending(DomainError):
    """Another change of the same row waits for approval."""

    code = "change_pending"


class ChangeClosed(DomainError):
    """The change was applied, rejected or withdrawn already."""

    code = "change_closed"


class ChangeConflict(DomainError):
    """The row is not any more what the change was made for."""

    code = "change_conflict"


class ChangeRoleMissing(Forbidden):
    """The person's roles do not let them propose this change."""

    code = "change_role_missing"


class NoApprovalDesk(DomainError):
    """No room offers approvals, so nothing can be proposed."""

    code = "no_approval_desk"
    status = 500


class OpeningRefused(DomainError):
    """The tenant cannot be opened: nobody could ever approve its changes."""

    code = "opening_refused"
