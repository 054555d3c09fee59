"""What was approved is what is sent: services and the database refuse any other order."""

import re

import pytest
from django.db import connection
from django.db.utils import DatabaseError

from core.identity.models import User
from core.tenancy import Tenant
from integrations import selectors as archive
from integrations import services as lines
from tests.scenes import scene
from tests.treasury.movement.conftest import House, approve, guard_replaced, propose, sql
from treasury.models import LegalEntity, Proposal, ProposalState, Transfer
from treasury.selectors import movement
from treasury.selectors.sealing import order_seal
from treasury.services import transfers

# A further attempt with the bytes of the first one, changed by an expression.
FORGED = (
    "INSERT INTO integrations_message SELECT (jsonb_populate_record(m, jsonb_build_object("
    "'id', gen_random_uuid(), 'attempt', m.attempt + 1, 'message_reference', %(message)s::text,"
    " 'state', 'QUEUED', 'reason', '', 'fence', 0, 'locked_until', NULL,"
    " 'body', {body}, 'size_bytes', octet_length({body}),"
    " 'sha256', encode(sha256({body}), 'hex')))).*"
    " FROM integrations_message m WHERE m.reference = %(reference)s"
)
GIVE_UP = (
    "UPDATE integrations_message SET state = 'REFUSED', reason = 'test'"
    " WHERE reference = %(reference)s"
)
TAKE_UP = (
    "UPDATE integrations_message SET state = 'SENDING', fence = fence + 1,"
    " locked_until = now() + interval '1 minute' WHERE reference = %(reference)s"
)


def body(*changes: tuple[str, str]) -> str:
    """The SQL of the bytes with some texts replaced."""
    text = "convert_from(m.body, 'UTF8')"
    for old, new in changes:
        text = f"replace({text}, '{old}', '{new}')"
    return f"convert_to({text}, 'UTF8')"


@scene
def executing(house: House, tenant: Tenant, maker: User, checker: User) -> Proposal:
    """A payment that stands in the queue."""
    proposal = propose(house, maker)
    approve(tenant, proposal, checker)
    assert transfers.execute(proposal_id=proposal.pk)
    return Proposal.objects.get(pk=proposal.pk)


def facts(proposal: Proposal) -> dict[str, str]:
    return {"reference": proposal.reference, "message": f"{proposal.reference}-2"}


def forge(proposal: Proposal, *changes: tuple[str, str]) -> int:
    """Queue a further attempt as the app role, with texts of its bytes replaced."""
    first, second = (f">{proposal.reference}-{attempt}<" for attempt in (1, 2))
    sql(GIVE_UP, **facts(proposal))
    return sql(FORGED.format(body=body((first, second), *changes)), **facts(proposal))


def test_the_seal_is_part_of_what_people_approve(house: House, maker: User) -> None:
    proposal = propose(house, maker)
    assert re.fullmatch("[0-9a-f]{64}", proposal.order_seal)
    assert movement.content_of(proposal.pk)["order"] == proposal.order_seal
    with pytest.raises(DatabaseError, match="changes only as a new version"):
        sql("UPDATE treasury_proposal SET order_seal = '' WHERE id = %(id)s", id=proposal.pk)


def test_the_queued_bytes_carry_the_approved_seal(executing: Proposal) -> None:
    transfer = Transfer.objects.get(proposal=executing)
    sent = archive.message_bytes(transfer.message_id or "")
    reference = f"{executing.reference}-1"
    assert f"<MsgId>{reference}</MsgId>".encode() in sent
    seal = order_seal(body=sent, message_reference=reference, uetr=transfer.uetr)
    assert seal == executing.order_seal
    for old, new in (("1000000001", "2000000009"), ("Harbour Street", "Harbor Street")):
        other = sent.replace(old.encode(), new.encode())
        assert other != sent
        assert order_seal(body=other, message_reference=reference, uetr=transfer.uetr) != seal


def test_a_further_attempt_of_the_same_order_keeps_the_seal(
    executing: Proposal, maker: User
) -> None:
    lines.withdraw_payment(reference=executing.reference, reason="line down")
    transfers.mark_failed(reference=executing.reference, reason="line down")
    transfer = Transfer.objects.get(proposal=executing)
    transfers.retry_transfer(transfer_id=transfer.pk, actor=maker)
    transfer.refresh_from_db()
    again = archive.message_bytes(transfer.message_id or "")
    reference = f"{executing.reference}-2"
    assert f"<MsgId>{reference}</MsgId>".encode() in again
    seal = order_seal(body=again, message_reference=reference, uetr=transfer.uetr)
    assert seal == executing.order_seal


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1000000001", "2000000009"),
        ("<Nm>", "<Nm>Not "),
        ("SDVA", "URGP"),
        ("<BtchBookg>false", "<BtchBookg>true"),
        ("2750000.00", "2750000.01"),
    ],
)
def test_changed_bytes_are_refused_by_the_database(executing: Proposal, old: str, new: str) -> None:
    sent = archive.message_bytes(Transfer.objects.get(proposal=executing).message_id or "")
    assert old.encode() in sent
    with pytest.raises(DatabaseError, match="is not the order that was approved"):
        forge(executing, (old, new))


def test_the_same_bytes_under_their_own_reference_would_pass(executing: Proposal) -> None:
    assert forge(executing) == 1


def test_without_the_guard_changed_bytes_pass(executing: Proposal) -> None:
    """The negative control."""
    with guard_replaced("integrations_message", "guard_payment"):
        assert forge(executing, ("1000000001", "2000000009")) == 1


def test_the_amount_is_read_from_the_bytes_themselves(executing: Proposal) -> None:
    """A seal that was made of another order helps nobody: amounts are compared besides."""
    sent = archive.message_bytes(Transfer.objects.get(proposal=executing).message_id or "")
    first, second = (f">{executing.reference}-{attempt}<" for attempt in (1, 2))
    dearer = sent.replace(b"2750000.00", b"9750000.00").replace(first.encode(), second.encode())
    transfer = Transfer.objects.get(proposal=executing)
    seal = order_seal(body=dearer, message_reference=f"{executing.reference}-2", uetr=transfer.uetr)
    with guard_replaced("treasury_proposal", "guard"):
        sql(
            "UPDATE treasury_proposal SET order_seal = %(seal)s WHERE id = %(id)s",
            seal=seal,
            id=executing.pk,
        )
    sql(GIVE_UP, **facts(executing))
    statement = FORGED.format(body="%(bytes)s::bytea")
    with pytest.raises(DatabaseError, match="does not say the approved amount"):
        sql(statement, **facts(executing), bytes=dearer)


def test_bytes_changed_in_the_queue_are_never_taken_up(executing: Proposal) -> None:
    """Whoever writes into the archive past its guard still finds the seal before the sender."""
    change = (
        "UPDATE integrations_message m SET body = {body}, size_bytes = octet_length({body}),"
        " sha256 = encode(sha256({body}), 'hex') WHERE m.reference = %(reference)s"
    ).format(body=body(("1000000001", "2000000009")))
    with guard_replaced("integrations_message", "guard_content"):
        assert sql(change, **facts(executing)) == 1
    with pytest.raises(DatabaseError, match="is not the order that was approved"):
        sql(TAKE_UP, **facts(executing))
    with guard_replaced("integrations_message", "guard_seal"):
        assert sql(TAKE_UP, **facts(executing)) == 1


def test_the_untouched_message_is_taken_up(executing: Proposal) -> None:
    assert sql(TAKE_UP, **facts(executing)) == 1


def test_what_stood_in_the_queue_before_there_were_seals_leaves(executing: Proposal) -> None:
    with guard_replaced("treasury_proposal", "guard"):
        sql("UPDATE treasury_proposal SET order_seal = '' WHERE id = %(id)s", id=executing.pk)
    assert sql(TAKE_UP, **facts(executing)) == 1


def test_an_order_that_would_read_differently_fails_in_words(
    house: House, tenant: Tenant, maker: User, checker: User
) -> None:
    proposal = propose(house, maker)
    approve(tenant, proposal, checker)
    LegalEntity.objects.update(street="Another Street")
    assert transfers.execute(proposal_id=proposal.pk) is False
    proposal.refresh_from_db()
    assert proposal.state == ProposalState.FAILED
    assert "not the one that was approved" in proposal.closing_reason
    assert archive.payment_message(proposal.reference) is None


def test_what_was_approved_unsealed_is_proposed_anew(
    house: House, tenant: Tenant, maker: User, checker: User
) -> None:
    proposal = propose(house, maker)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    approve(tenant, proposal, checker)
    with guard_replaced("treasury_proposal", "guard"):
        sql("UPDATE treasury_proposal SET order_seal = '' WHERE id = %(id)s", id=proposal.pk)
        assert transfers.execute(proposal_id=proposal.pk) is False
    proposal.refresh_from_db()
    assert "before orders were sealed" in proposal.closing_reason


def test_an_order_leaves_by_a_line_of_its_own_bank(executing: Proposal) -> None:
    other = lines.ConnectionIn(code="other", name="Other", kind="FOLDER", directory="/tmp/other")  # noqa: S108
    elsewhere = lines.save_connection(wish=other).pk
    first, second = (f">{executing.reference}-{attempt}<" for attempt in (1, 2))
    sql(GIVE_UP, **facts(executing))
    attack = FORGED.replace(
        "'state', 'QUEUED'", f"'state', 'QUEUED', 'connection_id', '{elsewhere}'"
    )
    attack = attack.format(body=body((first, second)))
    with pytest.raises(DatabaseError, match="does not leave by a line of its own bank"):
        sql(attack, **facts(executing))
    # The negative control: without the guard it would stand in the other bank's queue.
    with guard_replaced("integrations_message", "guard_payment"):
        assert sql(attack, **facts(executing)) == 1


def test_a_message_reference_holds_no_markup(executing: Proposal) -> None:
    sql(GIVE_UP, **facts(executing))
    odd = facts(executing) | {"message": "</MsgId><MsgId>"}
    with pytest.raises(DatabaseError, match="a message reference that is none"):
        sql(FORGED.format(body=body()), **odd)
