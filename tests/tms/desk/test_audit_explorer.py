"""The audit explorer: one thing's story across tables, filters, export, state of the chain."""

import csv
from datetime import timedelta
from io import StringIO

import pytest
from django.test import Client
from django.urls import reverse

from core import clock
from core.audit.chain import seal
from core.audit.models import AuditEntry
from core.audit.verification import ask, carry_out
from core.identity.models import User
from core.tenancy import Tenant
from tests.conftest import MakeUser
from tests.scenes import scene
from tests.tms.desk.conftest import SignedIn
from tests.treasury.movement.conftest import House, approve, propose
from tms.desk.trail import as_csv, lines_of
from treasury.models import Proposal
from treasury.services import transfers


@pytest.fixture(autouse=True)
def anchor_dir(tmp_path, settings):
    settings.TMS_AUDIT_ANCHOR_DIR = tmp_path / "anchor"


@pytest.fixture
def auditor(user_with: MakeUser, signed_in: SignedIn) -> Client:
    return signed_in(user_with("auditor", name="auditor"))


@scene
def executing(house: House, tenant: Tenant, maker: User, checker: User) -> Proposal:
    proposal = propose(house, maker)
    approve(tenant, proposal, checker)
    transfers.execute(proposal_id=proposal.pk)
    return Proposal.objects.get(pk=proposal.pk)


def test_the_history_of_a_proposal_spans_request_decisions_transfer_and_message(
    executing: Proposal, auditor: Client
) -> None:
    page = auditor.get(reverse("audit-history", args=[executing.pk]))
    tables = [line.table for line in page.context["lines"]]
    for table in (
        "treasury_proposal", "approvals_approvalrequest", "approvals_decision",
        "treasury_transfer", "integrations_message",
    ):  # fmt: skip
        assert table in tables
    text = page.content.decode()
    assert f"History of {executing.reference}" in text
    assert "decided: approve" in text.lower()
    assert "from PENDING to APPROVED" in text


def test_every_part_leads_to_the_same_history(executing: Proposal, auditor: Client) -> None:
    def story(thing: object) -> list[int]:
        page = auditor.get(reverse("audit-history", args=[thing]))
        return [line.id for line in page.context["lines"]]

    whole = story(executing.pk)
    requests = AuditEntry.objects.filter(table_name="approvals_approvalrequest")
    assert story(executing.transfer.pk) == whole
    assert story(requests[0].row_id) == whole


def test_a_refused_attempt_is_in_the_history(
    executing: Proposal, auditor: Client, user_with: MakeUser, signed_in: SignedIn
) -> None:
    dealer = signed_in(user_with("dealer", name="dealer"))
    assert dealer.get(f"/api/v1/transfers/{executing.transfer.pk}/evidence").status_code == 403
    page = auditor.get(reverse("audit-history", args=[executing.pk])).content.decode()
    assert "Was refused: GET api/v1/transfers/" in page
    only = auditor.get("/audit?action=REFUSED")
    assert {line.who for line in only.context["lines"]} == {"Dealer"}


def test_what_nobody_ever_touched_has_no_history(auditor: Client, tenant: Tenant) -> None:
    assert auditor.get(reverse("audit-history", args=[tenant.pk])).status_code == 200
    nobody = "00000000-0000-4000-8000-000000000000"
    for _ in range(2):
        assert auditor.get(reverse("audit-history", args=[nobody])).status_code == 404


def test_filters_narrow_by_person_action_and_period(
    executing: Proposal, auditor: Client, checker: User
) -> None:
    mine = auditor.get(f"/audit?actor={checker.pk}&action=INSERT")
    assert {line.who for line in mine.context["lines"]} == {"Checker"}
    assert {line.action for line in mine.context["lines"]} == {"INSERT"}
    written = AuditEntry.objects.latest("id").at.date()
    assert auditor.get(f"/audit?from={written}&to={written}").context["lines"]
    tomorrow = written + timedelta(days=1)
    assert not auditor.get(f"/audit?from={tomorrow}").context["lines"]
    assert auditor.get("/audit?from=yesterday").status_code == 422
    assert auditor.get("/audit?to=9999-12-31").status_code == 422


def test_the_next_page_keeps_the_filters(executing: Proposal, auditor: Client) -> None:
    first = auditor.get("/audit?action=INSERT")
    link = f"?before={first.context['next_before']}&amp;action=INSERT"
    assert link in first.content.decode()
    older = auditor.get(f"/audit?before={first.context['next_before']}&action=INSERT")
    assert {line.action for line in older.context["lines"]} == {"INSERT"}


def test_the_csv_is_what_the_filters_left_and_runs_no_formula(
    executing: Proposal, auditor: Client, maker: User
) -> None:
    User.objects.filter(pk=maker.pk).update(display_name="=cmd|' /C calc'!A1")
    answer = auditor.get("/audit/export.csv?table=treasury_proposal")
    assert answer["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(StringIO(answer.content.decode())))
    assert {row["table"] for row in rows} == {"treasury_proposal"}
    cells = as_csv(lines_of(AuditEntry.objects.order_by("-id")[:20]))
    for row in csv.reader(StringIO(cells)):
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row)


def test_the_badge_says_when_it_was_verified_and_how_far_it_is_sealed(
    executing: Proposal, auditor: Client, tenant: Tenant
) -> None:
    assert "Not verified yet" in auditor.get("/audit").content.decode()
    seal(tenant=tenant.id)
    ask(by="test")
    assert ask(by="test").requested_by == "test"
    carried = carry_out(tenant=tenant.id)
    assert carried is not None
    assert carry_out(tenant=tenant.id) is None
    page = auditor.get("/audit").content.decode()
    assert "Intact" in page
    assert f"{carried.links_count} links sealed" in page
    assert carried.finished_at == clock.now()


def test_only_readers_of_the_trail_see_the_links_to_it(
    executing: Proposal, maker: User, signed_in: SignedIn, user_with: MakeUser
) -> None:
    address = reverse("audit-history", args=[executing.pk])
    assert address not in signed_in(maker).get(f"/proposals/{executing.pk}").content.decode()
    assert signed_in(maker).get(address).status_code == 403
    manager = signed_in(user_with("treasury_manager", name="manager"))
    assert address in manager.get(f"/proposals/{executing.pk}").content.decode()


def test_another_tenants_things_have_no_history_here(executing: Proposal, stranger: Client) -> None:
    assert stranger.get(reverse("audit-history", args=[executing.pk])).status_code == 404
