"""What the pages of pools show: what moves today and why, before and after, and the benefit."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from core.errors import DomainError
from core.money import Money
from treasury.engine.pool_picture import PoolPicture, picture
from treasury.engine.pool_records import outcome_of
from treasury.engine.pool_rules import crosses
from treasury.engine.pools import Direction, Line, Outcome, Reason, pool_moves
from treasury.models import BankAccount, CashPool, PoolKind, PoolMove, PoolRun
from treasury.selectors import pools as reads
from treasury.selectors.notional import Benefit, benefit

BENEFIT_DAYS: Final = 30
PAIR_DAYS: Final = 31
REASONS: Final = {
    Reason.SWEPT: "is above its target",
    Reason.FUNDED: "is below its target",
    Reason.PARTLY_FUNDED: "is below its target; the header cannot spare all of it",
    Reason.NOT_FUNDED: "is below its target; the header has nothing to spare",
    Reason.AT_TARGET: "is at its target",
    Reason.WITHIN_BAND: "is inside its band",
    Reason.BELOW_MINIMUM: "too little for a transfer",
    Reason.ONE_WAY: "is below its target, and money only goes up",
    Reason.BACK_AND_FORTH: "would undo what moved today, for too little",
    Reason.NOT_POOLABLE: "may not be pooled",
    Reason.STALE_BALANCE: "its newest balance is too old",
    Reason.GAP_IN_STATEMENTS: "a statement is missing before its newest one",
    Reason.CUTOFF_PASSED: "the cut-off has passed for today",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLine:
    """One member of a picture: what becomes of it, in words, and its proposal once there is one."""

    account: BankAccount
    line: Line
    words: str
    border: str
    move: PoolMove | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolView:
    """One pool today: its run if there is one, else what it would do on what is known now.

    `problem` says why nothing can be told; a notional pool has its `benefit` instead of lines.
    """

    pool: CashPool
    run: PoolRun | None
    sentence: str
    lines: tuple[PoolLine, ...] = ()
    outcome: Outcome | None = None
    picture: PoolPicture | None = None
    cutoff_at: datetime | None = None
    benefit: Benefit | None = None
    problem: str = ""


def views(*, now: datetime) -> list[PoolView]:
    """Return every active pool as it stands today."""
    return [view_of(one, now=now) for one in reads.pools().filter(is_active=True)]


def view_of(of: CashPool, *, now: datetime) -> PoolView:
    """Return one pool as it stands today."""
    if of.kind == PoolKind.NOTIONAL:
        return _notional(of, now)
    if of.is_bank_run:
        return _bank_run(of, now)
    day = reads.today_of(of, now=now)
    run = reads.runs().filter(pool=of, day=day).first()
    try:
        cutoff = reads.first_cutoff(of, now=now)
        outcome = outcome_of(run.record) if run else pool_moves(reads.inputs_for(of, now=now))
    except DomainError as refusal:
        return PoolView(
            pool=of, run=None, sentence=f"Nothing is decided today: {refusal.message}",
            problem=refusal.message,
        )  # fmt: skip
    return _shown(of, run, outcome, cutoff)


def story_of(run: PoolRun) -> PoolView:
    """Return a stored run, read back from its record.

    Raises:
        Invalid: the record cannot be read.
    """
    return _shown(run.pool, run, outcome_of(run.record), None)


def sentence_of(of: CashPool, outcome: Outcome) -> str:
    """Say in one sentence what moves, and what is lacking."""
    up = [line for line in outcome.lines if line.direction is Direction.UP]
    down = [line for line in outcome.lines if line.direction is Direction.DOWN and line.amount]
    header = reads.header_of(of).label
    parts = []
    if up:
        parts.append(f"{_money(outcome.swept, of)} goes up to {header} from {_count(len(up))}")
    if down:
        way = "" if up else f" from {header}"
        parts.append(f"{_money(outcome.funded, of)} comes down{way} to {_count(len(down))}")
    words = " and ".join(parts) or "Nothing moves: every account may stay as it is"
    if not outcome.short:
        return f"{words}; {header} ends the day at {_money(outcome.header_after, of)}."
    return f"{words}; {_money(outcome.short, of)} is lacking, because the header keeps its floor."


def _count(count: int) -> str:
    return "1 account" if count == 1 else f"{count} accounts"


def _money(amount: Decimal, of: CashPool) -> str:
    return str(Money(amount, of.currency))


def _shown(
    of: CashPool, run: PoolRun | None, outcome: Outcome, cutoff: datetime | None
) -> PoolView:
    header = reads.header_of(of)
    made = {one.account_id: one for one in reads.moves().filter(run=run)} if run else {}
    known = {str(one.account_id): one.account for one in reads.members(of)}
    # Who left the pool since is still part of what was run.
    known |= {str(account): one.account for account, one in made.items()}
    lines = tuple(
        PoolLine(
            account=known[line.account],
            line=line,
            words=REASONS[line.reason],
            border=crosses(reads.place_of(known[line.account]), reads.place_of(header)),
            move=made.get(known[line.account].pk),
        )
        for line in outcome.lines
        if line.account in known
    )
    rows = [(header.label, outcome.header_before, outcome.header_after)]
    rows += [(one.account.label, one.line.before, one.line.after) for one in lines]
    return PoolView(
        pool=of,
        run=run,
        sentence=sentence_of(of, outcome),
        lines=lines,
        outcome=outcome,
        picture=picture(rows),
        cutoff_at=cutoff,
    )


def _notional(of: CashPool, now: datetime) -> PoolView:
    until = now.date() - timedelta(days=1)
    found = benefit(of, start=until - timedelta(days=BENEFIT_DAYS - 1), until=until)
    if not found.days:
        words = "Nothing can be reckoned: no account of the pool has a balance."
        return PoolView(pool=of, run=None, sentence=words, benefit=found, problem=words)
    way = "brought" if found.advantage >= 0 else "cost"
    return PoolView(
        pool=of,
        run=None,
        sentence=f"Nothing moves; over {len(found.days)} days interest on the sum {way}"
        f" {_money(abs(found.advantage), of)} against each account alone.",
        benefit=found,
    )


def _bank_run(of: CashPool, now: datetime) -> PoolView:
    since = now.date() - timedelta(days=PAIR_DAYS)
    found = reads.pairs().filter(pool=of, value_date__gte=since)
    count = found.count()
    seen = "no sweep was seen" if not count else f"{count} sweeps were paired"
    return PoolView(
        pool=of,
        run=None,
        sentence="The bank sweeps by itself and nothing is instructed here;"
        f" over the last {PAIR_DAYS} days {seen}.",
    )
