"""The battery's own orders: small, marked, each with references of its own."""

import hashlib
import uuid
from dataclasses import replace
from datetime import timedelta

from integrations.channels import Outgoing
from integrations.codecs.instructions import PaymentInstruction
from integrations.codecs.pain001 import write_pain001
from integrations.conformance.records import Terms

REMITTANCE = "Conformance test"
OLD_DAYS = 30


def fresh(
    terms: Terms, *, is_old: bool = False, is_wrong: bool = False
) -> PaymentInstruction | None:
    """Return the model payment under new references; old: dated weeks ago; wrong: to nobody."""
    if terms.model is None:
        return None
    mark = uuid.uuid4().hex[:20].upper()
    order = replace(
        terms.model,
        message_id=f"CONF{mark}",
        payment_information_id=f"CONFP{mark}",
        end_to_end_id=f"CONFE{mark}",
        instruction_id=None,
        uetr=str(uuid.uuid4()),
        remittance=REMITTANCE,
    )
    if is_old:
        order = replace(order, execution_date=order.execution_date - timedelta(days=OLD_DAYS))
    if is_wrong:
        order = replace(order, creditor=replace(order.creditor, iban=None, number="0"))
    return order


def outgoing(order: PaymentInstruction, *, body: bytes = b"", key: str = "") -> Outgoing:
    """Return an order as a channel takes it."""
    content = body or write_pain001([order])
    digest = hashlib.sha256(content).hexdigest()
    return Outgoing(
        key=key or str(uuid.uuid4()),
        name=f"{order.message_id}_{digest[:12]}.pain.001.xml",
        reference=order.end_to_end_id,
        message_reference=order.message_id,
        sha256=digest,
        body=content,
    )


def broken(order: PaymentInstruction) -> Outgoing:
    """Return a file that is no payment order: cut off in the middle."""
    whole = write_pain001([order])
    return outgoing(order, body=whole[: len(whole) // 2])
