"""Tickets that say everything and are always the same bytes, deals from files, and the ladder."""

from datetime import date
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, connection, transaction
from django.urls import reverse
from pypdf import PdfReader

from core.errors import Forbidden, Invalid
from fx.errors import DealsRefused
from fx.models import Deal, DealFile, DealFileRow
from fx.paper import draw
from fx.selectors import ladder as ladders
from fx.selectors.tickets import ticket_of
from fx.services import dealing
from fx.services.deal_files import COLUMNS, ROWS_MAX, capture_file, template
from tests.fx.conftest import NOW
from tests.fx.dealing import Desk, another_account
from tests.fx.test_deals_delivery import machine
from tests.tms.desk.conftest import client_of

D = Decimal
HEAD = "pair,side,amount,currency,limit_rate,counterparty,why,tenor,value_date"
GOOD = "USD/INR,SELL,1000000.00,USD,84.9950,DEALBANK,Rupees for Monday,TOM,"


def words_of(paper: bytes) -> str:
    pages = [page.extract_text() for page in PdfReader(BytesIO(paper)).pages]
    return " ".join(" ".join(pages).split())


def test_a_ticket_says_who_dealt_what_with_whom_and_who_approved_it(desk: Desk) -> None:
    deal = desk.executed(at="85.0010")
    dealing.confirm_deal(deal_id=deal.pk, stated=desk.stated(deal), actor=desk.back_office)
    ticket = ticket_of(deal.pk)
    words = words_of(draw(ticket))
    for said in (
        "Deal ticket FXD-000001", "Version 1: confirmed", "North Remit Limited",
        "5493001KJTIIGC8Y1R12", "Dealing Bank", "DEALGB2LXXX", "USD/INR",
        "1,000,000.00", "85,001,000.00", "85.0010", "2026-11-25 (spot)", "2026-11-20",
        "Rupees for Monday's payouts", "USD desk (…0000) at House Bank",
        "Dealing Bank (…0000) at Dealing Bank", "INR desk (…0004)", "APPROVE", "Checker",
        "dealt", "confirmed", "CP-1", "2026-11-20 10:00:00 UTC", ticket.sha256()[:16],
    ):  # fmt: skip
        assert said in words, said
    assert deal.content_hash in words.replace(" ", "")
    assert "4010000000" not in words  # account numbers are masked
    assert "5020000000" not in words


def test_the_same_deal_is_the_same_paper_and_another_state_another(desk: Desk) -> None:
    deal = desk.submitted()
    before = draw(ticket_of(deal.pk))
    assert draw(ticket_of(deal.pk)) == before
    assert "None yet." in words_of(before)
    desk.decide(deal)
    assert draw(ticket_of(deal.pk)) != before


def test_a_forward_that_is_not_delivered_says_so(desk: Desk) -> None:
    deal = desk.captured(kind="NDF", tenor="1M", rate="85.2000")
    words = words_of(draw(ticket_of(deal.pk)))
    assert "2026-12-23" in words
    assert "nothing is delivered" in words


def test_the_ticket_is_handed_out_on_the_desk_and_over_the_api(desk: Desk) -> None:
    deal = desk.captured()
    page = client_of(desk.checker).get(reverse("fx:deal", args=[deal.pk])).content.decode()
    assert reverse("fx:deal-ticket", args=[deal.pk]) in page
    paper = client_of(desk.checker).get(reverse("fx:deal-ticket", args=[deal.pk]))
    assert paper["Content-Disposition"] == 'attachment; filename="FXD-000001-v1.pdf"'
    told = machine(desk.checker).get(reverse("fx-deal-ticket", args=[deal.pk]))
    assert told["Content-Type"] == "application/pdf"
    assert told.content == paper.content


# --- deals from a file ---------------------------------------------------------------------------


def a_file(*rows: str, head: str = HEAD) -> bytes:
    return "\r\n".join((head, *rows)).encode()


def test_every_row_becomes_a_draft_once(desk: Desk) -> None:
    data = a_file(GOOD, "GBP/USD,sell,5000.00,,1.2650,dealbank,Pounds,,2026-12-09")
    kept = capture_file(name="deals.csv", data=data, maker=desk.dealer)
    rupees, pounds = Deal.objects.order_by("reference")
    assert (rupees.state, rupees.maker, rupees.period) == ("DRAFT", desk.dealer, "TOM")
    assert (rupees.base_amount, rupees.limit_rate) == (D("1000000.00"), D("84.995"))
    assert (rupees.pay_account, rupees.receive_account) == (
        desk.accounts["USD"], desk.accounts["INR"],
    )  # fmt: skip
    assert (pounds.side, pounds.dealt_currency, pounds.value_date) == (
        "SELL", "GBP", date(2026, 12, 9),
    )  # fmt: skip
    assert [row.row_number for row in kept.rows.all()] == [2, 3]
    again = capture_file(name="other.csv", data=data, maker=desk.dealer)
    assert (again.pk, Deal.objects.count()) == (kept.pk, 2)


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        ("USDINR?,SELL,1.00,USD,85,DEALBANK,why,,", "pair", "Write a pair like EUR/USD"),
        ("INR/USD,SELL,1.00,USD,0.01,DEALBANK,why,,", "pair", "The market writes USD/INR"),
        ("USD/INR,LEND,1.00,USD,85,DEALBANK,why,,", "side", "BUY or SELL, seen from us"),
        ("USD/INR,SELL,one,USD,85,DEALBANK,why,,", "amount", ""),
        ("USD/INR,SELL,1.001,USD,85,DEALBANK,why,,", "amount", ""),
        ("USD/INR,SELL,1.00,EUR,85,DEALBANK,why,,", "currency", "EUR is not in USD/INR"),
        ("USD/INR,SELL,1.00,USD,8e1,DEALBANK,why,,", "limit_rate", "write a rate like"),
        ("USD/INR,SELL,1.00,USD,85,NOBODY,why,,", "counterparty", "nobody whose code is 'NOBODY'"),
        ("USD/INR,SELL,1.00,USD,85,DEALBANK,,,", "why", "It is empty."),
        ("USD/INR,SELL,1.00,USD,85,DEALBANK,why,soon,", "tenor", "tenor like CASH"),
        ("USD/INR,SELL,1.00,USD,85,DEALBANK,why,,2026-11-26", "value_date", "Thanksgiving"),
        ("USD/INR,SELL,1.00,USD,85,DEALBANK,why,,26.11.2026", "value_date", "day as 2026-11-23"),
    ],
)
def test_a_row_that_cannot_be_is_named_with_its_column_and_nothing_is_captured(
    desk: Desk, row: str, column: str, words: str
) -> None:
    with pytest.raises(DealsRefused, match="nothing was captured") as caught:
        capture_file(name="f", data=a_file(GOOD, row), maker=desk.dealer)
    [finding] = caught.value.context["findings"]
    assert (finding["row"], finding["column"]) == (3, column)
    assert words in finding["message"]
    assert not Deal.objects.exists()
    assert not DealFile.objects.exists()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "lacks the columns pair, side"),
        (a_file(), "no row below"),
        (a_file(GOOD, head=HEAD + ",colour"), "no column: colour"),
        (a_file(GOOD + ",more,and more"), "more cells than columns"),
        (a_file(*[GOOD] * (ROWS_MAX + 1)), "at most 500 deals"),
        (b"\xff\xfe", "not UTF-8"),
        (b"pair\0", "NUL"),
    ],
)
def test_a_file_that_is_none_is_refused_as_a_whole(desk: Desk, data: bytes, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        capture_file(name="f", data=data, maker=desk.dealer)


def test_an_account_is_named_where_there_are_several(desk: Desk) -> None:
    second = another_account(desk, "USD", "Second dollars", "4010000078")
    with pytest.raises(DealsRefused, match="We have 2 accounts in USD: name one by its label"):
        capture_file(name="f", data=a_file(GOOD), maker=desk.dealer)
    named = a_file(f"{GOOD},Second dollars", head=HEAD + ",pay_account")
    capture_file(name="f", data=named, maker=desk.dealer)
    assert Deal.objects.get().pay_account == second


def test_the_template_can_be_read(desk: Desk) -> None:
    desk.bank.code = "BANKCODE"
    desk.bank.save()
    another_account(desk, "GBP", "GBP collections", "4010000079")
    another_account(desk, "USD", "USD funding", "4010000080")
    filled = template().replace(",USD,84.9950", ",USD,84.9950").splitlines()
    assert filled[0] == ",".join(COLUMNS)
    with pytest.raises(DealsRefused, match="2 accounts in USD"):  # the first row names none
        capture_file(name="t", data=template().encode(), maker=desk.dealer)
    capture_file(name="t", data="\n".join([filled[0], filled[2]]).encode(), maker=desk.dealer)
    assert Deal.objects.get().pay_account.label == "GBP collections"


def test_files_on_the_desk_and_over_the_api(desk: Desk) -> None:
    with pytest.raises(Forbidden, match="role dealer"):
        capture_file(name="f", data=a_file(GOOD), maker=desk.checker)

    def sent(client: Any, name: str, data: bytes, **more: Any) -> Any:
        return client.post(reverse(name), {"file": SimpleUploadedFile("d.csv", data)}, **more)

    assert sent(client_of(desk.checker), "fx:upload-deals", a_file(GOOD)).status_code == 403
    client = client_of(desk.dealer)
    wrong = sent(client, "fx:upload-deals", a_file(GOOD.replace("SELL", "LEND")))
    page = wrong.content.decode()
    assert wrong.status_code == 422
    assert "Row 2, side" in page
    good = sent(client, "fx:upload-deals", a_file(GOOD))
    assert good["Location"] == reverse("fx:deals")
    assert client.get(reverse("fx:deal-file-template"))["Content-Type"].startswith("text/csv")
    told = sent(machine(desk.dealer), "fx-deals-file", a_file(GOOD), format="multipart")
    assert told.json()["deals"] == ["FXD-000001"]
    refused = sent(machine(desk.dealer), "fx-deals-file", a_file(GOOD, "x"), format="multipart")
    assert (refused.status_code, refused.json()["code"]) == (422, "fx_deals_refused")
    denied = sent(machine(desk.checker), "fx-deals-file", a_file(GOOD), format="multipart")
    assert denied.status_code == 403


def test_files_are_kept_as_they_came(desk: Desk) -> None:
    capture_file(name="f", data=a_file(GOOD), maker=desk.dealer)
    for table in (DealFile._meta.db_table, DealFileRow._meta.db_table):
        with (
            pytest.raises(DatabaseError, match="permission denied"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(f"DELETE FROM {table}")


# --- what settles when ---------------------------------------------------------------------------


def test_the_ladder_adds_up_what_was_dealt_per_day_and_currency(desk: Desk) -> None:
    desk.executed()
    desk.executed(dealt="500000.00 USD")
    desk.executed(pair="GBP/USD", rate="1.2650", dealt="1000.00 GBP", tenor="TOM")
    desk.approved(dealt="7000.00 USD")  # asked for only: settles nothing
    desk.execute(desk.approved(kind="NDF", dealt="9000.00 USD", tenor="1M", rate="85.2000"), "85.2")
    found = [(f"{r.day}", r.currency, r.coming, r.going, r.count) for r in ladders.ladder(now=NOW)]
    assert found == [
        ("2026-11-23", "GBP", D(0), D("1000.00"), 1),
        ("2026-11-23", "USD", D("1265.00"), D(0), 1),
        ("2026-11-25", "INR", D("127500000.00"), D(0), 2),
        ("2026-11-25", "USD", D(0), D("1500000.00"), 2),
    ]
    client = client_of(desk.checker)
    page = client.get(reverse("fx:ladder")).content.decode()
    assert "127,500,000.00" in page
    lines = client.get(reverse("fx:ladder"), {"as": "csv"}).content.decode().splitlines()
    assert lines[0] == "value_date,currency,comes_in,goes_out,net,deals"
    assert lines[3] == "2026-11-25,INR,127500000.0000,0,127500000.0000,2"
