"""Rails, forecasts, shortfalls, alerts, the audit trail and the front page."""

from decimal import Decimal
from typing import Any

import psycopg
from django.test import Client
from django.urls import reverse

from core import clock
from core.audit import verification
from core.audit.chain import seal
from core.events import drain
from core.identity.models import User
from core.tenancy import Tenant
from liquidity.services import forecasting
from tests.conftest import MakeUser
from tests.scenes import scene
from tests.tms.desk.conftest import SignedIn
from tests.treasury.movement.conftest import House, propose
from treasury.services import flows, news
from treasury.services.flows import FlowIn


@scene
def short(house: House, tenant: Tenant) -> House:
    """The payout account will lack money: a payout above its balance is due today."""
    flows.put_expected_flow(
        flow=FlowIn(
            account_id=house.home.pk,
            source="MANUAL",
            source_ref="payouts",
            amount=Decimal(-80_000_000),
            value_date=clock.today("Asia/Kolkata"),
            description="Payouts of today",
            expires_on=clock.today("Asia/Kolkata"),
        )
    )
    forecasting.run_daily_forecast(now=clock.now())
    return house


def test_rails_are_shown_with_the_time_left(house: House, maker: User, signed_in: SignedIn) -> None:
    client = signed_in(maker)
    for name in ("calendars:rails", "calendars:rails-table", "calendars:rails-panel"):
        page = client.get(reverse(name)).content.decode()
        assert "FEDWIRE" in page
        assert "data-countdown" in page
    assert "Thanksgiving" in client.get(reverse("calendars:rails")).content.decode()


def test_without_rails_the_page_says_what_to_do(
    tenant: Tenant, maker: User, signed_in: SignedIn
) -> None:
    page = signed_in(maker).get(reverse("calendars:rails")).content.decode()
    assert "No rails yet" in page


def test_a_shortfall_is_shown_wherever_somebody_looks(
    short: House, maker: User, signed_in: SignedIn
) -> None:
    client = signed_in(maker)
    for name in ("liquidity:shortfalls", "liquidity:shortfalls-panel", "forecast-chart"):
        page = client.get(reverse(name)).content.decode()
        assert "Payout" in page
        assert "30,000,000.00" in page
    page = client.get(reverse("liquidity:forecast", args=[short.home.pk])).content.decode()
    assert "Payouts of today" in page  # the known flow, in the chart's data


def test_the_chart_on_the_front_page_remembers_the_chosen_account(
    short: House, maker: User, signed_in: SignedIn
) -> None:
    client = signed_in(maker)
    url = reverse("forecast-chart")
    marked = f'aria-pressed="true" hx-get="{url}?account='
    assert f"{marked}{short.home.pk}" in client.get(url).content.decode()
    client.get(f"{url}?account={short.far.pk}")
    assert f"{marked}{short.far.pk}" in client.get(url).content.decode()
    assert client.get(f"{url}?account=nonsense").status_code == 422


def test_a_short_past_draws_no_interval(short: House, maker: User, signed_in: SignedIn) -> None:
    chart = signed_in(maker).get(reverse("forecast-chart")).context["chart"]
    assert chart["interval"] == ""
    assert {row[2] for row in chart["forecast"]} == {None}


def test_forecasts_of_another_tenant_stay_theirs(short: House, stranger: Client) -> None:
    url = reverse("liquidity:forecast", args=[short.home.pk])
    assert stranger.get(url).status_code == 404
    answer = stranger.get(f"{reverse('forecast-chart')}?account={short.home.pk}")
    assert "No forecasts yet" in answer.content.decode()


def test_the_prefunding_that_answers_a_shortfall_is_shown(
    short: House, tenant: Tenant, maker: User, signed_in: SignedIn
) -> None:
    page = signed_in(maker).get(reverse("treasury:prefunding")).content.decode()
    assert "No prefunding yet" in page
    drain.drain(tenant=tenant.id)
    page = signed_in(maker).get(reverse("treasury:prefunding")).content.decode()
    assert "33,000,000.00" in page  # times 1.10
    assert "FMP-000001" in page


def test_alerts_are_told_in_words(
    short: House, tenant: Tenant, maker: User, signed_in: SignedIn, stranger: Client
) -> None:
    news.raise_alert(
        kind="transfer_failed",
        severity="high",
        subject_type="transfer",
        subject_id=short.home.pk,
        title="FMP-000009 failed",
        detail="The account is closed.",
    )
    for url in (reverse("alerts"), reverse("alerts-panel")):
        page = signed_in(maker).get(url).content.decode()
        assert "FMP-000009 failed" in page
        assert "The account is closed." in page
        assert f"{short.home.label} lacks 30,000,000.00 INR" in page
        assert "All quiet" in stranger.get(url).content.decode()


def test_the_front_page_counts_the_day(
    house: House, maker: User, checker: User, signed_in: SignedIn
) -> None:
    propose(house, maker)
    page = signed_in(checker).get(reverse("desk")).content.decode()
    assert "1 of them for you" in page
    assert "5 accounts" in page
    assert page.count("skeleton") == 7  # panels that fetch themselves
    assert "1 of them for you" in signed_in(checker).get(reverse("desk-day")).content.decode()
    assert "none of them for you" in signed_in(maker).get(reverse("desk")).content.decode()


def test_a_fresh_tenant_is_told_how_to_begin(
    tenant: Tenant, maker: User, signed_in: SignedIn
) -> None:
    page = signed_in(maker).get(reverse("desk")).content.decode()
    assert "Nothing is here yet" in page
    client = signed_in(maker)
    for name in ("treasury:position-panel", "treasury:movements-panel", "alerts-panel"):
        assert 'class="empty"' in client.get(reverse(name)).content.decode()


def test_the_front_page_asks_the_database_a_bounded_number_of_times(
    house: House, maker: User, signed_in: SignedIn, django_assert_max_num_queries: Any
) -> None:
    client = signed_in(maker)
    with django_assert_max_num_queries(40):
        client.get(reverse("desk"))
    propose(house, maker)
    propose(house, maker)
    with django_assert_max_num_queries(40):
        client.get(reverse("desk"))


def test_the_audit_trail_shows_who_changed_what(
    house: House, maker: User, user_with: MakeUser, signed_in: SignedIn
) -> None:
    propose(house, maker)
    client = signed_in(user_with("auditor", name="auditor"))
    page = client.get("/audit?table=treasury_proposal").content.decode()
    assert "treasury_proposal" in page
    assert "amount" in page
    assert page.count("data-row ") + page.count("data-row>") >= 1
    assert "Nothing fits these filters" in client.get("/audit?row=none").content.decode()
    assert client.get("/audit?before=x").status_code == 422


def test_older_entries_are_a_page_away(
    house: House, user_with: MakeUser, signed_in: SignedIn
) -> None:
    client = signed_in(user_with("auditor", name="auditor"))
    first = client.get("/audit")
    older = client.get(f"/audit?before={first.context['next_before']}")
    newest_of_older = older.context["lines"][0].id
    assert newest_of_older < first.context["lines"][-1].id


def test_the_trail_is_not_for_everybody(
    tenant: Tenant, maker: User, user_with: MakeUser, signed_in: SignedIn
) -> None:
    client = signed_in(maker)
    assert client.get(reverse("audit-trail")).status_code == 403
    assert client.post(reverse("audit-check")).status_code == 403
    assert "Audit trail" not in client.get(reverse("desk")).content.decode()
    auditor = signed_in(user_with("auditor", name="auditor"))
    assert "Audit trail" in auditor.get(reverse("desk")).content.decode()


def test_the_chain_is_verified_on_request_and_a_forgery_is_found(
    tenant: Tenant,
    user_with: MakeUser,
    signed_in: SignedIn,
    settings: Any,
    tmp_path: Any,
) -> None:
    settings.TMS_AUDIT_ANCHOR_DIR = tmp_path
    client = signed_in(user_with("auditor", name="auditor"))
    seal(tenant=tenant.id)
    assert "Being verified" in client.post(reverse("audit-check")).content.decode()
    verification.carry_out(tenant=tenant.id)
    assert "Intact" in client.get(reverse("audit-standing")).content.decode()
    anchor = next(tmp_path.glob("*.anchor"))
    anchor.write_text(anchor.read_text().replace(str(tenant.id), "0" * 36))
    client.post(reverse("audit-check"))
    verification.carry_out(tenant=tenant.id)
    assert "fault" in client.get(reverse("audit-standing")).content.decode()


def test_another_tenants_trail_is_invisible(
    house: House, stranger: Client, owner_connection: psycopg.Connection[Any]
) -> None:
    page = stranger.get(reverse("audit-trail"))
    assert "treasury_bankaccount" not in {line.table for line in page.context["lines"]}
