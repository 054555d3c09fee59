"""Deals over the API and on the desk, from capture to confirmation."""

from typing import Any

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from core.api.authentication import access_token
from core.errors import Invalid
from core.identity.models import User
from fx import tasks
from fx.models import Counterparty, Deal, SettlementInstruction
from fx.services import counterparties
from tests.conftest import make_user
from tests.fx.dealing import Desk
from tests.tms.desk.conftest import client_of
from treasury.models import Beneficiary


def machine(user: User) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {access_token(user)}")
    return client


def body(desk: Desk, **more: Any) -> dict[str, Any]:
    return {
        "pair": "USD/INR",
        "side": "SELL",
        "amount": "1000000.00",
        "dealt_currency": "USD",
        "limit_rate": "85.0000",
        "counterparty": str(desk.bank.pk),
        "pay_account": str(desk.accounts["USD"].pk),
        "receive_account": str(desk.accounts["INR"].pk),
        "why": "Rupees for Monday",
    } | more


def post(client: APIClient, name: str, facts: dict[str, Any], *args: Any, key: str = "") -> Any:
    return client.post(
        reverse(name, args=args), facts, format="json", headers={"Idempotency-Key": key or name}
    )


def test_a_deal_over_the_api(desk: Desk) -> None:
    client = machine(desk.dealer)
    made = post(client, "fx-deals", body(desk))
    assert made.status_code == 201, made.content
    deal = made.json()
    assert (deal["state"], deal["quote_amount"], deal["limit_rate"]) == (
        "SUBMITTED", "85000000.0000", "85",
    )  # fmt: skip
    assert (deal["value_date"], deal["usd_equivalent"]) == ("2026-11-25", "1000000.0000")
    assert post(client, "fx-deals", body(desk)).headers["Idempotent-Replay"] == "true"
    desk.decide(Deal.objects.get())
    told = {"rate": "85.0010", "counterparty_reference": "CP-1"}
    dealt = post(client, "fx-execute", told, deal["id"])
    assert (dealt.json()["state"], dealt.json()["rate"]) == ("EXECUTED", "85.001")
    said = {
        "pair": "USD/INR", "side": "SELL", "base_amount": "1000000.00",
        "quote_amount": "85001000.00", "rate": "85.0020", "value_date": "2026-11-25",
        "counterparty_reference": "CP-1",
    }  # fmt: skip
    assert post(client, "fx-confirm", said, deal["id"]).status_code == 403
    back = machine(desk.back_office)
    differs = post(back, "fx-confirm", said, deal["id"]).json()
    assert (differs["matches"], differs["differences"]) == (
        False, ["rate: 85.002, we have 85.001."],
    )  # fmt: skip
    same = post(back, "fx-confirm", said | {"rate": "85.0010"}, deal["id"], key="again").json()
    assert same["matches"]
    shown = client.get(reverse("fx-deal", args=[deal["id"]])).json()
    assert shown["state"] == "CONFIRMED"
    listed = client.get(reverse("fx-deals"), {"state": "CONFIRMED", "base": "USD"}).json()
    assert [one["reference"] for one in listed["results"]] == [deal["reference"]]
    failed = post(back, "fx-fail", {"reason": "No funds"}, deal["id"])
    assert failed.json()["state"] == "FAILED"


def test_a_refused_deal_leaves_nothing_and_names_every_rule(desk: Desk) -> None:
    client = machine(desk.dealer)
    answer = post(client, "fx-deals", body(desk, amount="5000000.01", limit_rate="80"))
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["code"] == "fx_deal_refused"
    found = [one["rule"] for one in problem["context"]["findings"]]
    assert found == ["LIMIT_DEAL", "OFF_MARKET"]
    assert not Deal.objects.exists()
    assert post(client, "fx-deals", body(desk, amount=1.5), key="b").status_code == 400
    assert post(client, "fx-deals", body(desk, amount="1.001"), key="c").status_code == 422


def test_drafts_over_the_api(desk: Desk) -> None:
    client = machine(desk.dealer)
    deal = post(client, "fx-deals", body(desk, submit=False)).json()
    assert deal["state"] == "DRAFT"
    assert post(client, "fx-submit", {}, deal["id"]).json()["state"] == "SUBMITTED"
    assert post(client, "fx-recall", {}, deal["id"]).json()["version"] == 2
    gone = post(client, "fx-cancel", {"reason": "No need"}, deal["id"]).json()
    assert (gone["state"], gone["closing_reason"]) == ("CANCELLED", "No need")
    again = post(client, "fx-submit", {}, deal["id"], key="late")
    assert (again.status_code, again.json()["code"]) == (409, "fx_deal_state_refused")


def test_only_dealers_capture(desk: Desk) -> None:
    assert post(machine(desk.checker), "fx-deals", body(desk)).status_code == 403
    feed = make_user("feed", "integration", is_service=True)
    assert post(machine(feed), "fx-deals", body(desk), key="feed").status_code == 403
    deal = desk.captured()
    for step in ("fx-submit", "fx-recall", "fx-cancel", "fx-execute"):
        assert post(machine(feed), step, {}, deal.pk).status_code == 403
    assert client_of(desk.checker).get(reverse("fx:new-deal")).status_code == 403


def form(desk: Desk, **more: Any) -> dict[str, Any]:
    return body(desk, form_id="f1", tenor="SPOT", value_date="", kind="DELIVERABLE", **more)


def test_a_deal_on_the_desk(desk: Desk) -> None:
    dealer = client_of(desk.dealer)
    assert "Choose a counterparty" in dealer.get(reverse("fx:new-deal")).content.decode()
    look = dealer.post(reverse("fx:check-deal"), form(desk)).content.decode()
    assert "Within every limit" in look
    assert "4,000,000.00" in look  # left of one deal
    beyond = dealer.post(reverse("fx:check-deal"), form(desk, amount="5000000.01"))
    assert "the limit is 5,000,000.00 USD" in beyond.content.decode()
    unfinished = dealer.post(reverse("fx:check-deal"), {"pair": "USD/INR"}).content.decode()
    assert "Choose one of the list" in unfinished or "write" in unfinished.lower()
    page = dealer.post(reverse("fx:new-deal"), form(desk), follow=True).content.decode()
    assert "waits for its checkers" in page
    dealer.post(reverse("fx:new-deal"), form(desk))
    deal = Deal.objects.get()  # the form sent twice is one deal
    step = reverse("fx:deal-step", args=[deal.pk])
    dealer.post(step, {"step": "recall"})
    change = reverse("fx:change-deal", args=[deal.pk])
    assert "Change FXD-000001" in dealer.get(change).content.decode()
    dealer.post(change, form(desk, amount="900000.00") | {"form_id": "f2"})
    deal = desk.decide(Deal.objects.get())
    assert (deal.version, deal.state) == (2, "APPROVED")
    late = dealer.post(step, {"step": "execute", "rate": "84"}, follow=True).content.decode()
    assert "Write the counterparty" in late
    told = {"step": "execute", "rate": "85.0000", "counterparty_reference": "CP-9"}
    assert "is executed" in dealer.post(step, told, follow=True).content.decode()
    back = client_of(desk.back_office)
    assert (
        "What the counterparty confirmed"
        in back.get(reverse("fx:deal", args=[deal.pk])).content.decode()
    )
    said = {
        "pair": "usd/inr", "side": "SELL", "base_amount": "900000.00",
        "quote_amount": "76500000.00", "rate": "85.0000", "value_date": "2026-11-25",
        "counterparty_reference": "CP-8",
    }  # fmt: skip
    confirm = reverse("fx:confirm-deal", args=[deal.pk])
    differs = back.post(confirm, said, follow=True).content.decode()
    assert "The confirmation differs. counterparty_reference: CP-8, we have CP-9." in differs
    same = back.post(confirm, said | {"counterparty_reference": "CP-9"}, follow=True)
    assert "FXD-000001 is confirmed." in same.content.decode()
    assert "nonsense" not in dealer.post(step, {"step": "nonsense"}, follow=True).content.decode()


def test_a_form_that_is_wrong_says_so_at_its_field(desk: Desk) -> None:
    dealer = client_of(desk.dealer)
    for more, words in (
        ({"pair": "XXX"}, "Write a pair like EUR/USD"),
        ({"side": "HOLD"}, "Choose buy or sell"),
        ({"counterparty": "nobody"}, "Choose one of the list"),
        ({"limit_rate": "cheap"}, "write a rate like"),
    ):
        answer = dealer.post(reverse("fx:new-deal"), form(desk) | more)
        assert answer.status_code == 422
        assert words in answer.content.decode()
    answer = dealer.post(reverse("fx:new-deal"), form(desk) | {"value_date": "tomorrow"})
    assert "Write the day as 2026-11-23" in answer.content.decode()
    assert not Deal.objects.exists()


def test_a_refused_submission_leaves_the_draft(desk: Desk) -> None:
    dealer = client_of(desk.dealer)
    page = dealer.post(reverse("fx:new-deal"), form(desk, amount="5000000.01"), follow=True)
    assert "the limit is 5,000,000.00 USD" in page.content.decode()
    assert Deal.objects.get().state == "DRAFT"


def test_the_blotter(desk: Desk) -> None:
    dealer = client_of(desk.dealer)
    url = reverse("fx:deals")
    assert "No deals here" in dealer.get(url).content.decode()
    desk.submitted()
    desk.captured(pair="EUR/USD", dealt="1000.00 EUR", rate="1.0870")
    page = dealer.get(url).content.decode()
    assert "FXD-000001" in page
    assert "FXD-000002" in page
    only = dealer.get(url, {"state": "DRAFT", "pair": "eurusd"}).content.decode()
    assert "FXD-000001" not in only
    assert "No deal fits" in dealer.get(url, {"reference": "FXD-9"}).content.decode()
    for asked in ({"counterparty": "dealbank"}, {"counterparty": "dealing"}, {"dealer": "deal"}):
        assert "FXD-000002" in dealer.get(url, asked).content.decode()
    for asked in ({"counterparty": "nobody"}, {"dealer": "nobody"}):
        assert "No deal fits" in dealer.get(url, asked).content.decode()
    assert "No deals here" in dealer.get(url, {"show": "closed"}).content.decode()
    lines = dealer.get(url, {"as": "csv"}).content.decode().splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("reference,state,kind,pair,side")


def test_the_admin_shows_and_changes_nothing(desk: Desk) -> None:
    deal = desk.captured()
    officer = client_of(desk.back_office)
    for name in ("deal", "dealconfirmation", "counterparty", "settlementinstruction"):
        assert officer.get(f"/admin/fx/{name}/").status_code == 200
    assert officer.get(f"/admin/fx/deal/{deal.pk}/change/").status_code == 200
    assert officer.get("/admin/fx/deal/add/").status_code == 403


def test_a_new_instruction_takes_the_place_of_the_old_one(desk: Desk) -> None:
    account = Beneficiary.objects.get(currency="USD")
    made = counterparties.give_instruction(party=desk.bank, currency="USD", beneficiary=account.pk)
    assert SettlementInstruction.objects.get(currency="USD", is_active=True) == made
    with pytest.raises(Invalid, match="receives USD there, not EUR"):
        counterparties.give_instruction(party=desk.bank, currency="EUR", beneficiary=account.pk)
    another = counterparties.create_counterparty(
        wish=counterparties.CounterpartyIn(code="B2", name="Second Bank", bic="SCNDGB2LXXX")
    )
    assert Counterparty.objects.count() == 2
    assert another.tenor_days_max == 370


def test_beat_expires_and_watches(desk: Desk) -> None:
    desk.approved()
    tasks.expire()
    tasks.watch()
    assert Deal.objects.get().state == "APPROVED"
