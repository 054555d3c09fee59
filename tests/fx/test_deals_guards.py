"""What the database holds of deals, against the app role's own SQL."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django_fsm import TransitionNotAllowed

from core.tenancy import bound
from fx.errors import DealRefused
from fx.models import Deal
from fx.services import deals
from tests.fx.conftest import NOW
from tests.fx.dealing import Desk
from treasury.models import UsdRate

D = Decimal
SUBMIT = "UPDATE fx_deal SET state = 'SUBMITTED', usd_equivalent = %s WHERE id = %s"
DEALT = (
    "UPDATE fx_deal SET state = 'EXECUTED', rate = %s, quote_amount = %s, usd_equivalent = %s,"
    " executed_at = now(), executed_by_id = maker_id, counterparty_reference = 'x' WHERE id = %s"
)


def state_of(deal: Deal) -> str:
    return str(Deal.objects.get(pk=deal.pk).state)


def rules(error: DealRefused) -> list[str]:
    return [one["rule"] for one in error.context["findings"]]


def desk_decides_blindly(desk: Desk, deal: Deal) -> None:
    from approvals import selectors as approval_reads
    from approvals import services as approvals
    from tests.approvals.stepping import shown

    with bound(desk.tenant.id, actor=desk.checker.pk):
        request = approval_reads.request_of(
            subject_type="fx.deal", subject_id=deal.pk, subject_version=deal.version
        )
        assert request is not None
        approvals.decide(
            request_id=request.pk,
            checker=desk.checker,
            outcome="APPROVE",
            content_hash=request.content_hash,
            version=request.subject_version,
            evidence=shown(desk.checker, request.content_hash),
        )


def sql(statement: str, *values: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)


@pytest.mark.parametrize("state", ["APPROVED", "EXECUTED", "CONFIRMED", "SETTLED", "REJECTED"])
def test_a_draft_does_not_jump(desk: Desk, state: str) -> None:
    deal = desk.captured()
    with pytest.raises((DatabaseError, IntegrityError)):
        sql("UPDATE fx_deal SET state = %s WHERE id = %s", state, deal.pk)


def test_nobody_approves_by_sql(desk: Desk) -> None:
    deal = desk.submitted()
    with pytest.raises(DatabaseError, match="has not been approved by enough people"):
        sql("UPDATE fx_deal SET state = 'APPROVED' WHERE id = %s", deal.pk)


@pytest.mark.parametrize(
    "change",
    [
        "base_amount = base_amount + 1", "quote_amount = 1", "limit_rate = 1", "side = 'BUY'",
        "value_date = value_date + 1", "why = 'x'", "version = version + 1", "reference = 'X'",
        "rate = 85, executed_at = now(), executed_by_id = maker_id, counterparty_reference = 'x'",
    ],
)  # fmt: skip
def test_what_was_submitted_is_frozen_for_sql_too(desk: Desk, change: str) -> None:
    deal = desk.submitted()
    with pytest.raises((DatabaseError, IntegrityError)):
        sql(f"UPDATE fx_deal SET {change} WHERE id = %s", deal.pk)


def test_what_was_dealt_is_frozen_for_sql_too(desk: Desk) -> None:
    deal = desk.executed()
    for change in ("rate = 84", "base_amount = 1", "usd_equivalent = 1", "executed_by_id = NULL"):
        with pytest.raises((DatabaseError, IntegrityError)):
            sql(f"UPDATE fx_deal SET {change} WHERE id = %s", deal.pk)
    with pytest.raises(DatabaseError):
        sql("DELETE FROM fx_deal WHERE id = %s", deal.pk)


def test_no_larger_deal_is_submitted_by_sql(desk: Desk) -> None:
    deal = desk.captured(dealt="5000000.01 USD")
    with pytest.raises(DatabaseError, match="larger than one deal may be"):
        sql(
            "UPDATE fx_deal SET state = 'SUBMITTED', usd_equivalent = 5000000.01 WHERE id = %s",
            deal.pk,
        )
    with pytest.raises(IntegrityError, match="deal_dollar_leg_is_its_worth"):
        sql(
            "UPDATE fx_deal SET state = 'SUBMITTED', usd_equivalent = 4999999 WHERE id = %s",
            deal.pk,
        )


def test_a_huge_cross_is_not_worth_one_dollar_for_sql(desk: Desk) -> None:
    """EUR 100m against pounds, said to be worth nothing, one dollar, the limit, and honestly."""
    huge = desk.captured(pair="EUR/GBP", dealt="100000000.00 EUR", rate="0.85927")
    with pytest.raises(DatabaseError, match="nobody said what"):
        sql(SUBMIT, None, huge.pk)
    for worth in (D(1), D(5_000_000)):
        with pytest.raises(DatabaseError, match="worth more than it says"):
            sql(SUBMIT, worth, huge.pk)
    with pytest.raises(DatabaseError, match="larger than one deal may be"):
        sql(SUBMIT, D(108_700_000), huge.pk)
    honest = desk.captured(pair="EUR/GBP", dealt="1000000.00 EUR", rate="0.85927")
    with pytest.raises(DatabaseError, match="worth more than it says"):
        sql(SUBMIT, D(1_032_649), honest.pk)
    sql(SUBMIT, D(1_032_650), honest.pk)  # 95 % of EUR 1m at 1.0870
    assert state_of(honest) == "SUBMITTED"


def test_a_huge_amount_does_not_hide_behind_a_small_one_for_sql(desk: Desk) -> None:
    """EUR 100m for USD 4m, with amounts that fit no rate, or with a rate that fits them."""
    deal = desk.captured(pair="EUR/USD", dealt="100000000.00 EUR", rate="1.0870")
    change = "UPDATE fx_deal SET quote_amount = %s, limit_rate = %s WHERE id = %s"
    for amount, rate, words in (
        (D(4_000_000), D("1.0870"), "do not follow from its rate"),
        (D("108700002.00"), D("1.0870"), "do not follow from its rate"),
        (D(4_000_000), D("0.04"), "worth more than it says"),
    ):
        sql(change, amount, rate, deal.pk)
        with pytest.raises(DatabaseError, match=words):
            sql(SUBMIT, amount, deal.pk)
    little = desk.captured(pair="EUR/GBP", dealt="100.00 EUR", rate="0.85927")
    sql(change, D(90_000_000), D(900_000), little.pk)
    with pytest.raises(DatabaseError, match="worth more than it says"):
        sql(SUBMIT, D("108.70"), little.pk)  # the pounds count as well
    honest = desk.captured(pair="EUR/USD", dealt="1000000.00 EUR", rate="1.0870")
    sql(SUBMIT, D(1_087_000), honest.pk)
    assert state_of(honest) == "SUBMITTED"


def test_a_far_value_date_does_not_loosen_the_guard(desk: Desk) -> None:
    deal = desk.captured(pair="EUR/USD", dealt="100000000.00 EUR", rate="1.0870")
    sql(
        "UPDATE fx_deal SET quote_amount = 4000000, limit_rate = 0.04,"
        " value_date = value_date + 10000 WHERE id = %s",
        deal.pk,
    )
    with pytest.raises(DatabaseError, match="worth more than it says"):
        sql(SUBMIT, D(4_000_000), deal.pk)


def test_what_waits_keeps_its_worth_for_sql_too(desk: Desk) -> None:
    wish = {"pair": "EUR/GBP", "dealt": "1000000.00 EUR", "rate": "0.85927"}
    for deal in (desk.submitted(**wish), desk.approved(**wish)):
        with pytest.raises(DatabaseError, match="keeps its worth"):
            sql("UPDATE fx_deal SET usd_equivalent = 1 WHERE id = %s", deal.pk)


@pytest.mark.parametrize(
    ("side", "worse", "limit", "better"),
    [("SELL", "1.0859", "1.0860", "1.0990"), ("BUY", "1.0882", "1.0880", "1.0750")],
)
def test_nobody_deals_at_a_worse_rate_by_sql(
    desk: Desk, side: str, worse: str, limit: str, better: str
) -> None:
    """Approved at 1.0870, a tenth of a percent may be given away; a better rate is welcome."""
    wish = {"pair": "EUR/USD", "side": side, "dealt": "1000000.00 EUR", "rate": "1.0870"}
    first, second = desk.approved(**wish), desk.approved(**wish)
    whole = {one: D(one) * 1_000_000 for one in (worse, limit, better)}
    with pytest.raises(DatabaseError, match="approved at a better rate"):
        sql(DEALT, D(worse), whole[worse], whole[worse], first.pk)
    with pytest.raises(DatabaseError, match="do not follow from its rate"):
        sql(DEALT, D(limit), whole[limit] - 2, whole[limit] - 2, first.pk)
    sql(DEALT, D(limit), whole[limit], whole[limit], first.pk)
    sql(DEALT, D(better), whole[better], whole[better], second.pk)
    assert (state_of(first), state_of(second)) == ("EXECUTED", "EXECUTED")


def test_a_cross_is_not_dealt_with_a_false_worth_by_sql(desk: Desk) -> None:
    deal = desk.approved(pair="EUR/GBP", dealt="1000000.00 EUR", rate="0.85927")
    with pytest.raises(DatabaseError, match="worth more than it says"):
        sql(DEALT, D("0.85927"), D("859270.00"), D(1), deal.pk)
    with pytest.raises(DatabaseError, match="nobody said what"):
        sql(DEALT, D("0.85927"), D("859270.00"), None, deal.pk)
    sql(DEALT, D("0.85927"), D("859270.00"), D(1_087_000), deal.pk)
    assert state_of(deal) == "EXECUTED"


def test_nobody_confirms_by_sql(desk: Desk) -> None:
    deal = desk.executed()
    with pytest.raises(DatabaseError, match="confirmed by somebody who did not deal it"):
        sql(
            "UPDATE fx_deal SET state = 'CONFIRMED', confirmed_by_id = %s WHERE id = %s",
            desk.dealer.pk,
            deal.pk,
        )
    with pytest.raises(DatabaseError, match="nobody confirmed"):
        sql(
            "UPDATE fx_deal SET state = 'CONFIRMED', confirmed_by_id = %s WHERE id = %s",
            desk.back_office.pk,
            deal.pk,
        )


def test_the_database_checks_whose_accounts_a_deal_names(desk: Desk) -> None:
    deal = desk.captured()
    with pytest.raises(DatabaseError, match="our accounts of its currencies"):
        sql(
            "UPDATE fx_deal SET pay_account_id = %s WHERE id = %s",
            desk.accounts["EUR"].pk,
            deal.pk,
        )


def test_without_the_guard_sql_could_approve(desk: Desk, owner_connection: Any) -> None:
    """The control: it is the trigger that refuses, and nothing else."""
    deal = desk.submitted()
    sql("SAVEPOINT before")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgenabled FROM pg_trigger WHERE tgname = 'guard'"
            " AND tgrelid = 'fx_deal'::regclass"
        )
        assert cursor.fetchone() == ("O",)
    with pytest.raises(TransitionNotAllowed):
        Deal.objects.get(pk=deal.pk).execute(at=NOW)


def test_what_the_database_weighs_otherwise_is_refused_in_words(desk: Desk) -> None:
    """The market moved away from the treasury's rate: no crash, and the draft stays a draft."""
    deal = desk.captured(pair="EUR/GBP", dealt="1000000.00 EUR", rate="0.85927")
    UsdRate.objects.filter(currency="EUR").update(usd_per_unit=D(9))
    with pytest.raises(DealRefused, match="worth more than it says"):
        deals.submit_deal(deal_id=deal.pk, actor=desk.dealer)
    assert state_of(deal) == "DRAFT"
