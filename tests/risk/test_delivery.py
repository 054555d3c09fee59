"""Readings over the API, on the desk, in the admin, from the command line and in the metrics."""

import csv
import json
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from core import clock
from core.api.authentication import access_token
from core.identity.models import User
from core.tenancy import Tenant, bound
from risk import metrics, tasks
from risk.models import AccountRisk, Backtest
from risk.selectors import backtests
from risk.services.measuring import measure_account, measure_risk
from tests.conftest import MakeUser, make_user
from tests.liquidity.books import book
from tests.risk.conftest import (
    FRIDAY,
    TODAY,
    OpenAccount,
    amounts,
    business_days_before,
    give_past,
)
from tests.scenes import scene
from tests.tms.desk.conftest import client_of
from tms.schedule import SCHEDULE
from treasury import metrics as treasury_metrics
from treasury.models import BankAccount


def machine(user: User) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {access_token(user)}")
    return client


@scene
def officer(user_with: MakeUser) -> User:
    return user_with("risk_officer", name="officer")


@pytest.fixture
def api(officer: User) -> APIClient:
    return machine(officer)


@scene
def reading(account: BankAccount) -> AccountRisk:
    measure_risk(now=FRIDAY)
    return AccountRisk.objects.get()


def test_readings_are_listed_and_narrowed(api: APIClient, reading: AccountRisk) -> None:
    path = "/api/v1/risk/var"
    (found,) = api.get(path).json()["results"]
    assert Decimal(found["var_amount"]) == reading.var_amount
    assert (found["observations"], found["quantile"]) == (250, "hf6")
    zone = reading.backtest.zone
    for fits in (f"zone={zone}", "latest=true", "currency=USD", f"account={reading.account_id}",
                 f"since={TODAY}", "over_limit=true"):  # fmt: skip
        assert len(api.get(f"{path}?{fits}").json()["results"]) == 1, fits
    for other in ("zone=RED", "currency=EUR", f"until={TODAY - timedelta(days=1)}",
                  "over_limit=false", "missing=TOO_FEW"):  # fmt: skip
        assert api.get(f"{path}?{other}").json()["results"] == [], other


def test_a_reading_has_its_backtest(api: APIClient, reading: AccountRisk) -> None:
    found = api.get(f"/api/v1/risk/var/{reading.pk}").json()
    assert found["backtest"]["days"] == 200
    assert found["backtest"]["zone"] == reading.backtest.zone
    assert "of 200 days lost more than foretold" in found["backtest"]["in_words"]
    days = api.get(f"/api/v1/risk/var/{reading.pk}/days").json()
    assert len(days) == 200
    assert sum(day["is_exceeded"] for day in days) == reading.backtest.exceedances
    assert Decimal(days[-1]["flow"]) == Decimal(amounts(300)[-1])


def test_a_short_past_has_no_backtest(
    api: APIClient, open_account: OpenAccount, tenant: Tenant
) -> None:
    young = open_account("USD new")
    give_past(young, amounts(40))
    made = measure_account(account_id=young.pk, now=FRIDAY)
    found = api.get(f"/api/v1/risk/var/{made.pk}").json()
    assert (found["backtest"], found["var_amount"], found["missing"]) == (None, None, "TOO_FEW")
    assert api.get(f"/api/v1/risk/var/{made.pk}/days").json() == []


def test_an_unknown_reading_is_not_found(api: APIClient, reading: AccountRisk) -> None:
    for tail in ("", "/days"):
        answer = api.get(f"/api/v1/risk/var/{reading.account_id}{tail}")
        assert (answer.status_code, answer.json()["code"]) == (404, "risk_reading_unknown")


def test_another_tenant_sees_nothing(
    reading: AccountRisk, other_tenant: Tenant, tenant: Tenant
) -> None:
    with bound(other_tenant.id, actor="system:test"):
        stranger = machine(make_user("stranger", "risk_officer"))
    assert stranger.get("/api/v1/risk/var").json()["results"] == []
    assert stranger.get(f"/api/v1/risk/var/{reading.pk}").status_code == 404


def test_the_export_holds_the_same_figures(api: APIClient, reading: AccountRisk) -> None:
    answer = api.get("/api/v1/risk/var.csv?latest=true")
    assert answer["Content-Type"].startswith("text/csv")
    (row,) = csv.DictReader(StringIO(answer.content.decode()))
    assert row["var_amount"] == f"{reading.var_amount:f}"
    assert row["backtest_days"] == "200"
    empty = api.get("/api/v1/risk/var.csv?currency=EUR").content.decode()
    assert len(empty.splitlines()) == 1


def run(client: APIClient, body: dict[str, Any], key: str = "k1") -> Any:
    return client.post("/api/v1/risk/var/run", body, headers={"Idempotency-Key": key})


def test_a_risk_officer_has_all_accounts_measured(api: APIClient, account: BankAccount) -> None:
    first = run(api, {})
    assert (first.status_code, first.json()["new"]) == (200, 1)
    assert run(api, {}).json() == first.json()
    assert run(api, {}, "k2").json()["new"] == 0
    assert AccountRisk.objects.count() == 1


def test_one_account_is_measured_alone(api: APIClient, account: BankAccount) -> None:
    answer = run(api, {"account": str(account.pk)}).json()
    assert (answer["new"], answer["readings"][0]["account"]) == (1, str(account.pk))
    assert run(api, {"account": str(account.pk)}, "k2").json()["new"] == 0
    unknown = run(api, {"account": str(account.entity_id)}, "k3")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "account_unknown")


@pytest.mark.parametrize("role", ["treasury_maker", "auditor", "dealer", "integration"])
def test_others_read_but_do_not_measure(
    role: str, user_with: MakeUser, account: BankAccount
) -> None:
    client = machine(user_with(role))
    assert client.get("/api/v1/risk/var").status_code == 200
    assert run(client, {}).status_code == 403
    assert AccountRisk.objects.count() == 0


@pytest.fixture
def desk(officer: User) -> Client:
    return client_of(officer)


def test_the_page_shows_each_account_with_what_its_figure_rests_on(
    desk: Client, reading: AccountRisk
) -> None:
    page = desk.get(reverse("risk:overview")).content.decode()
    assert "USD operating" in page
    assert f"{reading.var_amount:,.2f}" in page
    assert "250 business days" in page
    assert f"{reading.backtest.exceedances} of 200 days exceeded" in page
    part = desk.get(reverse("risk:overview"), headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert "USD operating" in part
    nobody = desk.get(reverse("risk:overview") + "?q=euro").content.decode()
    assert "No account fits" in nobody


def test_an_account_page_says_in_words_whether_the_figure_held(
    desk: Client, reading: AccountRisk
) -> None:
    answer = desk.get(reverse("risk:account", args=[reading.account_id]))
    page = answer.content.decode()
    assert "of 200 days lost more than foretold" in page
    assert 'id="risk-chart"' in page
    assert "99 of 100 days" in page
    chart = answer.context["chart"]
    assert len(chart["days"]) == 200
    assert sum(day[3] for day in chart["days"]) == reading.backtest.exceedances


def test_an_account_without_a_figure_says_why(desk: Client, open_account: OpenAccount) -> None:
    young = open_account("USD new")
    assert desk.get(reverse("risk:account", args=[young.pk])).status_code == 404
    measure_account(account_id=young.pk, now=FRIDAY)
    page = desk.get(reverse("risk:account", args=[young.pk])).content.decode()
    assert "Too few business days are known." in page
    assert "Past too short" in page
    assert "Too few business days" in desk.get(reverse("risk:overview")).content.decode()


def test_before_the_first_pass_the_page_says_what_it_takes(desk: Client, tenant: Tenant) -> None:
    assert "Nothing measured yet" in desk.get(reverse("risk:overview")).content.decode()


def test_the_button_measures_for_those_who_may(
    desk: Client, account: BankAccount, maker: User
) -> None:
    url = reverse("risk:measure")
    client_of(maker).post(url)
    assert AccountRisk.objects.count() == 0
    assert "Measure now" not in client_of(maker).get(reverse("risk:overview")).content.decode()
    page = desk.post(url, follow=True).content.decode()
    assert "Accounts measured: 1. New readings: 1." in page
    assert "Nothing has changed since." in desk.post(url, follow=True).content.decode()
    assert desk.get(url).status_code == 405


def test_the_desk_exports_the_newest_readings(desk: Client, reading: AccountRisk) -> None:
    answer = desk.get(reverse("risk:export"))
    (row,) = csv.DictReader(StringIO(answer.content.decode()))
    assert row["account"] == "USD operating"


def test_the_admin_shows_and_measures(
    officer: User, maker: User, account: BankAccount, reading: AccountRisk
) -> None:
    book(account, [(TODAY - timedelta(days=1), "-12.00")])
    pages = reverse("admin:risk_accountrisk_changelist")
    body = {"action": "measure_again", "_selected_action": [str(reading.pk)]}
    backstage = client_of(officer)
    assert backstage.get(reverse("admin:risk_riskrun_changelist")).status_code == 200
    client_of(maker).post(pages, body)
    assert AccountRisk.objects.count() == 1
    with clock.frozen(FRIDAY + timedelta(minutes=1)):
        backstage.post(pages, body)
    assert AccountRisk.objects.count() == 2
    page = backstage.get(reverse("admin:risk_accountrisk_change", args=[reading.pk]))
    assert "Kupiec" in page.content.decode()
    assert backstage.get(reverse("admin:risk_accountrisk_add")).status_code == 403


def test_the_command_reports_every_account(
    account: BankAccount, open_account: OpenAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    open_account("USD empty")
    call_command("measure_risk")
    said = capsys.readouterr().out
    assert "USD operating: VaR " in said
    assert "USD empty: no figure from 0 days. Too few business days are known." in said
    assert said.endswith("2 new readings.\n")
    call_command("measure_risk", "--json", "--day", "2026-11-12")
    (found,) = json.loads(capsys.readouterr().out)["runs"]
    assert {row["day"] for row in found["readings"]} == {"2026-11-12"}
    with pytest.raises(CommandError, match="2026-11-20"):
        call_command("measure_risk", "--day", "yesterday")


def test_beat_measures_every_tenant(account: BankAccount) -> None:
    assert SCHEDULE["measure risk"]["task"] == tasks.measure.name
    tasks.measure()
    assert AccountRisk.objects.count() == 1


def test_the_metrics_tell_zones_and_what_is_missing(
    account: BankAccount, open_account: OpenAccount
) -> None:
    open_account("USD empty")
    measure_risk(now=FRIDAY)
    zone = AccountRisk.objects.get(account=account).backtest.zone
    told = {one.name: one.samples for one in metrics.Standing().collect()}
    zones = {one.labels["zone"]: one.value for one in told["risk_backtest_accounts"]}
    assert zones == {"green": 0, "yellow": 0, "red": 0} | {zone.lower(): 1}
    assert told["risk_var_missing_accounts"][0].value == 1


def test_the_figure_itself_is_told_by_the_treasury(account: BankAccount) -> None:
    reading = measure_account(account_id=account.pk, now=FRIDAY)
    told = {one.name: one.samples for one in treasury_metrics.Sweeps().collect()}
    assert [one.value for one in told["treasury_var_bps"]] == [float(reading.var_bps or 0)]


def judged(exceedances: int, *, days: int = 250, p: str, runs: str | None = "0.6") -> Backtest:
    return Backtest(
        days=days,
        exceedances=exceedances,
        expected=Decimal("2.5000"),
        kupiec_p=Decimal(p),
        christoffersen_p=None if runs is None else Decimal(runs),
    )


@pytest.mark.parametrize(
    ("backtest", "words"),
    [
        (judged(3, p="0.7581"), "75.8 % of the time: nothing speaks against the figure."),
        (judged(9, p="0.0014"), "0.1 % of the time: the figure is too low for this account."),
        (judged(19, p="0.0000"), "less than 0.1 % of the time: the figure is too low"),
        (judged(0, p="0.0250"), "the figure is higher than this account needs."),
    ],
)
def test_a_p_value_in_words(backtest: Backtest, words: str) -> None:
    assert words in backtests.in_words(backtest)
    assert f"{backtest.exceedances} of 250 days lost more" in backtests.in_words(backtest)


def test_runs_in_words() -> None:
    assert "Too few days" in backtests.runs_in_words(judged(1, p="1", runs=None))
    assert "Too few bad days" in backtests.runs_in_words(judged(1, p="1"))
    assert "more often than chance" in backtests.runs_in_words(judged(4, p="1", runs="0.01"))
    assert "do not follow" in backtests.runs_in_words(judged(4, p="1"))


def test_what_arrives_later_moves_the_days_but_not_the_reading(
    account: BankAccount, reading: AccountRisk
) -> None:
    before = backtests.tested_days(reading)
    book(account, [(business_days_before(TODAY, 3)[0], "-9000000.00")])
    after = backtests.tested_days(reading)
    assert before[:-3] == after[:-3]
    assert before[-3:] != after[-3:]
    reading.refresh_from_db()
    assert reading.backtest.exceedances == sum(one.is_exceeded for one in before)


def test_the_overview_asks_few_questions(
    desk: Client,
    account: BankAccount,
    open_account: OpenAccount,
    django_assert_max_num_queries: Any,
) -> None:
    for number in range(5):
        open_account(f"USD {number}")
    measure_risk(now=clock.now())
    with django_assert_max_num_queries(18):
        desk.get(reverse("risk:overview"))


def test_measuring_many_accounts_reads_them_together(
    account: BankAccount, open_account: OpenAccount, django_assert_max_num_queries: Any
) -> None:
    """Reading does not grow with the accounts; handing a reading down takes five statements."""
    for number in range(9):
        open_account(f"USD {number}")
    with django_assert_max_num_queries(30 + 10 * 6):
        measure_risk(now=clock.now())
