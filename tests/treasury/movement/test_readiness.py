"""Readiness: how many beneficiaries could be paid under the address rules of November 2026."""

import csv
import json
from http import HTTPStatus
from io import StringIO

import pytest
from django.core.management import call_command
from django.urls import reverse

from core.identity.models import User
from core.tenancy import Tenant
from integrations import services as lines
from tests.scenes import scene
from tests.tms.desk.conftest import client_of
from tests.treasury.movement.conftest import House, put_on_the_list
from treasury.models import Beneficiary, BeneficiaryState
from treasury.selectors.readiness import as_csv, readiness


@scene
def listed(house: House, tenant: Tenant, keeper: User) -> dict[str, Beneficiary]:
    """Four beneficiaries: a good one, a made-up town, a mixed one, an unknown country."""

    def put(number: int, name: str, **more: str) -> Beneficiary:
        return put_on_the_list(tenant, keeper, number=f"40000000{number}", name=name, **more)

    return {
        "good": put(11, "Good Inc"),
        "made up": put(12, "=Made Up Inc", town="NOTPROVIDED"),
        "mixed": put(13, "Mixed Inc", town="Boston, MA 02110"),
        "nowhere": put(14, "Nowhere Inc", country="ZZ", town="n/a"),
    }


def test_the_score_counts_who_could_be_paid(listed: dict[str, Beneficiary]) -> None:
    found = readiness()
    assert (found.total, found.payable, found.percent) == (4, 2, 50)
    assert found.counts == {"fix": 2, "check": 1, "ready": 1}
    assert [(rule.code, rule.severity, rule.count) for rule in found.rules] == [
        ("ADDRESS_TOWN_INVENTED", "error", 2),
        ("ADDRESS_COUNTRY_UNKNOWN", "error", 1),
        ("ADDRESS_TOWN_MIXED", "warning", 1),
    ]


def test_the_list_is_filtered_by_state_rule_and_country(listed: dict[str, Beneficiary]) -> None:
    found = readiness()

    def names(**wanted: str) -> set[str]:
        return {row.beneficiary.name for row in found.chosen(**wanted)}

    assert names(state="fix") == {"=Made Up Inc", "Nowhere Inc"}
    assert names(rule="ADDRESS_TOWN_MIXED") == {"Mixed Inc"}
    assert names(country="ZZ") == {"Nowhere Inc"}
    assert names(country="ZZ", state="ready") == set()
    assert [row.state for row in found.chosen()] == ["fix", "fix", "check", "ready"]


def test_who_is_blocked_does_not_count(listed: dict[str, Beneficiary]) -> None:
    Beneficiary.objects.filter(pk=listed["nowhere"].pk).update(state=BeneficiaryState.BLOCKED)
    assert readiness().total == 3


def test_nobody_to_pay_is_all_ready(house: House) -> None:
    assert (readiness().total, readiness().percent) == (0, 100)


def test_the_way_of_writing_of_the_payers_bank_counts(listed: dict[str, Beneficiary]) -> None:
    Beneficiary.objects.filter(pk=listed["good"].pk).update(name="Größer Inc")
    before = next(row for row in readiness().rows if row.beneficiary.pk == listed["good"].pk)
    assert before.findings == ()
    lines.save_profile(wish=lines.ProfileIn(code="x", name="X", writing={"charset": "swift-x"}))
    lines.use_profile(connection_code="host", profile_code="x")
    after = next(row for row in readiness().rows if row.beneficiary.pk == listed["good"].pk)
    assert [one.code for one in after.findings] == ["TEXT_REWRITTEN"]


def test_the_file_holds_every_finding_and_no_formula(listed: dict[str, Beneficiary]) -> None:
    rows = list(csv.DictReader(StringIO(as_csv(readiness().chosen()))))
    assert len(rows) == 5
    assert {row["name"] for row in rows if row["state"] == "fix"} == {
        "'=Made Up Inc", "Nowhere Inc",
    }  # fmt: skip


def test_the_queries_do_not_grow_with_the_list(
    listed: dict[str, Beneficiary], django_assert_max_num_queries: object
) -> None:
    with django_assert_max_num_queries(4):  # type: ignore[operator]
        assert readiness().total == 4


def test_page_file_and_api_say_the_same(listed: dict[str, Beneficiary], maker: User) -> None:
    client = client_of(maker)
    page = client.get(reverse("treasury:readiness"), {"state": "fix"}).content.decode()
    assert "50 % could be paid" in page
    assert "Nowhere Inc" in page
    assert "Good Inc" not in page
    file = client.get(reverse("treasury:readiness-export"), {"rule": "ADDRESS_TOWN_MIXED"})
    assert file["Content-Type"].startswith("text/csv")
    assert "Mixed Inc" in file.content.decode()
    assert "Nowhere" not in file.content.decode()
    answer = client.get("/api/v1/beneficiaries/readiness")
    assert answer.status_code == HTTPStatus.OK
    found = answer.json()
    assert (found["percent"], found["counts"]["fix"], len(found["rows"])) == (50, 2, 3)
    odd = client.get(reverse("treasury:readiness"), {"rule": "<script>", "page": "999"})
    assert "<script>" not in odd.content.decode().split("<main", 1)[1]


def test_the_page_without_anybody_says_what_to_do(house: House, maker: User) -> None:
    page = client_of(maker).get(reverse("treasury:readiness")).content.decode()
    assert "No beneficiaries yet" in page


@pytest.mark.parametrize(("least", "code"), [("50", None), ("51", 1)])
def test_the_command_prints_the_score_and_holds_a_bar(
    listed: dict[str, Beneficiary], least: str, code: int | None
) -> None:
    out = StringIO()
    if code is None:
        call_command("beneficiary_readiness", "--json", f"--least={least}", stdout=out)
        (found,) = json.loads(out.getvalue()).values()
        assert found["percent"] == 50
        return
    with pytest.raises(SystemExit) as ended:
        call_command("beneficiary_readiness", f"--least={least}", stdout=out)
    assert ended.value.code == code
    assert "50 % (2 of 4 could be paid)" in out.getvalue()
