"""Pools and members: what is refused in words, and that two people change them."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from approvals import selectors as approval_reads
from approvals import services as approvals
from core.changes.models import ChangeRequest
from core.changes.services import open_tenant, propose_change, propose_removal
from core.errors import Invalid
from core.identity.models import User
from core.tenancy import bound
from tests.approvals.stepping import shown
from tests.conftest import MakeUser
from tests.scenes import scene
from tests.treasury.pools.conftest import Pooled, open_indian
from treasury.errors import AlreadyKnown
from treasury.models import CashPool, CashPoolMember
from treasury.services import pools
from treasury.services.pools import MemberIn, PoolIn

D = Decimal


def pool_in(pooled: Pooled, **more: Any) -> PoolIn:
    facts: dict[str, Any] = {
        "code": "NEW", "name": "New", "kind": "NOTIONAL", "currency": "GBP", **more,
    }  # fmt: skip
    return PoolIn(**facts)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "MAGIC"}, "how the pool works"),
        ({"kind": "ZERO_BALANCE"}, "has a header"),
        ({"is_bank_run": True}, "nothing is swept"),
        ({"day_count": "30E_360"}, "how days are counted"),
        ({"shortfall_rule": "LOUDEST"}, "funded first"),
        ({"header_floor": D("-1")}, "not negative"),
        ({"header_floor": D("0.001")}, "fewer decimals"),
        ({"header_floor": D("NaN")}, "fewer decimals"),
        ({"credit_rate": D("3.85")}, "0.0385 for 3.85"),
        ({"lead_minutes": 0}, "minutes before"),
        ({"currency": "pounds"}, "ISO 4217"),
    ],
)
def test_a_pool_that_cannot_be_right(pooled: Pooled, change: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        pools.add_pool(pool=pool_in(pooled, **change))
    pools.add_pool(pool=pool_in(pooled))


def test_a_header_of_another_currency_or_pool(pooled: Pooled) -> None:
    with pytest.raises(Invalid, match="holds USD, NEW pools GBP"):
        pools.add_pool(pool=pool_in(pooled, header=pooled.house.usd.pk))
    for account in (pooled.header, pooled.trading):
        with pytest.raises(Invalid, match="its place in GBP-ZBA already"):
            pools.add_pool(pool=pool_in(pooled, kind="TARGET_BALANCE", header=account.pk))


def test_a_code_is_taken_once(pooled: Pooled) -> None:
    with pytest.raises(AlreadyKnown):
        pools.add_pool(pool=pool_in(pooled, code="GBP-ZBA"))


def test_the_currency_brings_its_day_count(pooled: Pooled) -> None:
    assert pools.add_pool(pool=pool_in(pooled)).day_count == "ACT_365F"
    dollars = pools.add_pool(pool=pool_in(pooled, code="USD", currency="USD"))
    assert dollars.day_count == "ACT_360"


def member_in(pooled: Pooled, **more: Any) -> MemberIn:
    facts: dict[str, Any] = {"pool": "SUM", "account": pooled.trading.pk, **more}
    return MemberIn(**facts)


@scene
def summed(pooled: Pooled) -> Pooled:
    pools.add_pool(pool=pool_in(pooled, code="SUM", header=pooled.header.pk))
    return pooled


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pool": "NONE"}, "no pool NONE"),
        ({"target": D(-1)}, "not negative"),
        ({"target": D("0.001")}, "fewer decimals"),
        ({"multiple": D(-1)}, "positive amount"),
        ({"target": D(100), "lower": D(101)}, "lower trigger"),
        ({"target": D(100), "upper": D(99)}, "upper trigger"),
        ({"debit_rate": D(7)}, "as a share"),
        ({"is_poolable": False}, "Say why Trading"),
    ],
)
def test_a_member_that_cannot_be_right(summed: Pooled, change: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        pools.add_member(member=member_in(summed, **change))
    pools.add_member(member=member_in(summed))
    with pytest.raises(AlreadyKnown):
        pools.add_member(member=member_in(summed))


def test_the_header_and_strangers_are_no_members(summed: Pooled) -> None:
    with pytest.raises(Invalid, match="is the header of SUM"):
        pools.add_member(member=member_in(summed, account=summed.header.pk))
    with pytest.raises(Invalid, match="holds USD, SUM pools GBP"):
        pools.add_member(member=member_in(summed, account=summed.house.usd.pk))
    pools.add_pool(pool=pool_in(summed, code="SUM2"))
    pools.add_member(member=member_in(summed))
    with pytest.raises(Invalid, match="its place in SUM already"):
        pools.add_member(member=member_in(summed, pool="SUM2"))


def test_a_zero_balance_pool_has_no_targets(pooled: Pooled) -> None:
    member = CashPoolMember.objects.get(account=pooled.shop)
    member.target = D(5)
    with pytest.raises(Invalid, match="the target is 0"):
        pools.save_member(member=member)


def test_india_is_refused_with_words_and_listed_with_a_reason(pooled: Pooled) -> None:
    """The header belongs to the company in London, the new account to one in India."""
    abroad = open_indian(pooled.house)
    pools.add_pool(
        pool=pool_in(
            pooled, code="INR", kind="ZERO_BALANCE", currency="INR", header=pooled.house.near.pk
        )
    )
    pools.add_member(member=MemberIn(pool="INR", account=pooled.house.home.pk))
    with pytest.raises(Invalid, match="Rupees of India: IN allows no cross-border pooling"):
        pools.add_member(member=MemberIn(pool="INR", account=abroad.pk))
    kept = pools.add_member(
        member=MemberIn(
            pool="INR", account=abroad.pk, is_poolable=False, reason="Exchange control."
        )
    )
    assert not kept.is_poolable


def test_india_is_refused_in_a_notional_pool_too(pooled: Pooled) -> None:
    pools.add_pool(pool=pool_in(pooled, code="INR", currency="INR"))
    pools.add_member(member=MemberIn(pool="INR", account=pooled.house.home.pk))
    with pytest.raises(Invalid, match="no cross-border pooling"):
        pools.add_member(member=MemberIn(pool="INR", account=open_indian(pooled.house).pk))


# --- two people -------------------------------------------------------------------------------


@scene
def opened(pooled: Pooled, user_with: MakeUser) -> dict[str, User]:
    """Open the tenant; return a clerk and two managers by name."""
    people = {
        "clerk": user_with("static_data", name="clerk"),
        "manager": user_with("treasury_manager", name="manager"),
        "manager2": user_with("treasury_manager", name="manager2"),
    }
    admin = user_with("tenant_admin", name="admin")
    with bound(pooled.tenant.id, actor=admin.pk):
        open_tenant(actor=admin)
    return people


def proposed(pooled: Pooled, maker: User, model: str, row: Any, **values: Any) -> ChangeRequest:
    with bound(pooled.tenant.id, actor=maker.pk):
        return propose_change(model=model, row_id=row, values=values, maker=maker, reason="Agreed.")


def approved(pooled: Pooled, change: ChangeRequest, by: User) -> str:
    found = approval_reads.request_of(subject_type="core.change", subject_id=change.pk)
    assert found is not None
    with bound(pooled.tenant.id, actor=by.pk):
        approvals.decide(
            request_id=found.pk,
            checker=by,
            outcome="APPROVE",
            content_hash=found.content_hash,
            version=1,
            evidence=shown(by, found.content_hash),
        )
    return str(ChangeRequest.objects.get(pk=change.pk).state)


def test_a_pools_rate_takes_two(pooled: Pooled, opened: dict[str, User]) -> None:
    change = proposed(pooled, opened["manager"], "cashpool", "GBP-ZBA", intercompany_rate="0.0500")
    assert CashPool.objects.get().intercompany_rate == D("0.0425")
    assert approved(pooled, change, opened["manager2"]) == "APPLIED"
    assert CashPool.objects.get().intercompany_rate == D("0.0500")


def test_a_pool_and_its_account_are_entered_by_two(pooled: Pooled, opened: dict[str, User]) -> None:
    change = proposed(
        pooled, opened["manager"], "cashpool", None, code="USD-TB", name="Dollars",
        kind="TARGET_BALANCE", currency="USD", header="Dollars", header_floor="1000",
        intercompany_rate="0.04", day_count="ACT_360", lead_minutes="60",
    )  # fmt: skip
    assert approved(pooled, change, opened["manager2"]) == "APPLIED"
    change = proposed(
        pooled, opened["manager"], "cashpoolmember", None, pool="USD-TB", account="More dollars",
        target="50000", minimum="1000", multiple="1000",
    )  # fmt: skip
    assert approved(pooled, change, opened["manager2"]) == "APPLIED"
    made = CashPoolMember.objects.get(pool__code="USD-TB")
    assert (made.account, made.target) == (pooled.house.usd_far, D(50_000))


def test_a_member_leaves_by_two(pooled: Pooled, opened: dict[str, User]) -> None:
    member = CashPoolMember.objects.get(account=pooled.shop)
    maker = opened["manager"]
    with bound(pooled.tenant.id, actor=maker.pk):
        change = propose_removal(
            model="cashpoolmember", row_id=member.pk, maker=maker, reason="Sold."
        )
    assert approved(pooled, change, opened["manager2"]) == "APPLIED"
    assert not CashPoolMember.objects.filter(account=pooled.shop).exists()


@pytest.mark.parametrize(
    ("model", "values"),
    [
        ("cashpool", {"currency": "USD"}),
        ("cashpool", {"kind": "NOTIONAL"}),
        ("cashpool", {"header_floor": "-1"}),
        ("cashpoolmember", {"account": "Dollars"}),
        ("cashpoolmember", {"multiple": "0"}),
    ],
)
def test_what_cannot_be_right_is_not_proposed(
    pooled: Pooled, opened: dict[str, User], model: str, values: dict[str, str]
) -> None:
    row: Any = "GBP-ZBA"
    if model == "cashpoolmember":
        row = CashPoolMember.objects.get(account=pooled.shop).pk
    with pytest.raises(Invalid):
        proposed(pooled, opened["manager"], model, row, **values)


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE treasury_cashpool SET intercompany_rate = 0.9",
        "UPDATE treasury_cashpool SET is_bank_run = true",
        "UPDATE treasury_cashpoolmember SET minimum = 0",
        "DELETE FROM treasury_cashpoolmember",
    ],
)
def test_the_database_wants_two_people_too(
    pooled: Pooled, opened: dict[str, User], attack: str
) -> None:
    with (
        pytest.raises(DatabaseError, match="another person"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(attack)
