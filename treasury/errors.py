"""Refusals of the treasury."""

from core.errors import DomainError


class AccountUnknown(DomainError):
    """No account of ours carries that number and currency."""

    code = "account_unknown"
    status = 404


class CutoffPassed(DomainError):
    """The last instant at which this could be sent has passed."""

    code = "cutoff_passed"


class FundsMissing(DomainError):
    """The debit account would fall below its floor."""

    code = "funds_missing"


class PreflightFailed(DomainError):
    """The bank would refuse the order; `context['findings']` says why, in words."""

    code = "preflight_failed"
    status = 422


class NotTheMaker(DomainError):
    """Only the maker may change or withdraw a proposal."""

    code = "not_the_maker"
    status = 403


class NotRetriable(DomainError):
    """Only a transfer that definitely failed may be tried again."""

    code = "not_retriable"


class AlreadyKnown(DomainError):
    """There is one of these already."""

    code = "already_known"


class RateRefused(DomainError):
    """Another rate of the same instant and source says something else."""

    code = "rate_refused"


class BalanceConflict(DomainError):
    """The event id was used before, for another balance."""

    code = "balance_conflict"


class NotAnotherPerson(DomainError):
    """It takes somebody else than who wrote it."""

    code = "not_another_person"
    status = 403


class BeneficiaryBlocked(DomainError):
    """The beneficiary may not be paid."""

    code = "beneficiary_blocked"


class NumberMismatch(DomainError):
    """The stored number is not the one whose digest was approved."""

    code = "number_mismatch"


class OrderChanged(DomainError):
    """The order would not leave as it was approved."""

    code = "order_changed"


class LimitExceeded(DomainError):
    """More would leave within 24 hours than a limit allows."""

    code = "limit_exceeded"


class OutflowsFrozen(DomainError):
    """All outflows are stopped."""

    code = "outflows_frozen"


class NotFrozen(DomainError):
    """Nothing is stopped, or its release waits already."""

    code = "not_frozen"


class TaskDone(DomainError):
    """The task is closed."""

    code = "task_done"


class UploadRefused(DomainError):
    """The file has errors, or was submitted already; `context` says which."""

    code = "upload_refused"


class TrackingConflict(DomainError):
    """The event id was used before, for another word of a bank."""

    code = "tracking_conflict"


class NotRecallable(DomainError):
    """The payment cannot be asked back now; the words say why."""

    code = "not_recallable"


class LateEntryDecided(DomainError):
    """Somebody decided on the late entry, or the bank took it back."""

    code = "late_entry_decided"


class LateEntryStale(DomainError):
    """The entry is not where it was when the late entry was kept."""

    code = "late_entry_stale"


class NotReadAgain(DomainError):
    """A statement that is not kept aside, or that still cannot be read, is not read again."""

    code = "not_read_again"


class SweepConflict(DomainError):
    """The order was answered before, with another word."""

    code = "sweep_conflict"


class SweepNotSent(DomainError):
    """The order has not left; nobody can have executed it."""

    code = "sweep_not_sent"


class CursorRefused(DomainError):
    """The cursor is none that was handed out here."""

    code = "cursor_refused"
    status = 400


class PoolNotRun(DomainError):
    """The pool cannot be decided now; the words say why."""

    code = "pool_not_run"


class CursorGone(DomainError):
    """What follows the cursor is older than what is kept for pulling."""

    code = "cursor_gone"
    status = 410
