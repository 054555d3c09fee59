"""The admin shows everything, changes nothing by hand, and never shows an account number."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from core.identity.models import User
from core.middleware import TENANT_SESSION_KEY
from tests.scenes import scene
from tests.treasury.bank.paper import DAY, IBAN, B, E, S, arrive, camt, day_statement
from treasury.models import (
    Bank,
    BankAccount,
    BankEntry,
    ExpectedFlow,
    LegalEntity,
    Statement,
    UsdRate,
)
from treasury.services import flows


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="core.identity.backend.TenantBackend")
    session = client.session
    session[TENANT_SESSION_KEY] = str(user.tenant_id)
    session.save()
    return client


@pytest.fixture
def keeper(user_with: Any) -> Client:
    return signed_in(user_with("static_data", name="keeper"))


@pytest.fixture
def maker_client(user_with: Any) -> Client:
    return signed_in(user_with("treasury_maker", name="maker"))


def page(client: Client, name: str, *args: Any, **query: Any) -> Any:
    return client.get(reverse(f"admin:treasury_{name}", args=args), query)


@scene
def books(account: BankAccount) -> BankAccount:
    one = E(amount="9.00", ref="R1", e2e="E2E-77")
    arrive(camt("054", S(id="N1", entries=(one,))))
    arrive(camt("053", day_statement(one, E(amount="-4.50", ref="R2"))))
    flow = flows.FlowIn(
        account_id=account.pk, source="MANUAL", source_ref="rent", amount=Decimal(-5),
        value_date=DAY, description="rent", expires_on=DAY,
    )  # fmt: skip
    flows.put_expected_flow(flow=flow)
    return account


MODELS = ("legalentity", "bank", "bankaccount", "usdrate", "statement", "bankentry", "expectedflow")


@pytest.mark.parametrize("model", MODELS)
def test_every_list_and_page_opens(books: BankAccount, keeper: Client, model: str) -> None:
    assert page(keeper, f"{model}_changelist").status_code == 200
    rows: dict[str, Any] = {
        "legalentity": LegalEntity, "bank": Bank, "bankaccount": BankAccount, "usdrate": UsdRate,
        "statement": Statement, "bankentry": BankEntry, "expectedflow": ExpectedFlow,
    }  # fmt: skip
    row = rows[model].objects.first()
    if row is not None:
        assert page(keeper, f"{model}_change", row.pk).status_code == 200


def test_an_account_number_is_never_shown(books: BankAccount, keeper: Client) -> None:
    for name, args in (
        ("bankaccount_changelist", ()),
        ("bankaccount_change", (books.pk,)),
        ("bankaccount_history", (books.pk,)),
    ):
        shown = page(keeper, name, *args).content.decode()
        assert IBAN not in shown
        assert "3000" in shown or name.endswith("history")
    version = books.history.first()
    address = reverse("admin:treasury_bankaccount_simple_history", args=[books.pk, version.pk])
    assert IBAN not in keeper.get(address).content.decode()


def test_entries_are_found_by_their_references(books: BankAccount, keeper: Client) -> None:
    for term, expected in (("E2E-77", 1), ("E2E-7", 0), ("nothing", 0)):
        answer = page(keeper, "bankentry_changelist", q=term)
        assert answer.context["cl"].result_count == expected, term


def test_statements_are_filtered_by_flag_and_state(books: BankAccount, keeper: Client) -> None:
    arrive(
        camt("053", S(id="BAD", balances=(B(code="OPBD", amount="1"), B(code="CLBD", amount="2"))))
    )
    found = page(keeper, "statement_changelist", state__exact="QUARANTINED").context["cl"]
    assert found.result_count == 1
    assert page(keeper, "statement_changelist", flag="GAP").context["cl"].result_count == 0


def test_figures_link_to_their_bytes(books: BankAccount, keeper: Client) -> None:
    entry = BankEntry.objects.get(end_to_end_id="E2E-77")
    shown = page(keeper, "bankentry_change", entry.pk).content.decode()
    for seen in entry.observations.select_related("statement"):
        assert f"/api/v1/messages/{seen.statement.message_id}/content" in shown


@pytest.mark.parametrize("model", ["statement", "bankentry"])
def test_statements_and_entries_are_neither_added_nor_changed_nor_deleted(
    books: BankAccount, keeper: Client, model: str
) -> None:
    row = (Statement if model == "statement" else BankEntry).objects.first()
    assert row is not None
    before = type(row).objects.filter(pk=row.pk).values().get()
    assert page(keeper, f"{model}_add").status_code == 403
    assert page(keeper, f"{model}_delete", row.pk).status_code == 403
    address = reverse(f"admin:treasury_{model}_change", args=[row.pk])
    assert keeper.post(address, {"amount": "1", "state": "POSTED"}).status_code == 403
    assert type(row).objects.filter(pk=row.pk).values().get() == before


def account_form(books: BankAccount, **more: Any) -> dict[str, Any]:
    return {
        "entity": books.entity_id, "bank": books.bank_id, "label": "Second", "currency": "EUR",
        "kind": "NOSTRO", "number": "DE75 5121 0800 1245 1261 99", "clearing_code": "",
        "timezone": "Europe/Berlin", "rda_procedure": "", "min_balance": "0",
        "required_collateral": "0", "overdraft_limit": "0", "intraday_mode": "CUMULATIVE",
        "statement_hours_expected": "30", **more,
    }  # fmt: skip


def test_an_account_is_opened_through_the_service(books: BankAccount, keeper: Client) -> None:
    address = reverse("admin:treasury_bankaccount_add")
    assert keeper.post(address, account_form(books)).status_code == 302
    made = BankAccount.objects.get(label="Second")
    assert (made.is_iban, made.number_hint) == (True, "6199")
    assert made.number == "DE75512108001245126199"


def test_a_wrong_iban_is_refused_with_a_message(books: BankAccount, keeper: Client) -> None:
    address = reverse("admin:treasury_bankaccount_add")
    answer = keeper.post(address, account_form(books, number="DE75512108001245126198"), follow=True)
    assert "not valid" in answer.content.decode()
    assert BankAccount.objects.count() == 1


def test_terms_change_and_the_number_does_not(books: BankAccount, keeper: Client) -> None:
    address = reverse("admin:treasury_bankaccount_change", args=[books.pk])
    form = {
        "label": "Renamed", "min_balance": "250", "required_collateral": "0",
        "overdraft_limit": "0", "intraday_mode": "DELTA", "statement_hours_expected": "24",
        "is_active": "on",
        "number": "DE75512108001245126199", "currency": "USD",
    }  # fmt: skip
    assert keeper.post(address, form).status_code == 302
    books.refresh_from_db()
    assert (books.label, books.min_balance, books.currency) == ("Renamed", 250, "EUR")
    assert books.number == IBAN
    assert books.history.count() == 2


def test_who_keeps_no_static_data_opens_no_account(
    books: BankAccount, maker_client: Client
) -> None:
    address = reverse("admin:treasury_bankaccount_add")
    assert maker_client.post(address, account_form(books)).status_code == 403


def test_a_manual_flow_is_entered_and_cancelled(books: BankAccount, maker_client: Client) -> None:
    form = {
        "account": books.pk, "source_ref": "tax", "amount": "-70", "value_date": "2026-11-26",
        "description": "tax", "expires_on": "2026-11-30",
    }  # fmt: skip
    assert maker_client.post(reverse("admin:treasury_expectedflow_add"), form).status_code == 302
    flow = ExpectedFlow.objects.get(source_ref="tax")
    assert (flow.source, flow.state) == ("MANUAL", "EXPECTED")
    choice = {"action": "cancel_selected", "_selected_action": [str(flow.pk)]}
    maker_client.post(reverse("admin:treasury_expectedflow_changelist"), choice)
    flow.refresh_from_db()
    assert flow.state == "CANCELLED"


def test_a_flow_with_too_many_decimals_is_refused(books: BankAccount, maker_client: Client) -> None:
    form = {
        "account": books.pk, "source_ref": "tax", "amount": "-70.001", "value_date": "2026-11-26",
        "description": "tax", "expires_on": "2026-11-30",
    }  # fmt: skip
    answer = maker_client.post(reverse("admin:treasury_expectedflow_add"), form, follow=True)
    assert "too many decimals" in answer.content.decode()
    assert not ExpectedFlow.objects.filter(source_ref="tax").exists()
