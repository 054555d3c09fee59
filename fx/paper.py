"""A deal's ticket as a PDF: the same ticket gives the same bytes, no clock enters it."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

import reportlab
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from fx.selectors.tickets import Line, Ticket

MARGIN: Final = 18 * mm
INK, MUTED, RULE, TINT = (
    colors.HexColor(shade) for shade in ("#14222b", "#5b6b75", "#cfd8dd", "#eef3f4")
)
_FONTS: Final = {"Ticket": "Vera.ttf", "Ticket-Bold": "VeraBd.ttf"}
for _name, _file in _FONTS.items():
    pdfmetrics.registerFont(TTFont(_name, str(Path(reportlab.__file__).parent / "fonts" / _file)))
_BODY = ParagraphStyle("body", fontName="Ticket", fontSize=8.5, leading=11.5, textColor=INK)
_SMALL = ParagraphStyle("small", parent=_BODY, fontSize=7.5, leading=10, textColor=MUTED)
_STRONG = ParagraphStyle("strong", parent=_BODY, fontName="Ticket-Bold")
_TITLE = ParagraphStyle("title", parent=_STRONG, fontSize=16, leading=20)
_HEAD = ParagraphStyle(
    "head", parent=_STRONG, fontSize=10.5, leading=14, spaceBefore=9, keepWithNext=1
)
_GRID = TableStyle(
    [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, RULE),
        ("LEFTPADDING", (0, 0), (-1, -1), 4),
        ("TOPPADDING", (0, 0), (-1, -1), 2.5),
    ]
)
_HEADED = TableStyle([("BACKGROUND", (0, 0), (-1, 0), TINT)], parent=_GRID)


def draw(ticket: Ticket) -> bytes:
    """Return the ticket as a PDF of A4 pages; its footer binds them to content and version."""
    out = BytesIO()
    digest = ticket.sha256()
    sheet = SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=16 * mm,
        bottomMargin=19 * mm,
        title=f"Deal ticket {ticket.reference}",
        author="",
        invariant=1,
    )

    def foot(canvas: Canvas, _sheet: Any) -> None:
        canvas.setFont("Ticket", 7)
        canvas.setFillColor(MUTED)
        words = f"{ticket.reference} version {ticket.version}, ticket {digest[:16]}"
        canvas.drawString(MARGIN, 11 * mm, words)
        canvas.drawRightString(A4[0] - MARGIN, 11 * mm, f"Page {canvas.getPageNumber()}")

    sheet.build(_story(ticket, digest), onFirstPage=foot, onLaterPages=foot)
    return out.getvalue()


def _story(ticket: Ticket, digest: str) -> list[Flowable]:
    return [
        _text(f"Deal ticket {ticket.reference}", _TITLE),
        _text(f"Version {ticket.version}: {ticket.state}", _SMALL),
        Spacer(0, 4),
        _text(ticket.headline, _STRONG),
        _text("Parties", _HEAD),
        Table(
            [
                [_text("We", _STRONG), _text("Counterparty", _STRONG)],
                [_pairs(ticket.us, 24), _pairs(ticket.them, 30)],
            ],
            colWidths=["50%", "50%"],
            style=TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP")]),
        ),
        _text("Terms", _HEAD),
        _pairs(ticket.terms, 40),
        _text("Settlement", _HEAD),
        _pairs(ticket.settlement, 40),
        _text("Approvals of this version", _HEAD),
        _table(("When", "Decision", "Who", "Reason"), ticket.approvals, (42, 26, 62, None)),
        _text("What happened", _HEAD),
        _table(("When", "What", "Who"), ticket.steps, (42, 50, None)),
        _text("Proof", _HEAD),
        _pairs((("Content sha256", ticket.content_hash), ("Ticket sha256", digest)), 40),
    ]


def _text(words: str, style: ParagraphStyle = _BODY) -> Paragraph:
    return Paragraph(escape(words) or "–", style)


def _pairs(rows: Sequence[Line], width: int) -> Table:
    cells = [[_text(name, _SMALL), _text(value)] for name, value in rows]
    return Table(cells, colWidths=[width * mm, None], style=_GRID)


def _table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int | None]
) -> Flowable:
    if not rows:
        return _text("None yet.", _SMALL)
    cells = [[_text(head, _STRONG) for head in heads]]
    cells += [[_text(value) for value in row] for row in rows]
    wide = [None if one is None else one * mm for one in widths]
    return Table(cells, colWidths=wide, repeatRows=1, style=_HEADED)
