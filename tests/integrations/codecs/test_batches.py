"""Orders joined into one file say what they said alone; only what belongs together is joined."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from integrations.codecs import batches
from integrations.codecs.errors import UnwritableMessage
from integrations.codecs.instructions import PaymentInstruction
from integrations.codecs.pain001 import write_pain001
from integrations.codecs.schemas import validate_schema
from integrations.dialects.writing import STANDARD, Format, Writing
from tests.integrations.codecs.test_pain001 import SEPA

FILE = "B-0190000000007000800000000000abcd"


def order(number: int, **changes: Any) -> PaymentInstruction:
    """One of several orders of the same debit side, each under references of its own."""
    own = f"FMP-{number:06d}-1"
    facts: dict[str, Any] = {
        "message_id": own,
        "payment_information_id": own,
        "instruction_id": own,
        "end_to_end_id": f"FMP-{number:06d}",
        "amount": Decimal(f"{number}.05"),
        **changes,
    }
    return replace(SEPA, **facts)


def cut(one: PaymentInstruction, writing: Writing = STANDARD) -> batches.SingleOrder:
    found = batches.cut(write_pain001([one], writing=writing), reference=one.message_id)
    assert found is not None
    return found


def key(one: PaymentInstruction, rail: str = "SEPA_SCT") -> str:
    return batches.group_key(write_pain001([one]), reference=one.message_id, rail=rail)


@pytest.mark.parametrize("form", [Format.PAIN_001_09, Format.PAIN_001_03])
def test_a_joined_file_is_what_the_writer_makes_of_several(form: Format) -> None:
    orders, writing = [order(number) for number in (1, 20, 300)], Writing(format=form)
    at = orders[0].created_at + timedelta(minutes=3)
    body = batches.joined([cut(one, writing) for one in orders], reference=FILE, created_at=at)
    together = [
        replace(one, message_id=FILE, payment_information_id=FILE, created_at=at) for one in orders
    ]
    assert body == write_pain001(together, writing=writing)
    assert not validate_schema(body)
    assert b"<NbOfTxs>3</NbOfTxs><CtrlSum>321.15</CtrlSum>" in body


def test_what_shares_the_debit_side_shares_a_key() -> None:
    first = order(1)
    assert key(first) == key(order(2, created_at=first.created_at + timedelta(seconds=9)))
    others = [
        key(order(2, execution_date=first.execution_date + timedelta(days=1))),
        key(order(2, debtor=replace(first.debtor, iban="DE02120300000000202051"))),
        key(order(2, charge_bearer="SHAR")),
        key(order(2), rail="SEPA_INST"),
    ]
    assert key(first) not in others
    assert len(set(others)) == len(others)


def test_a_message_of_several_payments_is_never_cut() -> None:
    several = [replace(order(n), message_id=FILE, payment_information_id=FILE) for n in (1, 2)]
    body = write_pain001(several)
    assert batches.cut(body, reference=FILE) is None
    assert batches.group_key(body, reference=FILE, rail="SEPA_SCT") == ""


def test_orders_of_other_sides_are_not_joined() -> None:
    stranger = order(2, charge_bearer="SHAR")
    for orders in ([cut(order(1)), cut(stranger)], [cut(order(1))]):
        with pytest.raises(UnwritableMessage):
            batches.joined(orders, reference=FILE, created_at=stranger.created_at)
