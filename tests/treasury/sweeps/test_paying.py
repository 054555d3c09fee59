"""Sweeps that our own bank pays: from the signed order to what the bank says of it."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core import clock
from core.errors import Invalid
from core.events.models import OutboxEvent
from core.identity.models import User
from core.ids import uuid7
from integrations import services as lines
from tests.conftest import MakeUser
from tests.promises.realm import signed_in
from tests.scenes import scene
from tests.treasury.bank.paper import B, E, S, camt
from tests.treasury.sweeps.conftest import CUTOFF, Sweeping
from tests.treasury.sweeps.paying import (
    Paying,
    follow,
    fresh,
    hand_over,
    hear,
    make_paying,
    message_of,
    payment_of,
    status_report,
    transfer_of,
)
from tests.treasury.sweeps.test_deciding import order_of
from treasury.engine.sweep_payments import Payment, Word, word_of
from treasury.errors import AlreadyKnown, NotRetriable, SweepNotSent
from treasury.models import ExpectedFlow, Statement, SweepOrder, Task
from treasury.selectors.invariants import invariants
from treasury.selectors.sweeps import sweep_content
from treasury.services import sla, sweeps, transfers

D = Decimal
NOVEMBER_18 = date(2026, 11, 18)


@scene
def paying(sweeping: Sweeping, user_with: MakeUser) -> Paying:
    return make_paying(
        sweeping, user_with, report_code="TREA", report_text="AML REVIEWED", note_to_bank="AML A1"
    )


def booked(order: SweepOrder, amount: Decimal, *, number: int = 1, **more: Any) -> bytes:
    """Write a notification that the bank booked an amount under an order's name."""
    facts: dict[str, Any] = {"e2e": order.order_id, "ref": f"R{number}", **more}
    entry = E(
        amount=f"{amount:.2f}", currency="USD", booked=NOVEMBER_18, value=NOVEMBER_18, **facts
    )
    one = S(
        id=f"N{number}", iban="", number="3000000001", currency="USD", entries=(entry,),
        created="2026-11-18T12:00:00Z",
    )  # fmt: skip
    return camt("054", one, message=f"M{number}")


def the_day(*entries: E, number: int = 90) -> bytes:
    """Write the statement of 18 November with these entries."""
    moved = sum((D(one.amount) for one in entries), D(0))
    balances = tuple(
        B(code=code, amount=f"{amount:.2f}", on=NOVEMBER_18, currency="USD")
        for code, amount in (("OPBD", D(1_000_000)), ("CLBD", D(1_000_000) + moved))
    )
    said = S(
        id=f"D{number}", iban="", number="3000000001", currency="USD", entries=entries,
        balances=balances, created="2026-11-18T23:30:00Z",
    )  # fmt: skip
    return camt("053", said, message=f"D{number}")


def of_the_day(order: SweepOrder, amount: Decimal, ref: str, **more: Any) -> E:
    """Write an entry of 18 November under an order's name."""
    facts: dict[str, Any] = {"e2e": order.order_id, **more}
    return E(
        amount=f"{amount:.2f}", currency="USD", ref=ref, booked=NOVEMBER_18, value=NOVEMBER_18,
        **facts,
    )  # fmt: skip


def flow(order: SweepOrder, way: str) -> str:
    """Return the state of what is expected out of, or back from, an order."""
    return str(ExpectedFlow.objects.get(source_ref=f"{order.order_id}:{way}").state)


def tasks_of(order: SweepOrder) -> set[str]:
    """Return the kinds of the open tasks about an order."""
    return set(
        Task.objects.open().filter(key__startswith=order.order_id).values_list("kind", flat=True)
    )


def acknowledged(paying: Paying) -> SweepOrder:
    order = paying.sent()
    hear(status_report(order, "ACSP"))
    return follow(order)


def test_a_signed_order_becomes_a_payment_of_exactly_its_money(paying: Paying) -> None:
    order = paying.queued()
    payment, transfer = payment_of(order), transfer_of(order)
    assert (order.state, order.intent_id) == ("NEW", None)
    assert (payment.amount, payment.value_date) == (order.paid_out, order.settles_on)
    assert (payment.beneficiary_id, payment.maker_id) == (paying.fund.pk, None)
    body = bytes(message_of(order).body).decode()
    assert f"<PmtInfId>{order.order_id}</PmtInfId>" in body
    assert f"<EndToEndId>{order.order_id}</EndToEndId>" in body
    assert f"<UETR>{transfer.uetr}</UETR>" in body
    assert f'<InstdAmt Ccy="USD">{order.paid_out:.2f}</InstdAmt>' in body


def test_what_authorities_read_is_not_in_the_words_for_the_payee(paying: Paying) -> None:
    body = bytes(message_of(paying.queued()).body).decode()
    report = body.partition("<RgltryRptg>")[2].partition("</RgltryRptg>")[0]
    assert "<Cd>TREA</Cd>" in report
    assert "<Inf>AML REVIEWED</Inf>" in report
    assert "<InstrForDbtrAgt>AML A1</InstrForDbtrAgt>" in body
    assert "AML" not in body.partition("<RmtInf>")[2]


def test_no_connector_gets_what_our_own_bank_pays(paying: Paying) -> None:
    order = paying.signed()
    assert not OutboxEvent.objects.filter(topic="sweep_intent").exists()
    with pytest.raises(SweepNotSent, match="Our own bank pays"):
        sweeps.answer_order(
            order_id=order.order_id, answer=sweeps.Answer(status="ACK", bank_ref="B")
        )


def test_without_a_line_a_connector_gets_it(paying: Paying) -> None:
    paying.line.is_active = False
    sweeps.save_line(line=paying.line)
    order = paying.signed()
    assert (order.line_id, order.intent_id is not None) == (None, True)


def test_its_money_is_reserved_once(paying: Paying) -> None:
    order = paying.queued()
    standing = ExpectedFlow.objects.filter(
        account=order.account, end_to_end_id=order.order_id, state="EXPECTED"
    )
    assert [one.amount for one in standing] == [-order.paid_out]
    assert invariants() == []


def test_it_goes_alone_even_where_files_are_gathered(paying: Paying) -> None:
    lines.save_profile(
        wish=lines.ProfileIn(
            code="files", name="Files", writing={"max_payments_per_file": 10, "gather_seconds": 30}
        )
    )
    lines.use_profile(connection_code="host", profile_code="files")
    order = paying.queued()
    assert message_of(order).group_key == ""
    assert message_of(order).due_at == clock.now()


# --- what the bank says ---------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["ACCP", "ACSP", "ACSC", "PDNG"])
def test_the_bank_takes_it(paying: Paying, status: str) -> None:
    order = paying.sent()
    assert order.state == "SENT"
    hear(status_report(order, status))
    held = follow(order)
    assert (held.state, held.bank_ref) == ("ACK", transfer_of(order).uetr)
    assert flow(order, "back") == "EXPECTED"


@pytest.mark.parametrize("status", ["RCVD", "ACTC"])
def test_that_it_arrived_is_not_that_it_is_taken(paying: Paying, status: str) -> None:
    order = paying.sent()
    hear(status_report(order, status))
    assert follow(order).state == "SENT"


def test_the_bank_refuses_it(paying: Paying) -> None:
    order = paying.sent()
    hear(status_report(order, "RJCT", "AM04"))
    held = follow(order)
    assert held.state == "FAILED"
    assert held.reason.startswith("REFUSED: The bank answered RJCT AM04: rejected by the bank")
    assert flow(order, "out") == "CANCELLED"
    assert invariants() == []


def test_what_was_taken_and_refused_afterwards_is_undone_and_told(paying: Paying) -> None:
    order = acknowledged(paying)
    hear(status_report(order, "RJCT", "AM04", number=2))
    held = follow(order)
    assert held.state == "FAILED"
    assert {flow(order, "out"), flow(order, "back")} == {"CANCELLED"}
    assert "sweep_undone" in tasks_of(order)
    assert invariants() == []


def test_what_was_refused_and_executed_after_all_is_a_persons(paying: Paying) -> None:
    order = paying.sent()
    hear(status_report(order, "RJCT", "AM04"))
    assert follow(order).state == "FAILED"
    hear(booked(order, -order.paid_out))
    held = follow(order)
    assert (held.state, held.late_ack_at is not None) == ("FAILED", True)
    assert {"sweep_ack_late", "transfer_question"} <= tasks_of(order)
    assert (flow(order, "out"), flow(order, "back")) == ("MATCHED", "EXPECTED")
    assert follow(order).late_ack_at == held.late_ack_at


def test_what_was_executed_late_and_came_back_is_not_expected(paying: Paying) -> None:
    order = paying.sent()
    hear(status_report(order, "RJCT", "AM04"))
    follow(order)
    hear(booked(order, -order.paid_out))
    assert follow(order).late_ack_at is not None
    hear(booked(order, order.paid_out, number=2, reversal=True))
    held = follow(order)
    assert (payment_of(order).state, held.settlement) == ("RETURNED", "RETURNED")
    assert flow(order, "back") == "CANCELLED"
    assert "sweep_undone" in tasks_of(order)
    assert invariants() == []


def test_a_debit_without_a_word_acknowledges_it(paying: Paying) -> None:
    order = paying.queued()
    with clock.frozen(CUTOFF + timedelta(days=1)):
        hear(booked(order, -order.paid_out, ref="BANK-77"))
        held = follow(order)
        sweeps.follow_money(now=clock.now())
    assert (held.state, held.bank_ref) == ("ACK", "BANK-77")
    assert (fresh(order).settlement, flow(order, "out")) == ("PENDING", "MATCHED")


def test_the_statement_of_the_day_settles_it(paying: Paying) -> None:
    """A notification is not the last word: it settles when the day's statement shows it."""
    order = acknowledged(paying)
    with clock.frozen(CUTOFF + timedelta(days=2)):
        hear(booked(order, -order.paid_out, ref="BANK-77"))
        sweeps.follow_money(now=clock.now())
        assert fresh(order).settlement == "PENDING"
        hear(the_day(of_the_day(order, -order.paid_out, "BANK-77")))
        sweeps.follow_money(now=clock.now())
        assert fresh(order).settlement == "SETTLED"


def test_what_the_statement_of_the_day_does_not_show_is_expected_again(paying: Paying) -> None:
    order = acknowledged(paying)
    with clock.frozen(CUTOFF + timedelta(days=2)):
        hear(booked(order, -order.paid_out, ref="BANK-77"))
        assert flow(order, "out") == "MATCHED"
        hear(the_day())
        sweeps.follow_money(now=clock.now())
        assert (fresh(order).settlement, flow(order, "out")) == ("PENDING", "EXPECTED")
        assert "transfer_question" in tasks_of(order)


def test_a_debit_that_names_it_by_uetr_alone_is_its_debit(paying: Paying) -> None:
    order = acknowledged(paying)
    hear(booked(order, -order.paid_out, e2e="", uetr=transfer_of(order).uetr))
    assert transfer_of(order).debit_entry_id is not None
    assert flow(order, "out") == "MATCHED"


@pytest.mark.parametrize("off", ["0.01", "-1000.00", "100000.00"])
def test_another_amount_is_a_persons(paying: Paying, off: str) -> None:
    order = acknowledged(paying)
    hear(booked(order, -order.paid_out + D(off)))
    sweeps.follow_money(now=clock.now())
    assert fresh(order).settlement == "PENDING"
    assert flow(order, "out") == "EXPECTED"
    assert "transfer_question" in tasks_of(order)


def test_the_money_comes_back_with_its_interest(paying: Paying) -> None:
    order = acknowledged(paying)
    with clock.frozen(CUTOFF + timedelta(days=2)):
        hear(
            the_day(
                of_the_day(order, -order.paid_out, "R1"), of_the_day(order, order.comes_back, "R2")
            )
        )
        sweeps.follow_money(now=clock.now())
        sweeps.follow_money(now=clock.now())
    assert fresh(order).settlement == "RETURNED"
    assert payment_of(order).state == "CONFIRMED"
    assert tasks_of(order) == set()
    assert invariants() == []


def test_the_money_comes_back_from_a_payer_who_names_no_order(paying: Paying) -> None:
    order = acknowledged(paying)
    hear(booked(order, -order.paid_out))
    back = E(amount=f"{order.comes_back:.2f}", currency="USD", ref="R9").on(order.matures_on)
    one = S(
        id="N9", iban="", number="3000000001", currency="USD", entries=(back,),
        created=f"{order.matures_on}T12:00:00Z",
    )  # fmt: skip
    hear(camt("054", one, message="M9"))
    assert flow(order, "back") == "MATCHED"


def test_money_that_is_back_is_seen_twice_and_asked_about_never(paying: Paying) -> None:
    """First the notification shows it, then the statement of the day."""
    order = acknowledged(paying)
    with clock.frozen(CUTOFF + timedelta(days=2)):
        hear(booked(order, -order.paid_out, number=1))
        hear(booked(order, order.comes_back, number=2))
        hear(
            the_day(
                of_the_day(order, -order.paid_out, "R1"), of_the_day(order, order.comes_back, "R2")
            )
        )
        sweeps.follow_money(now=clock.now())
        sweeps.follow_money(now=clock.now())
    assert fresh(order).settlement == "RETURNED"
    assert tasks_of(order) == set()


def test_too_little_that_comes_back_is_a_persons(paying: Paying) -> None:
    order = acknowledged(paying)
    hear(booked(order, -order.paid_out))
    hear(booked(order, order.comes_back / 2, number=2))
    assert flow(order, "back") == "EXPECTED"
    assert "transfer_question" in tasks_of(order)


def test_a_payment_that_bounces_is_not_what_has_matured(paying: Paying) -> None:
    order = acknowledged(paying)
    hear(booked(order, -order.paid_out))
    hear(booked(order, order.paid_out, number=2, reversal=True))
    held = follow(order)
    assert (held.state, flow(order, "back")) == ("FAILED", "CANCELLED")
    assert held.reason.startswith("RETURNED: ")
    assert payment_of(order).state == "RETURNED"
    assert "sweep_undone" in tasks_of(order)
    assert invariants() == []


# --- when nobody knows ----------------------------------------------------------------------------


def test_an_unknown_outcome_is_asked_about_and_never_sent_again(paying: Paying) -> None:
    order = paying.queued()
    transfers.mark_unknown(reference=order.order_id, reason="The line broke.")
    assert follow(order).state == "SENT"
    assert not transfers.execute(proposal_id=payment_of(order).pk)
    with clock.frozen(CUTOFF + timedelta(hours=5)):
        sweeps.expire_due(now=clock.now())
        assert follow(order).state == "SENT"
        sla.ask_about_unknown(now=clock.now())
        assert "outcome_unknown" in set(Task.objects.open().values_list("kind", flat=True))
        hear(status_report(order, "ACSP"))
        assert follow(order).state == "ACK"
    assert message_of(order).attempt == 1


def test_what_stands_in_the_queue_when_the_window_closes_may_have_left(paying: Paying) -> None:
    order = paying.queued()
    with clock.frozen(CUTOFF + timedelta(seconds=1)):
        assert sweeps.expire_due(now=clock.now()) == []
        assert follow(order).state == "SENT"


def test_what_never_left_expires_with_its_window(paying: Paying) -> None:
    order = paying.signed()
    with clock.frozen(CUTOFF + timedelta(seconds=1)):
        assert sweeps.expire_due(now=clock.now()) == []
        assert not transfers.execute(proposal_id=payment_of(order).pk)
        held = follow(order)
    assert (held.state, held.reason, flow(order, "out")) == ("FAILED", "EXPIRED", "CANCELLED")
    assert "sweep_expired" in tasks_of(order)


def test_the_line_refuses_it(paying: Paying) -> None:
    order = paying.queued()
    lines.withdraw_payment(reference=order.order_id, reason="The line is closed.")
    transfers.mark_failed(
        reference=order.order_id, reason="The line is closed.", reason_code="REFUSED"
    )
    assert follow(order).reason == "REFUSED: The line is closed."


def test_a_failed_sweep_is_not_tried_again_by_hand(paying: Paying, maker: User) -> None:
    order = paying.sent()
    hear(status_report(order, "RJCT", "AM04"))
    with pytest.raises(NotRetriable, match="the next window decides anew"):
        transfers.retry_transfer(transfer_id=transfer_of(order).pk, actor=maker)


def test_a_silence_longer_than_the_rails_is_told(paying: Paying) -> None:
    """The clock starts with the day on which the money is to move, not with the evening before."""
    order = paying.sent()
    due = transfer_of(order).sla_due_at
    assert due is not None
    assert due.astimezone(ZoneInfo("America/New_York")).date() == order.settles_on
    assert sla.mark_breaches(now=due - timedelta(seconds=1)) == []
    assert [one.end_to_end_id for one in sla.mark_breaches(now=due)] == [order.order_id]


def test_following_changes_nothing_twice(paying: Paying) -> None:
    order = acknowledged(paying)
    before = OutboxEvent.objects.count()
    assert sweeps.follow_payments(now=clock.now()) == []
    assert OutboxEvent.objects.count() == before
    assert fresh(order).state == "ACK"


# --- beyond the mandate, and what a line may be ---------------------------------------------------


def test_beyond_the_mandate_people_approve_the_payee_too(paying: Paying) -> None:
    paying.sweeping.mandate.order_max = paying.sweeping.mandate.day_max = D(1)
    sweeps.save_mandate(mandate=paying.sweeping.mandate)
    content = sweep_content(order_of(paying.sweeping).pk)
    assert content["line"] == str(paying.line.pk)
    assert content["ends"] == paying.line.ends


def line_in(paying: Paying, **more: object) -> sweeps.LineIn:
    facts: dict[str, object] = {
        "name": "Another", "account_id": paying.sweeping.account.pk, "product": "FED_RRP",
        "beneficiary": paying.fund.pk, **more,
    }  # fmt: skip
    return sweeps.LineIn(**facts)  # type: ignore[arg-type]


def test_a_line_says_whom_it_pays(paying: Paying) -> None:
    house = paying.sweeping.house
    wrong: list[tuple[dict[str, object], str]] = [
        ({"account_id": house.home.pk}, "Sweeps are of dollars"),
        ({"beneficiary": None}, "Say who is paid"),
        ({"credit_account": house.usd_far.pk}, "Say who is paid"),
        ({"beneficiary": None, "credit_account": house.usd.pk}, "are the same"),
        ({"beneficiary": None, "credit_account": house.home.pk}, "takes dollars"),
        ({"product": "NOTHING"}, "no product NOTHING"),
        ({"rail": "PIGEON"}, "not one of our rails"),
    ]
    for change, words in wrong:
        with pytest.raises(Invalid, match=words):
            sweeps.add_line(line=line_in(paying, **change))
    with pytest.raises(AlreadyKnown):
        sweeps.add_line(line=line_in(paying, product="TBILL_4W"))
    made = sweeps.add_line(line=line_in(paying))
    assert (made.rail, made.payee) == ("FEDWIRE", "Example Bill Dealer Inc")
    assert made.ends == paying.line.ends


def test_an_account_of_ours_may_hold_the_product(paying: Paying) -> None:
    wish = line_in(paying, beneficiary=None, credit_account=paying.sweeping.house.usd_far.pk)
    made = sweeps.add_line(line=wish)
    assert (made.payee, len(made.ends)) == ("More dollars", 64)


# --- what people see ------------------------------------------------------------------------------


def test_its_way_is_on_the_page_of_its_decision(
    paying: Paying, maker: User, user_with: MakeUser
) -> None:
    order = acknowledged(paying)
    address = f"/sweeps/decisions/{order.decision_id}"
    page = signed_in(maker).get(address).content.decode()
    assert str(order.trace_id) in page
    steps = ["The balance came", "Decided", f"Ordered as {order.order_id}", "its payment made",
             "The payment order was written", "Handed to the bank", "The bank: ACSP",
             "Acknowledged"]  # fmt: skip
    way = page.partition('id="way"')[2]
    places = [way.index(step) for step in steps]
    assert places == sorted(places)
    assert f"/bank-messages/{message_of(order).pk}/content" in page
    assert f"/proposals/{payment_of(order).pk}" in page
    # Who may not read messages of the banks gets no link to their bytes.
    page = signed_in(user_with("static_data", name="olga")).get(address).content.decode()
    assert "The bank: ACSP" in page
    assert "/bank-messages/" not in page


def test_its_payment_is_shown_like_every_other(paying: Paying, maker: User) -> None:
    order = acknowledged(paying)
    payment, transfer = payment_of(order), transfer_of(order)
    caller = signed_in(maker)
    for path in (
        "/proposals", f"/proposals/{payment.pk}", f"/proposals/{payment.pk}/instruction",
        "/transfers", f"/transfers/{transfer.pk}/track", f"/api/v1/proposals/{payment.pk}",
        f"/api/v1/transfers/{transfer.pk}",
    ):  # fmt: skip
        answer = caller.get(path)
        assert answer.status_code == 200, path
        assert order.order_id in answer.content.decode(), path


def test_its_evidence_is_packed(paying: Paying, user_with: MakeUser) -> None:
    order = acknowledged(paying)
    caller = signed_in(user_with("auditor", name="otto"))
    answer = caller.get(f"/api/v1/transfers/{transfer_of(order).pk}/evidence?format=json")
    assert answer.status_code == 200
    assert order.order_id in b"".join(answer).decode(errors="replace")


def test_news_and_log_lines_carry_one_trace(
    paying: Paying, caplog: pytest.LogCaptureFixture
) -> None:
    order = acknowledged(paying)
    news = OutboxEvent.objects.filter(aggregate=f"sweep:{order.order_id}")
    assert {row.correlation_id for row in news} == {order.trace_id}
    payment = OutboxEvent.objects.filter(aggregate=f"proposal:{payment_of(order).pk}")
    assert payment.count() >= 4
    assert {row.correlation_id for row in payment[1:]} == {order.trace_id}
    assert message_of(order).correlation_id == order.trace_id
    assert transfer_of(order).trace_id == order.trace_id


def test_the_trace_begins_with_the_balance(paying: Paying) -> None:
    """The message that brought the balance, what is decided on it, and the order: one id."""
    begun = uuid7()
    Statement.objects.filter(account=paying.sweeping.account).update(trace_id=begun)
    assert paying.signed().trace_id == begun


# --- the rule itself ------------------------------------------------------------------------------


def test_every_state_of_a_payment_has_its_word() -> None:
    def word(state: str, rank: int = 0, minutes: int = -1, *, unknown: bool = False) -> Word:
        return word_of(
            Payment(
                state=state, rank=rank, is_unknown=unknown, cutoff_at=CUTOFF,
                now=CUTOFF + timedelta(minutes=minutes),
            )
        )  # fmt: skip

    assert word("APPROVED") is Word.WAITS
    assert word("EXECUTING") is Word.WAITS
    assert word("EXECUTING", minutes=0) is Word.LEFT
    assert word("EXECUTING", unknown=True) is Word.LEFT
    assert [word("SENT", rank) for rank in (0, 20, 25, 40)] == [
        Word.LEFT, Word.LEFT, Word.TAKEN, Word.TAKEN,
    ]  # fmt: skip
    assert {word(state) for state in ("CONFIRMED", "SETTLED")} == {Word.TAKEN}
    assert word("RETURNED") is Word.CAME_BACK
    assert word("EXPIRED") is Word.TOO_LATE
    assert {word(state) for state in ("FAILED", "CANCELLED", "REJECTED")} == {Word.REFUSED}


def test_a_bank_that_has_it_ends_the_queue(paying: Paying) -> None:
    """What is handed over once is not handed over again."""
    order = paying.queued()
    hand_over(order)
    assert follow(order).state == "SENT"
    assert not transfers.execute(proposal_id=payment_of(order).pk)
