"""Rates over the API, on the desk and in the admin."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from core import clock
from core.api.authentication import access_token
from core.identity.models import User
from core.tenancy import Tenant
from fx import tasks
from fx.models import Rate, RateDelivery, RateSource
from tests.conftest import MakeUser
from tests.fx.conftest import NOW, Quoted
from tests.fx.test_rates import CSV
from tests.scenes import scene
from tests.tms.desk.conftest import client_of
from tms.demo import pricing
from tms.schedule import SCHEDULE

AFTER_THE_PACKAGE = datetime(2026, 10, 31, 12, tzinfo=UTC)
pytestmark = pytest.mark.usefixtures("house")


def machine(user: User) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {access_token(user)}")
    return client


@scene
def pusher(user_with: MakeUser) -> User:
    return user_with("integration", name="pusher", is_service=True)


def push(client: APIClient, rates: list[dict[str, Any]], *, key: str = "k1") -> Any:
    return client.post(
        reverse("fx-rates"), {"rates": rates}, format="json", headers={"Idempotency-Key": key}
    )


GOOD = {"pair": "EUR/USD", "bid": "1.0868", "ask": "1.0870", "as_of": "2026-11-20T09:59:00Z"}


def test_rates_are_pushed_once(pusher: User) -> None:
    client = machine(pusher)
    answer = push(client, [GOOD])
    assert (answer.status_code, answer.json()) == (201, {"new": 1, "known": 0})
    assert push(client, [GOOD]).headers["Idempotent-Replay"] == "true"
    assert push(client, [GOOD], key="k2").json() == {"new": 0, "known": 1}
    delivery = RateDelivery.objects.get()
    assert (delivery.source.code, delivery.received_from) == ("API", "Pusher")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bid": 1.0868}, "Write the rate as a string"),
        ({"bid": "1e3"}, "Write the rate as a string"),
        ({"bid": "-1.0"}, "Write the rate as a string"),
        ({"pair": "EURUSDX"}, "Write a pair like EUR/USD"),
        ({"as_of": "soon"}, "as_of"),
        ({"bid": "1.2"}, "is above the ask"),
        ({"as_of": "2026-11-20T08:00:00Z"}, "too old"),
    ],
)
def test_a_push_that_cannot_be_right_is_a_problem_with_words(
    pusher: User, change: dict[str, Any], words: str
) -> None:
    answer = push(machine(pusher), [GOOD | {"pair": "GBP/USD"}, GOOD | change])
    assert answer.status_code in {400, 422}
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert words in json.dumps(answer.json())
    assert not Rate.objects.exists()


def test_dealers_push_no_rates(user_with: MakeUser) -> None:
    answer = push(machine(user_with("dealer", name="dealer")), [GOOD])
    assert answer.status_code == 403


def test_a_file_over_the_api(user_with: MakeUser) -> None:
    client = machine(user_with("risk_officer", name="risk"))
    file = SimpleUploadedFile("rates.csv", CSV)
    answer = client.post(reverse("fx-rates-file"), {"file": file}, format="multipart")
    assert answer.json() == {"new": 2, "known": 0}
    listed = client.get(reverse("fx-rates-history"), {"base": "USD"}).json()["results"]
    assert [(one["pair"], one["bid"], one["source_code"]) for one in listed] == [
        ("USD/INR", "84.99", "FILE")
    ]


@pytest.mark.usefixtures("prices")
def test_the_board_and_conversions_over_the_api(user_with: MakeUser) -> None:
    client = machine(user_with("auditor", name="auditor"))
    rows = {row["pair"]: row for row in client.get(reverse("fx-rates")).json()}
    assert rows["EUR/USD"]["quote"]["mid"] == "1.087"
    assert rows["EUR/USD"]["quote"]["sources"] == ["FEED"]
    asked = {"amount": "1000.00", "currency": "EUR", "target": "INR"}
    found = client.get(reverse("fx-convert"), asked).json()
    assert (found["result"], found["result_currency"]) == ("92395.00", "INR")
    assert found["sources"] == ["FEED"]


def test_a_conversion_without_a_rate_is_a_refusal(user_with: MakeUser) -> None:
    client = machine(user_with("auditor", name="auditor"))
    asked = {"amount": "1000.00", "currency": "EUR", "target": "INR"}
    answer = client.get(reverse("fx-convert"), asked)
    assert (answer.status_code, answer.json()["code"]) == (409, "fx_rate_missing")
    yen = client.get(reverse("fx-convert"), asked | {"currency": "JPY", "amount": "1.5"})
    assert yen.status_code == 422


@pytest.fixture
def pages(user_with: MakeUser) -> Client:
    return client_of(user_with("risk_officer", name="officer"))


@pytest.mark.usefixtures("prices")
def test_the_board_on_the_desk(pages: Client) -> None:
    page = pages.get(reverse("fx:rates")).content.decode()
    assert "1.08690" in page
    assert "EUR/INR" in page
    assert "Missing" not in page
    assert (
        "<h1>"
        not in pages.get(reverse("fx:rates"), headers={"HX-Request": "true"}).content.decode()
    )


def test_a_board_without_rates_says_so(pages: Client) -> None:
    page = pages.get(reverse("fx:rates")).content.decode()
    assert page.count("Missing") == 8
    assert "Nothing came in yet" in page
    pair = pages.get(reverse("fx:pair"), {"p": "EURUSD"}).content.decode()
    assert "No fresh rate" in pair
    assert "No past" in pair
    assert pages.get(reverse("fx:pair"), {"p": "nonsense"}).status_code in {400, 422}


def test_the_desk_takes_files(pages: Client, user_with: MakeUser) -> None:
    form = reverse("fx:upload-rates")
    wrong = pages.post(form, {"file": SimpleUploadedFile("r.csv", b"pair,rate,as_of\nX,1,2\n")})
    assert wrong.status_code == 422
    assert "Write a pair like EUR/USD" in wrong.content.decode()
    assert pages.post(form).status_code == 422
    done = pages.post(form, {"file": SimpleUploadedFile("r.csv", CSV)}, follow=True)
    assert "2 rates are new, 0 were known." in done.content.decode()
    dealer = client_of(user_with("dealer", name="dealer"))
    assert "Not for who deals" in dealer.get(form).content.decode()
    assert dealer.post(form, {"file": SimpleUploadedFile("r.csv", CSV)}).status_code == 403
    assert dealer.post(form).status_code == 403  # the role is asked before the file
    assert dealer.post(form, {"file": SimpleUploadedFile("r.csv", b"x")}).status_code == 403


def test_all_rates_are_listed_filtered_and_exported(pages: Client, quoted: Quoted) -> None:
    quoted("EUR/USD", "1.0868", "1.0870")
    quoted("USD/INR", "85.0000")
    url = reverse("fx:rate-history")
    assert "1.0868" in pages.get(url).content.decode()
    only = pages.get(
        url, {"pair": "INRUSD", "source": "feed", "since": "2026-11-20"}
    ).content.decode()
    assert "USD/INR" in only
    assert "1.0868" not in only
    assert pages.get(url, {"pair": "what"}).status_code == 422
    assert "No rate fits" in pages.get(url, {"until": "2026-01-01"}).content.decode()
    lines = pages.get(url, {"as": "csv"}).content.decode().splitlines()
    assert lines[0].endswith("received_at,sha256")
    assert len(lines) == 3


def test_sources_in_the_admin(user_with: MakeUser, quoted: Quoted) -> None:
    quoted("EUR/USD", "1.0868")
    clerk = client_of(user_with("static_data", name="clerk"))
    assert "Live prices" in clerk.get("/admin/fx/ratesource/").content.decode()
    source = RateSource.objects.get(code="FEED")
    page = f"/admin/fx/ratesource/{source.pk}/change/"
    facts = {"code": "FEED", "name": "Live", "kind": "FEED", "priority": 10, "age_minutes_max": 9}
    clerk.post(page, {**facts, "is_active": "on"})
    source.refresh_from_db()
    assert source.age_minutes_max == 9
    for name in ("rate", "ratedelivery", "ratealarm"):
        assert clerk.get(f"/admin/fx/{name}/").status_code == 200
        assert clerk.get(f"/admin/fx/{name}/add/").status_code == 403


def test_the_demo_has_a_year_and_ticks(house: Tenant, pages: Client) -> None:
    assert pricing.take_the_past(now=NOW) > 900
    assert pricing.tick(now=NOW) == 4
    assert pricing.tick(now=NOW) == 0
    with clock.frozen(NOW + timedelta(seconds=20)):
        assert pricing.tick(now=clock.now()) == 4
    assert pricing.take_the_past(now=NOW) == 0
    page = pages.get(reverse("fx:pair"), {"p": "USDINR"}).content.decode()
    assert "rate-chart" in page
    assert {"fx.watch", "demo.tick_rates"} <= {one["task"] for one in SCHEDULE.values()}


def test_the_command_makes_a_tenant_ready(capsys: pytest.CaptureFixture[str]) -> None:
    RateSource.objects.all().delete()
    with clock.frozen(AFTER_THE_PACKAGE):
        call_command("fx_rates", "--days", "30")
        assert "reference rates are new, 0 were known." in capsys.readouterr().out
        call_command("fx_rates", "--tenant", "north", "--json")
        (found,) = json.loads(capsys.readouterr().out)["taken"]
        assert found["tenant"] == "north"
        tasks.reference()
    assert RateSource.objects.count() == 5
    with clock.frozen(AFTER_THE_PACKAGE.replace(year=2031)):
        call_command("fx_rates", "--days", "5")
        assert "has no rates for the last 5 days" in capsys.readouterr().out
    with pytest.raises(CommandError, match="no such tenant"):
        call_command("fx_rates", "--tenant", "elsewhere")
