"""Run a pool: gather, apply the rule, keep the record, and propose every move; once a day.

A move is a proposal like any other: the system makes it, people approve it. Nothing is instructed
without them, and nothing at all where the bank sweeps by itself.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

import structlog
from django.db import DatabaseError, transaction

from core import clock
from core.errors import DomainError
from core.money import Money
from core.tenancy import bound
from treasury.engine.pool_records import record_of
from treasury.engine.pools import Direction, Inputs, Line, Outcome, pool_moves
from treasury.engine.sweep_records import digest
from treasury.errors import PoolNotRun
from treasury.models import BankAccount, CashPool, PoolMove, PoolRun, Proposal, Purpose
from treasury.selectors import pools as reads
from treasury.services import tasks
from treasury.services.proposals import create_proposal, submit_proposal
from treasury.services.terms import ProposalIn

logger = structlog.get_logger(__name__)
AGENT: Final = "system:treasury.pools"
UNDECIDED: Final = "pool_not_run"
SHORT: Final = "pool_short"
CLOSED: Final = "pool_border_closed"
NOT_PROPOSED: Final = "pool_move_not_proposed"


@dataclass(frozen=True, slots=True)
class _Book:
    """The pool's accounts by their id as text, and how each is connected with the header."""

    header: BankAccount
    accounts: dict[str, BankAccount]
    legs: dict[UUID, reads.Leg]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """The run of a pool's day, and whether it was made just now."""

    run: PoolRun
    is_new: bool


def run_due_pools(*, tenant: UUID, now: datetime | None = None) -> list[Ran]:
    """Run every pool of a tenant that is near its cut-off, each in its own transaction.

    One that cannot be decided becomes a task; the others go on.
    """
    with bound(tenant, actor=AGENT):
        due = [one.pk for one in reads.due_pools(now=now or clock.now())]
    found = []
    for pool_id in due:
        try:
            with bound(tenant, actor=AGENT):
                found.append(run_pool(pool_id=pool_id))
        except (DomainError, DatabaseError) as refusal:
            code = getattr(refusal, "code", type(refusal).__name__)
            logger.warning("pool_not_run", pool=str(pool_id), code=code)
            with bound(tenant, actor=AGENT):
                _tell_undecided(pool_id, refusal)
    return found


@transaction.atomic
def run_pool(*, pool_id: UUID) -> Ran:
    """Decide a pool's day and propose its moves; the same day again returns what was decided.

    Raises:
        NotFound: no such pool.
        PoolNotRun: switched off, run by its bank, notional, a closed day, or a header whose balance
            cannot be relied on.
        CalendarUnknown, CalendarCoverageError: nobody can tell whether it is a business day.
    """
    pool = _locked(pool_id)
    now = clock.now()
    day = reads.today_of(pool, now=now)
    held = PoolRun.objects.filter(pool=pool, day=day).first()
    if held is not None:
        return Ran(run=held, is_new=False)
    inputs = reads.inputs_for(pool, now=now)
    outcome = pool_moves(inputs)
    run = _keep(pool, inputs, outcome)
    book = _book_of(pool, now)
    # What goes up is proposed first: what comes down is paid out of it.
    for line in sorted(outcome.lines, key=lambda one: one.direction is Direction.DOWN):
        _act(run, line, book)
    _tell_short(run, outcome)
    _tell_closed(run)
    tasks.answer_task(kind=UNDECIDED, key=f"{pool.code} {day}", note="It was decided.")
    logger.info(
        "pool_run", pool=pool.code, run=str(run.pk), swept=str(run.swept), funded=str(run.funded),
        short=str(run.short),
    )  # fmt: skip
    return Ran(run=run, is_new=True)


def _locked(pool_id: UUID) -> CashPool:
    # One run at a time; the unique key of pool and day has the last word. What others committed
    # while we waited for the row is read after it.
    CashPool.objects.select_for_update().filter(pk=pool_id).first()
    pool = reads.pool(pool_id)
    if not pool.is_active:
        raise PoolNotRun(f"{pool.code} is switched off.", field="pool")
    if pool.is_bank_run:
        raise PoolNotRun(
            f"{pool.code} is run by its bank: its sweeps are paired from statements and never"
            " instructed here.",
            field="pool",
        )
    return pool


def _book_of(pool: CashPool, now: datetime) -> _Book:
    header, listed = reads.header_of(pool), list(reads.members(pool))
    return _Book(
        header=header,
        accounts={str(one.account_id): one.account for one in listed},
        legs=reads.legs_of(listed, header=header, now=now),
    )


def _keep(pool: CashPool, inputs: Inputs, outcome: Outcome) -> PoolRun:
    record = record_of(inputs, outcome)
    return PoolRun.objects.create(
        pool=pool,
        day=inputs.day,
        decided_at=inputs.decided_at,
        header_before=outcome.header_before,
        header_after=outcome.header_after,
        swept=outcome.swept,
        funded=outcome.funded,
        short=outcome.short,
        rate=pool.intercompany_rate,
        day_count=pool.day_count,
        record=record,
        record_sha256=digest(record),
    )


def _act(run: PoolRun, line: Line, book: _Book) -> None:
    account = book.accounts[line.account]
    proposal, problem = None, ""
    if line.amount > 0:
        try:
            with transaction.atomic():
                proposal = _proposed(run, line, book)
        except DomainError as refusal:
            problem = refusal.message
            _tell_problem(run, line, account, problem)
    PoolMove.objects.create(
        run=run,
        account=account,
        direction=line.direction.value,
        reason=line.reason.value,
        before=line.before,
        target=line.target,
        wanted=line.wanted,
        amount=line.amount,
        after=line.after,
        proposal=proposal,
        problem=problem,
    )


def _proposed(run: PoolRun, line: Line, book: _Book) -> Proposal:
    account = book.accounts[line.account]
    is_up = line.direction is Direction.UP
    payer, payee = (account, book.header) if is_up else (book.header, account)
    made = create_proposal(
        draft=ProposalIn(
            debit_account=payer.pk,
            credit_account=payee.pk,
            amount=line.amount,
            why=_why(run, line, book),
            purpose=Purpose.POOL,
            value_date=run.day,
            send_by=book.legs[account.pk].cutoff_at,
        ),
        maker=None,
        maker_label=AGENT,
    )
    return submit_proposal(proposal_id=made.pk, actor=None)


def _why(run: PoolRun, line: Line, book: _Book) -> str:
    account, header = book.accounts[line.account], book.header
    rail = book.legs[account.pk].rail

    def money(amount: Decimal) -> str:
        return str(Money(amount, run.pool.currency))

    way = f"up to {header.label}" if line.direction is Direction.UP else f"down from {header.label}"
    words = (
        f"{run.pool.name}: {account.label} is forecast to end {_day(run.day)} at"
        f" {money(line.before)} and keeps {money(line.target)}, so {money(line.amount)} goes"
        f" {way} by {rail}."
    )
    if line.short:
        words += f" It lacks {money(line.short)} more, which the header cannot spare."
    if account.entity_id != header.entity_id:
        lender, borrower = account.entity.name, header.entity.name
        if line.direction is Direction.DOWN:
            lender, borrower = borrower, lender
        words += f" Once settled, {lender} has lent it to {borrower} at {run.rate:.4%}."
    return words


def _day(day: date) -> str:
    return f"{day:%d %b %Y}"


def _tell_short(run: PoolRun, outcome: Outcome) -> None:
    if outcome.short == 0:
        return
    labels = {str(one.account_id): one.account.label for one in reads.members(run.pool)}
    lacking = ", ".join(
        f"{labels[line.account]} {Money(line.short, run.pool.currency)}"
        for line in outcome.lines
        if line.short
    )
    tasks.open_task(
        task=tasks.TaskIn(
            kind=SHORT,
            key=f"{run.pool.code} {run.day}",
            title=f"{run.pool.code}: the header cannot fund everybody on {_day(run.day)}",
            detail=f"Above its floor it has too little. Left without: {lacking}.",
        )
    )


def _tell_closed(run: PoolRun) -> None:
    """Tell a person about members that stood still as a border lies between now."""
    header = reads.header_of(run.pool)
    for one in reads.members(run.pool).filter(is_poolable=True):
        words = reads.closed_border(one.account, header)
        if words:
            tasks.open_task(
                task=tasks.TaskIn(
                    kind=CLOSED,
                    key=f"{run.pool.code} {one.account_id}",
                    title=f"{run.pool.code}: {one.account.label} may not be pooled any more",
                    detail=words,
                )
            )


def _tell_problem(run: PoolRun, line: Line, account: BankAccount, problem: str) -> None:
    tasks.open_task(
        task=tasks.TaskIn(
            kind=NOT_PROPOSED,
            key=f"{run.pk} {account.pk}",
            title=f"{run.pool.code}: the move of {account.label} could not be proposed",
            detail=f"{Money(line.amount, run.pool.currency)}: {problem}",
        )
    )


def _tell_undecided(pool_id: UUID, refusal: DomainError | DatabaseError) -> None:
    pool = reads.pool(pool_id)
    tasks.open_task(
        task=tasks.TaskIn(
            kind=UNDECIDED,
            key=f"{pool.code} {reads.today_of(pool, now=clock.now())}",
            title=f"{pool.code}: today's moves could not be decided",
            detail=getattr(refusal, "message", "The database refused the run."),
        )
    )
