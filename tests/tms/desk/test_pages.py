"""The frame around every page: doors, errors, headers, menu."""

import re

import pytest
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.urls import reverse

from core.errors import DomainError, Forbidden
from core.identity.models import User
from core.tenancy import Tenant
from tests.tms.desk.conftest import SignedIn
from tms.desk import errors
from tms.desk.middleware import DeskMiddleware
from tms.desk.navigation import ENTRIES, address
from tms.desk.panels import PANELS


def test_the_desk_is_for_signed_in_people(tenant: Tenant) -> None:
    answer = Client().get(reverse("desk"))
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"{reverse('sign-in')}?next=/"


def test_a_panel_of_a_signed_out_reader_sends_the_whole_page_to_sign_in(
    tenant: Tenant,
) -> None:
    answer = Client().get(
        reverse("calendars:rails-panel"),
        headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/rails?x=1"},
    )
    assert answer.status_code == 204
    assert answer.headers["HX-Redirect"] == f"{reverse('sign-in')}?next=%2Frails"


def test_the_desk_names_person_tenant_and_roles(maker: User, signed_in: SignedIn) -> None:
    page = signed_in(maker).get(reverse("desk")).content.decode()
    assert "North Remit" in page
    assert maker.display_name in page
    assert ">Maker<" in page


def test_no_page_carries_inline_code_or_style(maker: User, signed_in: SignedIn) -> None:
    client = signed_in(maker)
    for name in ("desk", "calendars:rails", "approvals:inbox"):
        answer = client.get(reverse(name))
        policy = answer.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        text = answer.content.decode()
        assert not re.search(r"<[^>]+\sstyle=", text)
        assert not re.search(r"<[^>]+\son[a-z]+=", text)
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", text)
        assert "://" not in re.sub(r'(href|src)="/', "", "".join(re.findall(r'src="[^"]+"', text)))


def test_every_page_says_what_time_the_system_has(maker: User, signed_in: SignedIn) -> None:
    assert signed_in(maker).get(reverse("desk")).headers["X-Desk-Time"]


def test_unknown_addresses_say_so_without_asking_the_database(
    maker: User, signed_in: SignedIn
) -> None:
    answer = signed_in(maker).get("/no-such-page")
    assert answer.status_code == 404
    assert "There is nothing here" in answer.content.decode()


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422, 500, 503])
def test_each_error_has_its_words(status: int) -> None:
    request = RequestFactory().get("/")
    request.META["TMS_REQUEST_ID"] = "abcdef123456"
    answer = errors.error_page(request, status=status)
    assert answer.status_code == status
    assert "abcdef123456" in answer.content.decode()


def _middleware() -> DeskMiddleware:
    def view(_request: HttpRequest) -> HttpResponse:
        return HttpResponse("ok")

    return DeskMiddleware(view)


def test_a_refusal_becomes_a_page_with_its_words() -> None:
    refusal = Forbidden("Only treasury checkers decide.")
    answer = _middleware().process_exception(RequestFactory().get("/"), refusal)
    assert answer is not None
    assert answer.status_code == 403
    assert "Only treasury checkers decide." in answer.content.decode()


def test_a_refusal_inside_a_panel_becomes_a_notice_not_a_page() -> None:
    request = RequestFactory().get("/", headers={"HX-Request": "true"})
    answer = _middleware().process_exception(request, DomainError("No data for <that> day."))
    assert answer is not None
    text = answer.content.decode()
    assert "No data for &lt;that&gt; day." in text
    assert "<html" not in text


def test_other_failures_are_not_hidden() -> None:
    assert _middleware().process_exception(RequestFactory().get("/"), ValueError("x")) is None


def test_the_lock_out_page_needs_no_database() -> None:
    assert "opens again by itself" in render_to_string("desk/locked_out.html", {})


def test_keys_of_the_menu_are_unique() -> None:
    keys = [entry.keys for entry in ENTRIES]
    assert len(keys) == len(set(keys))


def test_every_page_and_panel_of_the_plan_exists() -> None:
    """Negative control: a name that no room offers is left out, so this list would shrink."""
    assert address("no-such-room:page") is None
    names = [entry.url_name for entry in ENTRIES]
    names += [name for panel in PANELS for name in (panel.url_name, panel.page_url_name)]
    assert [name for name in names if address(name) is None] == []
