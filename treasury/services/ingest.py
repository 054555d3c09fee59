"""A bank's message becomes statements, balances, entries: once, in any order, never crashing.

What cannot be trusted is kept with a reason; what names no account of ours is set aside.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q

from core import clock
from core.errors import DomainError, Forbidden, NotFound
from core.events import present_trace
from core.identity.models import User
from core.ids import uuid7
from integrations import selectors as messages
from integrations import services as archive
from integrations.codecs.building import collecting_later
from integrations.codecs.camt029 import RecallReport
from integrations.codecs.errors import UnreadableMessage
from integrations.codecs.proof import ProofStatus, prove_pages
from integrations.codecs.records import ParsedMessage, ParsedStatement, StatusReport
from treasury.engine.facts import END_OF_DAY, BalanceFact, Setting, statement_facts
from treasury.errors import NotReadAgain
from treasury.models import (
    BankAccount,
    BankEntry,
    EntryState,
    Proof,
    Statement,
    StatementBalance,
    StatementState,
)
from treasury.selectors import accounts as account_selectors
from treasury.services import announcing, answers, flows, matching, recalls, rows, sequence
from treasury.services.posting import Posted, Sheet, post
from treasury.services.settling import settle

_PROOFS: Final = {
    ProofStatus.PROVEN: Proof.PROVEN,
    ProofStatus.DIFFERS: Proof.DIFFERS,
    ProofStatus.NO_BALANCES: Proof.NO_BALANCES,
}
READING_TIMEOUT: Final = "300s"
PAGES_WAIT: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestResult:
    """What a message did: its statements, and why parts of it could not be used."""

    message_id: UUID
    statements: tuple[Statement, ...] = ()
    entries_new: int = 0
    entries_changed: int = 0
    refusals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """A parsed page, its account, and the message it came in; `row` when it waited for others."""

    account: BankAccount
    parsed: ParsedStatement
    message_id: UUID
    message_sha256: str
    body_sha256: str
    row: Statement | None = None


@dataclass(slots=True, kw_only=True)
class _Run:
    """What one message adds up to while it is read."""

    message_id: UUID
    message_sha256: str
    body_sha256: str
    parsed: ParsedMessage
    now: datetime
    statements: list[Statement] = field(default_factory=list)
    posted: list[Posted] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    again: tuple[Statement, ...] = ()
    unchanged: set[UUID] = field(default_factory=set)


@transaction.atomic
def ingest_message(*, message_id: UUID) -> IngestResult:
    """Read an archived message into the books and mark it handled, or set it aside with a reason.

    A message that was handled is not opened again: reading it once more would change nothing.

    Raises:
        MessageUnknown: no such message.
    """
    message = messages.opened(message_id)
    if message.was_handled:
        return IngestResult(message_id=message_id)
    copies, body = _keep_copies(message)
    if copies:
        archive.mark_handled(message_id=message_id)
        return IngestResult(message_id=message_id, statements=copies)
    _allow_long_reading()
    try:
        parsed = message.read()
    except UnreadableMessage as error:
        reason = f"{error.message} ({error.locator})" if error.locator else error.message
        archive.set_aside(message_id=message_id, reason=reason)
        return IngestResult(message_id=message_id, refusals=(reason,))
    if isinstance(parsed, RecallReport):
        recalls.apply_recall_report(report=parsed)
        archive.mark_handled(message_id=message_id)
        return IngestResult(message_id=message_id)
    if isinstance(parsed, StatusReport):
        answers.apply_status_report(report=parsed, message_id=message_id)
        archive.mark_handled(message_id=message_id)
        return IngestResult(message_id=message_id)
    run = _Run(
        message_id=message_id,
        message_sha256=message.row.sha256,
        body_sha256=body,
        parsed=parsed,
        now=clock.now(),
    )
    with collecting_later():
        _read_statements(run)
    if run.refusals:
        archive.set_aside(message_id=message_id, reason=" ".join(dict.fromkeys(run.refusals)))
    else:
        archive.mark_handled(message_id=message_id)
    return _result(run)


def _result(run: _Run) -> IngestResult:
    return IngestResult(
        message_id=run.message_id,
        statements=tuple(run.statements),
        entries_new=sum(one.new_count for one in run.posted),
        entries_changed=sum(len(one.changed) for one in run.posted),
        refusals=tuple(run.refusals),
    )


@transaction.atomic
def read_again(*, statement_id: UUID, actor: User) -> IngestResult:
    """Read the bytes of a statement that was kept aside again, as its bank's profile now says.

    Every statement kept aside from the same message is read with it. What reads otherwise becomes
    the next version, which replaces what was kept aside; what reads the same changes nothing.

    Raises:
        Forbidden: the person has none of the roles for this.
        NotFound: no such statement.
        NotReadAgain: it is not kept aside, has no bytes, or still cannot be read; with the reason.
    """
    if not actor.has_role(*archive.ROLES_FOR_TRYING_AGAIN):
        raise Forbidden("Your roles do not allow reading statements again.")
    found = Statement.objects.filter(pk=statement_id).first()
    if found is None:
        raise NotFound("There is no such statement.", id=str(statement_id))
    if found.message_id is None:
        raise NotReadAgain("It came through the API: there are no bytes to read again.")
    _allow_long_reading()
    try:
        message = messages.opened(found.message_id)
        parsed = message.read()
    except DomainError as error:
        raise NotReadAgain(f"It cannot be read: {error.message}") from error
    if not isinstance(parsed, ParsedMessage):
        raise NotReadAgain("It does not read as a statement any more.")
    run = _Run(
        message_id=found.message_id,
        message_sha256=message.row.sha256,
        body_sha256=message.body_sha256(),
        parsed=parsed,
        now=clock.now(),
    )
    _read_statements(run, again=True)
    if run.refusals:
        raise NotReadAgain(" ".join(dict.fromkeys(run.refusals)))
    if any(row.state == StatementState.PARTIAL for row in run.statements):
        raise NotReadAgain("Its other pages are still missing; ask the bank for them.")
    _put_behind(run)
    return _result(run)


def _keep_copies(message: messages.Archived) -> tuple[tuple[Statement, ...], str]:
    """Keep what came before, in the same bytes or in another message, without reading it again.

    Return what was kept, and the digest of what the message says beside its own number and time.
    """
    twin, words, body = message.handled_twin(), "We have these bytes.", ""
    if twin is None:
        body = message.body_sha256()
        twin, words = _message_of_body(body), "We have this content."
    if twin is None:
        return (), body
    known = list(Statement.objects.filter(message_id=twin).order_by("id"))
    if any(row.state == StatementState.PARTIAL or "COPY" in row.flags for row in known):
        return (), body or message.body_sha256()
    now = clock.now()
    for row in known:
        row.pk, row.message_id, row.received_at = uuid7(), message.row.pk, now
        row.message_sha256 = message.row.sha256
        row.state, row.reason = StatementState.DUPLICATE, words
        row.flags, row.supersedes = [], None
    Statement.objects.bulk_create(known)
    return tuple(known), body


def _message_of_body(body: str) -> UUID | None:
    """Return a message in the books that differs from this one in its number and time only."""
    if not body:
        return None
    rows = Statement.objects.filter(body_sha256=body, message_id__isnull=False).order_by("id")
    for found in rows.values_list("message_id", flat=True).distinct():
        if found is not None and messages.was_handled(found):
            return UUID(str(found))
    return None


def _allow_long_reading() -> None:
    """Let this transaction pause while a large file is read, and its rows be written in one go.

    The short limits of the connection are meant for sessions that somebody left open.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('idle_in_transaction_session_timeout', %s, true),"
            " set_config('statement_timeout', %s, true)",
            [READING_TIMEOUT, READING_TIMEOUT],
        )


def _read_statements(run: _Run, *, again: bool = False) -> None:
    read_before = Statement.objects.filter(message_id=run.message_id)
    if again:
        _lock_what_is_aside(run)
        aside = (StatementState.QUARANTINED, StatementState.SUPERSEDED)
        read_before = read_before.exclude(state__in=aside)
    known = set(read_before.values_list("account_id", "locator"))
    pages = [
        page for page in _pages(run) if (page.account.pk, page.parsed.locator[:200]) not in known
    ]
    # Always in one order, so that two messages about the same accounts cannot block each other.
    ids = sorted({page.account.pk for page in pages})
    list(BankAccount.objects.select_for_update().filter(pk__in=ids).order_by("pk"))
    for group in _groups(pages):
        _take(run, group)


def _lock_what_is_aside(run: _Run) -> None:
    """Hold the accounts and the statements that this message left aside.

    Raises:
        NotReadAgain: none is kept aside (any more).
    """
    aside = Statement.objects.filter(
        message_id=run.message_id, state=StatementState.QUARANTINED
    ).order_by("pk")
    ids = set(aside.values_list("account_id", flat=True))
    list(BankAccount.objects.select_for_update().filter(pk__in=ids).order_by("pk"))
    run.again = tuple(aside.select_for_update(of=("self",)).select_related("account"))
    if not run.again:
        raise NotReadAgain("Only a statement that is kept aside is read again.")


def _put_behind(run: _Run) -> None:
    """Replace what was kept aside by what was read now; what it alone showed counts nowhere."""
    read_now = {row.account_id: row for row in run.statements}
    replaced = [row for row in run.again if run.statements and row.pk not in run.unchanged]
    for row in replaced:
        row.refresh_from_db(fields=["state"])
        if row.state == StatementState.QUARANTINED:
            row.state = StatementState.SUPERSEDED
            row.save(update_fields=["state"])
        successor = read_now.get(row.account_id)
        if successor is not None and successor.supersedes_id is None:
            successor.supersedes = row
            successor.save(update_fields=["supersedes"])
        shown = row.observations.values_list("entry_id", flat=True)
        days = {"start": row.period_start, "end": row.period_end}
        settle(account_id=row.account_id, touched=list(shown), **days)


def _reads_the_same(run: _Run, sheets: Sequence[Sheet]) -> bool:
    """Note which statements kept aside read as they did and stay aside for the same reason."""
    before = {_look_of(row): row.pk for row in run.again}
    found = {before.get(_look_of(sheet.row)) for sheet in sheets}
    if None in found or not found:
        return False
    run.unchanged |= {pk for pk in found if pk is not None}
    return True


def _look_of(row: Statement) -> tuple[object, ...]:
    return (row.account_id, row.content_sha256, row.locator, row.state, row.reason)


def _pages(run: _Run) -> Iterator[_Page]:
    for parsed in run.parsed.statements:
        account = _account_of(parsed, refusals=run.refusals)
        if account is not None:
            yield _Page(
                account=account,
                parsed=parsed,
                message_id=run.message_id,
                message_sha256=run.message_sha256,
                body_sha256=run.body_sha256,
            )


def _account_of(parsed: ParsedStatement, *, refusals: list[str]) -> BankAccount | None:
    """Return the account a statement is about; say in words why there is none."""
    ref = parsed.account
    shown = f"…{(ref.iban or ref.number or '')[-4:]}"
    found = account_selectors.accounts_numbered(ref)
    currency = parsed.currency or ref.currency
    if not found:
        words = f"We have no account {shown}" if ref.iban or ref.number else "It names no account"
        refusals.append(f"{words}. Open the account, then take the message up again.")
        return None
    if not currency:
        return found[0] if len(found) == 1 else None
    fitting = [one for one in found if one.currency == currency]
    if not fitting:
        ours = ", ".join(sorted({one.currency for one in found}))
        refusals.append(f"Our account {shown} is in {ours}, the statement is in {currency}.")
        return None
    return fitting[0]


def _groups(pages: Sequence[_Page]) -> Iterator[list[_Page]]:
    """Yield the pages of each statement: after a page that is not the last one comes its next."""
    group: list[_Page] = []
    for page in pages:
        continues = group and group[-1].parsed.last_page is False
        if group and not (continues and group[-1].account.pk == page.account.pk):
            yield group
            group = []
        group.append(page)
    if group:
        yield group


def _take(run: _Run, group: list[_Page]) -> None:
    """Take one statement, or some of its pages: duplicate, incomplete, or to be posted."""
    account = group[0].account
    sheets = [_sheet(run, page) for page in group]
    source = sheets[0].row.source
    if _is_duplicate(run, sheets):
        return
    if source in END_OF_DAY and not _is_complete(group):
        group = _with_waiting_pages(group, sheets)
        if not _is_complete(group):
            _wait_for_pages(run, sheets)
            return
        sheets = [_sheet(run, page) for page in group]
    _name_pages(sheets)
    _judge(group, sheets)
    if _reads_the_same(run, sheets):
        return
    sequence.make_version([sheet.row for sheet in sheets])
    for sheet in sheets:
        sheet.row.save()
    rows.insert([_balance_row(sheet, fact) for sheet in sheets for fact in sheet.facts.balances])
    posted = post(account=account, sheets=sheets, now=run.now)
    gaps = sequence.check_neighbours(account=account, rows=[sheet.row for sheet in sheets])
    run.statements.extend(sheet.row for sheet in sheets)
    run.posted.append(posted)
    gone = [one.entry_id for one in posted.changes if one.after != EntryState.COUNTED]
    flows.release_flows(entry_ids=gone)
    answers.question_withdrawn(entry_ids=gone)
    booked = _booked(account, sheets, posted)
    answers.apply_entries(entries=booked)
    flows.match_entries(entries=booked)
    announcing.announce(account=account, sheets=sheets, posted=posted, gaps=gaps)


def _booked(account: BankAccount, sheets: Sequence[Sheet], posted: Posted) -> list[BankEntry]:
    """Return the booked entries that transfers and expected flows may have waited for."""
    found = {entry.pk: entry for entry in posted.booked()}
    if posted.batches:
        found |= {one.pk: one for one in BankEntry.objects.filter(pk__in=posted.batches)}
    if posted.unseen:
        pages = [sheet.row.pk for sheet in sheets]
        for entry in matching.awaited_entries(account_id=account.pk, statement_ids=pages):
            found.setdefault(entry.pk, entry)
    return list(found.values())


def _sheet(run: _Run, page: _Page) -> Sheet:
    setting = Setting(
        currency=page.account.currency,
        timezone=page.account.timezone,
        received_at=run.now if page.row is None else page.row.received_at,
    )
    facts = statement_facts(page.parsed, kind=run.parsed.kind, setting=setting)
    row = page.row or Statement(
        account=page.account,
        source=facts.source,
        message_id=page.message_id,
        trace_id=present_trace(),
        message_sha256=page.message_sha256,
        body_sha256=page.body_sha256,
        received_at=run.now,
        state=StatementState.POSTED,
        proof=Proof.NO_BALANCES,
    )
    row.statement_ref = facts.statement_ref
    row.sequence = facts.sequence
    row.content_sha256 = facts.content_sha256
    row.locator = facts.locator
    row.statement_date = facts.statement_date
    row.period_start, row.period_end = facts.period_start, facts.period_end
    row.reported_from, row.bank_created_at = facts.reported_from, facts.bank_created_at
    row.opening, row.closing = facts.opening, facts.closing
    row.entries_count = len(facts.sightings)
    return Sheet(row=row, facts=facts)


def _balance_row(sheet: Sheet, fact: BalanceFact) -> StatementBalance:
    return StatementBalance(
        statement=sheet.row,
        account=sheet.row.account,
        code=fact.code,
        amount=fact.amount,
        credit_line_included=fact.credit_line_included,
        on_date=fact.on_date,
        as_of=fact.as_of,
    )


def _is_duplicate(run: _Run, sheets: list[Sheet]) -> bool:
    """Keep a copy, or content that we have under the same reference, as a duplicate."""
    first = sheets[0]
    refs = {ref for one in sheets for ref in (one.facts.statement_ref, one.facts.assembly_ref)}
    known = Statement.objects.filter(
        account=first.row.account,
        source=first.row.source,
        content_sha256__in=[one.row.content_sha256 for one in sheets],
    ).exclude(Q(state=StatementState.DUPLICATE) | Q(pk__in=[one.pk for one in run.again]))
    if not first.facts.is_copy:
        found = known.filter(statement_ref__in=refs) | known.filter(
            statement_date=first.row.statement_date, sequence=first.row.sequence, page__gt=0
        )
        if len(set(found.values_list("content_sha256", flat=True))) < len(
            {one.row.content_sha256 for one in sheets}
        ):
            return False
    words = "The bank marks it as a copy." if first.facts.is_copy else "We have this content."
    for one in sheets:
        one.row.state = StatementState.DUPLICATE
        one.row.reason = words
        one.row.flags = ["COPY"] if first.facts.is_copy else []
        one.row.save()
    run.statements.extend(one.row for one in sheets)
    return True


def _is_complete(group: Sequence[_Page]) -> bool:
    """Say whether all pages are here: one message's pages in its order, others by their numbers."""
    numbers = [page.parsed.page_number or 0 for page in group]
    if numbers == list(range(1, len(group) + 1)) or numbers == [0]:
        return group[-1].parsed.last_page is not False
    in_one_message = len({page.message_id for page in group}) == 1
    return in_one_message and numbers[0] <= 1 and group[-1].parsed.last_page is not False


def _with_waiting_pages(group: list[_Page], sheets: Sequence[Sheet]) -> list[_Page]:
    """Add the pages of the same statement that came in other messages, in page order."""
    waiting = Statement.objects.filter(
        account=group[0].account,
        source=sheets[0].row.source,
        statement_ref=sheets[0].facts.assembly_ref,
        state=StatementState.PARTIAL,
    ).select_related("account")
    pages = {page.parsed.page_number or 0: page for page in group}
    for row in waiting:
        pages.setdefault(row.page, _waiting_page(row))
    return [pages[number] for number in sorted(pages)]


def _waiting_page(row: Statement) -> _Page:
    if row.message_id is None:
        raise UnreadableMessage("A page has no message.", code="page_without_message")
    message = archive.read_archived(row.message_id)
    statements = message.statements if isinstance(message, ParsedMessage) else ()
    parsed = next(one for one in statements if one.locator[:200] == row.locator)
    return _Page(
        account=row.account,
        parsed=parsed,
        message_id=row.message_id,
        message_sha256=row.message_sha256,
        body_sha256=row.body_sha256,
        row=row,
    )


def _wait_for_pages(run: _Run, sheets: Sequence[Sheet]) -> None:
    for sheet in sheets:
        row = sheet.row
        row.statement_ref, row.page = sheet.facts.assembly_ref, sheet.facts.page
        row.version = sequence.next_version(row)
        row.state = StatementState.PARTIAL
        row.reason = f"Page {row.page} waits for the other pages of its statement."
        row.save()
    run.statements.extend(sheet.row for sheet in sheets)


def _name_pages(sheets: Sequence[Sheet]) -> None:
    """Give all pages of one statement one name, date and period."""
    first, last = sheets[0], sheets[-1]
    start = min(sheet.facts.period_start for sheet in sheets)
    for number, sheet in enumerate(sheets, start=1):
        row = sheet.row
        row.page = number if len(sheets) > 1 else 0
        row.statement_ref, row.sequence = last.facts.statement_ref, first.facts.sequence
        row.statement_date = row.period_end = last.facts.statement_date
        row.period_start = min(start, row.period_end)


def _judge(group: Sequence[_Page], sheets: Sequence[Sheet]) -> None:
    """Post what adds up or cannot be added up; keep aside what contradicts itself."""
    proof = prove_pages([page.parsed for page in group])
    foreign = sorted({currency for sheet in sheets for currency in sheet.facts.foreign})
    reasons = [proof.words] if proof.status is ProofStatus.DIFFERS else []
    if foreign:
        currency = group[0].account.currency
        reasons.append(f"It is in {currency} but has amounts in {', '.join(foreign)}.")
    for sheet in sheets:
        sheet.row.proof = _PROOFS[proof.status]
        sheet.row.state = StatementState.QUARANTINED if reasons else StatementState.POSTED
        sheet.row.reason = " ".join(reasons)


@transaction.atomic
def quarantine_overdue_pages(*, now: datetime) -> int:
    """Stop waiting for pages that did not come within a day. Return how many were kept aside."""
    overdue = Statement.objects.select_for_update(of=("self",)).filter(
        state=StatementState.PARTIAL, received_at__lt=now - PAGES_WAIT
    )
    found = list(overdue.select_related("account"))
    for row in found:
        row.state = StatementState.QUARANTINED
        row.reason = f"Page {row.page} came alone; its other pages did not arrive."
        row.save(update_fields=["state", "reason"])
        announcing.tell_quarantine(row)
    return len(found)
