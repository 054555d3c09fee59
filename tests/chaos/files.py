"""Files of payments as clients write them: CSV, Excel workbooks and pain.001."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import cycle, groupby
from operator import attrgetter
from typing import Final, Protocol

from tests.chaos.seed import NUMBERS
from tests.integrations.codecs.workbooks import workbook

COLUMNS: Final = ("from_account", "to_account", "amount", "currency", "why")
PAIN: Final = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"


class Payment(Protocol):
    """What a row needs to say."""

    @property
    def debit(self) -> str: ...

    @property
    def credit(self) -> str: ...

    @property
    def amount(self) -> str: ...

    @property
    def why(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFile:
    """One file, ready to be uploaded, and what its payments are for."""

    name: str
    data: bytes
    whys: tuple[str, ...]


def in_files(payments: Sequence[Payment], *, rows: Sequence[int], prefix: str) -> list[PaymentFile]:
    """Spread payments over files of these sizes in turn, written in each of the formats in turn."""
    found = []
    writers = cycle(WRITERS.items())
    sizes = cycle(rows)
    left = list(payments)
    while left:
        size = next(sizes)
        mine, left = left[:size], left[size:]
        kind, write = next(writers)
        name = f"{prefix}-{len(found)}.{kind}"
        found.append(PaymentFile(name=name, data=write(mine), whys=tuple(p.why for p in mine)))
    return found


def as_csv(payments: Sequence[Payment]) -> bytes:
    """Write comma-separated text."""
    out = io.StringIO()
    csv.writer(out).writerows([COLUMNS, *(_cells(one) for one in payments)])
    return out.getvalue().encode()


def as_workbook(payments: Sequence[Payment]) -> bytes:
    """Write the first sheet of an Excel workbook; amounts are numbers."""
    rows: list[list[str | Decimal]] = [list(COLUMNS)]
    for debit, credit, amount, *rest in map(_cells, payments):
        rows.append([debit, credit, Decimal(amount), *rest])
    return workbook(rows)


def as_pain001(payments: Sequence[Payment]) -> bytes:
    """Write an order as another system would, one block for each account that pays."""
    ordered = sorted(payments, key=attrgetter("debit"))
    blocks = "".join(_blocks(ordered))
    return (
        f'<Document xmlns="{PAIN}"><CstmrCdtTrfInitn><GrpHdr><MsgId>{payments[0].why[-30:]}</MsgId>'
        f"<NbOfTxs>{len(payments)}</NbOfTxs></GrpHdr>{blocks}</CstmrCdtTrfInitn></Document>"
    ).encode()


def _blocks(ordered: Sequence[Payment]) -> Iterator[str]:
    for debit, group in groupby(ordered, key=attrgetter("debit")):
        transfers = "".join(
            f"<CdtTrfTxInf><PmtId><EndToEndId>E{number}</EndToEndId></PmtId>"
            f'<Amt><InstdAmt Ccy="INR">{one.amount}</InstdAmt></Amt>'
            f"<CdtrAcct><Id><Othr><Id>{NUMBERS[one.credit]}</Id></Othr></Id></CdtrAcct>"
            f"<RmtInf><Ustrd>{one.why}</Ustrd></RmtInf></CdtTrfTxInf>"
            for number, one in enumerate(group)
        )
        account = f"<DbtrAcct><Id><Othr><Id>{NUMBERS[debit]}</Id></Othr></Id></DbtrAcct>"
        yield f"<PmtInf>{account}{transfers}</PmtInf>"


def _cells(one: Payment) -> tuple[str, str, str, str, str]:
    return NUMBERS[one.debit], NUMBERS[one.credit], one.amount, "INR", one.why


WRITERS: Final[dict[str, Callable[[Sequence[Payment]], bytes]]] = {
    "csv": as_csv,
    "xlsx": as_workbook,
    "xml": as_pain001,
}
