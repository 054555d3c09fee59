"""Settlement on the desk and over the API: what is shown, to whom, and what may be done."""

from decimal import Decimal

from django.urls import reverse

from fx.models import Deal
from fx.settlement_metrics import legs_by_state
from tests.fx.dealing import another_account
from tests.fx.settling import Settling, book, follow, fresh, leg, say
from tests.fx.test_deals_delivery import machine
from tests.fx.test_netting import two
from tests.tms.desk.conftest import client_of

__all__ = ["two"]


def test_the_board_shows_legs_gaps_and_csv(settles: Settling) -> None:
    client = client_of(settles.desk.back_office)
    assert "Nothing to settle" in client.get(reverse("fx:settlements")).content.decode()
    deal = settles.sent()
    book(leg(deal, 1))
    follow(deal)
    page = client.get(reverse("fx:settlements")).content.decode()
    assert f"{deal.reference}R1" in page
    assert "one leg only is settled" in page
    assert f"{deal.reference}P1" not in page  # settled, under the other tab
    csv = client.get(reverse("fx:settlements"), {"show": "all", "as": "csv"}).content.decode()
    assert csv.count(deal.reference) >= 4
    assert "1000000" in csv
    empty = client.get(reverse("fx:settlements"), {"currency": "GBP"}).content.decode()
    assert "No leg fits" in empty


def test_the_deal_shows_its_legs_and_the_risk(settles: Settling) -> None:
    deal = settles.sent()
    book(leg(deal, 1))
    follow(deal)
    page = client_of(settles.desk.back_office).get(reverse("fx:deal", args=[deal.pk]))
    text = page.content.decode()
    assert "Settlement risk is open" in text
    assert f"{deal.reference}P1" in text
    assert f"{deal.reference}R1" in text


def test_a_failed_deal_is_instructed_anew_on_the_desk(settles: Settling) -> None:
    deal = settles.sent()
    say(deal, "RJCT", "AC04")
    follow(deal)
    client = client_of(settles.desk.back_office)
    assert "Instruct anew" in client.get(reverse("fx:deal", args=[deal.pk])).content.decode()
    done = client.post(
        reverse("fx:settle-step", args=[deal.pk]), {"step": "reinstruct", "reason": "Open again"}
    )
    assert done.status_code == 302
    assert fresh(deal).state == "CONFIRMED"
    text = client_of(settles.desk.dealer).get(reverse("fx:deal", args=[deal.pk])).content.decode()
    assert "Replace the legs" not in text


def test_legs_and_steps_over_the_api(settles: Settling) -> None:
    deal = settles.confirmed()
    back_office = machine(settles.desk.back_office)
    found = back_office.get(reverse("fx-settlements"), {"deal": str(deal.pk)}).json()
    rows = found["results"] if isinstance(found, dict) else found
    assert {(one["direction"], one["currency"], Decimal(one["amount"])) for one in rows} == {
        ("PAY", "USD", Decimal(1_000_000)),
        ("RECEIVE", "INR", Decimal(85_000_000)),
    }
    answer = back_office.post(
        reverse("fx-replace-legs", args=[deal.pk]),
        {"reason": "Their newest account"},
        format="json",
        headers={"Idempotency-Key": "k-1"},
    )
    assert answer.status_code == 200
    assert leg(deal, 1).version == 2
    refused = machine(settles.desk.dealer).post(
        reverse("fx-replace-legs", args=[deal.pk]),
        {"reason": "x"},
        format="json",
        headers={"Idempotency-Key": "k-2"},
    )
    assert refused.status_code == 403
    made = machine(settles.desk.dealer).post(
        reverse("fx-close-out", args=[deal.pk]),
        {"amount": "400000.00", "limit_rate": "85.01", "why": "Less is needed"},
        format="json",
        headers={"Idempotency-Key": "k-3"},
    )
    assert (made.status_code, made.json()["closes"]) == (201, str(deal.pk))


def test_accounts_are_chosen_and_nets_made_on_the_desk(
    settles: Settling, two: tuple[Deal, Deal]
) -> None:
    deal, desk = two[0], settles.desk
    other = another_account(desk, "INR", "INR second", "4010000099")
    client = client_of(desk.back_office)
    page = client.get(reverse("fx:deal", args=[deal.pk])).content.decode()
    assert f'<option value="{other.pk}">' in page
    client.post(
        reverse("fx:settle-step", args=[deal.pk]),
        {"step": "replace", "reason": "That is closed", "receive_account": str(other.pk)},
    )
    assert leg(deal, 2).account == other
    wish = {"counterparty": str(desk.bank.pk), "currency": "USD", "day": str(deal.value_date)}
    assert "Can be netted" in client.get(reverse("fx:settlements")).content.decode()
    assert client_of(desk.dealer).post(reverse("fx:net-now"), wish).status_code == 403
    told = client.post(reverse("fx:net-now"), wish, follow=True).content.decode()
    assert "its payment is proposed" in told
    again = machine(desk.back_office).post(
        reverse("fx-nets"),
        {"counterparty": wish["counterparty"], "currency": "USD", "value_date": wish["day"]},
        format="json",
        headers={"Idempotency-Key": "k-net"},
    )
    assert (again.status_code, again.json()["code"]) == (409, "fx_not_nettable")


def test_legs_are_counted_for_metrics(settles: Settling) -> None:
    settles.confirmed()
    counts, risks = legs_by_state()
    assert (counts["EXPECTED"], risks) == (2, 0)
