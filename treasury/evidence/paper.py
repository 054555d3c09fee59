"""The evidence of one payment on paper: header, timeline, tables, page numbers.

The same pack gives the same bytes: no clock and no random name enters the document.
"""

from collections.abc import Iterable, Sequence
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
from reportlab.platypus import (
    Flowable,
    PageBreak,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
    Table,
    TableStyle,
)

from treasury.evidence.records import (
    Facts,
    PeriodEvidence,
    PeriodIndex,
    TransferEvidence,
    Version,
)

MARGIN: Final = 18 * mm
WIDTH: Final = A4[0] - 2 * MARGIN
INK, MUTED, LINE, TINT = (
    colors.HexColor(shade) for shade in ("#14222b", "#5b6b75", "#cfd8dd", "#eef3f4")
)
_FONTS: Final = {"Evidence": "Vera.ttf", "Evidence-Bold": "VeraBd.ttf"}
for _name, _file in _FONTS.items():
    pdfmetrics.registerFont(TTFont(_name, str(Path(reportlab.__file__).parent / "fonts" / _file)))

_BODY = ParagraphStyle("body", fontName="Evidence", fontSize=8, leading=11, textColor=INK)
_SMALL = ParagraphStyle("small", parent=_BODY, fontSize=7, leading=9.5, textColor=MUTED)
_STRONG = ParagraphStyle("strong", parent=_BODY, fontName="Evidence-Bold")
_CODE = ParagraphStyle(
    "code", parent=_BODY, fontName="Courier", fontSize=7, leading=9, splitLongWords=True
)
_TITLE = ParagraphStyle("title", parent=_STRONG, fontSize=16, leading=20)
_HEAD = ParagraphStyle(
    "head", parent=_STRONG, fontSize=10.5, leading=14, spaceBefore=10, keepWithNext=1
)
_GRID = TableStyle(
    [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE),
        ("LEFTPADDING", (0, 0), (-1, -1), 4),
        ("RIGHTPADDING", (0, 0), (-1, -1), 4),
        ("TOPPADDING", (0, 0), (-1, -1), 2.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
    ]
)
_HEADED = TableStyle([("BACKGROUND", (0, 0), (-1, 0), TINT)], parent=_GRID)
INSTANT_CHARS: Final = 19


class _Numbered(Canvas):
    """A canvas that knows the number of pages when it writes the first one's footer."""

    footer = ""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "invariant": 1})
        self._pages: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802 - reportlab's name
        """Keep the page until all are known."""
        self._pages.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        """Write every page with its number, then the file."""
        for number, page in enumerate(self._pages, start=1):
            self.__dict__.update(page)
            self.setFont("Evidence", 7)
            self.setFillColor(MUTED)
            self.drawString(MARGIN, 11 * mm, self.footer)
            self.drawRightString(A4[0] - MARGIN, 11 * mm, f"Page {number} of {len(self._pages)}")
            super().showPage()
        super().save()


def _text(value: Any, style: ParagraphStyle = _BODY) -> Paragraph:
    words = "" if value is None else str(value)
    return Paragraph(escape(words) or "–", style)


def _instant(text: Any) -> str:
    return str(text or "")[:INSTANT_CHARS].replace("T", " ")


def _pairs(rows: Iterable[tuple[str, Any]], *, code: Sequence[str] = ()) -> Table:
    cells = [
        [_text(name, _SMALL), _text(value, _CODE if name in code else _BODY)]
        for name, value in rows
        if value not in (None, "")
    ]
    return Table(cells or [["", _text("None.", _SMALL)]], colWidths=[36 * mm, None], style=_GRID)


def _table(heads: Sequence[str], rows: Sequence[Sequence[Any]], widths: Sequence[Any]) -> Flowable:
    if not rows:
        return _text("None.", _SMALL)
    cells = [[_text(head, _STRONG) for head in heads]]
    cells += [[cell if isinstance(cell, Flowable) else _text(cell) for cell in row] for row in rows]
    return Table(cells, colWidths=list(widths), repeatRows=1, style=_HEADED)


def _document(story: list[Flowable], *, title: str, footer: str) -> bytes:
    out = BytesIO()
    sheet = SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=16 * mm,
        bottomMargin=19 * mm,
        title=title,
        author="",
    )
    canvas = type("_Sheet", (_Numbered,), {"footer": footer})
    sheet.build(story, canvasmaker=canvas)
    return out.getvalue()


def draw(pack: TransferEvidence) -> bytes:
    """Return the pack as a PDF."""
    return _document(
        _payment(pack),
        title=f"Evidence {pack.reference}",
        footer=f"{pack.reference}, pack {pack.sha256()[:16]}…",
    )


def _payment(pack: TransferEvidence) -> list[Flowable]:
    proposal, transfer = pack.proposal, pack.transfer
    story: list[Flowable] = [
        _text(f"Evidence of payment {pack.reference}", _TITLE),
        _text(f"{pack.tenant.get('name', '')}, put together {_instant(pack.made_at)} UTC", _SMALL),
        Spacer(0, 6),
        _pairs(
            [
                ("Amount", f"{proposal['amount']} {proposal['currency']}"),
                ("State", proposal["state"]),
                ("From", _party(pack.debit)),
                ("To", _party(pack.credit)),
                ("Rail, value date", f"{proposal['rail']}, {proposal['value_date']}"),
                ("Why", proposal["why"]),
                ("End-to-end id", transfer["end_to_end_id"]),
                ("UETR", transfer["uetr"]),
                ("Bank reference", transfer["bank_reference"]),
                ("Pack sha256", pack.sha256()),
            ],
            code=("UETR", "Pack sha256"),
        ),
        _text("Origin", _HEAD),
        _pairs(_origin(pack.origin)),
        _text("What happened", _HEAD),
        _table(
            ("When (UTC)", "What", "Details"),
            [[_instant(one.at), one.what, one.words] for one in pack.timeline],
            (34 * mm, 52 * mm, None),
        ),
    ]
    for version in pack.versions:
        story += _version(version)
    return [*story, *_sent(pack), *_proof(pack)]


def _party(account: Facts) -> str:
    if "number_ends_with" not in account:
        return str(account.get("label", ""))
    number = f"number ending {account['number_ends_with']}"
    return f"{account['label']}, {number}, {account['bank']} ({account['bic']})"


def _origin(origin: Facts) -> list[tuple[str, Any]]:
    told = [("Purpose", origin["purpose"]), ("Made by", origin["made_by"])]
    wanted = origin.get("prefunding", {})
    event = origin.get("shortfall_event", {})
    told += (
        [("Shortfall", f"{wanted['shortfall']} {wanted['currency']} on {wanted['need_date']}")]
        if wanted
        else []
    )
    told += (
        [
            (
                "Seen by",
                f"{event['producer']} at {_instant(event['occurred_at'])}, event {event['id']}",
            )
        ]
        if event
        else []
    )
    return told


def _version(version: Version) -> list[Flowable]:
    request = version.request
    decisions = [
        [
            _instant(one["decided_at"]),
            one["outcome"],
            f"{one['checker_name']} ({one['as_role']})"
            + (f" for {one['on_behalf_of_name']}" if one["on_behalf_of_name"] else ""),
            _shown(one),
            one["reason"],
        ]
        for one in version.decisions
    ]
    return [
        _text(f"Version {request['subject_version']}: approval", _HEAD),
        _pairs(
            [
                ("Submitted", f"{_instant(request['submitted_at'])} by {request['maker_label']}"),
                ("Needed", f"{request['required_count']} approvals"),
                ("In US dollars", request["usd_equivalent"]),
                ("State", request["state"]),
                ("Content sha256", version.content_hash),
                ("Hash holds", "yes" if version.hash_holds else "NO"),
                ("Exactly this was hashed", version.hashed_text),
                ("Seen by", ", ".join(str(one) for one in version.seen_by)),
            ],
            code=("Content sha256", "Exactly this was hashed"),
        ),
        Spacer(0, 4),
        _table(
            ("When (UTC)", "Decision", "Who", "Proof", "Reason"),
            decisions,
            (30 * mm, 20 * mm, 44 * mm, 46 * mm, None),
        ),
        *_lists(version),
        Spacer(0, 4),
        _text("Rules in force at submission", _STRONG),
        _pairs((name.replace("_", " "), one) for name, one in version.policy_snapshot.items()),
    ]


def _shown(decision: Facts) -> str:
    """Say how a checker proved who they are, and what the second factor was shown for."""
    signed_in = f"{decision['auth_method']}, {_instant(decision['auth_at'])}"
    if not decision["step_up_proof"]:
        return signed_in
    listed = decision["list"]
    scope = f" for a list of {len(listed['content_hashes'])}" if listed else ""
    return f"{signed_in}, step-up proven{scope}"


def _lists(version: Version) -> list[Flowable]:
    """Show each list that a decision stands on, with the digest its second factor was shown for."""
    found: list[Flowable] = []
    for one in version.decisions:
        listed = one["list"]
        if not listed:
            continue
        holds = listed["digest_holds"] and listed["is_on_it"]
        found += [
            Spacer(0, 4),
            _text(f"Approved together with others by {one['checker_name']}", _STRONG),
            _pairs(
                [
                    ("Made", _instant(listed["made_at"])),
                    ("Content sha256 on it", "\n".join(listed["content_hashes"])),
                    ("Digest of the list", listed["digest"]),
                    ("Digest holds, and this content is on it", "yes" if holds else "NO"),
                ],
                code=("Content sha256 on it", "Digest of the list"),
            ),
        ]
    return found


def _sent(pack: TransferEvidence) -> list[Flowable]:
    return [
        _text("Messages", _HEAD),
        _table(
            ("When (UTC)", "Message", "sha256 of the archived bytes"),
            [
                [
                    _instant(one["sent_at"] or one["created_at"]),
                    f"{one['direction']} {one['kind']} {one['name']}, {one['state']}",
                    _text(
                        one["archived_bytes_sha256"]
                        + ("" if one["archived_bytes_hold"] else " DIFFERS FROM THE RECORD"),
                        _CODE,
                    ),
                ]
                for one in pack.messages
            ],
            (30 * mm, 58 * mm, None),
        ),
        _text("Answers of the bank", _HEAD),
        _table(
            ("When (UTC)", "Status", "Reason", "Source"),
            [
                [_instant(one["heard_at"]), one["status"], one["reason_code"], one["source"]]
                for one in pack.bank_answers
            ],
            (34 * mm, 30 * mm, 40 * mm, None),
        ),
        _text("Statement entries", _HEAD),
        _table(
            ("Booked", "Amount", "Account and statement", "Place and sha256 of the file"),
            [
                [
                    one["booking_date"],
                    one["amount"],
                    _place(one),
                    _text(f"{one['locator']} {one['file_sha256']}", _CODE),
                ]
                for one in pack.statement_entries
            ],
            (22 * mm, 28 * mm, 50 * mm, None),
        ),
    ]


def _place(entry: Facts) -> str:
    source, reference = entry["statement_source"], entry["statement_reference"]
    return f"{entry['account_label']}, {source} {reference}"


def _proof(pack: TransferEvidence) -> list[Flowable]:
    known = pack.verification
    verified = (
        f"{_instant(known.verified_at)}: {known.verified_links_count} links,"
        f" {'intact' if known.verified_intact else 'NOT INTACT'}"
        if known.verified_at
        else "not yet by a job; verify an export"
    )
    return [
        _text("Audit trail", _HEAD),
        _pairs(
            [
                ("Entries", f"{known.entries_count}, {known.sealed_count} sealed"),
                ("Hash to their link", known.holding_count),
                ("Chain verified", verified),
                ("Anchor line after them", known.anchor),
                ("Public key", known.public_key),
            ],
            code=("Anchor line after them", "Public key"),
        ),
        Spacer(0, 4),
        _table(
            ("Link", "When (UTC)", "Who", "What", "Hash"),
            [
                [
                    one["sequence"] or "unsealed",
                    _instant(one["at"]),
                    one["who"],
                    f"{one['action']} {one['table']}",
                    _text(one["hash"], _CODE),
                ]
                for one in pack.audit
            ],
            (16 * mm, 22 * mm, 30 * mm, 42 * mm, None),
        ),
    ]


def draw_period(found: PeriodEvidence) -> bytes:
    """Return the evidence of a period as one PDF: the index, then each payment on new pages."""
    story = _index(found.index)
    for pack in found.packs:
        story += [PageBreak(), *_payment(pack)]
    footer = f"Evidence of a period, {found.sha256()[:16]}…"
    return _document(story, title="Evidence of payments", footer=footer)


def draw_index(index: PeriodIndex) -> bytes:
    """Return the index of a period as a PDF."""
    return _document(_index(index), title="Evidence of payments", footer="Index of evidence packs")


def _index(index: PeriodIndex) -> list[Flowable]:
    return [
        _text("Evidence of payments", _TITLE),
        _text(
            f"{index.tenant.get('name', '')}, {_instant(index.since)} to"
            f" {_instant(index.until)} UTC, {len(index.payments)} payments",
            _SMALL,
        ),
        Spacer(0, 6),
        _table(
            ("Payment", "Made (UTC)", "Amount", "State", "By", "Approved by", "Pack sha256"),
            [
                [
                    one.reference,
                    _instant(one.created_at),
                    f"{one.amount} {one.currency}",
                    one.state,
                    one.made_by,
                    ", ".join(one.approved_by),
                    _text(one.sha256, _CODE),
                ]
                for one in index.payments
            ],
            (21 * mm, 22 * mm, 30 * mm, 22 * mm, 22 * mm, 26 * mm, None),
        ),
    ]
