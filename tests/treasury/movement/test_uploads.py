"""Proposals from a file: every problem with its row, all or nothing, once per content."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction

from approvals import selectors as approvals
from core.errors import Forbidden, Invalid, NotFound
from core.identity.models import User
from core.tenancy import Tenant, bound
from integrations.codecs.errors import UnreadableMessage
from tests.conftest import MakeUser
from tests.integrations.codecs.workbooks import workbook
from tests.tms.desk.conftest import client_of
from tests.treasury.movement.conftest import House
from treasury.errors import UploadRefused
from treasury.models import (
    Beneficiary,
    Proposal,
    ProposalState,
    ProposalUpload,
    UploadFormat,
)
from treasury.services import uploading
from treasury.uploads.orders import read_pain001
from treasury.uploads.sheets import read_csv, read_xlsx

HEAD = "from_account,to_account,amount,currency,why,value_date"
GOOD = "1000000002,1000000001,{amount},INR,Payouts of tomorrow,"


def csv_of(*rows: str, head: str = HEAD) -> bytes:
    return "\n".join((head, *rows, "")).encode()


def good(*amounts: str) -> bytes:
    return csv_of(*(GOOD.format(amount=amount) for amount in amounts))


def pain001(*amounts: str, count: int | None = None) -> bytes:
    payments = "".join(
        f"<CdtTrfTxInf><PmtId><EndToEndId>E{number}</EndToEndId></PmtId>"
        f'<Amt><InstdAmt Ccy="INR">{amount}</InstdAmt></Amt>'
        "<CdtrAcct><Id><Othr><Id>1000000001</Id></Othr></Id></CdtrAcct>"
        "<RmtInf><Ustrd>From the ERP</Ustrd></RmtInf></CdtTrfTxInf>"
        for number, amount in enumerate(amounts)
    )
    return (
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"><CstmrCdtTrfInitn>'
        f"<GrpHdr><MsgId>M</MsgId><NbOfTxs>{count or len(amounts)}</NbOfTxs></GrpHdr>"
        "<PmtInf><DbtrAcct><Id><Othr><Id>1000000002</Id></Othr></Id></DbtrAcct>"
        f"{payments}</PmtInf></CstmrCdtTrfInitn></Document>"
    ).encode()


def upload(data: bytes, maker: User, name: str = "payouts.csv") -> ProposalUpload:
    return uploading.upload_file(name=name, data=data, maker=maker)


def problems(found: ProposalUpload) -> list[tuple[int, str]]:
    return [(one["row"], one["field"]) for one in found.findings if one["error"]]


def test_a_good_file_shows_its_totals_and_proposes_nothing_yet(house: House, maker: User) -> None:
    found = upload(good("1000.00", "2500.50"), maker)
    assert (found.stands, found.rows_count, found.errors_count) == ("ready", 2, 0)
    assert found.totals == [
        {"account": "Collection", "currency": "INR", "count": 2, "amount": "3500.50"}
    ]
    assert not Proposal.objects.exists()


def test_every_row_becomes_a_proposal_with_its_own_request(house: House, maker: User) -> None:
    found = upload(good("1000.00", "2500.50"), maker)
    done = uploading.submit_upload(upload_id=found.pk, actor=maker)
    assert done.stands == "submitted"
    rows = list(done.made.order_by("row_number"))
    assert [(one.row_number, one.proposal.amount) for one in rows] == [
        (2, Decimal("1000.00")),
        (3, Decimal("2500.50")),
    ]
    for one in rows:
        assert one.proposal.state == ProposalState.PENDING
        request = approvals.request_of(
            subject_type="treasury.proposal", subject_id=one.proposal_id, subject_version=1
        )
        assert request is not None
        assert request.amount == one.proposal.amount


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ("9999,1000000001,1.00,INR,why,", "from_account"),
        ("1000000002,777,1.00,INR,why,", "to_account"),
        ("1000000002,1000000002,1.00,INR,why,", "credit_account"),
        ("1000000002,1000000001,1.005,INR,why,", "amount"),
        ('1000000002,1000000001,"1,000.00",INR,why,', "amount"),
        ("1000000002,1000000001,-1.00,INR,why,", "amount"),
        ("1000000002,1000000001,1.00,USD,why,", "from_account"),
        ("1000000002,1000000001,1.00,INR,,", "why"),
        ("1000000002,1000000001,1.00,INR,why,tomorrow", "value_date"),
        ("1000000002,1000000001,1.00,INR,why,2031-01-01", "value_date"),
        ("1000000002,2000000009,199999.99,INR,below the rail's least,", "amount"),
    ],
)
def test_every_problem_has_its_row_and_nothing_is_proposed(
    house: House, maker: User, row: str, field: str
) -> None:
    found = upload(csv_of(GOOD.format(amount="5.00"), row), maker)
    assert problems(found) == [(3, field)]
    with pytest.raises(UploadRefused):
        uploading.submit_upload(upload_id=found.pk, actor=maker)
    assert not Proposal.objects.exists()


def test_all_or_nothing_when_a_limit_stops_a_later_row(house: House, maker: User) -> None:
    """Each row alone would pass; together they pass the limit of a day."""
    from core import policies
    from treasury.errors import LimitExceeded
    from treasury.policies import OUTFLOW_24H_MAKER_USD_MAX

    policies.change(
        policy=OUTFLOW_24H_MAKER_USD_MAX, value=Decimal(20), actor=maker, reason="a test"
    )
    found = upload(good("1000.00", "1001.00"), maker)
    assert found.errors_count == 0
    with pytest.raises(LimitExceeded, match="Row 3") as refusal, transaction.atomic():
        uploading.submit_upload(upload_id=found.pk, actor=maker)
    assert refusal.value.context["row"] == 3
    assert not Proposal.objects.exists()
    assert ProposalUpload.objects.get().stands == "ready"


def test_the_same_bytes_are_one_upload_and_submitted_once(house: House, maker: User) -> None:
    first = upload(good("1000.00"), maker)
    uploading.submit_upload(upload_id=first.pk, actor=maker)
    again = upload(good("1000.00"), maker)
    assert again.pk == first.pk
    uploading.submit_upload(upload_id=first.pk, actor=maker)
    assert Proposal.objects.count() == 1


def test_another_person_cannot_submit_the_same_bytes_again(
    house: House, maker: User, user_with: MakeUser
) -> None:
    other = user_with("treasury_maker", name="other")
    theirs = upload(good("1000.00"), other)
    mine = upload(good("1000.00"), maker)
    uploading.submit_upload(upload_id=mine.pk, actor=maker)
    assert problems(upload(good("1000.00"), other)) == [(0, "file")]
    with pytest.raises(IntegrityError), transaction.atomic():
        ProposalUpload.objects.filter(pk=theirs.pk).update(submitted_at=mine.uploaded_at)


def test_twins_are_warned_about(house: House, maker: User) -> None:
    uploading.submit_upload(upload_id=upload(good("7.00"), maker).pk, actor=maker)
    found = upload(good("7.00", "7.00", "8.00"), maker)
    words = [one["message"] for one in found.findings]
    assert found.errors_count == 0
    assert words[0].startswith("It looks like FMP-")
    assert "It says the same as row 2." in words


def test_only_ones_own_upload_is_submitted_or_discarded(
    house: House, maker: User, checker: User, user_with: MakeUser
) -> None:
    found = upload(good("1000.00"), maker)
    other = user_with("treasury_maker", name="other")
    for act in (uploading.submit_upload, uploading.discard_upload):
        with pytest.raises(NotFound):
            act(upload_id=found.pk, actor=other)
    with pytest.raises(Forbidden):
        upload(good("1.00"), checker)
    uploading.discard_upload(upload_id=found.pk, actor=maker)
    with pytest.raises(UploadRefused):
        uploading.submit_upload(upload_id=found.pk, actor=maker)


def test_a_beneficiary_is_found_by_number_and_strangers_are_not(
    house: House, maker: User, supplier: Beneficiary
) -> None:
    found = upload(
        csv_of("3000000001,4000000077,250.00,USD,Invoice 7,", "3000000001,55,1.00,USD,x,"), maker
    )
    assert problems(found) == [(3, "to_account")]


def test_a_workbook_and_a_pain001_say_the_same_as_csv(house: House, maker: User) -> None:
    sheet = workbook(
        [
            HEAD.split(","),
            [Decimal(1000000002), "1000000001", Decimal("1250.0999999999999"), "INR", "From Excel"],
        ]
    )
    found = upload(sheet, maker, "payouts.xlsx")
    assert (found.format, found.stands) == (UploadFormat.XLSX, "ready"), found.findings
    assert found.totals[0]["amount"] == "1250.10" or Decimal(found.totals[0]["amount"]) == Decimal(
        "1250.1"
    )
    order = upload(pain001("10.00", "20.00"), maker, "erp.xml")
    assert (order.format, order.rows_count, order.errors_count) == (UploadFormat.PAIN001, 2, 0)
    assert read_pain001(pain001("10.00"))[0].why == "From the ERP"


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfe\xfa",
        b"a,b\n1,2\n",
        csv_of(head=HEAD.replace("amount", "sum")),
        csv_of('1,"2'),
        csv_of("1,2,3,INR,why,,surplus"),
        csv_of(*["1,2,3,INR,x,"] * 2_001),
        b"<Document/>",
        b"<!DOCTYPE a><a/>",
        pain001("1.00", count=3),
        b"PK\x03\x04 no zip",
        workbook([["from_account"]], parts={"xl/styles.xml": ""}),
    ],
)
def test_a_file_that_cannot_be_read_says_why(house: House, maker: User, data: bytes) -> None:
    found = upload(data, maker)
    assert (found.rows_count, problems(found)) == (0, [(0, "file")])
    assert found.findings[0]["message"]


def _sheet(*rows: str) -> bytes:
    return workbook([], extra="".join(rows))


def _damaged(data: bytes) -> bytes:
    start = data.index(b"sheet1.xml") + len(b"sheet1.xml")
    return data[:start] + b"\xff" * 8 + data[start + 8 :]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(_sheet('<row r="abc"><c><v>1</v></c></row>'), id="row without a number"),
        pytest.param(_sheet(f'<row r="{"1" * 5_000}"/>'), id="row beyond all numbers"),
        pytest.param(_sheet('<row r="1"><c t="s"><v>²</v></c></row>'), id="digit of another kind"),
        pytest.param(_sheet(f'<row r="1"><c t="s"><v>{"1" * 5_000}</v></c></row>'), id="index"),
        pytest.param(_damaged(_sheet(f'<row r="1"><c><v>{"ab" * 99}</v></c></row>')), id="damaged"),
    ],
)
def test_a_workbook_that_makes_no_sense_is_a_finding(
    house: House, maker: User, data: bytes
) -> None:
    kept = uploading.upload_file(name="f.xlsx", data=data, maker=maker)
    assert [(one["row"], one["field"]) for one in kept.findings] == [(0, "file")]


@pytest.mark.parametrize("where", ["why", "value_date", "currency", "from_account"])
@pytest.mark.parametrize("what", ["\0", "²", "\0²"])
def test_characters_that_nobody_types_are_findings(
    house: House, maker: User, where: str, what: str
) -> None:
    cells = dict(zip(HEAD.split(","), GOOD.format(amount="1.00").split(","), strict=True))
    row = ",".join((cells | {where: cells[where] + what}).values())
    kept = uploading.upload_file(name="f.csv", data=csv_of(row), maker=maker)
    # In words they may stand, and account numbers are read without signs between their digits.
    may_stand = what == "²" and where in ("why", "from_account")
    assert kept.errors_count == (0 if may_stand else 1)


def test_a_workbook_that_unpacks_to_too_much_is_refused_in_time() -> None:
    body = workbook([], extra=" " * 40_000_000)
    assert len(body) < 100_000
    with pytest.raises(UnreadableMessage, match="Unpacked"):
        read_xlsx(body)


def test_a_day_is_read_from_a_cell_that_shows_one_and_a_formula_is_refused() -> None:
    day = date(2026, 11, 20)
    (found,) = read_xlsx(workbook([HEAD.split(","), ["1", "2", Decimal("3.5"), "INR", "y", day]]))
    assert (found.amount, found.value_date) == ("3.5", "2026-11-20")
    formula = '<row r="2"><c r="A2"><f>1+1</f><v>2</v></c></row>'
    with pytest.raises(UnreadableMessage, match="formula"):
        read_xlsx(workbook([HEAD.split(",")], extra=formula))


def test_empty_rows_and_other_separators_are_read() -> None:
    lines = (HEAD.replace(",", ";"), ";;;;;", "1;2;3;INR;y;45980", "")
    rows = read_csv(b"\xef\xbb\xbf" + "\n".join(lines).encode())
    assert [(row.number, row.amount, row.value_date) for row in rows] == [(3, "3", "2025-11-19")]


def test_nobody_uploads_nothing_or_too_much(house: House, maker: User) -> None:
    for data in (b"", b"x" * (uploading.FILE_BYTES_MAX + 1)):
        with pytest.raises(Invalid):
            upload(data, maker)


def test_a_large_file_is_prepared_in_steps_and_submitted_at_once(
    house: House, maker: User, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "INLINE_ROWS_MAX", 0)
    monkeypatch.setattr(uploading, "CHUNK_ROWS", 2)
    found = upload(good("1.00", "2.00", "3.00"), maker)
    held = uploading.submit_upload(upload_id=found.pk, actor=maker)
    assert held.stands == "being submitted"
    assert uploading._work_on(tenant.id, found.pk, maker.pk)
    assert ProposalUpload.objects.get().made_count == 2
    assert set(Proposal.objects.values_list("state", flat=True)) == {"DRAFT"}
    assert uploading.work_off(tenant=tenant.id) == 1
    assert ProposalUpload.objects.get().stands == "submitted"
    assert list(Proposal.objects.values_list("state", flat=True)) == ["PENDING"] * 3
    assert uploading.work_off(tenant=tenant.id) == 0


def test_what_stops_a_large_file_is_shown_and_it_can_be_tried_again(
    house: House, maker: User, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core import policies
    from treasury.policies import OUTFLOW_24H_MAKER_USD_MAX

    monkeypatch.setattr(uploading, "INLINE_ROWS_MAX", 0)
    policies.change(
        policy=OUTFLOW_24H_MAKER_USD_MAX, value=Decimal(20), actor=maker, reason="a test"
    )
    found = upload(good("1000.00", "1001.00"), maker)
    uploading.submit_upload(upload_id=found.pk, actor=maker)
    uploading.work_off(tenant=tenant.id)
    refused = ProposalUpload.objects.get()
    assert (refused.stands, refused.problem[:6]) == ("refused", "Row 3:")
    assert set(Proposal.objects.values_list("state", flat=True)) == {"DRAFT"}
    policies.change(
        policy=OUTFLOW_24H_MAKER_USD_MAX, value=Decimal(0), actor=maker, reason="a test"
    )
    uploading.submit_upload(upload_id=found.pk, actor=maker)
    uploading.work_off(tenant=tenant.id)
    assert ProposalUpload.objects.get().stands == "submitted"
    assert Proposal.objects.filter(state="PENDING").count() == 2


def test_the_page_leads_from_the_template_to_the_proposals(house: House, maker: User) -> None:
    client = client_of(maker)
    template = client.get("/proposals/uploads/template.csv").content
    assert template.decode().startswith(HEAD)
    given: Any = {"file": SimpleUploadedFile("mine.csv", good("12.00"))}
    page = client.post("/proposals/uploads", given, follow=True)
    found = ProposalUpload.objects.get()
    assert "Submit all 1" in page.content.decode()
    page = client.post(f"/proposals/uploads/{found.pk}/submit", follow=True)
    assert "FMP-" in page.content.decode()
    assert "mine.csv" in client.get("/proposals/uploads").content.decode()
    assert client.post("/proposals/uploads", {}, follow=True).status_code == 200


def _keyed(key: str) -> dict[str, Any]:
    return {"content_type": "application/json", "headers": {"Idempotency-Key": key}}


def test_the_api_takes_a_file_and_submits_it_once_per_key(
    house: House, maker: User, tenant: Tenant
) -> None:
    client = client_of(maker)
    given: Any = {"file": SimpleUploadedFile("mine.csv", good("12.00"))}
    made = client.post("/api/v1/proposal-uploads", given)
    assert made.status_code == 201, made.content
    path = f"/api/v1/proposal-uploads/{made.json()['id']}"
    for _ in range(2):
        done = client.post(f"{path}/submit", **_keyed("k-1"))
        assert done.json()["stands"] == "submitted", done.content
    with bound(tenant.id, actor="system:test"):
        assert Proposal.objects.count() == 1
    refused = client.post(f"{path}/discard", **_keyed("k-2"))
    assert refused.json()["code"] == "upload_refused"
