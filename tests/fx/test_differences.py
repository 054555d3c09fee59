"""Another amount than agreed: taken by two people as what it is, or not at all; never hidden."""

from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, transaction
from django.urls import reverse

from core import clock, policies
from core.errors import DomainError, Forbidden, Invalid, NotFound
from core.identity.models import User
from fx.errors import DifferenceRefused
from fx.models import Deal, PnlEntry, ReceiptDifference, SettlementNet
from fx.policies import FX_NETTING_LEAD_MINUTES
from fx.proofs import CHECKS
from fx.selectors import differences, valuation
from fx.services import differing, instructing, netting, settling, valuing
from tests.conftest import make_user
from tests.fx.settling import D, Settling, book, flow_of, follow, fresh, leg
from tests.fx.test_deals_delivery import machine
from tests.fx.test_deals_guards import sql
from tests.fx.test_fixings import commit
from tests.tms.desk.conftest import client_of
from tests.treasury.movement.conftest import guard_replaced
from treasury.models import BankEntry, EntryPart, ExpectedFlow, Task
from treasury.selectors.invariants import invariants
from treasury.services import flows

SHORT = "84999990.00"


def short(settles: Settling, amount: str = SHORT) -> tuple[Deal, BankEntry]:
    """Return a deal of which another amount came, and its entry."""
    deal = settles.confirmed()
    came = book(leg(deal, 2), amount, end_to_end_id=deal.counterparty_reference)
    return follow(deal), came


def propose(deal: Deal, entry: BankEntry, actor: User, **more: Any) -> ReceiptDifference:
    """Propose to take what came as charges of a bank, unless told else."""
    facts = {"entry": entry.pk, "kind": "FEE", "reason": "Their correspondent kept it.", **more}
    return differing.propose_difference(
        leg_id=leg(deal, 2).pk, wish=differing.Wish(**facts), actor=actor
    )


def wrong() -> set[str]:
    """Return which proofs of this room do not hold."""
    return {one.code for one in invariants()} & {code for code, _, _ in CHECKS}


def test_two_people_take_what_came_and_it_is_booked_as_what_it_is(settles: Settling) -> None:
    deal, came = short(settles)
    made = propose(deal, came, settles.desk.back_office)
    assert leg(deal, 2).state == "EXPECTED"
    differing.accept_difference(difference_id=made.pk, actor=settles.desk.checker)
    owed = leg(deal, 2)
    assert (owed.state, owed.entry, owed.amount) == ("SETTLED", came, D("85000000"))
    assert (flow_of(owed).state, flow_of(owed).matched_entry) == ("MATCHED", came)
    made.refresh_from_db()
    # Ten rupees at 0.0118 dollars each.
    assert (made.state, made.difference, made.amount_usd) == ("ACCEPTED", D(-10), D("-0.12"))
    [total] = differences.totals()
    assert (total.label, total.count, total.usd) == (
        "charges that a bank kept back", 1, D("-0.12"),
    )  # fmt: skip
    assert not Task.objects.open().filter(kind=settling.DIFFERS).exists()
    assert not wrong()


def test_a_difference_that_is_accepted_twice_or_by_its_proposer_is_refused(
    settles: Settling,
) -> None:
    deal, came = short(settles)
    desk = settles.desk
    made = propose(deal, came, desk.back_office)
    for who in (desk.back_office, desk.dealer):
        with pytest.raises(Forbidden):
            differing.accept_difference(difference_id=made.pk, actor=who)
    differing.accept_difference(difference_id=made.pk, actor=desk.checker)
    for again in (differing.accept_difference,):
        with pytest.raises(DifferenceRefused, match="decided"):
            again(difference_id=made.pk, actor=desk.checker)
    with pytest.raises(NotFound):
        differing.accept_difference(difference_id=uuid4(), actor=desk.checker)


def test_refused_it_stays_open_and_may_be_proposed_again(settles: Settling) -> None:
    deal, came = short(settles)
    made = propose(deal, came, settles.desk.back_office)
    with pytest.raises(DifferenceRefused, match="awaits another person"):
        propose(deal, came, settles.desk.back_office)
    with pytest.raises(Invalid, match="Say why not"):
        differing.refuse_difference(difference_id=made.pk, reason=" ", actor=settles.desk.checker)
    differing.refuse_difference(
        difference_id=made.pk, reason="They send the rest.", actor=settles.desk.checker
    )
    assert leg(deal, 2).state == "EXPECTED"
    assert propose(deal, came, settles.desk.back_office, kind="SHORT").state == "PROPOSED"


@pytest.mark.parametrize(
    ("amount", "more", "refusal"),
    [
        (SHORT, {"kind": "OVER"}, Invalid),
        (SHORT, {"reason": ""}, Invalid),
        ("85000001.00", {"kind": "FEE"}, Invalid),
        ("84000000.00", {}, DifferenceRefused),  # more than one percent
    ],
)
def test_what_is_no_small_difference_of_its_kind_is_refused(
    settles: Settling, amount: str, more: dict[str, str], refusal: type[DomainError]
) -> None:
    deal, came = short(settles, amount)
    with pytest.raises(refusal):
        propose(deal, came, settles.desk.back_office, **more)


def test_money_that_proves_something_else_is_no_difference(settles: Settling) -> None:
    deal = settles.confirmed()
    other = settles.confirmed(dealt="999999.90 USD")
    theirs = book(leg(other, 2))
    follow(other)
    assert leg(other, 2).entry == theirs
    with pytest.raises(DifferenceRefused, match="nothing that came for"):
        propose(deal, theirs, settles.desk.back_office)


def test_where_the_agreed_amount_came_meanwhile_nothing_is_accepted(settles: Settling) -> None:
    deal, came = short(settles)
    made = propose(deal, came, settles.desk.back_office)
    exact = book(leg(deal, 2), end_to_end_id=deal.counterparty_reference)
    with pytest.raises(DifferenceRefused):
        differing.accept_difference(difference_id=made.pk, actor=settles.desk.checker)
    follow(deal)
    assert leg(deal, 2).entry_id == exact.pk
    made.refresh_from_db()
    assert made.state == "PROPOSED"
    assert wrong() == set()


def test_a_batch_is_no_difference_of_one_of_its_payments(settles: Settling) -> None:
    deal = settles.confirmed()
    entry = book(leg(deal, 2), "85000100.00", end_to_end_id="")
    for number, amount in enumerate(("85000000", "100"), start=1):
        EntryPart.objects.create(entry=entry, number=number, source="BANK", amount=D(amount))
    with pytest.raises(DomainError):
        propose(deal, entry, settles.desk.back_office, kind="OVER")
    owed = leg(deal, 2).pk
    with pytest.raises(DatabaseError, match="no entry of its bank"):
        sql(INSERT, entry.pk, "85000100", "100", "PROPOSED", settles.desk.back_office.pk, owed)


def test_sql_takes_no_money_of_another_flow_and_no_other_worth(settles: Settling) -> None:
    deal, came = short(settles)
    made = propose(deal, came, settles.desk.back_office)
    accepting = (
        "UPDATE fx_receiptdifference SET state = 'ACCEPTED', checker_id = %s, decided_at = now(),"
        " usd_rate = %s, amount_usd = round(difference * %s, 2) WHERE id = %s"
    )
    checker = settles.desk.checker.pk
    with pytest.raises(DatabaseError, match="follows from its rate"):
        sql(accepting, checker, "0.000000000001", "0.000000000001", made.pk)
    wish = flows.FlowIn(
        account_id=came.account_id, source="MANUAL", source_ref="REC-1", amount=D(SHORT),
        value_date=came.value_date, description="theirs", expires_on=came.value_date,
    )  # fmt: skip
    flows.put_expected_flow(flow=wish)
    taken = ExpectedFlow.objects.filter(source_ref="REC-1")
    taken.update(state="MATCHED", matched_entry=came)
    with pytest.raises(DatabaseError, match="no entry of its bank"):
        sql(accepting, checker, "0.0118", "0.0118", made.pk)


def test_an_entry_that_is_gone_takes_the_difference_back(settles: Settling) -> None:
    deal, came = short(settles)
    made = propose(deal, came, settles.desk.back_office)
    differing.accept_difference(difference_id=made.pk, actor=settles.desk.checker)
    came.state = "WITHDRAWN"
    came.save()
    flows.release_flows(entry_ids=[came.pk])
    follow(deal)
    made.refresh_from_db()
    assert (leg(deal, 2).state, made.state) == ("EXPECTED", "REVERSED")
    assert differences.totals() == []
    whole = book(leg(deal, 2), end_to_end_id=deal.counterparty_reference)
    follow(deal)
    assert leg(deal, 2).entry == whole
    assert not wrong()


def test_the_whole_amount_in_place_of_what_was_taken_takes_the_difference_back(
    settles: Settling,
) -> None:
    """One statement withdraws the short entry and books the full one: nothing is seen between."""
    deal, came = short(settles)
    made = propose(deal, came, settles.desk.back_office)
    differing.accept_difference(difference_id=made.pk, actor=settles.desk.checker)
    came.state = "WITHDRAWN"
    came.save()
    flows.release_flows(entry_ids=[came.pk])
    whole = book(leg(deal, 2), end_to_end_id=deal.counterparty_reference)
    assert flow_of(leg(deal, 2)).matched_entry == whole
    follow(deal)
    made.refresh_from_db()
    settled = leg(deal, 2)
    assert (settled.state, settled.entry, made.state) == ("SETTLED", whole, "REVERSED")
    assert differences.totals() == []
    assert sum(PnlEntry.objects.filter(difference=made).values_list("amount_usd", flat=True)) == 0
    commit()
    assert not wrong()


INSERT = (
    "INSERT INTO fx_receiptdifference (id, tenant_id, leg_id, entry_id, kind, came, difference,"
    " reason, state, maker_id, created_at, note) SELECT gen_random_uuid(), tenant_id, id, %s,"
    " 'FEE', %s::numeric, %s::numeric, 'x', %s, %s, now(), '' FROM fx_dealleg WHERE id = %s"
)
ACCEPT = (
    "UPDATE fx_receiptdifference SET state = 'ACCEPTED', checker_id = %s, decided_at = now(),"
    " usd_rate = 0.0118, amount_usd = %s WHERE id = %s"
)
REVERSE = "UPDATE fx_receiptdifference SET state = 'REVERSED', reversed_at = now() WHERE id = %s"
_BOOKED = (
    "INSERT INTO fx_pnlentry (id, tenant_id, deal_id, kind, number, day, amount_usd, usd_rate,"
    " difference_id, booked_at) SELECT gen_random_uuid(), r.tenant_id, l.deal_id, {kind}, 0,"
    " current_date, {amount}, {rate}, r.id, now() FROM fx_receiptdifference r"
    " JOIN fx_dealleg l ON l.id = r.leg_id, (SELECT %s::text AS given) g WHERE r.id = %s"
)
_SAID = {"kind": "'DIFFERENCE'", "amount": "r.amount_usd", "rate": "r.usd_rate"}
BOOK = {
    "amount_usd": _BOOKED.format(**_SAID | {"amount": "g.given::numeric"}),
    "usd_rate": _BOOKED.format(**_SAID | {"rate": "g.given::numeric"}),
    "kind": _BOOKED.format(**_SAID | {"kind": "'TAKEN_BACK'"}),
}
SETTLE = "UPDATE fx_dealleg SET state = 'SETTLED', settled_at = now(), entry_id = %s WHERE id = %s"


def test_the_database_takes_no_other_difference(settles: Settling) -> None:
    deal, came = short(settles)
    desk, owed = settles.desk, leg(deal, 2).pk
    for amount, difference, state, who in (
        (SHORT, "-9", "PROPOSED", desk.back_office),
        ("84999991", "-9", "PROPOSED", desk.back_office),
        (SHORT, "-10", "ACCEPTED", desk.back_office),
        (SHORT, "-10", "PROPOSED", desk.dealer),
    ):
        with pytest.raises(DatabaseError):
            sql(INSERT, came.pk, amount, difference, state, who.pk, owed)
    with pytest.raises(DatabaseError, match="no entry of its bank settles"):
        sql(SETTLE, came.pk, owed)
    made = propose(deal, came, desk.back_office)
    with pytest.raises(DatabaseError, match="no entry of its bank settles"):
        sql(SETTLE, came.pk, owed)
    for who, worth in ((desk.back_office, "-0.12"), (desk.dealer, "-0.12"), (desk.checker, "0")):
        with pytest.raises(DatabaseError):
            sql(ACCEPT, who.pk, worth, made.pk)
    for change in ("difference = -9", "came = 1", "reason = 'y'", "kind = 'SHORT'"):
        with pytest.raises(DatabaseError):
            sql(f"UPDATE fx_receiptdifference SET {change} WHERE id = %s", made.pk)
    with pytest.raises(DatabaseError):
        sql("DELETE FROM fx_receiptdifference WHERE id = %s", made.pk)
    with transaction.atomic():
        sql(ACCEPT, desk.checker.pk, "-0.12", made.pk)
        # Accepted, and settles nothing, and nothing is booked: the books find both.
        assert {"difference_without_its_leg", "difference_not_booked"} <= wrong()
        with pytest.raises(DatabaseError, match="booked as it was accepted"):
            commit()
        sql(SETTLE, came.pk, owed)
        assert "difference_without_its_leg" not in wrong()
        with pytest.raises(DatabaseError, match="stands while its entry"):
            sql(REVERSE, made.pk)
        for column, value in (("amount_usd", "-0.13"), ("usd_rate", "0.0119"), ("kind", "x")):
            with pytest.raises(DatabaseError):
                sql(BOOK[column], value, made.pk)
        sql(BOOK["amount_usd"], "-0.12", made.pk)
        assert "difference_not_booked" not in wrong()
        with pytest.raises(DatabaseError):
            sql(BOOK["amount_usd"], "-0.12", made.pk)
        commit()
        transaction.set_rollback(True)


def test_the_books_find_a_leg_settled_by_another_amount(settles: Settling) -> None:
    deal, came = short(settles)
    with guard_replaced("fx_dealleg", "guard"):
        sql(SETTLE, came.pk, leg(deal, 2).pk)
    assert "leg_without_its_entry" in wrong()


def test_what_came_is_taken_on_the_desk_and_over_the_api(settles: Settling) -> None:
    deal, came = short(settles)
    desk = settles.desk
    client = client_of(desk.back_office)
    page = client.get(reverse("fx:deal", args=[deal.pk])).content.decode()
    assert f'<option value="{came.pk}">' in page
    wish = {"entry": str(came.pk), "kind": "FEE", "reason": "Kept by their bank"}
    at = reverse("fx:propose-difference", args=[leg(deal, 2).pk])
    assert client_of(desk.dealer).post(at, wish).status_code == 403
    assert client.post(at, wish).status_code == 302
    made = ReceiptDifference.objects.get()
    board = client_of(desk.checker).get(reverse("fx:settlements")).content.decode()
    assert "await another person" in board
    over = machine(make_user("back-two", "back_office"))
    listed = over.get(reverse("fx-differences"), {"state": "PROPOSED"}).json()
    assert [one["id"] for one in listed["results"]] == [str(made.pk)]
    refused = over.post(
        reverse("fx-difference-refuse", args=[made.pk]),
        {"reason": "Ask them first"},
        format="json",
        headers={"Idempotency-Key": "k-r"},
    )
    assert (refused.status_code, refused.json()["state"]) == (200, "REFUSED")
    again = over.post(
        reverse("fx-difference-propose", args=[leg(deal, 2).pk]),
        wish,
        format="json",
        headers={"Idempotency-Key": "k-p"},
    )
    assert (again.status_code, again.json()["difference"]) == (201, "-10.0000")
    client.post(reverse("fx:decide-difference", args=[again.json()["id"]]), {"step": "accept"})
    assert fresh(deal).legs.get(leg_no=2).state == "SETTLED"
    page = client.get(reverse("fx:deal", args=[deal.pk])).content.decode()
    assert "Charges that a bank kept back" in page
    valued = client.get(reverse("fx:valuation")).content.decode()
    assert "Charges that a bank kept back" in valued


def test_an_accepted_difference_is_a_result_of_its_own_until_it_is_taken_back(
    settles: Settling,
) -> None:
    deal, came = short(settles)
    made = propose(deal, came, settles.desk.back_office)
    today = clock.now().date()
    assert valuation.differences_between(None, today) == 0
    differing.accept_difference(difference_id=made.pk, actor=settles.desk.checker)
    commit()
    [booked] = PnlEntry.objects.all()
    assert (booked.kind, booked.deal, booked.day) == ("DIFFERENCE", deal, today)
    # Ten rupees at 0.0118 dollars each.
    assert (booked.amount_usd, booked.usd_rate) == (D("-0.12"), D("0.0118"))
    assert valuation.value_of(deal.pk).booked == D("-0.12")
    assert valuation.realised_between(None, today) == D("-0.12")
    assert valuation.differences_between(None, today) == D("-0.12")
    client, at = client_of(settles.desk.checker), reverse("fx:booked")
    assert "charges that a bank kept back" in client.get(at).content.decode()
    for query, rows in (({"kind": "DIFFERENCE"}, 1), ({"kind": "REALISED"}, 0), (
        {"since": str(today), "until": str(today), "reference": deal.reference}, 1,
    ), ({"until": str(today - timedelta(days=1))}, 0)):  # fmt: skip
        assert len(client.get(at, query).context["rows"]) == rows
    [head, line] = client.get(at, {"as": "csv"}).content.decode().splitlines()
    assert (
        head == "day,deal,pair,what,amount_usd,rate,usd_rate,receipt,kind_of_difference,booked_at"
    )
    assert line.startswith(
        f"{today},{deal.reference},USD/INR,DIFFERENCE,-0.1200,,0.0118000000000000,"
        f"{deal.reference}R1,FEE,"
    )
    came.state = "WITHDRAWN"
    came.save()
    flows.release_flows(entry_ids=[came.pk])
    follow(deal)
    commit()
    [back] = PnlEntry.objects.filter(kind="TAKEN_BACK")
    assert (back.amount_usd, back.earlier, back.difference) == (D("0.12"), booked, made)
    assert valuation.realised_between(None, today) == 0
    assert not wrong()
    with pytest.raises(DatabaseError):
        sql("UPDATE fx_pnlentry SET amount_usd = 1 WHERE id = %s", booked.pk)


def test_a_difference_stands_beside_the_value_of_its_deal(settles: Settling) -> None:
    deal, came = short(settles)
    with clock.frozen(clock.now() + timedelta(minutes=1)):
        first = valuing.revalue(at=clock.now()).run
    made = propose(deal, came, settles.desk.back_office)
    differing.accept_difference(difference_id=made.pk, actor=settles.desk.checker)
    tip = valuation.standing(deal.pk)
    assert tip is not None
    assert tip.kind == "UNREALISED"
    gained = valuing.realise(deal_id=deal.pk, on=first.day, rate=D("86"))
    assert (gained.kind, gained.number) == ("REALISED", 2)
    assert valuation.value_of(deal.pk).booked == gained.amount_usd + D("-0.12")
    assert not wrong()
    [day] = valuation.series(days=5)
    assert day.realised == gained.amount_usd + D("-0.12")
    told = machine(settles.desk.checker).get(reverse("fx-explain")).json()
    assert (told["realised"], told["differences"]) == (f"{day.realised:.4f}", "-0.1200")
    page = client_of(settles.desk.checker).get(reverse("fx:valuation")).content.decode()
    assert "Of it by receipts of another amount" in page


def batch_of(
    settles: Settling, *amounts: str, names: tuple[str, ...] = ()
) -> tuple[list[Deal], BankEntry]:
    """Return a deal for each amount of rupees that a bank books as one entry, and that entry."""
    deals = [settles.confirmed(dealt=f"{one} USD") for one in ("1000000.00", "250000.00")]
    total = sum((D(one) for one in amounts), D(0))
    entry = book(leg(deals[0], 2), f"{total}", end_to_end_id="")
    for number, amount in enumerate(amounts, start=1):
        EntryPart.objects.create(
            entry=entry, number=number, source="BANK", amount=D(amount),
            end_to_end_id=names[number - 1] if names else "",
        )  # fmt: skip
    flows.match_entries(entries=[entry])
    return [follow(one) for one in deals], entry


def test_a_payment_of_a_batch_is_taken_with_a_difference(settles: Settling) -> None:
    # 85 and 21.25 million were agreed: of the first one ten rupees are missing.
    (deal, other), entry = batch_of(settles, SHORT, "21250000.00")
    part, theirs = EntryPart.objects.filter(entry=entry).order_by("number")
    by, owed = settles.desk.back_office, leg(deal, 2)
    listed = differences.came_instead(owed, most=9)
    assert [(one.key, one.amount) for one in listed] == [
        (f"{entry.pk}:{part.pk}", D(SHORT)),
        (f"{entry.pk}:{theirs.pk}", D("21250000")),
    ]
    page = client_of(by).get(reverse("fx:deal", args=[deal.pk])).content.decode()
    assert f'<option value="{entry.pk}:{part.pk}">' in page
    with pytest.raises(DifferenceRefused, match="name which"):
        propose(deal, entry, by)
    with pytest.raises(DifferenceRefused, match=r"more than 1\.00%"):
        propose(deal, entry, by, part=theirs.pk)
    made = propose(deal, entry, by, part=part.pk)
    differing.accept_difference(difference_id=made.pk, actor=settles.desk.checker)
    commit()
    owed.refresh_from_db()
    assert (owed.state, owed.entry, owed.entry_part) == ("SETTLED", entry, part)
    # The other payment of the batch still proves the other deal, and the first one nothing else.
    assert [one.part for one in differences.came_instead(leg(other, 2), most=9)] == []
    flows.fulfil(
        entry=entry, end_to_end_id=other.counterparty_reference, amount=theirs.amount,
        source_ref=leg(other, 2).reference,
    )  # fmt: skip
    follow(other)
    assert (leg(other, 2).state, leg(other, 2).entry_part) == ("SETTLED", theirs)
    assert not wrong()
    entry.state = "WITHDRAWN"
    entry.save()
    flows.release_flows(entry_ids=[entry.pk])
    follow(deal)
    made.refresh_from_db()
    assert (leg(deal, 2).state, made.state) == ("EXPECTED", "REVERSED")
    commit()


def test_a_payment_of_a_batch_that_proves_another_deal_is_no_difference(
    settles: Settling,
) -> None:
    # Both deals agreed upon 85 million; one payment is exact and the other one short.
    deals = [settles.confirmed(), settles.confirmed(dealt="999999.90 USD")]
    entry = book(leg(deals[0], 2), "169999990.00", end_to_end_id="")
    for number, amount in enumerate(("85000000.00", SHORT), start=1):
        EntryPart.objects.create(entry=entry, number=number, source="BANK", amount=D(amount))
    exact, less = EntryPart.objects.filter(entry=entry).order_by("number")
    flows.fulfil(
        entry=entry, end_to_end_id=deals[0].counterparty_reference, amount=exact.amount,
        source_ref=leg(deals[0], 2).reference,
    )  # fmt: skip
    by = settles.desk.back_office
    # Fulfilled, and not settled yet: the flow alone says that the exact one is spoken for.
    with pytest.raises(DifferenceRefused, match="nothing that came for"):
        propose(deals[1], entry, by, part=exact.pk, kind="OVER")
    plant = INSERT.replace("kind, came", "entry_part_id, kind, came").replace(
        "id, %s, 'FEE'", "id, %s, %s, 'OVER'"
    )
    owed = leg(deals[1], 2)
    with pytest.raises(DatabaseError, match="no entry of its bank"):
        sql(plant, entry.pk, exact.pk, "85000000", "8.5", "PROPOSED", by.pk, owed.pk)
    follow(deals[0])
    assert leg(deals[0], 2).entry_part == exact
    with pytest.raises(DifferenceRefused, match="nothing that came for"):
        propose(deals[1], entry, by, part=exact.pk, kind="OVER")
    # 84,999,991.50 were agreed for the second deal.
    made = propose(deals[1], entry, by, part=less.pk)
    assert made.difference == D("-1.5")


@pytest.fixture
def netted(settles: Settling) -> tuple[Deal, Deal, SettlementNet]:
    """Two deals whose rupees are one receipt of 51 million."""
    policies.write_version(
        policy=FX_NETTING_LEAD_MINUTES, value="1440", actor=None, reason="a test"
    )
    netting.sign_agreement(
        party=settles.desk.bank,
        wish=netting.AgreementIn(
            reference="ISDA 2002", signed_on=date(2026, 1, 2), starts_on=date(2026, 2, 2)
        ),
    )
    deals = settles.confirmed(), settles.confirmed(side="BUY", dealt="400000.00 USD")
    instructing.instruct_nets(now=clock.now())
    return *deals, SettlementNet.objects.get(currency="INR")


def test_a_net_is_taken_with_a_difference_and_taken_back(
    settles: Settling, netted: tuple[Deal, Deal, SettlementNet]
) -> None:
    sold, bought, net = netted
    desk = settles.desk
    came = book(leg(sold, 2), "50999000.00", end_to_end_id="")
    page = client_of(desk.back_office).get(reverse("fx:deal", args=[bought.pk])).content.decode()
    assert f'<option value="{came.pk}">' in page
    assert f"Take what came for {net.reference}" in page
    with pytest.raises(Forbidden):
        propose(sold, came, desk.dealer)
    # Either leg names the net: of the one we receive, and of the one we pay.
    wish = differing.Wish(entry=came.pk, kind="FEE", reason="Their correspondent kept it.")
    made = differing.propose_difference(leg_id=leg(bought, 1).pk, wish=wish, actor=desk.back_office)
    assert (made.net_id, made.leg_id) == (net.pk, None)
    assert (made.agreed, made.difference) == (D(51_000_000), D(-1000))
    with pytest.raises(DifferenceRefused, match="awaits another person"):
        propose(sold, came, desk.back_office)
    with pytest.raises(Forbidden):
        differing.accept_difference(difference_id=made.pk, actor=desk.back_office)
    differing.accept_difference(difference_id=made.pk, actor=desk.checker)
    commit()
    net.refresh_from_db()
    assert (net.state, net.entry) == ("SETTLED", came)
    assert {leg(sold, 2).state, leg(bought, 1).state} == {"SETTLED"}
    # A thousand rupees at 0.0118: booked with the deal whose leg brings them.
    [booked] = PnlEntry.objects.filter(difference=made)
    assert (booked.deal, booked.amount_usd) == (sold, D("-11.80"))
    board = client_of(desk.checker).get(reverse("fx:deal", args=[bought.pk])).content.decode()
    assert f"for {net.reference}" in board
    assert not wrong()
    came.state = "WITHDRAWN"
    came.save()
    flows.release_flows(entry_ids=[came.pk])
    settling.follow_open()
    made.refresh_from_db()
    net.refresh_from_db()
    assert (net.state, made.state, leg(sold, 2).state) == ("EXPECTED", "REVERSED", "NETTED")
    commit()
    assert not wrong()


def test_a_difference_of_a_net_that_was_undone_is_refused_on_the_board(
    settles: Settling, netted: tuple[Deal, Deal, SettlementNet]
) -> None:
    sold, bought, net = netted
    desk = settles.desk
    came = book(leg(sold, 2), "50999000.00", end_to_end_id="")
    wish = differing.Wish(entry=came.pk, kind="FEE", reason="Their correspondent kept it.")
    made = differing.propose_difference(leg_id=leg(bought, 1).pk, wish=wish, actor=desk.back_office)
    netting.undo(net, reason="One of its deals fell.")
    board = reverse("fx:settlements")
    page = client_of(desk.checker).get(board)
    assert page.status_code == 200
    decide = reverse("fx:decide-difference", args=[made.pk])
    assert decide in page.content.decode()
    accepted = client_of(desk.checker).post(decide, {"step": "accept"}, follow=True)
    assert accepted.status_code == 200
    made.refresh_from_db()
    assert made.state == "PROPOSED"
    refused = client_of(desk.checker).post(decide, {"step": "refuse", "reason": "Undone."})
    assert refused.headers["Location"] == board
    made.refresh_from_db()
    assert made.state == "REFUSED"


def test_the_database_settles_no_net_by_another_amount_that_nobody_accepted(
    settles: Settling, netted: tuple[Deal, Deal, SettlementNet]
) -> None:
    sold, _, net = netted
    came = book(leg(sold, 2), "50999000.00", end_to_end_id="")
    settle = (
        "UPDATE fx_settlementnet SET state = 'SETTLED', settled_at = now(), entry_id = %s"
        " WHERE id = %s"
    )
    with pytest.raises(DatabaseError, match="no entry of its bank settles net"):
        sql(settle, came.pk, net.pk)
    plant = (
        "INSERT INTO fx_receiptdifference (id, tenant_id, net_id, entry_id, kind, came, difference,"
        " reason, state, maker_id, created_at, note) SELECT gen_random_uuid(), tenant_id, id, %s,"
        " 'FEE', 50999000, -1000, 'x', 'PROPOSED', %s, now(), '' FROM fx_settlementnet"
        " WHERE currency = %s"
    )
    desk = settles.desk
    for who, currency in ((desk.dealer, "INR"), (desk.back_office, "USD")):
        with pytest.raises(DatabaseError):
            sql(plant, came.pk, who.pk, currency)
    sql(plant, came.pk, desk.back_office.pk, "INR")
    made = ReceiptDifference.objects.get()
    # Proposed is not accepted.
    with pytest.raises(DatabaseError, match="no entry of its bank settles net"):
        sql(settle, came.pk, net.pk)
    with pytest.raises(DatabaseError, match="two people"):
        sql(ACCEPT, desk.back_office.pk, "-11.80", made.pk)
    with guard_replaced("fx_settlementnet", "guard"):
        sql(settle, came.pk, net.pk)
    assert "net_without_its_entry" in wrong()
