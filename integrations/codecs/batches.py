"""Join orders that were written one by one into one pain.001, and tell which ones may be joined.

Nothing of an order is written anew: its CdtTrfTxInf goes into the file letter for letter, so that
the database can take the file apart and compare each order with what people approved.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import Final

from integrations.codecs.errors import UnwritableMessage
from integrations.codecs.order_parts import moment_text

_OPENING: Final = b"<CdtTrfTxInf>"
_CLOSING: Final = b"</CdtTrfTxInf>"
_CREATED: Final = re.compile(rb"<CreDtTm>[0-9TZ:-]{20}</CreDtTm>")
_COUNT: Final = re.compile(rb"<NbOfTxs>[0-9]+</NbOfTxs>")
_SUM: Final = re.compile(rb"<CtrlSum>([0-9.]+)</CtrlSum>")


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleOrder:
    """An order of one payment, cut at its payment: what stands before it, it, what follows."""

    reference: str
    before: bytes
    payment: bytes
    after: bytes

    @property
    def amount(self) -> Decimal:
        """Return its control sum, the amount of its only payment."""
        found = _SUM.search(self.before)
        if found is None:
            raise UnwritableMessage("The order has no control sum.", code="batch_mixed")
        return Decimal(found[1].decode())

    def frame(self) -> tuple[bytes, bytes]:
        """Return what surrounds the payment, without what belongs to this one order."""
        own, none = f">{self.reference}<".encode(), b"><"
        plain = self.before.replace(own, none)
        for pattern in (_CREATED, _COUNT, _SUM):
            plain = pattern.sub(b"", plain)
        return plain, self.after


def cut(body: bytes, *, reference: str) -> SingleOrder | None:
    """Cut a pain.001 at its only payment; None when it is another message or carries several."""
    if body.count(_OPENING) != 1 or body.count(_CLOSING) != 1:
        return None
    before, _, rest = body.partition(_OPENING)
    payment, _, after = rest.partition(_CLOSING)
    if len(_COUNT.findall(before)) != 2 or len(_SUM.findall(before)) != 2:  # noqa: PLR2004 - header and block
        return None
    return SingleOrder(reference=reference, before=before, payment=payment, after=after)


def group_key(body: bytes, *, reference: str, rail: str) -> str:
    """Return what orders have in common that may share a file; empty for one that goes alone.

    Everything around the payment must be equal: version, initiating party, debtor, its account and
    bank, execution date, charges, service level; and the rail.
    """
    order = cut(body, reference=reference)
    if order is None:
        return ""
    before, after = order.frame()
    return sha256(b"\x00".join((rail.encode(), before, after))).hexdigest()


def joined(orders: Sequence[SingleOrder], *, reference: str, created_at: datetime) -> bytes:
    """Return one file of these orders under a reference of its own.

    Raises:
        UnwritableMessage: fewer than two, or they do not share what surrounds them.
    """
    if len(orders) < 2 or len({order.frame() for order in orders}) != 1:  # noqa: PLR2004
        raise UnwritableMessage(
            "Payments of one file share the debit side.", code="batch_mixed", locator="batch"
        )
    first = orders[0]
    total = sum((order.amount for order in orders), Decimal(0))
    head = first.before.replace(f">{first.reference}<".encode(), f">{reference}<".encode())
    head = _CREATED.sub(f"<CreDtTm>{moment_text(created_at)}</CreDtTm>".encode(), head)
    head = _COUNT.sub(f"<NbOfTxs>{len(orders)}</NbOfTxs>".encode(), head)
    head = _SUM.sub(f"<CtrlSum>{total:f}</CtrlSum>".encode(), head)
    payments = b"".join(_OPENING + order.payment + _CLOSING for order in orders)
    return head + payments + first.after
