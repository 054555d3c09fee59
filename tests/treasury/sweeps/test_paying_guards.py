"""What the database lets leave as the payment of a sweep: what its order says, and nothing else."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from core import clock
from core.identity.models import User
from core.tenancy import Tenant
from integrations import selectors as archive
from tests.conftest import MakeUser
from tests.scenes import scene
from tests.treasury.movement.conftest import approve, guard_replaced, propose, sql
from tests.treasury.movement.test_sealing import FORGED, GIVE_UP, body
from tests.treasury.sweeps.conftest import Sweeping, set_policy
from tests.treasury.sweeps.paying import Paying, fresh, make_paying, payment_of, transfer_of
from tests.treasury.sweeps.test_deciding import order_of
from treasury.models import Proposal, SweepOrder, Task, Transfer
from treasury.policies import OUTFLOW_24H_BENEFICIARY_USD_MAX
from treasury.selectors.sealing import order_seal
from treasury.selectors.sweep_way import way_of
from treasury.services import orders, sweeps, transfers

D = Decimal
SIGNED = (
    "UPDATE treasury_sweeporder SET jws = 'h.' || translate(rtrim(replace(encode(convert_to("
    "payload, 'UTF8'), 'base64'), E'\\n', ''), '='), '+/', '-_') || '.s' WHERE id = %(id)s"
)
STEP = "UPDATE treasury_proposal SET state = %(state)s, submitted_at = now() WHERE id = %(id)s"


@scene
def paying(sweeping: Sweeping, user_with: MakeUser) -> Paying:
    return make_paying(sweeping, user_with)


@scene
def signed(paying: Paying) -> SweepOrder:
    """An order that is signed and not paid yet, as if the process had died in between."""
    made = order_of(paying.sweeping)
    sql(SIGNED, id=made.pk)
    return fresh(made)


def forge(paying: Paying, order: SweepOrder, **changes: Any) -> Proposal:
    """Write the payment of an order as the app role could, and push it to APPROVED."""
    facts: dict[str, Any] = {
        "reference": order.order_id,
        "purpose": "SWEEP",
        "debit_account": order.account,
        "beneficiary": paying.fund,
        "amount": order.paid_out,
        "currency": "USD",
        "rail": paying.line.rail,
        "value_date": order.settles_on,
        "cutoff_at": order.cutoff_at,
        "maker_label": "Sweep rule",
        "why": "a test",
        "order_seal": "0" * 64,
        "created_at": clock.now(),
        **changes,
    }
    with transaction.atomic():
        made = Proposal.objects.create(**facts)
        sql(STEP, state="PENDING", id=made.pk)
        sql(STEP, state="APPROVED", id=made.pk)
    return made


def test_the_payment_of_an_order_is_released_by_it(paying: Paying, signed: SweepOrder) -> None:
    made = forge(paying, signed)
    Transfer.objects.create(
        proposal=made,
        end_to_end_id=made.reference,
        uetr="0b7e8a4e-3d77-4c1b-9d0a-1f2e3d4c5b6a",
        created_at=clock.now(),
    )


@pytest.mark.parametrize(
    "change",
    [
        "amount", "day", "cutoff", "rail", "payee", "account", "another order", "maker", "purpose",
    ],
)  # fmt: skip
def test_no_other_payment_is_released_by_it(
    paying: Paying, signed: SweepOrder, maker: User, change: str
) -> None:
    house = paying.sweeping.house
    changes: dict[str, dict[str, Any]] = {
        "amount": {"amount": signed.paid_out + D("0.01")},
        "day": {"value_date": signed.settles_on + timedelta(days=1)},
        "cutoff": {"cutoff_at": signed.cutoff_at + timedelta(hours=1)},
        "rail": {"rail": "SWIFT_GPI"},
        "payee": {"beneficiary": None, "credit_account": house.usd_far},
        "account": {"debit_account": house.usd_far},
        "another order": {"reference": "SWP-2026-11-17-0099"},
        "maker": {"maker": maker},
        "purpose": {"purpose": "MANUAL"},
    }
    with pytest.raises(DatabaseError, match="has not been approved by enough people"):
        forge(paying, signed, **changes[change])


def test_an_unsigned_order_pays_nothing(paying: Paying) -> None:
    with pytest.raises(DatabaseError, match="has not been approved"):
        forge(paying, order_of(paying.sweeping))


def test_an_order_that_waits_for_people_pays_nothing(paying: Paying) -> None:
    """Beyond its mandate: neither can it be signed, nor does a payment go without them."""
    sql("UPDATE treasury_sweepmandate SET order_max = 1, day_max = 1")
    made = order_of(paying.sweeping)
    assert made.release == "WAITING"
    with pytest.raises(DatabaseError, match="what is signed is the released order"):
        sql(SIGNED, id=made.pk)
    with pytest.raises(DatabaseError, match="has not been approved"):
        forge(paying, made)


def test_a_mandate_that_was_withdrawn_releases_nothing(paying: Paying, signed: SweepOrder) -> None:
    sql("UPDATE treasury_sweepmandate SET is_active = false")
    with pytest.raises(DatabaseError, match="has not been approved"):
        forge(paying, signed)


def test_a_line_that_was_closed_releases_nothing(paying: Paying, signed: SweepOrder) -> None:
    sql("UPDATE treasury_sweepline SET is_active = false")
    with pytest.raises(DatabaseError, match="has not been approved"):
        forge(paying, signed)


def test_without_the_guard_another_payment_passes(paying: Paying, signed: SweepOrder) -> None:
    """The negative control."""
    with guard_replaced("treasury_proposal", "guard"):
        assert forge(paying, signed, amount=signed.paid_out * 2).state == "DRAFT"


def test_a_transfer_of_a_sweep_has_no_other_name(paying: Paying, signed: SweepOrder) -> None:
    made = forge(paying, signed)
    with pytest.raises(DatabaseError, match="only an approved proposal"), transaction.atomic():
        Transfer.objects.create(
            proposal=made,
            end_to_end_id="SWP-2026-11-17-0099",
            uetr="0b7e8a4e-3d77-4c1b-9d0a-1f2e3d4c5b6a",
            created_at=clock.now(),
        )


def test_people_do_not_approve_a_sweep_without_an_order(
    paying: Paying, tenant: Tenant, maker: User, checker: User
) -> None:
    """Whatever is called a sweep is held to its order, with or without approvals."""
    house = paying.sweeping.house
    terms = {"debit_account": house.usd.pk, "credit_account": house.usd_far.pk}
    with pytest.raises(DatabaseError, match="has not been approved"), transaction.atomic():
        approve(tenant, propose(house, maker, "10.00", purpose="SWEEP", **terms), checker)
    approve(tenant, propose(house, maker, "10.00", **terms), checker)  # the control


# --- the bytes ------------------------------------------------------------------------------------


def seal_again(order: SweepOrder, *changes: tuple[str, str]) -> int:
    """Queue other bytes under a seal made of them, as whoever seals within a mandate could."""
    transfer = transfer_of(order)
    sent = archive.message_bytes(transfer.message_id or "").decode()
    second = f"{order.order_id}-2"
    for old, new in ((f">{order.order_id}-1<", f">{second}<"), *changes):
        assert old in sent
        sent = sent.replace(old, new)
    seal = order_seal(body=sent.encode(), message_reference=second, uetr=transfer.uetr)
    with guard_replaced("treasury_proposal", "guard"):
        sql(
            "UPDATE treasury_proposal SET order_seal = %(seal)s WHERE reference = %(name)s",
            seal=seal,
            name=order.order_id,
        )
    sql(GIVE_UP, reference=order.order_id)
    told = body((f">{order.order_id}-1<", f">{second}<"), *changes)
    return sql(FORGED.format(body=told), reference=order.order_id, message=second)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("4000000077", "4000000078"),
        ("026009593", "021000021"),
        ("Example Bill Dealer", "Example Bill Taker"),
        ("3000000001", "3000000002"),
        ("PAYEUS33", "OTHRUS33"),
    ],
)
def test_bytes_to_other_ends_are_refused_under_any_seal(paying: Paying, old: str, new: str) -> None:
    order = paying.queued()
    with pytest.raises(DatabaseError, match="does not go where sweeps of its line go"):
        seal_again(order, (old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<Dbtr>", "<!-- as always --><Dbtr>"),
        ("<CdtrAgt>", "<CdtrAgt >"),
        ("</CdtrAcct>", "</CdtrAcct >"),
        ("<CdtrAcct>", '<CdtrAcct x="1">'),
        ("<CdtrAgt>", "<IntrmyAgt1></IntrmyAgt1><CdtrAgt>"),
        ("</CdtTrfTxInf>", "</CdtTrfTxInf><CdtTrfTxInf></CdtTrfTxInf>"),
    ],
)
def test_bytes_in_another_spelling_are_refused_under_any_seal(
    paying: Paying, old: str, new: str
) -> None:
    """What the ends are read by must not be able to look past what the bank reads."""
    order = paying.queued()
    with pytest.raises(DatabaseError, match="spelt in another way"):
        seal_again(order, (old, new))


def test_the_same_ends_with_other_words_would_pass(paying: Paying) -> None:
    """The control: only the ends were in the way."""
    assert seal_again(paying.queued(), ("sweep</Ustrd>", "sweep.</Ustrd>")) == 1


def test_without_the_guard_other_ends_pass(paying: Paying) -> None:
    """The negative control."""
    order = paying.queued()
    with guard_replaced("integrations_message", "guard_payment"):
        assert seal_again(order, ("4000000077", "4000000078")) == 1


# --- the order ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("state = 'ACK', acked_at = now(), bank_ref = 'x'", "does not go from NEW to ACK"),
        ("state = 'SENT', sent_at = now()", "does not say so"),
        ("state = 'FAILED', reason = 'x'", "does not say so"),
        ("intent_id = gen_random_uuid()", "no connector gets"),
        ("line_id = NULL", "does not go from"),
    ],
)
def test_an_order_says_only_what_its_payment_says(
    paying: Paying, assignment: str, words: str
) -> None:
    order = paying.signed()
    statement = f"UPDATE treasury_sweeporder SET {assignment} WHERE id = %(id)s"
    with pytest.raises(DatabaseError, match=words):
        sql(statement, id=order.pk)
    with guard_replaced("treasury_sweeporder", "guard"):
        assert sql(statement, id=order.pk) == 1  # the negative control


def test_an_acknowledged_order_of_a_connector_never_fails(sweeping: Sweeping) -> None:
    order = order_of(sweeping)
    sweeps.sign_due(tenant=sweeping.tenant.id)
    sweeps.answer_order(
        order_id=order.order_id, answer=sweeps.Answer(status="ACK", bank_ref="BANK-1")
    )
    with pytest.raises(DatabaseError, match="does not say so"):
        sql(
            "UPDATE treasury_sweeporder SET state = 'FAILED', reason = 'x' WHERE id = %(id)s",
            id=order.pk,
        )


def test_an_order_goes_the_way_that_two_people_chose(paying: Paying) -> None:
    """Neither past the line to a connector, nor over a line that is closed."""
    made = order_of(paying.sweeping)
    sql(
        "UPDATE treasury_sweeporder SET state = 'FAILED', reason = 'x' WHERE id = %(id)s",
        id=made.pk,
    )
    copy = (
        "INSERT INTO treasury_sweeporder SELECT (jsonb_populate_record(o, jsonb_build_object("
        "'id', gen_random_uuid(), 'line_id', %(line)s::uuid, 'state', 'NEW', 'reason', '',"
        " 'failed_at', NULL))).* FROM treasury_sweeporder o WHERE o.id = %(id)s"
    )
    with pytest.raises(DatabaseError, match="does not go the way that was agreed"):
        sql(copy, line=None, id=made.pk)
    # The control: with its line only the name that is taken stands against it.
    with pytest.raises(DatabaseError, match="duplicate key"):
        sql(copy, line=str(paying.line.pk), id=made.pk)


# --- the services before the database -------------------------------------------------------------


def test_what_is_not_covered_any_more_waits_and_a_person_knows(paying: Paying) -> None:
    order = paying.signed()
    sql("UPDATE treasury_sweepmandate SET is_active = false")
    assert not transfers.execute(proposal_id=payment_of(order).pk)
    assert transfer_of(order).reason_code == "MANDATE"
    with pytest.raises(DatabaseError, match="no approved transfer to execute"):
        sql(STEP, state="EXECUTING", id=payment_of(order).pk)


def test_a_payee_whose_account_is_new_rests(sweeping: Sweeping, user_with: MakeUser) -> None:
    paying = make_paying(sweeping, user_with)
    order = paying.signed()
    with connection.cursor() as cursor, guard_replaced("treasury_beneficiary", "guard"):
        cursor.execute("UPDATE treasury_beneficiary SET changed_at = now()")
    assert not transfers.execute(proposal_id=payment_of(order).pk)
    assert transfer_of(order).reason_code == "COOLOFF"
    # Who looks at the order sees why it stands, and in the end why it did not happen.
    held = way_of(order.decision, order)[-1]
    assert (held.title, held.look) == ("Held back", "bad")
    with clock.frozen(order.cutoff_at):
        sweeps.expire_due(now=clock.now())
        transfers.execute(proposal_id=payment_of(order).pk)
        sweeps.follow_payments(now=clock.now())
    ended = way_of(order.decision, fresh(order))
    assert [one.title for one in ended][-2:] == ["Held back", "Failed"]
    assert ended[-1].words == "Its window closed before it left"


def test_a_payee_that_changed_since_fails_the_order(paying: Paying) -> None:
    """The bytes would name other ends than the line: nothing is sent, and a person knows."""
    order = order_of(paying.sweeping)
    with guard_replaced("treasury_beneficiary", "guard"):
        sql("UPDATE treasury_beneficiary SET town = 'Albany' WHERE id = %(id)s", id=paying.fund.pk)
    assert sweeps.sign_due(tenant=paying.sweeping.tenant.id) == 1
    assert transfers.execute(proposal_id=payment_of(order).pk) is False
    assert Proposal.objects.get(reference=order.order_id).state == "FAILED"
    sweeps.follow_payments(now=clock.now())
    assert fresh(order).state == "FAILED"


def test_a_limit_of_24_hours_holds_for_sweeps(paying: Paying) -> None:
    """A mandate is no way around the limits of what may leave."""
    set_policy(OUTFLOW_24H_BENEFICIARY_USD_MAX, D(1000))
    order = paying.signed()
    assert order.state == "FAILED"
    assert "would pass the limit" in order.reason
    assert Task.objects.open().filter(kind="sweep_unpayable", key=order.order_id).exists()
    assert not Proposal.objects.filter(reference=order.order_id).exists()


def test_what_the_line_was_agreed_on_is_what_the_order_says(paying: Paying) -> None:
    """The digest of the line is of the very ends that every order of it has."""
    order = paying.queued()
    sent = bytes(orders.bytes_of(transfer_of(order), order=orders.prepared(transfer_of(order))))
    with connection.cursor() as cursor:
        cursor.execute("SELECT treasury_order_ends(%s::bytea)", [sent])
        assert cursor.fetchone()[0] == paying.line.ends
