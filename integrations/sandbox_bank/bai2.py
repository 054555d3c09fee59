"""Writing BAI2, the cash management file that American banks send."""

from zoneinfo import ZoneInfo

from integrations.sandbox_bank.records import Entry, Statement

CREDIT, DEBIT = "195", "495"
# The type says the side: a charge that is given back is no charge, but money that comes in.
_CREDITS = {"RRTN": "257", "INTR": "354"}
_DEBITS = {"CHRG": "698"}
TEXT_CHARACTERS_MAX = 140


def write_bai2(statement: Statement) -> bytes:
    """Return the day's previous-day file with one group and one account."""
    account = statement.account
    local = statement.created_at.astimezone(ZoneInfo(account.timezone))
    records = [
        _record("03", account.number or account.iban, account.currency, *_balances(statement))
    ]
    amounts = [statement.opening, statement.closing, statement.available]
    for entry in statement.entries:
        records.append(_entry(entry))
        amounts.append(abs(entry.amount))
    total = sum(amounts)
    records.append(_record("49", str(total), str(len(records) + 1)))
    sender = account.clearing_code or account.bank_bic
    group = _record(
        "02", "TREASURY", sender, "1", f"{statement.bank_date:%y%m%d}", "2359", account.currency,
        "2",
    )  # fmt: skip
    head = _record(
        "01", sender, "TREASURY", f"{local:%y%m%d}", f"{local:%H%M}", statement.message_id[-8:],
        "", "", "2",
    )  # fmt: skip
    tail = [
        _record("98", str(total), "1", str(len(records) + 2)),
        _record("99", str(total), "1", str(len(records) + 4)),
    ]
    return ("\r\n".join([head, group, *records, *tail]) + "\r\n").encode("ascii", "replace")


def _balances(statement: Statement) -> list[str]:
    known = (("010", statement.opening), ("015", statement.closing), ("045", statement.available))
    return [part for code, amount in known for part in (code, str(amount), "", "")]


def _entry(entry: Entry) -> str:
    is_debit = entry.amount < 0
    codes, usual = (_DEBITS, DEBIT) if is_debit else (_CREDITS, CREDIT)
    code = codes.get(entry.code[2], usual)
    text = " ".join(filter(None, (entry.counterparty_name, entry.remittance)))
    return _record(
        "16", code, str(abs(entry.amount)), "V", f"{entry.value_date:%y%m%d}", "",
        entry.reference, _plain(entry.end_to_end_id), _plain(text)[:TEXT_CHARACTERS_MAX],
    )  # fmt: skip


def _plain(text: str) -> str:
    return text.replace("/", " ").replace(",", " ").replace("\n", " ")


def _record(*fields: str) -> str:
    return ",".join(fields) + "/"
