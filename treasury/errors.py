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


class NotTheMaker(DomainError):
    """Only the maker may change or withdraw a proposal."""

    code = "not_the_maker"
    status = 403


class NotRetriable(DomainError):
    """Only a transfer that definitely failed may be tried again."""

    code = "not_retriable"
