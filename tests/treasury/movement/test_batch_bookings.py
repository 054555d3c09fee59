"""A bank books a file of ours as one entry: each payment is proven, and the entry counts once.

Payments of the tests go from `near` to `home`, three in one file; camt.054 and .053 speak of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError, IntegrityError

from core import clock
from core.identity.models import User
from core.tenancy import Tenant
from integrations import services as lines
from integrations.models import Message
from integrations.services import batching, dispatching
from tests.tms.desk.conftest import client_of
from tests.treasury.bank.paper import S, camt
from tests.treasury.movement.conftest import House, approve, propose
from treasury.models import (
    BankEntry,
    EntryPart,
    ExpectedFlow,
    FlowState,
    Proposal,
    ProposalState,
    Task,
    Transfer,
)
from treasury.selectors import invariants
from treasury.services import transfers
from treasury.services.ingest import IngestResult, ingest_message

AMOUNTS = ("2750000.00", "1000.50", "33.25")
TOTAL = "2751033.75"
_names = iter(range(10**6))


@dataclass(frozen=True, kw_only=True)
class Sent:
    """Three payments that went in one file, and what the file was called."""

    file: str
    proposals: Sequence[Proposal]

    def states(self) -> set[str]:
        return set(
            Proposal.objects.filter(pk__in=[one.pk for one in self.proposals]).values_list(
                "state", flat=True
            )
        )

    def debits(self) -> list[tuple[Decimal, str]]:
        """Amount and state of what was expected to leave, largest payment first."""
        names = [one.reference for one in self.proposals]
        leaving = ExpectedFlow.objects.filter(source_ref__in=names, amount__lt=0)
        return list(leaving.order_by("amount").values_list("amount", "state"))


@pytest.fixture
def sent(house: House, tenant: Tenant, maker: User, checker: User) -> Sent:
    lines.save_profile(
        wish=lines.ProfileIn(
            code="files",
            name="Takes files",
            writing={"max_payments_per_file": 10, "gather_seconds": 30, "batch_booking": True},
        )
    )
    lines.use_profile(connection_code="host", profile_code="files")
    made = [propose(house, maker, amount) for amount in AMOUNTS]
    for proposal in made:
        approve(tenant, proposal, checker)
        assert transfers.execute(proposal_id=proposal.pk)
    file = batching.gathered(order_of(made[0]), now=clock.now())
    dispatching._lease(file, until=clock.now() + timedelta(minutes=1))
    dispatching.become_sent(file, bank_reference="R", facts={})
    for proposal in made:
        transfers.mark_sent(reference=proposal.reference, bank_reference="R")
    return Sent(file=file.message_reference, proposals=made)


def order_of(proposal: Proposal) -> Message:
    return Message.objects.get(reference=proposal.reference, state="QUEUED")


def listed(sent: Sent, *, sign: str = "DBIT", skip: int = 0, extra: str = "") -> str:
    """TxDtls of the payments, with their end-to-end ids."""
    return "".join(
        f"<TxDtls><Refs><EndToEndId>{one.reference}</EndToEndId></Refs>"
        f'<Amt Ccy="INR">{one.amount:.2f}</Amt><CdtDbtInd>{sign}</CdtDbtInd>{extra}</TxDtls>'
        for one in sent.proposals[skip:]
    )


def entry(
    *, amount: str = TOTAL, sign: str = "DBIT", inside: str = "", file: str = "", ref: str = "BK1"
) -> str:
    """An Ntry that books several payments, on the day after the last closed one."""
    day = clock.now().date() + timedelta(days=1)
    batch = f"<Btch><MsgId>{file}</MsgId><NbOfTxs>3</NbOfTxs></Btch>" if file else ""
    return (
        f'<Ntry><Amt Ccy="INR">{amount}</Amt><CdtDbtInd>{sign}</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>'
        f"<BookgDt><Dt>{day}</Dt></BookgDt><ValDt><Dt>{day}</Dt></ValDt>"
        f"<AcctSvcrRef>{ref}</AcctSvcrRef><BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>ICDT</Cd>"
        f"<SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd>"
        f"<NtryDtls>{batch}{inside}</NtryDtls></Ntry>"
    )


def arrive(*entries: str, number: str = "1000000002", kind: str = "054") -> IngestResult:
    """A message about one account, from archive to books."""
    count = next(_names)
    statement = S(
        id=f"N{count}",
        seq=None,
        number=number,
        currency="INR",
        created=(clock.now() + timedelta(days=1)).isoformat(timespec="seconds"),
        extra="".join(entries),
    )
    message = lines.archive_inbound(
        connection_code="host", name=f"{count}.xml", data=camt(kind, statement, message=f"M{count}")
    )
    return ingest_message(message_id=message.pk)


MATCHED = [(Decimal(f"-{amount}"), FlowState.MATCHED) for amount in AMOUNTS]


def test_a_listed_batch_confirms_each_payment_and_counts_once(sent: Sent) -> None:
    arrive(entry(inside=listed(sent)))
    assert sent.states() == {ProposalState.CONFIRMED}
    assert sent.debits() == MATCHED
    booked = BankEntry.objects.get(bank_reference="BK1")
    assert booked.amount == -Decimal(TOTAL)
    assert booked.parts.count() == 3
    proven = Transfer.objects.filter(debit_entry=booked)
    assert {one.debit_part.amount for one in proven if one.debit_part} == {
        -Decimal(amount) for amount in AMOUNTS
    }
    assert not list(invariants.invariants())


def test_a_batch_that_only_names_our_file_is_taken_apart_by_it(sent: Sent) -> None:
    arrive(entry(file=sent.file))
    assert sent.states() == {ProposalState.CONFIRMED}
    assert sent.debits() == MATCHED
    assert set(EntryPart.objects.values_list("source", flat=True)) == {"ORDER"}


def test_one_that_names_another_file_proves_nothing(sent: Sent) -> None:
    arrive(entry(file="B-of-somebody-else"))
    assert sent.states() == {ProposalState.SENT}
    assert not EntryPart.objects.exists()


def test_what_the_bank_refused_is_not_in_its_sum(sent: Sent) -> None:
    transfers.mark_failed(reference=sent.proposals[2].reference, reason="AC04", reason_code="AC04")
    arrive(entry(amount="2751000.50", file=sent.file))
    assert EntryPart.objects.count() == 2
    assert sent.states() == {ProposalState.CONFIRMED, ProposalState.FAILED}


def test_a_sum_that_is_not_our_file_is_asked_about(sent: Sent) -> None:
    arrive(entry(amount="2751033.74", file=sent.file))
    assert sent.states() == {ProposalState.SENT}
    asked = Task.objects.open().get(kind="batch_differs")
    assert "2,751,033.74" in asked.detail
    assert "2,751,033.75" in asked.detail


def test_details_that_do_not_add_up_are_no_parts(sent: Sent) -> None:
    arrive(entry(inside=listed(sent, skip=1)))
    assert not EntryPart.objects.exists()
    assert sent.states() == {ProposalState.SENT}


def test_the_statement_after_the_advice_changes_nothing(sent: Sent) -> None:
    for _ in range(2):
        arrive(entry(inside=listed(sent)))
    assert BankEntry.objects.filter(bank_reference="BK1").count() == 1
    assert EntryPart.objects.count() == 3
    assert not Task.objects.open().exists()


def test_details_that_come_later_are_learned(sent: Sent) -> None:
    arrive(entry(file="B-unknown"))
    assert not EntryPart.objects.exists()
    arrive(entry(inside=listed(sent)))
    assert EntryPart.objects.count() == 3
    assert sent.states() == {ProposalState.CONFIRMED}


def test_both_sides_settle_and_a_thrown_back_batch_returns_each(sent: Sent) -> None:
    arrive(entry(inside=listed(sent)))
    arrive(entry(sign="CRDT", inside=listed(sent, sign="CRDT"), ref="C1"), number="1000000001")
    assert sent.states() == {ProposalState.SETTLED}
    why = "<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>"
    arrive(entry(sign="CRDT", inside=listed(sent, sign="CRDT", extra=why), ref="BK2"))
    assert sent.states() == {ProposalState.RETURNED}
    reasons = Proposal.objects.values_list("closing_reason", flat=True)
    assert all("AC04" in reason for reason in reasons)


def test_an_entry_that_is_withdrawn_frees_all_its_payments(sent: Sent, house: House) -> None:
    arrive(entry(inside=listed(sent)))
    arrive(entry(amount="5.00", ref="OTHER"), kind="053")
    assert BankEntry.objects.get(bank_reference="BK1").state == "NOT_IN_EOD"
    assert {state for _, state in sent.debits()} == {FlowState.EXPECTED}
    assert Task.objects.open().filter(kind="transfer_question").count() == 3


def test_the_page_of_the_entry_shows_what_is_inside(sent: Sent, maker: User) -> None:
    arrive(entry(inside=listed(sent)))
    booked = BankEntry.objects.get(bank_reference="BK1")
    page = client_of(maker).get(f"/entries/{booked.pk}").content.decode()
    for one in sent.proposals:
        assert one.reference in page
    assert "1,000.50" in page


# --- what the database refuses --------------------------------------------------------------------


def part_of(booked: BankEntry, amount: str, number: int) -> EntryPart:
    return EntryPart.objects.create(
        entry=booked, number=number, source="BANK", amount=Decimal(amount)
    )


def add_parts(amounts: Sequence[str], numbers: Sequence[int]) -> None:
    """Put parts into the day's entry as the app role may, as far as the commit lets it."""
    booked = BankEntry.objects.get(bank_reference="BK1")
    with transaction.atomic():
        for amount, number in zip(amounts, numbers, strict=True):
            EntryPart.objects.create(
                entry=booked, number=number, source="BANK", amount=Decimal(amount)
            )
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def test_parts_that_make_the_entry_are_taken(sent: Sent) -> None:
    arrive(entry(amount="5.00"))
    add_parts(("-3.00", "-2.00"), (1, 2))
    assert EntryPart.objects.count() == 2


@pytest.mark.parametrize(
    ("amounts", "numbers"),
    [(("-3.00", "-2.01"), (1, 2)), (("-3.00", "-2.00"), (1, 3)), (("-5.00",), (2,))],
    ids=["a cent too much", "one is missing", "the first is missing"],
)
def test_parts_are_the_entry_to_the_cent(
    sent: Sent, amounts: tuple[str, ...], numbers: tuple[int, ...]
) -> None:
    arrive(entry(amount="5.00"))
    with pytest.raises(IntegrityError, match="parts of an entry"):
        add_parts(amounts, numbers)


def test_parts_are_never_changed(sent: Sent) -> None:
    arrive(entry(inside=listed(sent)))
    for change in ("UPDATE treasury_entrypart SET amount = 1", "DELETE FROM treasury_entrypart"):
        with (
            pytest.raises(DatabaseError, match=r"permission denied|append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(change)


def test_a_part_proves_only_with_its_own_entry(sent: Sent) -> None:
    arrive(entry(inside=listed(sent)), entry(amount="7.00", ref="OTHER"))
    held = Transfer.objects.filter(end_to_end_id=sent.proposals[0].reference)
    own, other = (BankEntry.objects.get(bank_reference=ref) for ref in ("BK1", "OTHER"))
    assert held.update(debit_entry=own) == 1
    with pytest.raises(IntegrityError, match="part_of_entry"), transaction.atomic():
        held.update(debit_entry=other)


def test_an_entry_alone_proves_one_transfer(sent: Sent) -> None:
    arrive(entry(inside=listed(sent)))
    first, second, _ = Transfer.objects.order_by("id")
    booked = first.debit_entry
    Transfer.objects.filter(pk=first.pk).update(debit_part=None)
    with pytest.raises(IntegrityError, match="transfer_debit_alone"), transaction.atomic():
        Transfer.objects.filter(pk=second.pk).update(debit_entry=booked, debit_part=None)
