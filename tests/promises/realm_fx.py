"""Foreign exchange of a realm: a source, a rate, a bank, a deal, and what is suggested."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import psycopg
from django.db import connection

from core import clock
from core.identity.models import User
from core.ids import uuid7
from core.money import Money
from core.tenancy import bound
from fx.engine.pairs import parse_pair
from fx.engine.quotes import Side
from fx.services import (
    counterparties,
    deal_files,
    deals,
    reforecasting,
    sources,
    suggesting,
    unfunded,
)
from fx.services import rates as fx_rates
from tms.run.config import runtime
from treasury.models import BankAccount
from treasury.services import beneficiaries


def make_deals(
    tenant: UUID, mark: str, people: dict[str, User], accounts: dict[str, BankAccount]
) -> dict[str, str]:
    """Let rates come in, and a dealer write a deal with a bank of theirs down."""
    keeper, back_office = people["static_data"], people["back_office"]
    with bound(tenant, actor=keeper.pk):
        sources.install_usual_sources()
        rate = fx_rates.RateIn(
            row=1,
            pair=parse_pair("USD/INR"),
            bid=Decimal("84.99"),
            ask=Decimal("85.01"),
            as_of=clock.now() - timedelta(minutes=1),
        )
        origin = fx_rates.Origin(
            source=sources.FEED, name=f"{mark} feed", data=b"1", received_from=mark
        )
        fx_rates.record_rates(origin=origin, rates=[rate])
        party = counterparties.create_counterparty(
            wish=counterparties.CounterpartyIn(code=mark, name=f"{mark} Bank", bic="DEALGB2LXXX")
        )
        paid = beneficiaries.BeneficiaryIn(
            name=f"{mark} Bank", currency="USD", number="5020000017", bank_bic="DEALGB2LXXX",
            bank_name=f"{mark} Bank", clearing_code="021000021", town=mark, country="GB",
        )  # fmt: skip
        account = beneficiaries.create_beneficiary(beneficiary=paid, actor=keeper)
    with bound(tenant, actor=back_office.pk):
        beneficiaries.verify_beneficiary(beneficiary_id=account.pk, actor=back_office)
    with bound(tenant, actor=people["dealer"].pk):
        counterparties.give_instruction(party=party, currency="USD", beneficiary=account.pk)
        made = deals.capture_deal(
            draft=deals.DealIn(
                counterparty=party.pk,
                pair=parse_pair("USD/INR"),
                side=Side.SELL,
                dealt=Money(Decimal("1000.00"), "USD"),
                limit_rate=Decimal("85.0000"),
                pay_account=accounts["dollars"].pk,
                receive_account=accounts["payout"].pk,
                why=f"{mark} rupees",
            ),
            maker=people["dealer"],
        )
        suggested = _suggested(mark, people["dealer"], accounts)
    fixing = _fixed(tenant, mark, back_office)
    return {"deal": str(made.pk), "suggestion": suggested, "fixing": str(fixing)}


def _fixed(tenant: UUID, mark: str, person: User) -> UUID:
    """Put a fixing there that is no deal's, which the database takes from nobody but its owner."""
    place = runtime().admin.conninfo
    made, now = uuid7(), clock.now()
    with psycopg.connect(place, dbname=connection.settings_dict["NAME"]) as server:
        server.execute("SET session_replication_role = replica")
        server.execute(
            "INSERT INTO fx_dayfixing (id, tenant_id, base, quote, fixed_on, version, rate,"
            " said_by, reason, state, entered_by_id, entered_at, note)"
            " VALUES (%s, %s, 'USD', 'INR', %s, 1, 85, %s, '', 'IN_FORCE', %s, %s, '')",
            [made, tenant, now.date(), mark, person.pk, now],
        )
    return made


def _suggested(mark: str, dealer: User, accounts: dict[str, BankAccount]) -> str:
    """Let an account run short, a forecast be seen and a file of deals come in."""
    now = clock.now()
    short = unfunded.short_of(
        currency="INR",
        account=accounts["payout"].pk,
        shortfall=Decimal(900_000_000),
        needed_on=now.date() + timedelta(days=14),
    )
    rows = suggesting.suggest(currency="INR", now=now, told=short)
    reforecasting.note_forecast(
        currency="INR", forecast=uuid7(), as_of=now, outflow=Decimal(1), now=now
    )
    reforecasting.ask(currency="INR", words=f"{mark} asks", actor=dealer, now=now)
    head = "pair,side,amount,limit_rate,counterparty,why,pay_account,receive_account"
    pay, receive = accounts["dollars"].label, accounts["payout"].label
    line = f"USD/INR,SELL,1000.00,85.0000,{mark},{mark} file,{pay},{receive}"
    deal_files.capture_file(name=mark, data=f"{head}\n{line}".encode(), maker=dealer)
    return str(rows[0].pk)
