"""Money is exact: API -> database -> pain.001 -> camt -> API, for every ISO 4217 exponent (P7)."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import uuid4

import psycopg
import pycountry
import pytest
from django.apps import apps
from django.db import models
from django.test import Client
from lxml import etree

from core.api.fields import AmountField
from core.errors import Invalid
from core.money import minor_units, parse_amount
from core.tenancy import bound
from integrations import services as lines
from integrations.codecs.constants import AMOUNT_INTEGER_DIGITS_MAX
from integrations.codecs.instructions import Agent, Party, PaymentInstruction
from integrations.codecs.pain001 import write_pain001
from integrations.codecs.reading import read_message
from integrations.codecs.records import ParsedMessage
from integrations.sandbox_bank.currencies import exponent as minor_units_of_the_bank
from tests.promises.conftest import World
from tests.promises.realm import Realm
from tests.treasury.bank import paper
from treasury.models import BankAccount, ExpectedFlow, Transfer
from treasury.selectors import movement
from treasury.services import ingest, orders, static

AMOUNTS_EACH: Final = 1_250
BY_EXPONENT: Final = {
    0: ("JPY", "KRW", "CLP", "UGX", "XOF"),
    2: ("USD", "EUR", "GBP", "INR", "AED"),
    3: ("KWD", "BHD", "OMR", "JOD", "TND"),
    4: ("CLF", "UYW"),
}
NOW: Final = datetime(2026, 11, 17, 9, 0, tzinfo=UTC)


def amounts(exponent: int, count: int, rng: random.Random) -> Iterator[tuple[str, str]]:
    """Yield currencies and amounts as text: few digits and many, with and without a fraction."""
    for number in range(count):
        currency = BY_EXPONENT[exponent][number % len(BY_EXPONENT[exponent])]
        digits = rng.randint(1, AMOUNT_INTEGER_DIGITS_MAX - 1)
        whole = rng.randint(1, 10**digits - 1)
        decimals = rng.randint(0, exponent)
        text = (
            f"{whole}.{rng.randint(0, 10**decimals - 1):0{decimals}d}" if decimals else str(whole)
        )
        yield currency, text


def _instruction(number: int, currency: str, amount: Decimal) -> PaymentInstruction:
    return PaymentInstruction(
        message_id=f"M-{currency}",
        payment_information_id=f"P-{currency}",
        end_to_end_id=f"E-{currency}-{number}",
        amount=amount,
        currency=currency,
        execution_date=NOW.date(),
        created_at=NOW,
        initiating_party_name="A company",
        debtor=Party(name="A company", number="4010007781", account_currency=currency),
        debtor_agent=Agent(bic="SBNKUS33XXX"),
        creditor=Party(name="A company", number="4010007782"),
        creditor_agent=Agent(bic="SBNKUS33XXX"),
    )


def amounts_in(message: bytes) -> dict[str, str]:
    """Return the amounts as a bank reads them from a pain.001, by end-to-end id."""
    space = {"p": "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"}
    return {
        transfer.findtext(".//p:EndToEndId", namespaces=space): transfer.findtext(
            ".//p:InstdAmt", namespaces=space
        )
        for transfer in etree.fromstring(message).iterfind(".//p:CdtTrfTxInf", namespaces=space)
    }


def _through_the_database(realm: Realm, values: list[Decimal]) -> list[Decimal]:
    account = realm.accounts["payout"]
    rows = [
        ExpectedFlow(
            account=account,
            source="MANUAL",
            source_ref=f"p7-{number:05}",
            amount=value,
            value_date=date(2026, 11, 18),
            description="p7",
            expires_on=date(2026, 11, 20),
            created_at=NOW,
        )
        for number, value in enumerate(values)
    ]
    ExpectedFlow.objects.bulk_create(rows, batch_size=1_250)
    stored = ExpectedFlow.objects.filter(source_ref__startswith="p7-").order_by("source_ref")
    return list(stored.values_list("amount", flat=True))


@pytest.mark.parametrize("exponent", BY_EXPONENT)
def test_an_amount_is_the_same_at_every_station(world: World, db: None, exponent: int) -> None:
    field = AmountField()
    drawn = list(amounts(exponent, AMOUNTS_EACH, random.Random(exponent)))
    sent = [field.to_internal_value(text) for _, text in drawn]
    with bound(world.ours.tenant, actor="system:test"):
        stored = _through_the_database(world.ours, sent)
    assert stored == sent
    for currency in BY_EXPONENT[exponent]:
        ours = {
            f"E-{currency}-{number}": (number, value)
            for number, ((code, _), value) in enumerate(zip(drawn, stored, strict=True))
            if code == currency
        }
        order = write_pain001(
            [_instruction(number, currency, value) for number, value in ours.values()]
        )
        ordered = amounts_in(order)
        assert {key: Decimal(text) for key, text in ordered.items()} == {
            key: value for key, (_, value) in ours.items()
        }
        entries = tuple(
            paper.E(amount=text, e2e=key, ref=key, currency=currency)
            for key, text in ordered.items()
        )
        answer = read_message(paper.camt("054", paper.S(entries=entries, currency=currency)))
        assert isinstance(answer, ParsedMessage)
        assert answer.findings == ()
        booked = {entry.end_to_end_id: entry.amount for entry in answer.statements[0].entries}
        assert {key: Decimal(field.to_representation(booked[key])) for key in ours} == {
            key: value for key, (_, value) in ours.items()
        }


def test_a_binary_float_on_the_way_would_be_noticed() -> None:
    """The negative control: the same amounts through float come back different."""
    drawn = [Decimal(text) for _, text in amounts(4, AMOUNTS_EACH, random.Random(4))]
    assert any(Decimal(float(value)) != value for value in drawn)
    assert any(Decimal(f"{float(value):.4f}") != value for value in drawn if value > 10**11)


def test_two_tables_of_minor_units_agree_on_every_currency() -> None:
    """Ours and the bank's were written apart and share no code."""
    codes = [currency.alpha_3 for currency in pycountry.currencies]
    assert len(codes) > 150
    differ = {code for code in codes if minor_units(code) != minor_units_of_the_bank(code)}
    assert differ <= {"CLF", "UYW"}  # units of account: no bank keeps accounts in them
    assert {minor_units(code) for code in codes} == {0, 2, 3, 4}


@pytest.mark.parametrize(("exponent", "currencies"), sorted(BY_EXPONENT.items()))
def test_a_decimal_too_many_is_refused_by_name(exponent: int, currencies: tuple[str, ...]) -> None:
    for currency in currencies:
        assert minor_units(currency) == exponent
        with pytest.raises(Invalid) as refused:
            parse_amount("1." + "0" * exponent + "1", currency, field="amount")
        assert refused.value.context["field"] == "amount"


_ACCOUNTS: Final = {
    "EUR": ("SBNKDEFFXXX", "Europe/Berlin", "DE42990000010532013000", "DE41990000020648489890"),
    "GBP": ("SBNKGB2LXXX", "Europe/London", "GB30SBNK99000110203344", "GB33SBKT99000255667788"),
    "AED": ("SBNKAEADXXX", "Asia/Dubai", "AE639900000012345678901", "AE869900000098765432102"),
}


def _two_accounts(realm: Realm, currency: str) -> tuple[BankAccount, BankAccount]:
    if currency == "INR":
        return realm.accounts["collection"], realm.accounts["payout"]
    if currency == "USD":
        return realm.accounts["dollars"], realm.accounts["spare"]
    bic, zone, *numbers = _ACCOUNTS[currency]
    entity = realm.accounts["payout"].entity
    bank = static.create_bank(bic=bic, name=f"Bank of {currency}", connection=realm.objects["line"])
    debit, credit = (
        static.open_account(
            account=static.AccountIn(
                entity=entity,
                bank=bank,
                label=f"{currency} {number[-4:]}",
                currency=currency,
                number=number,
                timezone=zone,
            )
        )
        for number in numbers
    )
    return debit, credit


def _post(client: Client, body: dict[str, Any]) -> Any:
    return client.post(
        "/api/v1/proposals",
        json.dumps(body),
        content_type="application/json",
        headers={"Idempotency-Key": uuid4().hex},
    )


def _statement(account: BankAccount, entries: list[paper.E]) -> bytes:
    sheet = paper.S(
        iban=account.number,
        number="" if account.is_iban else account.number,
        currency=account.currency,
        entries=tuple(entries),
        created="2026-11-17T08:00:00+00:00",
    )
    return paper.camt("054", sheet, message=f"P7{account.currency}")


@pytest.mark.parametrize("currency", ["USD", "EUR", "GBP", "INR", "AED"])
def test_the_api_gives_back_what_it_was_given_after_the_bank_booked_it(
    world: World, db: None, at_work: datetime, currency: str
) -> None:
    realm, client = world.ours, world.ours.client("treasury_maker")
    with bound(realm.tenant, actor="system:test"):
        debit, credit = _two_accounts(realm, currency)
    body = {"debit_account": str(debit.pk), "credit_account": str(credit.pk), "submit": False}
    sent, entries = {}, []
    for text in ("0.01", "1", "10.1", "2750000.05", "99999999999.99"):
        made = _post(client, body | {"amount": text, "why": "p7"})
        assert made.status_code == 201, made.content
        shown = client.get(f"/api/v1/proposals/{made.json()['id']}").json()
        assert Decimal(shown["amount"]) == Decimal(text)
        with bound(realm.tenant, actor="system:test"):
            transfer = Transfer(
                proposal=movement.proposal(shown["id"]),
                end_to_end_id=shown["reference"],
                uetr=str(uuid4()),
                attempt=1,
            )
            ((key, ordered),) = amounts_in(
                write_pain001([orders.instruction_for(transfer)])
            ).items()
        sent[key] = Decimal(text)
        day = at_work.date() - timedelta(days=1)
        entries.append(
            paper.E(amount=ordered, e2e=key, ref=key, currency=currency, booked=day, value=day)
        )
    with bound(realm.tenant, actor="system:test"):
        message = lines.archive_inbound(
            connection_code=realm.objects["line"], name="p7", data=_statement(credit, entries)
        )
        result = ingest.ingest_message(message_id=message.pk)
        assert result.refusals == ()
        assert result.entries_new == len(sent)
    listed = client.get(f"/api/v1/accounts/{credit.pk}/entries").json()["results"]
    booked = {row["end_to_end_id"]: Decimal(row["amount"]) for row in listed}
    assert {key: booked[key] for key in sent} == sent


@pytest.mark.parametrize(
    ("amount", "status"),
    [("10.001", 422), ("10.00001", 400), (10.5, 400), (10, 400), (True, 400), ("10,5", 400)],
)
def test_what_is_not_exact_is_refused_by_the_api(
    world: World, db: None, at_work: datetime, amount: Any, status: int
) -> None:
    debit, credit = (world.ours.accounts[name] for name in ("collection", "payout"))
    body = {"debit_account": str(debit.pk), "credit_account": str(credit.pk), "why": "p7"}
    response = _post(world.ours.client("treasury_maker"), body | {"amount": amount})
    assert response.status_code == status
    problem = response.json()
    named = problem.get("fields") or {problem["context"]["field"]: 1}
    assert "amount" in named


# --- the database has the last word -----------------------------------------------------------

# Columns that carry a sign, each with the reason; every other one refuses what is below zero.
SIGNED: Final = {
    "treasury_expectedflow.amount": "in and out",
    "treasury_bankentry.amount": "credit and debit",
    "treasury_entrypart.amount": "credit and debit",
    "treasury_statement.opening": "an account may be overdrawn",
    "treasury_statement.closing": "an account may be overdrawn",
    "treasury_statementbalance.amount": "an account may be overdrawn",
    "treasury_lateentry.amount": "credit and debit",
    "treasury_daymovement.amount": "credit and debit",
    "treasury_dailybalance.booked": "credit and debit",
    "treasury_dailybalance.balance": "an account may be overdrawn",
    "treasury_riskreading.base_amount": "an account may be overdrawn",
    "risk_accountrisk.base_amount": "an account may be overdrawn",
    "treasury_sweepproduct.rate": "money may cost something to keep",
    "treasury_cashpool.intercompany_rate": "money may cost something to keep",
    "treasury_cashpool.credit_rate": "money may cost something to keep",
    "treasury_cashpool.debit_rate": "money may cost something to keep",
    "treasury_cashpoolmember.credit_rate": "money may cost something to keep",
    "treasury_cashpoolmember.debit_rate": "money may cost something to keep",
    "treasury_cashpoolmember.lower": "an account may be overdrawn before it is funded",
    "treasury_poolrun.header_before": "an account may be overdrawn",
    "treasury_poolrun.header_after": "an account may be overdrawn",
    "treasury_poolrun.rate": "money may cost something to keep",
    "treasury_poolmove.before": "an account may be overdrawn",
    "treasury_poolmove.after": "an account may be overdrawn",
    "treasury_poolpair.rate": "money may cost something to keep",
    "treasury_intercompanyentry.rate": "money may cost something to keep",
    "treasury_newestbalance.balance": "an account may be overdrawn",
    "fx_exposurealarm.prefunded": "accounts may be overdrawn",
    "fx_exposurealarm.hedged": "more may have been sold than bought",
    "fx_forwardpoint.bid": "the base may trade at a discount",
    "fx_forwardpoint.ask": "the base may trade at a discount",
    "fx_interestrate.rate": "money may cost something to keep",
    "fx_revaluationrun.unrealised_usd": "profit or loss",
    "fx_pnlentry.amount_usd": "profit or loss",
    "fx_receiptdifference.difference": "less may have come than was agreed",
    "fx_hedgeneed.prefunded": "accounts may be overdrawn",
    "fx_hedgeneed.hedged": "more may have been sold than bought",
    "fx_forecastbasis.prefunded": "accounts may be overdrawn",
    "fx_forecastbasis.hedged": "more may have been sold than bought",
    "fx_dealsuggestion.headroom_usd": "a limit may be exceeded already",
    "treasury_prefundingrequest.available": "what is left may be below the floor",
}
# Columns that no constraint holds, each with the reason.
UNHELD: Final[dict[str, str]] = {}


def money_columns() -> list[tuple[str, str]]:
    """Return table and column of every decimal of every room, without the history tables."""
    return [
        (model._meta.db_table, field.column)
        for model in apps.get_models()
        for field in model._meta.local_fields
        if isinstance(field, models.DecimalField) and not hasattr(model, "history_type")
    ]


def _accepts(owner: psycopg.Connection[Any], table: str, column: str, value: str) -> bool:
    """Insert a value into an empty copy of the table that has nothing but the column's CHECKs."""
    with owner.transaction(force_rollback=True):
        owner.execute(f"CREATE TEMP TABLE copy (LIKE {table} INCLUDING CONSTRAINTS)")
        columns = owner.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'copy'::regclass"
            " AND attnum > 0 AND attnotnull"
        ).fetchall()
        for (name,) in columns:
            owner.execute(f'ALTER TABLE copy ALTER "{name}" DROP NOT NULL')
        others = owner.execute(
            "SELECT c.conname FROM pg_constraint c WHERE c.conrelid = 'copy'::regclass"
            " AND c.contype = 'c' AND NOT (SELECT a.attnum FROM pg_attribute a"
            " WHERE a.attrelid = c.conrelid AND a.attname = %s) = ANY (c.conkey)",
            [column],
        ).fetchall()
        for (name,) in others:
            owner.execute(f'ALTER TABLE copy DROP CONSTRAINT "{name}"')
        try:
            with owner.transaction():
                owner.execute(f"INSERT INTO copy ({column}) VALUES ('{value}')")
        except (psycopg.errors.CheckViolation, psycopg.errors.NumericValueOutOfRange):
            return False
    return True


def test_every_money_column_refuses_nan_and_infinity(
    owner_connection: psycopg.Connection[Any],
) -> None:
    found = money_columns()
    assert len(found) >= 20
    held = {f"{table}.{column}" for table, column in found}
    loose = {
        f"{table}.{column}"
        for table, column in found
        if any(
            _accepts(owner_connection, table, column, value)
            for value in ("NaN", "Infinity", "-Infinity")
        )
    }
    assert loose == set(UNHELD)
    assert held >= {"treasury_proposal.amount", "approvals_approvalrequest.amount"}


def test_every_money_column_without_a_sign_refuses_less_than_zero(
    owner_connection: psycopg.Connection[Any],
) -> None:
    signed = {
        f"{table}.{column}"
        for table, column in money_columns()
        if _accepts(owner_connection, table, column, "-0.0001")
    }
    rooms = {name for name in signed if name.startswith("liquidity_")}
    assert signed - rooms - set(UNHELD) == set(SIGNED)


def test_a_column_without_its_constraint_takes_nan(
    owner_connection: psycopg.Connection[Any],
) -> None:
    """The negative control: the type alone accepts NaN, and a bare `> 0` does too."""
    with owner_connection.transaction(force_rollback=True):
        owner_connection.execute(
            "ALTER TABLE treasury_proposal DROP CONSTRAINT proposal_amount_is_positive"
        )
        assert _accepts(owner_connection, "treasury_proposal", "amount", "NaN")
        owner_connection.execute(
            "ALTER TABLE treasury_proposal ADD CONSTRAINT bare CHECK (amount > 0)"
        )
        assert _accepts(owner_connection, "treasury_proposal", "amount", "NaN")
    assert not _accepts(owner_connection, "treasury_proposal", "amount", "NaN")
