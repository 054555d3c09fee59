"""One entry however many times it is seen; equal entries stay as many as they are."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from core.events.models import OutboxEvent
from integrations import selectors as messages
from tests.treasury.bank.paper import (
    DAY,
    IBAN,
    B,
    E,
    S,
    again,
    arrive,
    camt,
    day_statement,
    mt940,
)
from treasury.models import BankAccount, BankEntry, EntryObservation, Statement

D1 = DAY + timedelta(days=1)
D3 = DAY + timedelta(days=3)


def counted(account: BankAccount) -> list[Decimal]:
    return sorted(
        BankEntry.objects.filter(account=account, state="COUNTED", status="BOOK").values_list(
            "amount", flat=True
        )
    )


def alerts(kind: str) -> int:
    return OutboxEvent.objects.filter(topic="risk.alert", payload__kind=kind).count()


def test_a_statement_becomes_entries_and_balances(account: BankAccount) -> None:
    result = arrive(camt("053", day_statement(E(amount="250.00", ref="R1"), E(amount="-50.10"))))
    (statement,) = result.statements
    assert (statement.state, statement.proof) == ("POSTED", "PROVEN")
    assert counted(account) == [Decimal("-50.10"), Decimal("250.00")]
    assert set(statement.balances.values_list("code", "amount")) == {
        ("OPBD", Decimal(1000)),
        ("CLBD", Decimal("1199.90")),
    }
    assert messages.message(result.message_id).state == "HANDLED"


def test_every_entry_leads_to_its_bytes(account: BankAccount) -> None:
    result = arrive(camt("053", day_statement(E(amount="250.00"))))
    entry = BankEntry.objects.select_related("statement").get()
    assert entry.statement.message_id == result.message_id
    assert entry.locator == "line 1, entry 1"
    assert entry.observations.get().locator == entry.locator


def test_the_same_entry_in_054_052_and_053_is_one(account: BankAccount) -> None:
    one = E(amount="250.00", ref="R1", e2e="E1")
    arrive(camt("054", S(id="N1", entries=(one,))))
    arrive(camt("052", S(id="I1", entries=(one,))))
    arrive(camt("053", day_statement(one)))
    entry = BankEntry.objects.get()
    assert entry.best_source == "CAMT053"
    assert EntryObservation.objects.filter(entry=entry).count() == 3


def test_two_equal_entries_in_one_statement_are_two(account: BankAccount) -> None:
    coffee = E(amount="-3.50", text="coffee")
    arrive(camt("053", day_statement(coffee, coffee)))
    assert counted(account) == [Decimal("-3.50")] * 2
    arrive(camt("052", S(id="I1", entries=(coffee, coffee))))
    assert counted(account) == [Decimal("-3.50")] * 2


def test_equal_entries_stay_two_when_only_the_statement_brings_references(
    account: BankAccount,
) -> None:
    arrive(camt("054", S(id="N1", entries=(E(amount="9", text="x"), E(amount="9", text="x")))))
    arrive(
        camt(
            "053", day_statement(E(amount="9", text="x", ref="A"), E(amount="9", text="x", ref="B"))
        )
    )
    assert counted(account) == [Decimal(9)] * 2
    assert set(BankEntry.objects.values_list("bank_reference", flat=True)) == {"A", "B"}


def test_a_later_source_without_the_reference_finds_the_entry_again(account: BankAccount) -> None:
    arrive(camt("053", day_statement(E(amount="9", ref="A", e2e="E1"))))
    arrive(camt("054", S(id="N1", entries=(E(amount="9", e2e="E1"),))))
    arrive(camt("052", S(id="I1", entries=(E(amount="9"),))))
    assert BankEntry.objects.count() == 1


def test_different_references_are_different_entries(account: BankAccount) -> None:
    arrive(camt("054", S(id="N1", entries=(E(amount="9", ref="A", e2e="E1"),))))
    arrive(camt("054", S(id="N2", entries=(E(amount="9", ref="B", e2e="E1"),))))
    assert counted(account) == [Decimal(9)] * 2


def test_notprovided_never_matches(account: BankAccount) -> None:
    arrive(camt("054", S(id="N1", entries=(E(amount="9", e2e="NOTPROVIDED", text="a"),))))
    arrive(camt("054", S(id="N2", entries=(E(amount="9", e2e="NOTPROVIDED", text="b"),))))
    assert counted(account) == [Decimal(9)] * 2


def test_one_amount_on_two_accounts_is_two_entries(account: BankAccount, open_account) -> None:
    other = open_account("DE75512108001245126199", label="second")
    one = E(amount="9", ref="A", e2e="E1")
    arrive(camt("054", S(id="N1", entries=(one,))))
    arrive(camt("054", S(id="N1", iban="DE75512108001245126199", entries=(one,))))
    assert counted(account) == counted(other) == [Decimal(9)]


def test_a_third_source_joins_what_two_could_not_know_to_be_one(account: BankAccount) -> None:
    arrive(camt("054", S(id="N1", entries=(E(amount="9", e2e="E1", text="short"),))))
    arrive(camt("052", S(id="I1", entries=(E(amount="9", ref="R1", text="long text"),))))
    assert counted(account) == [Decimal(9)] * 2
    arrive(camt("053", day_statement(E(amount="9", ref="R1", e2e="E1", text="long text"))))
    assert counted(account) == [Decimal(9)]
    assert BankEntry.objects.get(state="MERGED").merged_into == BankEntry.objects.get(
        state="COUNTED"
    )


def test_pending_becomes_booked_and_never_goes_back(account: BankAccount) -> None:
    pending = E(amount="9", ref="R1", status="PDNG", value=DAY)
    arrive(camt("052", S(id="I1", entries=(pending,))))
    assert counted(account) == []
    arrive(camt("053", day_statement(E(amount="9", ref="R1"))))
    arrive(camt("052", S(id="I2", entries=(pending,))))
    assert counted(account) == [Decimal(9)]


def test_pending_is_recognised_when_booked_a_day_later(account: BankAccount) -> None:
    arrive(camt("052", S(id="I1", entries=(E(amount="9", e2e="E1", status="PDNG"),))))
    arrive(camt("053", day_statement(E(amount="9", e2e="E1").on(D1), day=D1)))
    assert BankEntry.objects.count() == 1
    assert counted(account) == [Decimal(9)]


def test_information_never_counts(account: BankAccount) -> None:
    arrive(camt("054", S(id="N1", entries=(E(amount="9", status="INFO"),))))
    assert counted(account) == []


def test_what_the_end_of_day_lacks_is_kept_and_does_not_count(account: BankAccount) -> None:
    arrive(camt("054", S(id="N1", entries=(E(amount="9", ref="R1"), E(amount="7", ref="R2")))))
    arrive(camt("053", day_statement(E(amount="9", ref="R1"))))
    assert counted(account) == [Decimal(9)]
    assert BankEntry.objects.get(bank_reference="R2").state == "NOT_IN_EOD"
    assert alerts("entries_not_in_eod") == 1


def test_news_about_a_closed_day_is_an_observation_only(account: BankAccount) -> None:
    arrive(camt("053", day_statement(E(amount="9", ref="R1"))))
    arrive(camt("054", S(id="N1", entries=(E(amount="7", ref="R2"),))))
    assert counted(account) == [Decimal(9)]
    assert BankEntry.objects.get(bank_reference="R2").state == "NOT_IN_EOD"


def test_a_batch_is_one_entry(account: BankAccount) -> None:
    arrive(camt("053", day_statement(E(amount="300", ref="R1", batch=3))))
    assert counted(account) == [Decimal(300)]


def test_a_reversal_in_camt_keeps_its_sign(account: BankAccount) -> None:
    arrive(camt("053", day_statement(E(amount="40", ref="R1", reversal=True))))
    entry = BankEntry.objects.get()
    assert (entry.amount, entry.is_reversal) == (Decimal(40), True)


def test_a_reversed_credit_in_mt940_is_a_debit(account: BankAccount) -> None:
    arrive(mt940(E(amount="-40", ref="R1", reversal=True)))
    entry = BankEntry.objects.get()
    assert (entry.amount, entry.is_reversal, entry.state) == (Decimal(-40), True, "COUNTED")
    assert Statement.objects.get().proof == "PROVEN"


def test_mt940_and_camt_of_one_day_are_one(account: BankAccount) -> None:
    arrive(mt940(E(amount="40", ref="R1")))
    arrive(camt("053", day_statement(E(amount="40", ref="R1"))))
    assert counted(account) == [Decimal(40)]


def test_an_account_with_local_number_is_found_behind_its_bank_code(open_account) -> None:
    ours = open_account("1234567", label="local")
    arrive(mt940(E(amount="40"), account="10020030/1234567"))
    assert counted(ours) == [Decimal(40)]


# --- again, copies, corrections --------------------------------------------------------------


def test_reading_a_message_again_changes_nothing(account: BankAccount) -> None:
    first = arrive(camt("053", day_statement(E(amount="9"))))
    again(first.message_id)
    assert Statement.objects.count() == 1
    assert counted(account) == [Decimal(9)]


def test_the_same_content_in_another_message_is_a_duplicate(account: BankAccount) -> None:
    arrive(camt("053", day_statement(E(amount="9"))))
    result = arrive(camt("053", day_statement(E(amount="9")), message="M2"))
    assert result.statements[0].state == "DUPLICATE"
    assert counted(account) == [Decimal(9)]


@pytest.mark.parametrize("mark", ["DUPL", "COPY", "CODU"])
def test_a_copy_is_never_posted(account: BankAccount, mark: str) -> None:
    result = arrive(camt("053", day_statement(E(amount="9"), copy=mark)))
    assert result.statements[0].state == "DUPLICATE"
    assert counted(account) == []


def test_a_corrected_statement_replaces_the_first(account: BankAccount) -> None:
    keep, wrong, right = E(amount="9", ref="R1"), E(amount="5", ref="R2"), E(amount="6", ref="R2")
    arrive(camt("053", day_statement(keep, wrong)))
    result = arrive(camt("053", day_statement(keep, right, created=f"{D1}T07:00:00+01:00")))
    assert result.statements[0].version == 2
    assert Statement.objects.get(version=1).state == "SUPERSEDED"
    assert result.statements[0].supersedes == Statement.objects.get(version=1)
    assert counted(account) == [Decimal(6), Decimal(9)]
    assert BankEntry.objects.get(amount=5).state == "WITHDRAWN"


def test_a_correction_that_arrives_first_stays_in_force(account: BankAccount) -> None:
    keep, wrong, right = E(amount="9", ref="R1"), E(amount="5", ref="R2"), E(amount="6", ref="R2")
    arrive(camt("053", day_statement(keep, right, created=f"{D1}T07:00:00+01:00")))
    arrive(camt("053", day_statement(keep, wrong)))
    assert counted(account) == [Decimal(6), Decimal(9)]


def test_a_correction_that_does_not_add_up_replaces_nothing(account: BankAccount) -> None:
    good = day_statement(E(amount="9", ref="R1"))
    arrive(camt("053", good))
    arrive(camt("053", S(id=good.id, balances=good.balances, entries=(E(amount="8", ref="R3"),))))
    assert counted(account) == [Decimal(9)]
    assert BankEntry.objects.get(amount=8).state == "HELD"


# --- statements that cannot be trusted -------------------------------------------------------


def test_a_statement_that_does_not_add_up_is_kept_aside(account: BankAccount) -> None:
    good = day_statement(E(amount="9", ref="R1"))
    short = S(id="S9", balances=good.balances, entries=(E(amount="8.50", ref="R1"),))
    (statement,) = arrive(camt("053", short)).statements
    assert (statement.state, statement.proof) == ("QUARANTINED", "DIFFERS")
    assert "0.50 higher" in statement.reason
    assert counted(account) == []
    assert BankEntry.objects.get().state == "HELD"
    assert alerts("statement_quarantined") == 1


def test_a_quarantined_statement_does_not_uncount_what_was_announced(account: BankAccount) -> None:
    arrive(camt("054", S(id="N1", entries=(E(amount="9", ref="R1"), E(amount="7", ref="R2")))))
    good = day_statement(E(amount="9", ref="R1"))
    arrive(camt("053", S(id="S9", balances=good.balances, entries=())))
    assert counted(account) == [Decimal(7), Decimal(9)]


def test_the_corrected_resend_of_a_quarantined_statement_counts(account: BankAccount) -> None:
    good = day_statement(E(amount="9", ref="R1"), E(amount="1", ref="R2"))
    arrive(camt("053", S(id=good.id, balances=good.balances, entries=(E(amount="9", ref="R1"),))))
    assert counted(account) == []
    arrive(camt("053", good))
    assert counted(account) == [Decimal(1), Decimal(9)]


def test_amounts_of_another_currency_are_not_added(account: BankAccount) -> None:
    mixed = day_statement(E(amount="9"), extra="")
    odd = S(id="S9", balances=mixed.balances, entries=(E(amount="9", currency="USD"),))
    (statement,) = arrive(camt("053", odd)).statements
    assert statement.state == "QUARANTINED"
    assert "USD" in statement.reason
    assert BankEntry.objects.count() == 0


def test_a_statement_without_movements_is_posted(account: BankAccount) -> None:
    (statement,) = arrive(camt("053", day_statement())).statements
    assert (statement.state, statement.proof) == ("POSTED", "PROVEN")


def test_an_unknown_account_is_set_aside_with_a_reason(account: BankAccount) -> None:
    result = arrive(camt("053", day_statement(iban="GB29NWBK60161331926819")))
    message = messages.message(result.message_id)
    assert message.state == "SET_ASIDE"
    assert "…6819" in message.reason
    assert "GB29NWBK60161331926819" not in message.reason


def test_the_statement_of_another_currency_is_set_aside(account: BankAccount) -> None:
    dollars = S(currency="USD", balances=(B(code="CLBD", amount="1", currency="USD"),))
    result = arrive(camt("053", dollars))
    assert "in EUR, the statement is in USD" in messages.message(result.message_id).reason


def test_unreadable_bytes_are_set_aside(account: BankAccount) -> None:
    data = camt("053", day_statement(E(amount="9"))).replace(b"<CdtDbtInd>CRDT", b"<CdtDbtInd>XX")
    result = arrive(data)
    assert messages.message(result.message_id).state == "SET_ASIDE"
    assert Statement.objects.count() == 0


def test_one_unknown_account_does_not_stop_the_others(account: BankAccount) -> None:
    known, unknown = day_statement(E(amount="9")), day_statement(iban="GB29NWBK60161331926819")
    result = arrive(camt("053", unknown, known))
    assert counted(account) == [Decimal(9)]
    assert messages.message(result.message_id).state == "SET_ASIDE"


# --- gaps, order, pages ----------------------------------------------------------------------


def flags(day: date) -> list[str]:
    return Statement.objects.get(statement_date=day, state="POSTED").flags


def test_statements_that_follow_each_other_have_no_gap(account: BankAccount) -> None:
    arrive(camt("053", day_statement(E(amount="9"))))
    arrive(camt("053", day_statement(opening="1009", day=D1, seq=2)))
    assert flags(DAY) == flags(D1) == []


def test_an_opening_that_does_not_follow_is_a_gap(account: BankAccount) -> None:
    arrive(camt("053", day_statement(E(amount="9"))))
    arrive(camt("053", day_statement(opening="1010", day=D1, seq=2)))
    assert flags(D1) == ["GAP"]
    assert Statement.objects.get(statement_date=D1).state == "POSTED"
    assert alerts("statement_gap") == 1


def test_a_skipped_number_is_a_gap(account: BankAccount) -> None:
    arrive(camt("053", day_statement()))
    arrive(camt("053", day_statement(day=D1, seq=3)))
    assert flags(D1) == ["GAP"]


def test_numbers_begin_anew_in_january(account: BankAccount) -> None:
    arrive(camt("053", day_statement(day=date(2025, 12, 31), seq=250)))
    arrive(camt("053", day_statement(day=date(2026, 1, 2), seq=1)))
    assert flags(date(2026, 1, 2)) == []


def test_the_missing_statement_closes_the_gap(account: BankAccount) -> None:
    arrive(camt("053", day_statement(E(amount="9"))))
    arrive(camt("053", day_statement(opening="1014", day=D3, seq=3)))
    assert flags(D3) == ["GAP"]
    arrive(camt("053", day_statement(E(amount="5").on(D1), opening="1009", day=D1, seq=2)))
    assert flags(D3) == []
    assert flags(D1) == ["OUT_OF_ORDER"]


def test_a_longer_past_is_not_out_of_order(account: BankAccount) -> None:
    arrive(camt("053", day_statement(opening="1009", day=D1, seq=2)))
    arrive(camt("053", day_statement(E(amount="9"))))
    assert flags(DAY) == []
    assert flags(D1) == []


def pages(**second: object) -> tuple[S, S]:
    first = S(
        id="P1", page=1, last=False, entries=(E(amount="5", text="x"),),
        balances=(B(code="OPBD", amount="100"), B(code="CLBD/INTM", amount="105")),
    )  # fmt: skip
    facts: dict[str, object] = {
        "id": "P1", "page": 2, "last": True, "entries": (E(amount="5", text="x"),),
        "balances": (B(code="OPBD/INTM", amount="105"), B(code="CLBD", amount="110")), **second,
    }  # fmt: skip
    return first, S(**facts)  # type: ignore[arg-type]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_pages_are_posted_together_in_any_order(account: BankAccount, order) -> None:
    both = pages()
    result = arrive(camt("053", both[order[0]]))
    assert result.statements[0].state == "PARTIAL"
    assert counted(account) == []
    arrive(camt("053", both[order[1]], message="M2"))
    assert counted(account) == [Decimal(5)] * 2
    assert set(Statement.objects.values_list("page", "state", "proof")) == {
        (1, "POSTED", "PROVEN"),
        (2, "POSTED", "PROVEN"),
    }


def test_a_page_seen_twice_is_a_duplicate(account: BankAccount) -> None:
    first, second = pages()
    arrive(camt("053", first))
    assert arrive(camt("053", first, message="M2")).statements[0].state == "DUPLICATE"
    arrive(camt("053", second))
    assert arrive(camt("053", first, message="M3")).statements[0].state == "DUPLICATE"
    assert counted(account) == [Decimal(5)] * 2


def test_pages_that_do_not_join_are_kept_aside(account: BankAccount) -> None:
    first, second = pages(
        balances=(B(code="OPBD/INTM", amount="106"), B(code="CLBD", amount="111"))
    )
    arrive(camt("053", first, second))
    assert set(Statement.objects.values_list("state", flat=True)) == {"QUARANTINED"}


def test_mt940_pages_in_one_file_are_posted_together(account: BankAccount) -> None:
    first = mt940(E(amount="5"), opening="100", seq="7/1", marks=("60F", "62M"))
    second = mt940(E(amount="6"), opening="105", seq="7/2", marks=("60M", "62F"))
    arrive(first + second)
    assert counted(account) == [Decimal(5), Decimal(6)]


# --- intraday modes --------------------------------------------------------------------------


def report(number: int, *entries: E) -> bytes:
    return camt(
        "052",
        S(
            id=f"I{number}",
            seq=number,
            created=f"{DAY}T{9 + number:02d}:00:00+01:00",
            start=f"{DAY}T00:00:00+01:00",
            entries=entries,
        ),
    )


def test_a_cumulative_report_replaces_the_one_before(account: BankAccount) -> None:
    one, two = E(amount="5", ref="A"), E(amount="6", ref="B")
    arrive(report(1, one, two))
    arrive(report(2, one))
    assert counted(account) == [Decimal(5)]
    assert BankEntry.objects.get(bank_reference="B").state == "WITHDRAWN"


def test_a_late_older_report_does_not_bring_back_what_is_gone(account: BankAccount) -> None:
    one, two = E(amount="5", ref="A"), E(amount="6", ref="B")
    arrive(report(2, one))
    arrive(report(1, one, two))
    assert counted(account) == [Decimal(5)]


def test_delta_reports_add_up(open_account) -> None:
    ours = open_account(IBAN, intraday_mode="DELTA")
    coffee = E(amount="-3.50", text="coffee")
    arrive(report(1, coffee))
    arrive(report(2, coffee))
    assert counted(ours) == [Decimal("-3.50")] * 2
    arrive(camt("053", day_statement(coffee, coffee)))
    assert counted(ours) == [Decimal("-3.50")] * 2


# --- telling the others ----------------------------------------------------------------------


def test_a_new_balance_is_published(account: BankAccount) -> None:
    result = arrive(camt("053", day_statement(E(amount="9"))))
    event = OutboxEvent.objects.get(topic="ops.nostro.balance.update")
    assert event.payload["amount"] in {"1009.0000", "1009"}
    assert event.payload["balance_type"] == "CLBD"
    assert event.payload["source"] == "CAMT053"
    assert event.payload["statement_id"] == str(result.statements[0].pk)
