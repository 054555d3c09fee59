"""A bank to deal with, our accounts, and the people of a deal."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from approvals import selectors as approval_reads
from approvals import services as approvals
from core.identity.models import User
from core.money import Money
from core.tenancy import Tenant, bound, current_tenant_id
from fx.engine.pairs import parse_pair
from fx.engine.quotes import Side
from fx.models import Counterparty, Deal, SettlementInstruction
from fx.selectors import deals as reads
from fx.services import dealing, deals
from tests.approvals.stepping import shown
from tests.conftest import make_user
from treasury.models import BankAccount
from treasury.services import beneficiaries, static
from treasury.services.beneficiaries import BeneficiaryIn

CURRENCIES = ("USD", "EUR", "GBP", "AED", "INR")
_ZONES = {"USD": "America/New_York", "GBP": "Europe/London", "INR": "Asia/Kolkata"}


@dataclass(frozen=True, slots=True)
class Desk:
    """Who deals with whom from which accounts."""

    tenant: Tenant
    dealer: User
    checker: User
    back_office: User
    bank: Counterparty
    accounts: dict[str, BankAccount]

    def wish(self, **more: Any) -> deals.DealIn:
        """Return a deal: buy a million dollars' worth of rupees for dollars, unless told else."""
        pair = parse_pair(more.pop("pair", "USD/INR"))
        side = Side(more.pop("side", "SELL"))
        amount, currency = str(more.pop("dealt", f"1000000.00 {pair.base}")).split()
        bought, sold = pair.currencies if side is Side.BUY else (pair.quote, pair.base)
        facts: dict[str, Any] = {
            "counterparty": self.bank.pk,
            "pair": pair,
            "side": side,
            "dealt": Money(Decimal(amount), currency),
            "limit_rate": Decimal(more.pop("rate", "85.0000")),
            "pay_account": self.accounts[sold].pk,
            "receive_account": self.accounts[bought].pk,
            "why": "Rupees for Monday's payouts",
        }
        return deals.DealIn(**facts | more)

    def captured(self, **more: Any) -> Deal:
        """Return a draft."""
        return deals.capture_deal(draft=self.wish(**more), maker=self.dealer)

    def submitted(self, **more: Any) -> Deal:
        """Return a deal that waits for approval."""
        made = self.captured(**more)
        return deals.submit_deal(deal_id=made.pk, actor=self.dealer)

    def approved(self, **more: Any) -> Deal:
        """Return a deal that may be dealt."""
        return self.decide(self.submitted(**more))

    def decide(self, deal: Deal, outcome: str = "APPROVE", *, by: User | None = None) -> Deal:
        """Decide about a deal, bound as the checker."""
        checker = by or self.checker
        with bound(self.tenant.id, actor=checker.pk):
            request = approval_reads.request_of(
                subject_type="fx.deal", subject_id=deal.pk, subject_version=deal.version
            )
            assert request is not None
            warned = tuple(one["code"] for one in request.flags if one["severity"] == "ack")
            approvals.decide(
                request_id=request.pk,
                checker=checker,
                outcome=outcome,
                content_hash=request.content_hash,
                version=request.subject_version,
                reason="" if outcome == "APPROVE" else "Too early.",
                evidence=replace(shown(checker, request.content_hash), acknowledged=warned),
            )
            return reads.deal(deal.pk)

    def executed(self, *, at: str = "", **more: Any) -> Deal:
        """Return a deal that was dealt, at its own rate unless told else."""
        deal = self.approved(**more)
        return self.execute(deal, at or str(deal.limit_rate))

    def execute(self, deal: Deal, rate: str) -> Deal:
        """Deal an approved deal."""
        return dealing.execute_deal(
            deal_id=deal.pk,
            rate=Decimal(rate),
            counterparty_reference="CP-1",
            actor=self.dealer,
        )

    def stated(self, deal: Deal, **other: Any) -> dealing.Stated:
        """Return what the bank confirms: the deal itself, unless told else."""
        facts = {
            name: getattr(deal, name)
            for name in (
                "pair", "side", "base_amount", "quote_amount", "rate", "value_date",
                "counterparty_reference",
            )
        }  # fmt: skip
        return dealing.Stated(**facts | other)


# Our bank with its code, and theirs: at home where a rail is to reach them.
_ANYWHERE = ("SBNKGB22XXX", "SBNK0000001", "DEALGB2LXXX", "DEAL0000001")
AT_HOME = {
    "USD": ("SBNKUS33XXX", "021000021", "DEALUS33XXX", "026009593"),
    "INR": ("SBNKINBBXXX", "SBNK0000001", "DEALINBBXXX", "DEAL0000001"),
}


def build_desk(
    tenant: Tenant, *, connection: str = "", places: Mapping[str, tuple[str, ...]] | None = None
) -> Desk:
    """Build the desk in the bound tenant.

    `connection` is the line of its banks, if they have one; `places` are banks by currency.
    """
    places = places or {}
    approvals.install_default_rules()
    entity = static.create_entity(
        entity=static.EntityIn(
            name="North Remit Limited", lei="5493001KJTIIGC8Y1R12", town="London", country="GB"
        )
    )
    at = {currency: places.get(currency, _ANYWHERE) for currency in CURRENCIES}
    ours = {
        bic: static.create_bank(bic=bic, name="House Bank", connection=connection)
        for bic in dict.fromkeys(place[0] for place in at.values())
    }
    accounts = {
        currency: static.open_account(
            account=static.AccountIn(
                entity=entity,
                bank=ours[at[currency][0]],
                label=f"{currency} desk",
                currency=currency,
                number=f"40100000{number:02d}",
                clearing_code=at[currency][1],
                timezone=_ZONES.get(currency, "UTC"),
            )
        )
        for number, currency in enumerate(CURRENCIES)
    }
    bank = Counterparty.objects.create(
        code="DEALBANK", name="Dealing Bank", bic="DEALGB2LXXX", tenor_days_max=370
    )
    clerk, other = make_user("clerk", "static_data"), make_user("clerk-two", "static_data")
    for number, currency in enumerate(CURRENCIES):
        give_instruction(bank, currency, f"50200000{number:02d}", clerk, other, at=at[currency][2:])
    return Desk(
        tenant=tenant,
        dealer=make_user("dealer", "dealer"),
        checker=make_user("checker", "treasury_checker"),
        back_office=make_user("back", "back_office"),
        bank=bank,
        accounts=accounts,
    )


def give_instruction(
    bank: Counterparty,
    currency: str,
    number: str,
    clerk: User,
    other: User,
    *,
    at: tuple[str, ...] = _ANYWHERE[2:],
) -> SettlementInstruction:
    """Write down where the bank receives a currency, verified by another person."""
    with bound(current_tenant_id(), actor=clerk.pk):
        listed = beneficiaries.create_beneficiary(
            beneficiary=BeneficiaryIn(
                name=bank.name,
                currency=currency,
                number=number,
                bank_bic=at[0],
                bank_name="Dealing Bank",
                clearing_code=at[1],
                town="London",
                country="GB",
            ),
            actor=clerk,
        )
    with bound(current_tenant_id(), actor=other.pk):
        beneficiaries.verify_beneficiary(beneficiary_id=listed.pk, actor=other)
    return SettlementInstruction.objects.create(
        counterparty=bank, currency=currency, beneficiary=listed
    )


def another_account(desk: Desk, currency: str, label: str, number: str) -> BankAccount:
    """Open one more account of ours at the same bank."""
    first = desk.accounts[currency]
    return static.open_account(
        account=static.AccountIn(
            entity=first.entity,
            bank=first.bank,
            label=label,
            currency=currency,
            number=number,
            clearing_code="021000021" if currency == "USD" else "SBNK0000001",
            timezone=first.timezone,
        )
    )
