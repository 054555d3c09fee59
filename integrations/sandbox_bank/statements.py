"""Closing the bank's day and reporting within it."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from integrations.sandbox_bank import camt
from integrations.sandbox_bank.bai2 import write_bai2
from integrations.sandbox_bank.bankdays import bank_day_after
from integrations.sandbox_bank.faults import STATEMENT_KINDS, draw_faults
from integrations.sandbox_bank.ledger import entry_from_json
from integrations.sandbox_bank.mt940 import write_mt940, write_mt942
from integrations.sandbox_bank.office import Letter, Office
from integrations.sandbox_bank.records import Account, BankError, Entry, Statement
from integrations.sandbox_bank.sheet import write_sheet

CLOSING_TIME = time(23, 59)
DAYS_CLOSED_AT_ONCE_MAX = 400
WRONG_SUM_MINOR = 100


def kind_of(account: Account) -> str:
    """Return what kind of message the account's statements are."""
    name = account.statement_format
    return "camt.053" if name.startswith("camt.053") else name


def render_statement(statement: Statement) -> bytes:
    """Write a day's statement in the account's own format."""
    writers = {"MT940": write_mt940, "BAI2": write_bai2, "CSV": write_sheet}
    name = statement.account.statement_format
    if name in writers:
        return writers[name](statement)
    return camt.write_statement(statement, version=name[-2:])


def closing_time(account: Account, day: date) -> datetime:
    """Return the moment a day's statement is made: one minute before local midnight."""
    return datetime.combine(day, CLOSING_TIME, ZoneInfo(account.timezone)).astimezone(UTC)


def plan_closing(office: Office, account: Account, day: date) -> None:
    """Put the end of a local day on the agenda."""
    office.schedule("eod", account.id, closing_time(account, day))


def on_eod(office: Office, account_id: int, at: datetime) -> None:
    """Agenda: local 23:59; close every bank day up to this date and plan the next evening."""
    account = office.book.account(account_id)
    local = at.astimezone(ZoneInfo(account.timezone)).date()
    close_days(office, account_id, at, until=local)
    plan_closing(office, account, local + timedelta(days=1))


def close_days(office: Office, account_id: int, at: datetime, *, until: date) -> int:
    """Close the account's open bank days up to `until`; return how many were closed."""
    for closed in range(DAYS_CLOSED_AT_ONCE_MAX):
        account = office.book.account(account_id)
        if account.bank_date is None or account.bank_date > until:
            return closed
        _close(office, account, account.bank_date, at)
    return DAYS_CLOSED_AT_ONCE_MAX


def _close(office: Office, account: Account, day: date, at: datetime) -> None:
    book = office.book
    entries = _open_entries(office, account)
    statement = Statement(
        account=account,
        message_id=office.new_message_id(kind_of(account)),
        statement_id=f"{account.name[-12:]}-{day:%Y%m%d}-{account.statement_seq + 1}",
        sequence=account.statement_seq + 1,
        created_at=at,
        bank_date=day,
        opening=account.closed_balance,
        closing=account.closed_balance + sum(entry.amount for entry in entries),
        available=book.available(account),
        entries=tuple(entries),
    )
    fired = draw_faults(
        book, STATEMENT_KINDS, subject=f"{account.name}:{day}", facts={"account": account.name}
    )
    faults = frozenset(fault.kind for fault in fired)
    letters = letters_for(office, statement, faults)
    number = book.run(
        "INSERT INTO statement(account_id, sequence, bank_date, opening, closing, message_id,"
        " payload)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        account.id, statement.sequence, day.isoformat(), statement.opening, statement.closing,
        statement.message_id, letters[-1].payload,
    )  # fmt: skip
    book.run(
        "UPDATE movement SET statement_id = ? WHERE account_id = ? AND statement_id IS NULL",
        number,
        account.id,
    )
    book.run(
        "UPDATE account SET statement_seq = ?, closed_balance = ?, bank_date = ? WHERE id = ?",
        statement.sequence, statement.closing, bank_day_after(account.currency,
        day).isoformat(), account.id,
    )  # fmt: skip
    if "statement_gap" not in faults:
        for letter in letters:
            office.post(letter, copies=2 if "duplicate_statement" in faults else 1)


def letters_for(office: Office, statement: Statement, faults: frozenset[str]) -> list[Letter]:
    """Return the files that report a day: one as a rule, more where the bank or a fault says so.

    The last one always states the book's own closing balance, but for a wrong sum.
    """
    per_page = office.manner(statement.account.bank_bic).page_entries
    if faults & {"paged", "wrong_split"}:
        per_page = max(1, len(statement.entries) // 2)
    shown = [statement]
    if "wrong_sum" in faults:
        shown = [replace(statement, closing=statement.closing + WRONG_SUM_MINOR)]
    elif "restated" in faults and statement.entries:
        shown = [_forgetful(office, statement), statement]
    elif per_page and kind_of(statement.account) == "camt.053":
        shown = _pages(office, statement, per_page)
        if "wrong_split" in faults and len(shown) > 1:
            # The page before the last begins where it should, and ends one entry too late.
            late = (*shown[-2].entries, shown[-1].entries[0])
            shown[-2] = replace(shown[-2], entries=late)
    return [_letter(one) for one in shown]


def _forgetful(office: Office, statement: Statement) -> Statement:
    """Return the statement without its last entry, complete in itself: the next one corrects it."""
    kept = statement.entries[:-1]
    return replace(
        statement,
        message_id=office.new_message_id("camt.053"),
        closing=statement.closing - statement.entries[-1].amount,
        available=statement.available - statement.entries[-1].amount,
        entries=kept,
        created_at=statement.created_at - timedelta(seconds=30),
    )


def _pages(office: Office, statement: Statement, per_page: int) -> list[Statement]:
    chunks = [
        statement.entries[start : start + per_page]
        for start in range(0, max(1, len(statement.entries)), per_page)
    ]
    pages, balance = [], statement.opening
    for number, chunk in enumerate(chunks, start=1):
        is_last = number == len(chunks)
        closing = balance + sum(entry.amount for entry in chunk)
        message_id = statement.message_id if is_last else office.new_message_id("camt.053")
        pages.append(
            replace(
                statement,
                message_id=message_id,
                opening=balance,
                closing=closing,
                entries=chunk,
                page=number,
                is_last_page=is_last,
            )
        )
        balance = closing
    return pages


def _letter(statement: Statement) -> Letter:
    return Letter(
        message_id=statement.message_id,
        kind=kind_of(statement.account),
        channel=statement.account.channel,
        account=statement.account.name,
        payload=render_statement(statement),
        created_at=statement.created_at,
    )


def _open_entries(office: Office, account: Account) -> list[Entry]:
    rows = office.book.rows(
        "SELECT entry FROM movement WHERE account_id = ? AND statement_id IS NULL ORDER BY id",
        account.id,
    )
    return [entry_from_json(row["entry"]) for row in rows]


def on_interim(office: Office, account_id: int, at: datetime) -> None:
    """Agenda: something moved since the last round; report the day so far."""
    account = office.book.account(account_id)
    if office.manner(account.bank_bic).intraday_format == "none":
        return
    if _open_entries(office, account):
        send_interim_report(office, account, at)


def send_interim_report(office: Office, account: Account, at: datetime, *, kind: str = "") -> str:
    """Send a report that repeats everything booked since the day opened, as this bank does it.

    `kind` says otherwise, when a customer asked for one.
    """
    entries = _open_entries(office, account)
    kind = kind or office.manner(account.bank_bic).intraday_format
    kind = "camt.052" if kind == "none" else kind
    message_id = office.new_message_id(kind)
    statement = Statement(
        account=account,
        message_id=message_id,
        statement_id=message_id,
        sequence=office.book.next_number(f"interim:{account.id}"),
        created_at=at,
        bank_date=account.bank_date or at.date(),
        opening=account.closed_balance,
        closing=account.balance,
        available=office.book.available(account),
        entries=tuple(entries),
    )
    version = "02" if account.statement_format.endswith(".02") else "08"
    letter = Letter(
        message_id=message_id,
        kind=kind,
        channel=account.channel,
        account=account.name,
        payload=write_mt942(statement)
        if kind == "MT942"
        else camt.write_interim_report(statement, version=version),
        created_at=at,
    )
    office.post(letter)
    return message_id


def resend_statement(office: Office, account: Account, day: str, at: datetime) -> str:
    """Send a day's statement again, the same bytes under the same message id.

    Raises:
        BankError: that day has no statement.
    """
    found = office.book.row(
        "SELECT * FROM statement WHERE account_id = ? AND bank_date = ?", account.id, day
    )
    if found is None:
        raise BankError("statement_unknown", "no statement of that date", status=404)
    letter = Letter(
        message_id=found["message_id"],
        kind=kind_of(account),
        channel=account.channel,
        account=account.name,
        payload=found["payload"],
        created_at=at,
    )
    office.post(letter)
    return letter.message_id
