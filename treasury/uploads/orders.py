"""Rows of a pain.001 that another system wrote: read for what is to be paid, never forwarded."""

from typing import Final

from core.errors import Invalid
from integrations.codecs.elements import (
    Element,
    as_utf8,
    child,
    children,
    finished_elements,
    first_text,
    text,
)
from treasury.uploads.records import CELL_CHARS_MAX, ROWS_MAX, Row

_NUMBER: Final = (("Id", "IBAN"), ("Id", "Othr", "Id"))


def read_pain001(data: bytes) -> list[Row]:
    """Read a pain.001 of any version by local name; a row is a credit transfer, counted from 1.

    Raises:
        Invalid: it has no credit transfer, too many, or its control totals do not add up.
        UnreadableMessage: it is not well-formed, or carries a DOCTYPE.
    """
    rows: list[Row] = []
    header: Element | None = None
    for name, element in finished_elements(as_utf8(data), ("GrpHdr", "PmtInf")):
        if name == "GrpHdr":
            header = element
            continue
        rows.extend(_transfers(element, start=len(rows) + 1))
        if len(rows) > ROWS_MAX:
            raise Invalid(f"The file has more than {ROWS_MAX:,} payments; split it.", field="file")
        element.clear()
    if not rows:
        raise Invalid("The file is XML without a credit transfer of a pain.001.", field="file")
    stated = text(header, "NbOfTxs")
    if stated is not None and stated != str(len(rows)):
        raise Invalid(
            f"The header counts {stated[:15]} payments, the file has {len(rows)}.", field="file"
        )
    return rows


def _transfers(block: Element, *, start: int) -> list[Row]:
    debit = first_text(_element(block, "DbtrAcct"), *_NUMBER) or ""
    day = first_text(block, ("ReqdExctnDt", "Dt"), ("ReqdExctnDt",)) or ""
    found = []
    for number, one in enumerate(children(block, "CdtTrfTxInf"), start=start):
        amount = child(child(one, "Amt"), "InstdAmt")
        why = text(one, "RmtInf", "Ustrd") or text(one, "PmtId", "EndToEndId") or ""
        found.append(
            Row(
                number=number,
                from_account=debit,
                to_account=first_text(_element(one, "CdtrAcct"), *_NUMBER) or "",
                amount=text(amount) or "",
                currency="" if amount is None else (amount.get("Ccy") or ""),
                why=why[: CELL_CHARS_MAX + 1],
                value_date=day[:10],
            )
        )
    return found


def _element(parent: Element, name: str) -> Element:
    found = child(parent, name)
    return parent.makeelement(name) if found is None else found
