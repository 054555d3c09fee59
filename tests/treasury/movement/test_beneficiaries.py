"""Money to somebody else: who may be paid, what is approved, what leaves, when it is settled."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from core.errors import Forbidden, Invalid
from core.identity.models import User
from core.tenancy import Tenant, bound
from integrations import selectors as archive
from integrations import services as lines
from tests.conftest import MakeUser
from tests.scenes import scene
from tests.treasury.movement.conftest import (
    SUPPLIER,
    House,
    age,
    approve,
    guard_replaced,
    propose,
    put_on_the_list,
    sql,
)
from tests.treasury.movement.test_transfers import _booked, _heard
from treasury.engine.rails import rail_to
from treasury.errors import AlreadyKnown, BeneficiaryBlocked, NotAnotherPerson, NumberMismatch
from treasury.models import Beneficiary, ExpectedFlow, Proposal, ProposalState
from treasury.services import beneficiaries, proposals, transfers
from treasury.services.beneficiaries import BeneficiaryIn
from treasury.services.orders import instruction_for

_S = ProposalState


def _pay(house: House, maker: User, somebody: Beneficiary, amount: str = "250000.00") -> Proposal:
    return propose(house, maker, amount, debit_account=house.usd.pk, beneficiary=somebody.pk)


def _fresh(proposal: Proposal) -> Proposal:
    return Proposal.objects.get(pk=proposal.pk)


def _changed(tenant: Tenant, somebody: Beneficiary, keeper: User, **fields: str) -> Beneficiary:
    with bound(tenant.id, actor=keeper.pk):
        return beneficiaries.change_beneficiary(
            beneficiary_id=somebody.pk,
            beneficiary=BeneficiaryIn(**{**SUPPLIER, **fields}),
            actor=keeper,
        )


def _verified(tenant: Tenant, somebody: Beneficiary, person: User) -> Beneficiary:
    with bound(tenant.id, actor=person.pk):
        return beneficiaries.verify_beneficiary(beneficiary_id=somebody.pk, actor=person)


# Who stands on the list


def test_a_new_beneficiary_is_stamped_and_not_verified(supplier: Beneficiary, keeper: User) -> None:
    assert supplier.changed_by == keeper
    assert supplier.changed_at is not None
    assert not supplier.is_verified
    assert supplier.number_hint == "0077"


def test_the_number_is_not_in_the_database_in_clear(supplier: Beneficiary) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT to_jsonb(b)::text FROM treasury_beneficiary b")
        assert SUPPLIER["number"] not in cursor.fetchone()[0]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"number": "12"}, "number"),
        ({"number": "DE89370400440532013001", "bank_bic": "DEUTDEFF"}, "number"),
        ({"clearing_code": "026009594"}, "clearing_code"),
        ({"bank_bic": "NOBANK"}, "bank_bic"),
        ({"bank_bic": "1234DEFF"}, "bank_bic"),
        ({"town": " "}, "town"),
        ({"country": "usa"}, "country"),
        ({"name": "  "}, "name"),
        ({"payment_purpose": "X1"}, "payment_purpose"),
        ({"currency": "usd"}, "currency"),
    ],
)
def test_what_cannot_be_right_is_refused_by_field(
    house: House, keeper: User, change: dict[str, str], field: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        beneficiaries.create_beneficiary(
            beneficiary=BeneficiaryIn(**{**SUPPLIER, **change}), actor=keeper
        )
    assert refusal.value.context["field"] == field
    assert not Beneficiary.objects.exists()


def test_the_same_account_stands_on_the_list_once(
    tenant: Tenant, supplier: Beneficiary, keeper: User
) -> None:
    with pytest.raises(AlreadyKnown):
        put_on_the_list(tenant, keeper, name="Somebody else")


def test_only_keepers_write_the_list(house: House, maker: User, checker: User) -> None:
    for person in (maker, checker):
        with pytest.raises(Forbidden):
            beneficiaries.create_beneficiary(beneficiary=BeneficiaryIn(**SUPPLIER), actor=person)


def test_another_person_verifies(
    tenant: Tenant, supplier: Beneficiary, keeper: User, user_with: MakeUser
) -> None:
    twin = user_with("static_data", name="keeper-again", person_number=keeper.person_number)
    for same_person in (keeper, twin):
        with pytest.raises(NotAnotherPerson):
            _verified(tenant, supplier, same_person)
    other = user_with("back_office", name="caller")
    assert _verified(tenant, supplier, other).verified_by == other


VERIFY = "UPDATE treasury_beneficiary SET is_verified = true, verified_by_id = %(by)s"


def test_the_database_refuses_to_verify_for_oneself_or_for_others(
    tenant: Tenant, supplier: Beneficiary, keeper: User, checker: User
) -> None:
    with bound(tenant.id, actor=keeper.pk), pytest.raises(DatabaseError, match="another person"):
        sql(VERIFY, by=checker.pk)
    with bound(tenant.id, actor="system:test"), pytest.raises(DatabaseError, match="another"):
        sql(VERIFY, by=checker.pk)


def test_without_the_guard_one_person_would_do(
    tenant: Tenant, supplier: Beneficiary, keeper: User, checker: User
) -> None:
    with guard_replaced("treasury_beneficiary", "guard"), bound(tenant.id, actor=keeper.pk):
        assert sql(VERIFY, by=checker.pk) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"number": "4000000078"},
        {"bank_bic": "PAYXUS33XXX"},
        {"name": "Baker Supply"},
        {"town": "Salem"},
        {"payment_purpose": "GDDS"},
    ],
)
def test_any_change_that_steers_money_ends_the_verification(
    tenant: Tenant, supplier: Beneficiary, keeper: User, checker: User, change: dict[str, str]
) -> None:
    before = _verified(tenant, supplier, checker)
    after = _changed(tenant, supplier, keeper, **change)
    assert (after.is_verified, after.verified_by) == (False, None)
    assert after.changed_at is not None
    assert before.changed_at is not None
    assert after.changed_at > before.changed_at


def test_what_steers_no_money_keeps_it(
    tenant: Tenant, supplier: Beneficiary, keeper: User, checker: User
) -> None:
    _verified(tenant, supplier, checker)
    assert _changed(tenant, supplier, keeper, bank_name="Bay Bank").is_verified


def test_the_stamp_is_the_databases_own(tenant: Tenant, supplier: Beneficiary) -> None:
    backdated = "UPDATE treasury_beneficiary SET changed_at = '2020-01-01', changed_by_id = NULL"
    sql(backdated)
    after = Beneficiary.objects.get()
    assert (after.changed_at, after.changed_by_id) == (supplier.changed_at, supplier.changed_by_id)
    with guard_replaced("treasury_beneficiary", "guard"):
        sql(backdated)
        assert Beneficiary.objects.get().changed_by_id is None


def test_a_beneficiary_is_never_deleted(supplier: Beneficiary) -> None:
    with pytest.raises(DatabaseError):
        sql("DELETE FROM treasury_beneficiary")


# Proposing and approving


def test_exactly_one_is_paid(house: House, maker: User, supplier: Beneficiary) -> None:
    nobody: dict[str, Any] = {"debit_account": house.usd.pk, "amount": Decimal(1), "why": "x"}
    both = {**nobody, "credit_account": house.usd_far.pk, "beneficiary": supplier.pk}
    for terms in (nobody, both):
        with pytest.raises(Invalid) as refusal:
            proposals.create_proposal(draft=proposals.ProposalIn(**terms), maker=maker)
        assert refusal.value.context["field"] == "credit_account"


@pytest.mark.parametrize(
    "change",
    ["credit_account_id = debit_account_id", "beneficiary_id = NULL", "beneficiary_id = %(usd)s"],
)
def test_the_database_refuses_two_payees_none_and_strangers(
    house: House, maker: User, supplier: Beneficiary, change: str
) -> None:
    proposal = _pay(house, maker, supplier)
    statement = f"UPDATE treasury_proposal SET version = version + 1, {change} WHERE id = %(id)s"
    with pytest.raises(DatabaseError):
        sql(statement, id=proposal.pk, usd=house.usd_far.pk)


def test_another_currency_is_an_fx_deal(house: House, maker: User, supplier: Beneficiary) -> None:
    with pytest.raises(Invalid, match="FX deal"):
        propose(house, maker, beneficiary=supplier.pk)


def test_a_changed_number_stops_what_was_approved(
    house: House,
    tenant: Tenant,
    maker: User,
    checker: User,
    keeper: User,
    supplier: Beneficiary,
) -> None:
    proposal = _pay(house, maker, supplier)
    approve(tenant, proposal, checker)
    _changed(tenant, supplier, keeper, number="4000000099")
    with pytest.raises(DatabaseError, match="changed after it was submitted"):
        sql("UPDATE treasury_proposal SET state = 'EXECUTING' WHERE id = %(id)s", id=proposal.pk)


def test_nobody_approves_a_number_they_have_not_seen(
    house: House,
    tenant: Tenant,
    maker: User,
    checker: User,
    keeper: User,
    supplier: Beneficiary,
) -> None:
    proposal = _pay(house, maker, supplier)
    _changed(tenant, supplier, keeper, number="4000000099")
    with pytest.raises(DatabaseError), transaction.atomic():
        approve(tenant, proposal, checker)
    assert _fresh(proposal).state == _S.PENDING


def test_nothing_is_paid_to_a_blocked_beneficiary(
    house: House, tenant: Tenant, maker: User, checker: User, supplier: Beneficiary
) -> None:
    beneficiaries.block_beneficiary(beneficiary_id=supplier.pk, actor=checker)
    with pytest.raises(BeneficiaryBlocked):
        _pay(house, maker, supplier)


def test_who_may_be_paid_again_is_treated_as_new(
    tenant: Tenant, supplier: Beneficiary, keeper: User, checker: User
) -> None:
    _verified(tenant, supplier, checker)
    with bound(tenant.id, actor=checker.pk):
        beneficiaries.block_beneficiary(beneficiary_id=supplier.pk, actor=checker)
        with pytest.raises(Forbidden):
            beneficiaries.unblock_beneficiary(beneficiary_id=supplier.pk, actor=checker)
    with bound(tenant.id, actor=keeper.pk):
        again = beneficiaries.unblock_beneficiary(beneficiary_id=supplier.pk, actor=keeper)
    assert not again.is_verified
    assert again.changed_by == keeper


def test_a_typed_in_account_pays_once_and_stands_on_no_list(
    house: House, maker: User, supplier: Beneficiary
) -> None:
    typed = BeneficiaryIn(**{**SUPPLIER, "number": "5550001", "currency": ""})
    proposal = propose(house, maker, "1000.00", debit_account=house.usd.pk, typed_in=typed)
    somebody = Beneficiary.objects.exclude(pk=supplier.pk).get(proposals=proposal)
    assert (somebody.is_typed_in, somebody.currency) == (True, "USD")


def test_what_stands_on_the_list_is_chosen_not_typed(
    house: House, maker: User, supplier: Beneficiary
) -> None:
    typed = BeneficiaryIn(**{**SUPPLIER, "number": "0004-000000077"})
    with pytest.raises(AlreadyKnown, match="choose it there"):
        propose(house, maker, debit_account=house.usd.pk, typed_in=typed)


@pytest.mark.parametrize(
    ("bic", "rail"),
    [
        ("PAYEUS33XXX", "FEDWIRE"),
        ("SBNKUS33BOS", "BOOK"),
        ("BARCGB22XXX", "SWIFT_GPI"),
    ],
)
def test_the_rail_follows_from_where_the_bank_is(
    house: House, tenant: Tenant, maker: User, keeper: User, bic: str, rail: str
) -> None:
    code = "" if bic.startswith("BARC") else SUPPLIER["clearing_code"]
    somebody = put_on_the_list(tenant, keeper, bank_bic=bic, clearing_code=code)
    assert _pay(house, maker, somebody).rail == rail


@pytest.mark.parametrize(
    ("currency", "debit", "credit", "rail"),
    [
        ("AED", "EBILAEADXXX", "NBADAEAAXXX", "UAEFTS"),
        ("AED", "EBILAEADXXX", "BARCGB22XXX", "SWIFT_GPI"),
        ("EUR", "DEUTDEFFXXX", "BNPAFRPPXXX", "T2"),
        ("EUR", "DEUTDEFFXXX", "UBSWCHZHXXX", "SWIFT_GPI"),
        ("EUR", "DEUTDEFFXXX", "DEUTDEFF500", "BOOK"),
    ],
)
def test_each_currency_has_its_home(currency: str, debit: str, credit: str, rail: str) -> None:
    assert rail_to(currency=currency, debit_bic=debit, credit_bic=credit) == rail


# What leaves, and how it ends


@scene
def sent(
    house: House, tenant: Tenant, maker: User, checker: User, supplier: Beneficiary
) -> Proposal:
    age()
    proposal = _pay(house, maker, supplier)
    approve(tenant, proposal, checker)
    assert transfers.execute(proposal_id=proposal.pk)
    transfers.mark_sent(reference=proposal.reference, bank_reference="BANK-1")
    return _fresh(proposal)


def test_what_leaves_names_the_beneficiary(sent: Proposal) -> None:
    message = archive.payment_message(sent.reference)
    assert message is not None
    order = lines.message_bytes(message.pk).decode()
    for part in ("Baker Supplies Inc", "4000000077", "PAYEUS33XXX", "026009593", "Boston", "SUPP"):
        assert part in order
    assert "INTC" not in order
    assert "CASH" not in order


def test_only_our_own_side_is_expected(sent: Proposal, house: House) -> None:
    flow = ExpectedFlow.objects.get(source_ref=sent.reference)
    assert (flow.account_id, flow.amount) == (house.usd.pk, -sent.amount)


@pytest.mark.parametrize("entry_first", [True, False])
def test_it_settles_when_debited_and_confirmed_in_any_order(
    sent: Proposal, house: House, entry_first: bool
) -> None:
    states = []
    for step in (entry_first, not entry_first):
        if step:
            _booked(house.usd, sent, -sent.amount)
        else:
            _heard(sent, "ACSC")
        states.append(_fresh(sent).state)
    assert states == [_S.CONFIRMED, _S.SETTLED]


def test_money_that_comes_back_is_seen(sent: Proposal, house: House) -> None:
    _heard(sent, "ACSC")
    _booked(house.usd, sent, -sent.amount)
    _booked(house.usd, sent, sent.amount, return_reason="AC04")
    assert _fresh(sent).state == _S.RETURNED


def test_a_number_that_is_not_the_approved_one_does_not_leave(
    house: House, tenant: Tenant, maker: User, checker: User, supplier: Beneficiary
) -> None:
    """Somebody swaps the sealed number and leaves its digest: the order is never written."""
    proposal = _pay(house, maker, supplier)
    approve(tenant, proposal, checker)
    forged = Beneficiary(pk=uuid4(), number="9999999999")
    sealed = Beneficiary._meta.get_field("number").get_prep_value(forged.number)
    sql("UPDATE treasury_beneficiary SET number = %(sealed)s", sealed=sealed)
    with pytest.raises(NumberMismatch):
        instruction_for(_fresh(proposal).transfer)


def test_a_payment_never_names_two(house: House, maker: User, supplier: Beneficiary) -> None:
    proposal = _pay(house, maker, supplier)
    with pytest.raises(IntegrityError), transaction.atomic():
        Proposal.objects.filter(pk=proposal.pk).update(
            credit_account=house.usd_far, version=proposal.version + 1
        )
