"""A desk whose bank takes payments: what tests of settlement share."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from calendars import services as calendars
from core import clock
from core.identity.models import User
from core.tenancy import Tenant
from fx.engine.pairs import parse_pair
from fx.models import Deal, DealLeg
from fx.selectors import deals as reads
from fx.services import dealing, instructing, settling
from fx.services.rates import Origin, RateIn, record_rates
from fx.services.sources import FEED, install_usual_sources
from integrations import services as lines
from integrations.models import Message
from integrations.services import dispatching
from tests.fx.dealing import AT_HOME, Desk, build_desk
from tests.treasury.movement.conftest import age, approve, put_balance
from treasury.models import BankEntry, ExpectedFlow, Proposal, Statement, Transfer
from treasury.services import answers, flows, rates, transfers

D = Decimal


@dataclass(frozen=True, slots=True)
class Settling:
    """A desk, and what its back office, its checkers and its banks do after the deal."""

    desk: Desk

    def confirmed(self, **more: Any) -> Deal:
        """Return a deal that the counterparty confirmed; it pays today unless told else."""
        deal = self.desk.executed(**{"tenor": "CASH", **more})
        return self.confirm(deal)

    def confirm(self, deal: Deal) -> Deal:
        """Confirm a deal as it was dealt."""
        dealing.confirm_deal(
            deal_id=deal.pk, stated=self.desk.stated(deal), actor=self.desk.back_office
        )
        return fresh(deal)

    def instructed(self, **more: Any) -> Deal:
        """Return a deal whose payment awaits its checkers."""
        deal = self.confirmed(**more)
        assert instructing.instruct_deal(deal_id=deal.pk)
        return fresh(deal)

    def approve(self, deal: Deal, *, by: User | None = None) -> Proposal:
        """Let a checker approve the payment of a deal."""
        proposal = payment_of(deal)
        approve(self.desk.tenant, proposal, by or self.desk.checker)
        proposal.refresh_from_db()
        return proposal

    def sent(self, **more: Any) -> Deal:
        """Return a deal whose payment the bank has."""
        deal = self.instructed(**more)
        self.approve(deal)
        return self.send(deal)

    def send(self, deal: Deal) -> Deal:
        """Queue the payment of a deal and do what the dispatcher does, but for the call itself."""
        proposal = payment_of(deal)
        assert transfers.execute(proposal_id=proposal.pk)
        held = Message.objects.get(reference=proposal.reference)
        dispatching._lease(held, until=clock.now() + timedelta(minutes=1))
        dispatching.become_sent(held, bank_reference="", facts={})
        transfers.mark_sent(reference=proposal.reference, bank_reference="")
        return follow(deal)


def line_to(folder: Path) -> lines.ConnectionIn:
    """Return a line to a bank that reads a folder."""
    return lines.ConnectionIn(
        code="host", name="Host to host", kind="FOLDER", directory=str(folder)
    )


def build_settling(tenant: Tenant, line: lines.ConnectionIn) -> Settling:
    """Build the desk with rails, a line to its bank, money on every account, and rates."""
    calendars.install_rails()
    lines.save_connection(wish=line)
    desk = build_desk(tenant, connection="host", places=AT_HOME)
    for account in desk.accounts.values():
        put_balance(account, "500000000.00")
    for currency, worth in (("INR", "0.0118"), ("EUR", "1.087"), ("GBP", "1.265")):
        rates.record_usd_rate(
            currency=currency,
            usd_per_unit=D(worth),
            as_of=clock.now() - timedelta(seconds=1),
            source="test",
        )
    age()
    return Settling(desk=desk)


def build_committed(tenant: UUID, folder: Path) -> Settling:
    """Build the desk, with calendars and fresh prices, in a bound tenant that stands committed."""
    calendars.install_reference_calendars(years=(clock.now().year, clock.now().year + 1))
    install_usual_sources()
    price()
    return build_settling(Tenant.objects.get(pk=tenant), line_to(folder))


def price() -> None:
    """Let a fresh price of dollars in rupees come in."""
    rate = RateIn(
        row=1, pair=parse_pair("USD/INR"), bid=D("84.9950"), ask=D("85.0050"), as_of=clock.now()
    )
    at = clock.now().isoformat().encode()
    record_rates(origin=Origin(source=FEED, name="w", data=at, received_from="test"), rates=[rate])


def fresh(deal: Deal) -> Deal:
    """Return a deal as it stands."""
    return reads.deal(deal.pk)


def follow(deal: Deal) -> Deal:
    """Let a deal follow its banks."""
    settling.follow_deal(deal_id=deal.pk)
    return fresh(deal)


def leg(deal: Deal, number: int, *, version: int = 0) -> DealLeg:
    """Return a leg that stands, or a version of it."""
    found = DealLeg.objects.filter(deal=deal, leg_no=number)
    return found.get(version=version) if version else found.exclude(state="VOID").get()


def payment_of(deal: Deal) -> Proposal:
    """Return the payment of what a deal pays."""
    found = leg(deal, 1).proposal
    assert found is not None
    return Proposal.objects.get(pk=found.pk)


def transfer_of(deal: Deal) -> Transfer:
    """Return the transfer of what a deal pays."""
    return Transfer.objects.get(proposal=payment_of(deal))


def flow_of(one: DealLeg) -> ExpectedFlow:
    """Return what the treasury expects of a leg."""
    return ExpectedFlow.objects.get(source="DEAL", source_ref=one.reference)


def book(one: DealLeg, amount: str = "", **more: Any) -> BankEntry:
    """Let the bank book a leg, or another amount on its account, and the treasury read it."""
    statement = Statement.objects.filter(account=one.account).order_by("-received_at")[0]
    signed = D(amount) if amount else (-one.amount if one.is_pay else one.amount)
    facts: dict[str, Any] = {
        "account": one.account,
        "identity": uuid4().hex,
        "identity_rule": "CONTENT",
        "amount": signed,
        "booking_date": one.value_date,
        "value_date": one.value_date,
        "status": "BOOK",
        "best_source": "CAMT052",
        "statement": statement,
        "end_to_end_id": one.reference if one.is_pay else "",
        "first_seen_at": clock.now(),
        "announced_at": clock.now(),
        **more,
    }
    entry = BankEntry.objects.create(**facts)
    answers.apply_entries(entries=[entry])
    flows.match_entries(entries=[entry])
    return entry


def say(deal: Deal, status: str, reason: str = "") -> None:
    """Let the bank say something of the payment of a deal."""
    answers.record(
        transfer=transfer_of(deal),
        said=answers.Said(status=status, source="PAIN002", attempt=1, reason=reason),
    )
