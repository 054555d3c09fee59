"""Write small XLSX workbooks by hand, honest and hostile ones."""

import io
import zipfile
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from xml.sax.saxutils import escape

Value = str | Decimal | date
_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_LINK = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
_DAY_ONE = date(1899, 12, 30)


def workbook(
    rows: Sequence[Sequence[Value]],
    *,
    sheet: str = "Umsätze",
    extra: str = "",
    parts: dict[str, str] | None = None,
) -> bytes:
    """Return a workbook of one sheet; `extra` is raw XML behind its rows."""
    texts: list[str] = []
    body = "".join(_row(number, row, texts) for number, row in enumerate(rows, start=1))
    files = {
        "xl/workbook.xml": f'<workbook {_MAIN} {_LINK}><sheets><sheet name="{sheet}" sheetId="1"'
        ' r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": "<Relationships><Relationship"
        ' Id="rId1" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet {_MAIN}><numFmts><numFmt numFmtId="170"'
        ' formatCode="dd/mm/yyyy"/></numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="170"/>'
        "</cellXfs></styleSheet>",
        "xl/sharedStrings.xml": f"<sst {_MAIN}>"
        + "".join(f"<si><t>{escape(text)}</t></si>" for text in texts)
        + "</sst>",
        "xl/worksheets/sheet1.xml": f"<worksheet {_MAIN}><sheetData>{body}{extra}</sheetData>"
        "</worksheet>",
    } | (parts or {})
    return packed(files)


def packed(files: dict[str, str]) -> bytes:
    """Return the parts as one ZIP."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return out.getvalue()


def _row(number: int, row: Sequence[Value], texts: list[str]) -> str:
    cells = "".join(
        _cell(f"{chr(65 + place)}{number}", value, texts)
        for place, value in enumerate(row)
        if value != ""
    )
    return f'<row r="{number}">{cells}</row>'


def _cell(place: str, value: Value, texts: list[str]) -> str:
    if isinstance(value, Decimal):
        return f'<c r="{place}"><v>{value}</v></c>'
    if isinstance(value, date):
        return f'<c r="{place}" s="1"><v>{(value - _DAY_ONE).days}</v></c>'
    texts.append(value)
    return f'<c r="{place}" t="s"><v>{len(texts) - 1}</v></c>'
