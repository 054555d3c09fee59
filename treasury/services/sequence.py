"""Versions of a statement, and whether statements follow each other without a gap."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from django.db.models import F, Max, Q, QuerySet

from treasury.engine.facts import END_OF_DAY
from treasury.models import BankAccount, Statement, StatementState

GAP: Final = "GAP"
OUT_OF_ORDER: Final = "OUT_OF_ORDER"
_NEIGHBOURS: Final = 3


def next_version(row: Statement) -> int:
    """Return the first free version number of this statement (or page)."""
    known = _namesakes(row).aggregate(highest=Max("version"))["highest"]
    return (known or 0) + 1


def make_version(rows: Sequence[Statement]) -> None:
    """Make the rows of a statement (its pages) the next version of what they correct, if anything.

    A corrected statement replaces the one it corrects only when it is fit to be posted, and only
    when the bank did not write it before the one we have.
    """
    first = rows[0]
    version = max(next_version(row) for row in rows)
    same_day = _namesakes(first).filter(statement_date=first.statement_date)
    if first.sequence is not None:
        same_day = same_day.filter(Q(sequence=first.sequence) | Q(sequence__isnull=True))
    standing = list(same_day.filter(state__in=(StatementState.POSTED, StatementState.QUARANTINED)))
    is_late = any(_is_older(first, one) for one in standing)
    for row in rows:
        row.version = version
        if is_late and row.state == StatementState.POSTED:
            row.state = StatementState.SUPERSEDED
            row.reason = "It arrived after the statement that corrects it."
    replaced = [] if is_late else [one for one in standing if _gives_way(one, first)]
    for one in replaced:
        one.state = StatementState.SUPERSEDED
        one.save(update_fields=["state"])
    for row in rows:
        row.supersedes = replaced[0] if replaced else None


def _namesakes(row: Statement) -> QuerySet[Statement]:
    return Statement.objects.filter(
        account=row.account, source=row.source, statement_ref=row.statement_ref
    ).exclude(Q(state=StatementState.DUPLICATE) | Q(pk=row.pk))


def _is_older(row: Statement, other: Statement) -> bool:
    if other.state != StatementState.POSTED:
        return False
    mine, theirs = row.bank_created_at, other.bank_created_at
    return mine is not None and theirs is not None and mine < theirs


def _gives_way(old: Statement, new: Statement) -> bool:
    """Say whether `old` is replaced: nothing that is posted gives way to something kept aside."""
    return new.state == StatementState.POSTED or old.state == StatementState.QUARANTINED


def check_neighbours(*, account: BankAccount, rows: Sequence[Statement]) -> list[Statement]:
    """Flag gaps before and after a posted statement, lift flags it closes. Return new gaps.

    The chain is checked anew around every arrival, so statements may come in any order.
    """
    first, last = rows[0], rows[-1]
    if first.source not in END_OF_DAY or first.state != StatementState.POSTED:
        return []
    chain = Statement.objects.filter(
        account=account, source=first.source, state=StatementState.POSTED
    )
    order = ("statement_date", "sequence", "page")
    backwards = [F(name).desc(nulls_last=True) for name in order]
    earlier = chain.filter(statement_date__lte=last.statement_date).order_by(*backwards)
    later = chain.filter(statement_date__gt=last.statement_date).order_by(*order)
    after = list(later[:_NEIGHBOURS])
    before_and_own = list(earlier[: len(rows) + _NEIGHBOURS])
    around = [*reversed(before_and_own), *after]
    own = {row.pk: row for row in rows}
    # Between known ones it came late; before all of them it only makes the known past longer.
    if after and any(one.pk not in own for one in before_and_own):
        _flag(first, OUT_OF_ORDER)
    found = []
    for before, seen in pairwise(around):
        row = own.get(seen.pk, seen)
        if _follows(before, row):
            _lift(row, GAP)
        elif _flag(row, GAP):
            found.append(row)
    return found


def _follows(before: Statement, row: Statement) -> bool:
    if None not in (before.closing, row.opening) and before.closing != row.opening:
        return False
    same = before.statement_ref == row.statement_ref
    if same or not before.sequence or not row.sequence or before.sequence == row.sequence:
        return True  # pages, or a bank that does not count its statements
    begins_anew = row.sequence == 1 and row.statement_date.year > before.statement_date.year
    return row.sequence == before.sequence + 1 or begins_anew


def _flag(row: Statement, flag: str) -> bool:
    if flag in row.flags:
        return False
    row.flags = [*row.flags, flag]
    row.save(update_fields=["flags"])
    return True


def _lift(row: Statement, flag: str) -> None:
    if flag in row.flags:
        row.flags = [one for one in row.flags if one != flag]
        row.save(update_fields=["flags"])
