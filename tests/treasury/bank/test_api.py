"""Balances over the API: reading down to the bytes, and the signed webhook."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import clock
from core.api.authentication import access_token
from core.events.models import OutboxEvent
from core.money import minor_units
from core.tenancy import bound
from tests.conftest import make_user
from tests.treasury.bank.conftest import NOW
from tests.treasury.bank.paper import DAY, IBAN, B, E, S, arrive, camt, day_statement
from treasury.api.webhook import signature
from treasury.models import BankAccount, BankEntry, Statement, StatementBalance

TODAY = NOW.date()
Api = Any


class Caller:
    """A machine with a token that signs what it sends, unless told otherwise."""

    def __init__(self, user: Any) -> None:
        self.client = Client(headers={"Authorization": f"Bearer {access_token(user)}"})

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"/api/v1/{path}", query)

    def report(self, body: Any, **headers: str) -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        timestamp = str(int(clock.now().timestamp()))
        signed = {
            "X-TMS-Timestamp": timestamp,
            "X-TMS-Signature": signature(timestamp, data),
            **headers,
        }
        return self.client.post(
            "/api/v1/balances", data, content_type="application/json", headers=signed
        )


@pytest.fixture
def machine(user_with: Any) -> Caller:
    return Caller(user_with("integration", name="feed"))


@pytest.fixture
def person(user_with: Any) -> Caller:
    return Caller(user_with("treasury_maker", name="reader"))


def body(**more: Any) -> dict[str, Any]:
    return {
        "event_id": "ev-1", "account": IBAN, "currency": "EUR", "balance_type": "ITAV",
        "amount": "750000.10", "as_of": "2026-11-24T07:59:00Z", **more,
    }  # fmt: skip


def test_a_balance_shows_age_source_and_the_way_down(account: BankAccount, person: Caller) -> None:
    result = arrive(camt("053", day_statement(E(amount="9.10", ref="R1"))))
    (row,) = person.get("balances").json()["results"]
    assert row["balance"] == "1009.1000"
    assert row["available"] == "1009.1000"
    assert row["source"] == "CAMT053"
    assert row["as_of"].startswith("2026-11-20")
    assert row["message_id"] == str(result.message_id)
    assert "number" not in row
    entries = person.client.get(row["links"]["entries"]).json()["results"]
    assert [one["amount"] for one in entries] == ["9.1000"]
    assert entries[0]["message"] == f"/api/v1/messages/{result.message_id}/content"
    assert person.client.get(row["links"]["ladder"]).status_code == 200


def test_an_entry_shows_every_sighting(account: BankAccount, person: Caller) -> None:
    arrive(camt("054", S(id="N1", entries=(E(amount="9", ref="R1"),))))
    arrive(camt("053", day_statement(E(amount="9", ref="R1"))))
    entry = BankEntry.objects.get()
    found = person.get(f"accounts/{account.pk}/entries/{entry.pk}").json()
    assert [one["source"] for one in found["observations"]] == ["CAMT054", "CAMT053"]


def test_balances_are_filtered(account: BankAccount, open_account: Any, person: Caller) -> None:
    pounds = open_account(IBAN, label="gbp", currency="GBP")
    assert len(person.get("balances").json()["results"]) == 2
    (row,) = person.get("balances", currency="GBP").json()["results"]
    assert row["account_id"] == str(pounds.pk)
    assert person.get("balances", currency="gbp").status_code == 400
    assert len(person.get("balances", account=account.pk).json()["results"]) == 1
    assert len(person.get("balances", entity=account.entity_id).json()["results"]) == 2


def test_balances_come_in_pages(open_account: Any, person: Caller) -> None:
    for number in range(3):
        open_account(f"12345{number}", label=f"a{number}")
    first = person.get("balances", limit=2).json()
    second = person.client.get(first["next"]).json()
    labels = [row["label"] for page in (first, second) for row in page["results"]]
    assert sorted(labels) == ["a0", "a1", "a2"]


def test_the_list_of_balances_needs_few_queries(
    open_account: Any, person: Caller, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        open_account(f"12345{number}", label=f"a{number}")
    with django_assert_max_num_queries(25):
        assert len(person.get("balances").json()["results"]) == 30


def test_the_ladder_and_entries_of_a_foreign_account_do_not_exist(
    account: BankAccount, person: Caller, other_tenant: Any
) -> None:
    with bound(other_tenant.id, actor="system:test"):
        stranger = Caller(make_user("stranger", "treasury_maker"))
    for path in ("ladder", "entries"):
        nothing = person.get(f"accounts/{account.entity_id}/{path}")
        foreign = stranger.get(f"accounts/{account.pk}/{path}")
        assert nothing.status_code == foreign.status_code == 404
        assert nothing.json()["code"] == foreign.json()["code"]
    assert stranger.get("balances").json()["results"] == []


def test_nobody_reads_without_signing_in(account: BankAccount) -> None:
    assert Client().get("/api/v1/balances").status_code == 401


# --- the webhook -----------------------------------------------------------------------------


def test_a_reported_balance_is_recorded_and_published(
    account: BankAccount, machine: Caller
) -> None:
    answer = machine.report(body())
    assert answer.status_code == 201
    assert answer.json()["is_newest"] is True
    assert StatementBalance.objects.get().amount == Decimal("750000.10")
    event = OutboxEvent.objects.get(topic="ops.nostro.balance.update")
    assert event.payload["source"] == "API"
    (row,) = machine.get("balances").json()["results"]
    assert row["available"] == "750000.1000"


def test_the_same_event_again_changes_nothing(account: BankAccount, machine: Caller) -> None:
    first, second = machine.report(body()), machine.report(body())
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["statement_id"] == second.json()["statement_id"]
    assert Statement.objects.count() == 1
    assert OutboxEvent.objects.filter(topic="ops.nostro.balance.update").count() == 1


def test_an_event_id_does_not_stand_for_two_balances(account: BankAccount, machine: Caller) -> None:
    machine.report(body())
    answer = machine.report(body(amount="1.00"))
    assert (answer.status_code, answer.json()["code"]) == (409, "balance_conflict")
    assert StatementBalance.objects.get().amount == Decimal("750000.10")


def test_a_balance_of_long_ago_is_a_mistake(account: BankAccount, machine: Caller) -> None:
    for as_of in ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "2016-11-01T08:00:00Z"):
        answer = machine.report(body(as_of=as_of))
        assert answer.status_code in (400, 422), answer.content
    assert not Statement.objects.exists()


def test_an_older_balance_is_kept_and_is_not_the_newest(
    account: BankAccount, machine: Caller
) -> None:
    machine.report(body())
    late = machine.report(body(event_id="ev-0", amount="5.00", as_of="2026-11-24T06:00:00Z"))
    assert late.json() | {"is_newest": False} == late.json()
    (row,) = machine.get("balances").json()["results"]
    assert row["available"] == "750000.1000"
    assert StatementBalance.objects.count() == 2
    assert OutboxEvent.objects.filter(topic="ops.nostro.balance.update").count() == 1


def test_a_wrong_signature_is_refused(account: BankAccount, machine: Caller) -> None:
    timestamp = str(int(NOW.timestamp()))
    other = signature(timestamp, b"another body")
    for given_signature in (other, "v1=", "x", "v1=" + "0" * 64):
        answer = machine.report(body(), **{"X-TMS-Signature": given_signature})
        assert (answer.status_code, answer.json()["code"]) == (401, "signature_refused")
    assert Statement.objects.count() == 0


def test_a_signature_over_another_time_is_refused(account: BankAccount, machine: Caller) -> None:
    shifted = str(int((NOW + timedelta(seconds=60)).timestamp()))
    assert machine.report(body(), **{"X-TMS-Timestamp": shifted}).status_code == 401


@pytest.mark.parametrize(("seconds", "status"), [(300, 201), (301, 401), (-300, 201), (-301, 401)])
def test_a_signature_lives_five_minutes(
    account: BankAccount, machine: Caller, seconds: int, status: int
) -> None:
    data = json.dumps(body()).encode()
    timestamp = str(int(NOW.timestamp()) + seconds)
    headers = {"X-TMS-Timestamp": timestamp, "X-TMS-Signature": signature(timestamp, data)}
    assert machine.report(data, **headers).status_code == status


def test_a_missing_signature_is_refused(account: BankAccount, machine: Caller) -> None:
    answer = machine.client.post("/api/v1/balances", body(), content_type="application/json")
    assert answer.status_code == 401


def test_only_the_integration_role_reports(account: BankAccount, person: Caller) -> None:
    assert person.report(body()).status_code == 403
    assert Statement.objects.count() == 0


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 750000.1},
        {"amount": "NaN"},
        {"amount": "1e5"},
        {"amount": "\uff11\uff12"},
        {"amount": "1.23456"},
        {"amount": "1.234"},
        {"as_of": "yesterday"},
        {"as_of": "2026-11-25T07:59:00Z"},
        {"currency": "eur"},
        {"balance_type": "XXXX"},
        {"event_id": ""},
        {"event_id": "a" * 41},
        {"account": "<script>"},
    ],
)
def test_what_cannot_be_a_balance_is_refused_with_the_field(
    account: BankAccount, machine: Caller, change: dict[str, Any]
) -> None:
    answer = machine.report(body(**change))
    assert answer.status_code in (400, 422)
    assert Statement.objects.count() == 0


def test_hostile_bodies_are_refused(account: BankAccount, machine: Caller) -> None:
    twice = json.dumps(body())[:-1] + ', "amount": "1.00"}'
    for data in (b"", b"[", b"[" * 50_000, twice.encode(), b"\xff" * 20, b"0" * 70_000):
        assert machine.report(data).status_code in (400, 401, 422)
    assert Statement.objects.count() == 0


def test_an_account_that_is_not_ours_is_not_found(account: BankAccount, machine: Caller) -> None:
    for change in ({"account": "GB29NWBK60161331926819"}, {"currency": "USD"}):
        assert machine.report(body(**change)).status_code == 404


CURRENCIES = ("EUR", "JPY", "KWD", "CLF", "INR", "BHD", "USD")


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    currency=st.sampled_from(CURRENCIES),
    units=st.integers(min_value=-(10**15), max_value=10**15),
    number=st.integers(min_value=1, max_value=10**9),
)
def test_amounts_survive_the_api_exactly(
    open_account: Any, machine: Caller, currency: str, units: int, number: int
) -> None:
    if not BankAccount.objects.filter(currency=currency).exists():
        open_account("7654321", label=currency, currency=currency)
    places = minor_units(currency)
    amount = Decimal(units).scaleb(-places)
    event = f"{currency}-{units}-{number}"
    sent = body(
        event_id=event, account="7654321", currency=currency, amount=f"{amount:f}",
    )  # fmt: skip
    answer = machine.report(sent)
    assert answer.status_code in (200, 201), answer.content
    stored = StatementBalance.objects.get(statement_id=answer.json()["statement_id"])
    assert stored.amount == amount


def test_amounts_survive_from_the_bank_to_the_api(account: BankAccount, person: Caller) -> None:
    amounts = ("0.01", "9999999999999.99", "-123456.70", "3.00")
    arrive(camt("053", day_statement(*(E(amount=one, ref=f"R{one}") for one in amounts))))
    found = person.get(f"accounts/{account.pk}/entries").json()["results"]
    assert {Decimal(one["amount"]) for one in found} == set(map(Decimal, amounts))
    (row,) = person.get("balances").json()["results"]
    assert Decimal(row["balance"]) == Decimal(1000) + sum(map(Decimal, amounts))


def test_the_reported_balance_of_a_day_meets_the_statement(
    account: BankAccount, machine: Caller
) -> None:
    machine.report(body(balance_type="ITBD", amount="900.00"))
    day = day_statement(E(amount="5", ref="A").on(TODAY), day=TODAY, created="2026-11-24T08:00:00Z")
    arrive(camt("053", day))
    assert BankEntry.objects.get().state == "COUNTED"
    assert DAY < TODAY
    assert B(code="CLBD", amount="1").on == DAY
