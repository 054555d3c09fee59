"""Posting in columns, with resemblance found on the server, gives what a look at each gives."""

from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from core import clock
from integrations import services as archive
from tests.treasury.bank.conftest import OpenAccount
from tests.treasury.bank.paper import DAY, IBAN, B, E, S, arrive, camt, day_statement, mt940
from treasury.engine.facts import END_OF_DAY
from treasury.models import BankAccount, BankEntry, EntryObservation, Statement, StatementState
from treasury.services import ingest, late, posting, resembling
from treasury.services.posting import Posted, Sheet
from treasury.services.settling import settle

OTHER = "DE02120300000000202051"
_UETR = "7f9c2ba4-1d3e-4c5f-9a6b-0c1d2e3f4a5b"


def everything_known(account: BankAccount) -> resembling.Known:
    """Return every standing entry of the account, whatever its amount and day."""
    found = list(BankEntry.objects.filter(account=account).exclude(state="MERGED").order_by("id"))
    return resembling.Known(entries=found, slots=[(one.identity, one.occurrence) for one in found])


def whole_days(sheets: list[Sheet]) -> tuple[date, date]:
    """Return the days that a statement settles, all of them, also where it only adds."""
    if sheets[0].row.source not in END_OF_DAY:
        return sheets[0].row.statement_date, sheets[0].row.statement_date
    starts, ends = zip(*((one.row.period_start, one.row.period_end) for one in sheets), strict=True)
    return min(starts), max(ends)


def look_at_each(*, account: BankAccount, sheets: list[Sheet], now: datetime) -> Posted:
    """Post as the books define it: every sighting climbs the ladder among all entries around."""
    shown = [(sheet, one) for sheet in sheets for one in sheet.facts.sightings]
    posted, touched = Posted(), list[UUID]()
    if shown:
        book = posting._Book(everything_known(account))
        touched = posting._climb(posted, late.closing_of(account), shown, book, now=now)
    start, end = whole_days(sheets)
    posted.changes = settle(account_id=account.pk, start=start, end=end, touched=touched)
    posting._refresh_states(posted)
    return posted


def books(account: BankAccount) -> tuple[Counter[tuple[Any, ...]], Counter[tuple[Any, ...]]]:
    """Return all that is stored about an account's entries and their sightings, without ids."""
    entries = BankEntry.objects.filter(account=account).values_list(
        "identity_rule", "occurrence", "amount", "booking_date", "value_date", "status", "state",
        "best_source", "is_reversal", "bank_reference", "end_to_end_id", "uetr", "counterparty",
        "transaction_code", "remittance", "return_reason", "statement__statement_ref",
        "statement__source", "first_seen_at", "announced_at", "merged_into__bank_reference",
    )  # fmt: skip
    seen = EntryObservation.objects.filter(statement__account=account).values_list(
        "entry__amount",
        "entry__bank_reference",
        "statement__statement_ref",
        "status",
        "entry__state",
    )
    return Counter(entries), Counter(seen)


days = st.sampled_from([DAY, DAY, DAY, DAY + timedelta(days=1), DAY - timedelta(days=3)])
entry = st.builds(
    E,
    amount=st.sampled_from(["1.00", "1.00", "-2.50", "30.00"]),
    ref=st.sampled_from(["", "", "R1", "R2"]),
    e2e=st.sampled_from(["", "", "E1", "E2"]),
    uetr=st.sampled_from(["", "", _UETR]),
    text=st.sampled_from(["", "rent", "Rent."]),
    status=st.sampled_from(["BOOK", "BOOK", "PDNG"]),
    booked=days,
    value=days,
)
messages = st.tuples(
    st.sampled_from(["052", "053", "054", "mt940"]),
    st.lists(entry, max_size=5),
    st.sampled_from([DAY, DAY + timedelta(days=1)]),
    st.integers(1, 3),
)


def paper(kind: str, entries: list[E], day: date, seq: int, *, iban: str) -> bytes:
    if kind == "mt940":
        booked = [one for one in entries if one.status == "BOOK"]
        return mt940(*booked, day=day, seq=f"{seq}/1", account=iban)
    if kind == "053":
        return camt(kind, day_statement(*entries, day=day, seq=seq, iban=iban, id=f"D{seq}"))
    return camt(kind, S(id=f"I{seq}", seq=seq, entries=tuple(entries), iban=iban))


@settings(
    max_examples=40,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(sequence=st.lists(messages, min_size=1, max_size=5), many=st.sampled_from([0, 500]))
def test_both_ways_of_posting_leave_the_same_books(
    open_account: OpenAccount,
    monkeypatch: pytest.MonkeyPatch,
    sequence: list[tuple[str, list[E], date, int]],
    many: int,
) -> None:
    with transaction.atomic():
        found = []
        for iban, post in ((IBAN, posting.post), (OTHER, look_at_each)):
            account = open_account(iban)
            monkeypatch.setattr(ingest, "post", post)
            monkeypatch.setattr(resembling, "SIGHTINGS_MANY", many)
            for kind, entries, day, seq in sequence:
                arrive(paper(kind, entries, day, seq, iban=iban))
            found.append(books(account))
        assert found[0] == found[1]
        transaction.set_rollback(True)


def test_the_comparison_notices_a_path_that_overlooks_what_is_known(
    account: BankAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = camt("054", S(id="N1", entries=(E(amount="5.00", e2e="E1"),)))
    arrive(first)
    monkeypatch.setattr(resembling, "find", lambda **_: resembling.Known())
    arrive(camt("053", day_statement(E(amount="5.00", ref="R1"))))
    assert BankEntry.objects.filter(account=account).count() == 2, "overlooked, as it was made to"


def test_twins_on_two_pages_are_numbered_through(account: BankAccount) -> None:
    twin = E(amount="2.00", text="coffee")
    pages = [
        S(id="P", page=number, last=number == 2, entries=(twin, twin), seq=1) for number in (1, 2)
    ]
    arrive(camt("053", *pages))
    rows = BankEntry.objects.filter(account=account).values_list("occurrence", flat=True)
    assert sorted(rows) == [1, 2, 3, 4]


def test_the_same_bytes_over_another_line_are_not_read_again(
    account: BankAccount, tmp_path: Path
) -> None:
    data = camt("053", day_statement(E(amount="5.00", ref="R1")))
    arrive(data)
    wish = archive.ConnectionIn(
        code="second", name="Second", kind="FOLDER", directory=str(tmp_path)
    )
    archive.save_connection(wish=wish)
    message = archive.archive_inbound(connection_code="second", name="copy.xml", data=data)
    result = ingest.ingest_message(message_id=message.pk)
    assert [one.state for one in result.statements] == [StatementState.DUPLICATE]
    assert BankEntry.objects.filter(account=account).count() == 1
    assert Statement.objects.filter(message_id=message.pk).get().reason == "We have these bytes."
    assert archive.mark_handled(message_id=message.pk).handled_at == clock.now()


def test_a_message_in_the_books_is_not_opened_again(account: BankAccount) -> None:
    first = arrive(camt("053", day_statement(E(amount="5.00", ref="R1"))))
    again = ingest.ingest_message(message_id=first.message_id)
    assert (again.statements, again.entries_new, again.refusals) == ((), 0, ())


def test_the_same_statements_in_another_message_are_not_read_again(account: BankAccount) -> None:
    statement = day_statement(E(amount="5.00", ref="R1"))
    first = arrive(camt("053", statement, message="M1")).statements[0]
    again = arrive(camt("053", statement, message="M2")).statements[0]
    assert (again.state, again.reason) == (StatementState.DUPLICATE, "We have this content.")
    assert again.body_sha256 == first.body_sha256 != ""
    assert again.message_sha256 != first.message_sha256
    assert again.message_id != first.message_id
    assert BankEntry.objects.filter(account=account).count() == 1
    assert EntryObservation.objects.filter(statement__account=account).count() == 1


def test_another_statement_in_another_message_is_read(account: BankAccount) -> None:
    arrive(camt("053", day_statement(E(amount="5.00", ref="R1")), message="M1"))
    corrected = day_statement(E(amount="5.00", ref="R1"), E(amount="6.00", ref="R2"))
    found = arrive(camt("053", corrected, message="M2")).statements[0]
    assert found.state == StatementState.POSTED
    assert BankEntry.objects.filter(account=account).count() == 2


def test_a_page_that_still_waits_is_no_twin(account: BankAccount) -> None:
    one, two = (E(amount="5", text=text) for text in ("x", "y"))
    first = S(
        id="P", page=1, last=False, entries=(one,),
        balances=(B(code="OPBD", amount="100"), B(code="CLBD/INTM", amount="105")),
    )  # fmt: skip
    second = S(
        id="P", page=2, last=True, entries=(two,),
        balances=(B(code="OPBD/INTM", amount="105"), B(code="CLBD", amount="110")),
    )  # fmt: skip
    waiting = arrive(camt("053", first, message="M1")).statements[0]
    again = arrive(camt("053", first, message="M2")).statements[0]
    assert waiting.body_sha256 == again.body_sha256 != ""
    assert waiting.state == StatementState.PARTIAL
    arrive(camt("053", second, message="M3"))
    assert BankEntry.objects.filter(account=account, state="COUNTED").count() == 2
