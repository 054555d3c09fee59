"""One payment settles one thing, and what two people accepted of it is not undone by one of them.

Each attack is the app role's own SQL, and stands beside what is allowed in its place.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction

from core import clock, policies
from core.identity.models import User
from core.tenancy import bound
from fx.errors import DifferenceRefused
from fx.models import Deal, DealLeg, PnlEntry, ReceiptDifference, SettlementNet
from fx.policies import FX_NETTING_LEAD_MINUTES
from fx.services import differing, instructing, netting
from tests.fx.settling import D, Settling, book, build_committed, follow, leg
from tests.fx.test_deals_guards import sql
from tests.fx.test_differences import ACCEPT, INSERT, REVERSE, SHORT, propose, short, wrong
from tests.fx.test_fixings import commit
from treasury.models import BankEntry, EntryPart, ExpectedFlow
from treasury.services import flows

EXACT = "85000000.00"
PLANT = INSERT.replace("kind, came", "entry_part_id, kind, came").replace(
    "id, %s, 'FEE'", "id, %s, %s, %s"
)
SETTLE_LEG = (
    "UPDATE fx_dealleg SET state = 'SETTLED', settled_at = now(), entry_id = %s,"
    " entry_part_id = %s WHERE id = %s"
)
SETTLE_NET = SETTLE_LEG.replace("fx_dealleg", "fx_settlementnet")
UNSETTLE = (
    "UPDATE fx_dealleg SET state = 'EXPECTED', settled_at = NULL, entry_id = NULL,"
    " entry_part_id = NULL WHERE id = %s"
)
BOOK_ON = (
    "INSERT INTO fx_pnlentry (id, tenant_id, deal_id, kind, number, day, amount_usd, usd_rate,"
    " difference_id, booked_at) SELECT gen_random_uuid(), r.tenant_id, l.deal_id, 'DIFFERENCE', 0,"
    " (r.decided_at AT TIME ZONE 'UTC')::date + %s::int, r.amount_usd, r.usd_rate, r.id, now()"
    " FROM fx_receiptdifference r JOIN fx_dealleg l ON l.id = r.leg_id WHERE r.id = %s"
)
TAKE_BACK_ON = (
    "INSERT INTO fx_pnlentry (id, tenant_id, deal_id, kind, number, day, amount_usd,"
    " difference_id, earlier_id, booked_at) SELECT gen_random_uuid(), r.tenant_id, e.deal_id,"
    " 'TAKEN_BACK', 0, greatest(e.day, (r.reversed_at AT TIME ZONE 'UTC')::date) + %s::int,"
    " -e.amount_usd, r.id, e.id, now() FROM fx_receiptdifference r"
    " JOIN fx_pnlentry e ON e.difference_id = r.id AND e.kind = 'DIFFERENCE' WHERE r.id = %s"
)


def parts_of(one: DealLeg, *amounts: str) -> tuple[BankEntry, list[EntryPart]]:
    """Let the bank book these amounts as one entry on the account of a leg."""
    entry = book(one, f"{sum(map(D, amounts), D(0))}", end_to_end_id="")
    parts = [
        EntryPart.objects.create(entry=entry, number=number, source="BANK", amount=D(amount))
        for number, amount in enumerate(amounts, start=1)
    ]
    return entry, parts


def two_deals(settles: Settling) -> tuple[Deal, Deal]:
    """Return deals that bring 85,000,000.00 and 84,999,991.50 rupees."""
    return settles.confirmed(), settles.confirmed(dealt="999999.90 USD")


def fulfilled_by(entry: BankEntry, amount: str) -> None:
    """Let an entry fulfil something else that was expected."""
    wish = flows.FlowIn(
        account_id=entry.account_id, source="MANUAL", source_ref="REC-1", amount=D(amount),
        value_date=entry.value_date, description="theirs", expires_on=entry.value_date,
    )  # fmt: skip
    flows.put_expected_flow(flow=wish)
    theirs = ExpectedFlow.objects.filter(source_ref="REC-1")
    theirs.update(state="MATCHED", matched_entry=entry)


def taken(
    settles: Settling, deal: Deal, entry: BankEntry, part: EntryPart | None = None
) -> ReceiptDifference:
    """Take what came for a deal as it came, by two people."""
    more = {} if part is None else {"part": part.pk}
    made = propose(deal, entry, settles.desk.back_office, **more)
    differing.accept_difference(difference_id=made.pk, actor=settles.desk.checker)
    made.refresh_from_db()
    return made


def plant(deal: Deal, part: EntryPart, kind: str, by: User) -> None:
    """Propose a difference by a part in plain SQL."""
    owed = leg(deal, 2)
    difference = part.amount - owed.amount
    sql(PLANT, part.entry_id, part.pk, kind, part.amount, difference, "PROPOSED", by.pk, owed.pk)


@pytest.mark.parametrize("is_theirs", [True, False], ids=["another's", "nobody's"])
def test_a_part_that_a_difference_took_is_no_other_flow_s(
    settles: Settling, is_theirs: bool
) -> None:
    first, second = two_deals(settles)
    entry, (one, other) = parts_of(leg(first, 2), SHORT, SHORT)
    if is_theirs:
        fulfilled_by(entry, SHORT)
    taken(settles, first, entry, other)
    by = settles.desk.back_office
    if is_theirs:
        with pytest.raises(DifferenceRefused, match="nothing that came for"):
            propose(second, entry, by, part=one.pk)
        with pytest.raises(DatabaseError, match="no entry of its bank"):
            plant(second, one, "FEE", by)
    else:
        plant(second, one, "FEE", by)
        assert ReceiptDifference.objects.filter(entry_part=one).count() == 1


@pytest.mark.parametrize("is_theirs", [True, False], ids=["another's", "nobody's"])
def test_a_flow_that_a_difference_explains_takes_no_part_of_its_amount(
    settles: Settling, is_theirs: bool
) -> None:
    # The first deal agreed upon the amount of the second payment, and took the first one.
    first, second = two_deals(settles)
    entry, (less, exact) = parts_of(leg(first, 2), SHORT, EXACT)
    taken(settles, first, entry, less)
    by = settles.desk.back_office
    if is_theirs:
        fulfilled_by(entry, EXACT)
        with pytest.raises(DatabaseError, match="no entry of its bank"):
            plant(second, exact, "OVER", by)
    else:
        made = propose(second, entry, by, part=exact.pk, kind="OVER")
        assert made.difference == D("8.5")


@pytest.fixture
def net(settles: Settling) -> SettlementNet:
    """Two deals whose rupees are one receipt of 51 million."""
    return netted(settles)


def netted(settles: Settling) -> SettlementNet:
    """Return a net of 51 million rupees that we receive."""
    policies.write_version(
        policy=FX_NETTING_LEAD_MINUTES, value="1440", actor=None, reason="a test"
    )
    netting.sign_agreement(
        party=settles.desk.bank,
        wish=netting.AgreementIn(
            reference="ISDA 2002", signed_on=date(2026, 1, 2), starts_on=date(2026, 2, 2)
        ),
    )
    settles.confirmed()
    settles.confirmed(side="BUY", dealt="400000.00 USD")
    instructing.instruct_nets(now=clock.now())
    return SettlementNet.objects.get(currency="INR")


NET = "51000000.00"


@pytest.mark.parametrize("agreed", ["600000.00", "600000.10"], ids=["exactly", "by a difference"])
def test_a_part_that_settles_a_leg_settles_no_net(
    settles: Settling, net: SettlementNet, agreed: str
) -> None:
    deal = settles.confirmed(dealt=f"{agreed} USD")
    entry, (one, other) = parts_of(leg(deal, 2), NET, NET)
    if leg(deal, 2).amount == one.amount:
        sql(SETTLE_LEG, entry.pk, one.pk, leg(deal, 2).pk)
    else:
        taken(settles, deal, entry, one)
    assert leg(deal, 2).entry_part == one
    with pytest.raises(DatabaseError, match="no entry of its bank settles net"):
        sql(SETTLE_NET, entry.pk, one.pk, net.pk)
    sql(SETTLE_NET, entry.pk, other.pk, net.pk)
    net.refresh_from_db()
    assert (net.state, net.entry_part) == ("SETTLED", other)


def test_a_part_that_settles_a_net_settles_no_leg(settles: Settling, net: SettlementNet) -> None:
    deal = settles.confirmed(dealt="600000.00 USD")
    entry, (one, other) = parts_of(leg(deal, 2), NET, NET)
    sql(SETTLE_NET, entry.pk, one.pk, net.pk)
    with pytest.raises(DatabaseError, match="no entry of its bank settles this leg"):
        sql(SETTLE_LEG, entry.pk, one.pk, leg(deal, 2).pk)
    sql(SETTLE_LEG, entry.pk, other.pk, leg(deal, 2).pk)
    assert leg(deal, 2).entry_part == other


def test_an_entry_that_settles_a_leg_as_a_whole_settles_no_net(
    settles: Settling, net: SettlementNet
) -> None:
    deal = settles.confirmed(dealt="600000.00 USD")
    whole, another = (book(leg(deal, 2), NET, end_to_end_id="") for _ in range(2))
    sql(SETTLE_LEG, whole.pk, None, leg(deal, 2).pk)
    with pytest.raises(DatabaseError, match="no entry of its bank settles net"):
        sql(SETTLE_NET, whole.pk, None, net.pk)
    sql(SETTLE_NET, another.pk, None, net.pk)
    with pytest.raises(DatabaseError, match="no entry of its bank settles this leg"):
        sql(SETTLE_LEG, another.pk, None, leg(deal, 2).pk)


@pytest.mark.parametrize("part_of_net", [0, 1], ids=["the same", "another"])
def test_a_leg_and_a_net_at_the_same_instant_take_no_part_together(
    committed_tenant: UUID, tmp_path: Path, part_of_net: int
) -> None:
    at = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
    with clock.frozen(at), bound(committed_tenant, actor="system:test"):
        settles = build_committed(committed_tenant, tmp_path)
        with transaction.atomic():
            net = netted(settles)
            owed = leg(settles.confirmed(dealt="600000.00 USD"), 2)
            entry, parts = parts_of(owed, NET, NET)
    is_taken, is_asked = threading.Event(), threading.Event()

    def settle_net() -> bool:
        is_taken.wait(30)
        try:
            with bound(committed_tenant, actor="system:test"):
                is_asked.set()
                sql(SETTLE_NET, entry.pk, parts[part_of_net].pk, net.pk)
        except DatabaseError:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor() as pool:
        second = pool.submit(settle_net)
        with bound(committed_tenant, actor="system:test"), transaction.atomic():
            sql(SETTLE_LEG, entry.pk, parts[0].pk, owed.pk)
            is_taken.set()
            assert is_asked.wait(30)
            threading.Event().wait(0.5)  # the leg is not committed while the net is asked about
            assert second.done() is (part_of_net == 1)
        assert second.result(30) is (part_of_net == 1)


def test_a_difference_is_booked_on_the_day_it_was_accepted(settles: Settling) -> None:
    deal, came = short(settles)
    made = propose(deal, came, settles.desk.back_office)
    with transaction.atomic():
        sql(ACCEPT, settles.desk.checker.pk, "-0.12", made.pk)
        for days in (-1, 1, -40):
            with pytest.raises(DatabaseError, match="what two people accepted"):
                sql(BOOK_ON, days, made.pk)
        sql(BOOK_ON, 0, made.pk)
        assert PnlEntry.objects.filter(difference=made).count() == 1
        transaction.set_rollback(True)


def test_a_difference_is_booked_back_on_the_day_it_was_taken_back(settles: Settling) -> None:
    deal, came = short(settles)
    made = taken(settles, deal, came)
    BankEntry.objects.filter(pk=came.pk).update(state="WITHDRAWN")
    with transaction.atomic():
        sql(UNSETTLE, leg(deal, 2).pk)
        sql(REVERSE, made.pk)
        for days in (-1, 1, 40):
            with pytest.raises(DatabaseError, match="what two people accepted"):
                sql(TAKE_BACK_ON, days, made.pk)
        sql(TAKE_BACK_ON, 0, made.pk)
        commit()
        transaction.set_rollback(True)


@pytest.mark.parametrize("gone", ["", "WITHDRAWN", "released"])
def test_a_difference_stands_while_its_entry_counts(settles: Settling, gone: str) -> None:
    deal, came = short(settles)
    made = taken(settles, deal, came)
    commit()
    if gone == "released":
        # Gone and back again before its deal looked: what it had fulfilled is expected again.
        flows.release_flows(entry_ids=[came.pk])
    elif gone:
        BankEntry.objects.filter(pk=came.pk).update(state=gone)
    with transaction.atomic():
        sql(UNSETTLE, leg(deal, 2).pk)
        if gone:
            sql(REVERSE, made.pk)
            sql(TAKE_BACK_ON, 0, made.pk)
            commit()
        else:
            with pytest.raises(DatabaseError, match="stands while its entry"):
                sql(REVERSE, made.pk)
        transaction.set_rollback(True)


def test_of_a_batch_too_a_difference_stands_while_its_entry_counts(settles: Settling) -> None:
    first, second = two_deals(settles)
    entry, (one, other) = parts_of(leg(first, 2), SHORT, SHORT)
    made = taken(settles, first, entry, one)
    taken(settles, second, entry, other)
    with transaction.atomic():
        sql(UNSETTLE, leg(first, 2).pk)
        with pytest.raises(DatabaseError, match="stands while its entry"):
            sql(REVERSE, made.pk)
        transaction.set_rollback(True)
    entry.state = "WITHDRAWN"
    entry.save()
    flows.release_flows(entry_ids=[entry.pk])
    follow(first)
    made.refresh_from_db()
    assert made.state == "REVERSED"
    commit()


def test_the_books_find_what_is_settled_by_an_entry_that_counts_no_more(
    settles: Settling, net: SettlementNet
) -> None:
    deal = settles.confirmed()
    by = book(leg(deal, 2), end_to_end_id=deal.counterparty_reference)
    follow(deal)
    assert leg(deal, 2).entry == by
    for_net = book(leg(deal, 2), NET, end_to_end_id="")
    sql(SETTLE_NET, for_net.pk, None, net.pk)
    names = {"leg_without_its_entry", "net_without_its_entry"}
    assert not names & wrong()
    BankEntry.objects.filter(pk=by.pk).update(state="WITHDRAWN")
    assert names & wrong() == {"leg_without_its_entry"}
    BankEntry.objects.filter(pk=for_net.pk).update(state="NOT_IN_EOD")
    assert names & wrong() == names
