"""What tests of paid sweeps share: a line to a fund, an order on its way, and the bank's words."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from core import clock
from integrations import services as archive
from integrations.models import Message
from integrations.services import dispatching
from tests.conftest import MakeUser
from tests.treasury.movement.conftest import age, put_on_the_list
from tests.treasury.sweeps.conftest import Sweeping
from tests.treasury.sweeps.test_deciding import order_of
from treasury.models import Beneficiary, Proposal, SweepLine, SweepOrder, Transfer
from treasury.services import sweeps, transfers
from treasury.services.ingest import ingest_message

FUND: dict[str, str] = {
    "name": "Example Bill Dealer Inc",
    "number": "4000000077",
    "bank_bic": "PAYEUS33XXX",
    "clearing_code": "026009593",
    "payment_purpose": "TREA",
}


@dataclass(frozen=True, slots=True)
class Paying:
    """A house whose bills our own bank pays."""

    sweeping: Sweeping
    fund: Beneficiary
    line: SweepLine

    def signed(self) -> SweepOrder:
        """Decide, sign and make the payment."""
        made = order_of(self.sweeping)
        assert sweeps.sign_due(tenant=self.sweeping.tenant.id) == 1
        return fresh(made)

    def queued(self) -> SweepOrder:
        """Decide, sign, pay and queue."""
        made = self.signed()
        assert transfers.execute(proposal_id=payment_of(made).pk)
        return made

    def sent(self) -> SweepOrder:
        """Let the bank have it."""
        made = self.queued()
        hand_over(made)
        return follow(made)


def make_paying(sweeping: Sweeping, user_with: MakeUser, **more: Any) -> Paying:
    """Put the dealer on the list, let its account rest, and agree on the line to it."""
    keeper = user_with("static_data", name="keeper")
    fund = put_on_the_list(sweeping.tenant, keeper, **FUND)
    age()
    line = sweeps.add_line(
        line=sweeps.LineIn(
            name="Bills over our bank",
            account_id=sweeping.account.pk,
            product=sweeping.bill.code,
            beneficiary=fund.pk,
            **more,
        )
    )
    return Paying(sweeping=sweeping, fund=fund, line=line)


def fresh(order: SweepOrder) -> SweepOrder:
    """Return an order as it stands."""
    return SweepOrder.objects.select_related("product", "account", "line").get(pk=order.pk)


def follow(order: SweepOrder) -> SweepOrder:
    """Bring the orders to where their payments stand."""
    sweeps.follow_payments(now=clock.now())
    return fresh(order)


def payment_of(order: SweepOrder) -> Proposal:
    """Return the payment of an order."""
    return Proposal.objects.get(reference=order.order_id)


def transfer_of(order: SweepOrder) -> Transfer:
    """Return the transfer of an order."""
    return Transfer.objects.select_related("proposal").get(end_to_end_id=order.order_id)


def message_of(order: SweepOrder) -> Message:
    """Return the message that carries the payment of an order."""
    return Message.objects.get(reference=order.order_id)


def hand_over(order: SweepOrder) -> None:
    """Do what the dispatcher does, but for the call itself."""
    held = message_of(order)
    dispatching._lease(held, until=clock.now() + timedelta(minutes=1))
    dispatching.become_sent(held, bank_reference="", facts={})
    transfers.mark_sent(reference=order.order_id, bank_reference="")


def status_report(order: SweepOrder, status: str, reason: str = "", number: int = 1) -> bytes:
    """Write what the bank says of an order, as pain.002.001.10."""
    said = (
        f"<StsRsnInf><Rsn><Cd>{reason}</Cd></Rsn><AddtlInf>The bank's words</AddtlInf></StsRsnInf>"
        if reason
        else ""
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>
<GrpHdr><MsgId>S{number}</MsgId><CreDtTm>2026-11-17T15:20:00Z</CreDtTm></GrpHdr>
<OrgnlGrpInfAndSts><OrgnlMsgId>{order.order_id}-1</OrgnlMsgId>
<OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId></OrgnlGrpInfAndSts>
<OrgnlPmtInfAndSts><OrgnlPmtInfId>{order.order_id}</OrgnlPmtInfId>
<TxInfAndSts><OrgnlEndToEndId>{order.order_id}</OrgnlEndToEndId><TxSts>{status}</TxSts>
{said}</TxInfAndSts></OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>
""".encode()


def hear(data: bytes) -> None:
    """Let a file of the bank arrive and be read."""
    message = archive.archive_inbound(connection_code="host", name="bank.xml", data=data)
    ingest_message(message_id=message.pk)
