"""Segregation of duties: what one person must not hold together, by service and by the database."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import combinations
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, connections, transaction
from django.test import Client

from core import clock
from core.api.authentication import access_token
from core.errors import Forbidden, Invalid
from core.identity import duties, duties_guards, reviews, roles
from core.identity.models import User
from core.identity.reviews import AccessReview, AccessReviewItem, Verdict
from core.tenancy import Tenant, bound
from tests.conftest import MakeUser, make_user
from tests.scenes import scene
from tests.tms.desk.conftest import client_of
from tms.demo.people import PARTS

# The matrix once more, written down by hand: a change must show in review.
EXPECTED = {
    "treasury_maker": "risk_officer tenant_admin auditor",
    "treasury_checker": "risk_officer tenant_admin auditor",
    "treasury_manager": "risk_officer tenant_admin auditor",
    "dealer": "back_office recon_analyst static_data risk_officer tenant_admin auditor",
    "back_office": "dealer risk_officer tenant_admin auditor",
    "recon_analyst": "dealer static_data tenant_admin auditor",
    "static_data": "dealer recon_analyst tenant_admin auditor",
    "risk_officer": (
        "treasury_maker treasury_checker treasury_manager dealer back_office tenant_admin auditor"
    ),
    "tenant_admin": (
        "treasury_maker treasury_checker treasury_manager dealer back_office recon_analyst"
        " static_data risk_officer auditor"
    ),
    "auditor": (
        "treasury_maker treasury_checker treasury_manager dealer back_office recon_analyst"
        " static_data risk_officer tenant_admin"
    ),
    "integration": "",
}


@scene
def admin(user_with: MakeUser) -> User:
    return user_with("tenant_admin", name="admin")


def test_the_matrix_is_exactly_this() -> None:
    assert set(EXPECTED) == set(roles.ALL)
    for one, other in combinations(roles.ALL, 2):
        is_refused = other in EXPECTED[one].split()
        assert is_refused == (one in EXPECTED[other].split()), (one, other)
        assert bool(duties.conflicts_among([one, other])) == is_refused, (one, other)


def test_the_database_knows_the_same_matrix(tenant: Tenant) -> None:
    for one, other in combinations(roles.ALL, 2):
        name = f"{one}.{other}".replace("_", "-")
        try:
            with transaction.atomic():
                make_user(name, one, other)
            is_refused = False
        except IntegrityError:
            is_refused = True
        assert is_refused == bool(duties.conflicts_among([one, other])), (one, other)


def test_the_demos_people_obey_the_matrix() -> None:
    for part in PARTS:
        assert duties.conflicts_among(part.roles) == []


def test_an_administrator_assigns_roles(admin: User, maker: User) -> None:
    duties.assign_roles(user=maker, roles={"dealer", "treasury_maker"}, actor=admin)
    assert maker.roles == {"dealer", "treasury_maker"}
    duties.assign_roles(user=maker, roles=[], actor=admin)
    assert maker.roles == set()


def test_a_conflict_is_refused_in_words_and_nothing_changes(admin: User, maker: User) -> None:
    with pytest.raises(duties.DutiesConflict, match="risk officer and treasury maker"):
        duties.assign_roles(user=maker, roles=["treasury_maker", "risk_officer"], actor=admin)
    assert maker.roles == {"treasury_maker"}


def test_nobody_assigns_roles_to_themselves_or_without_the_right(
    admin: User, maker: User, checker: User, user_with: MakeUser
) -> None:
    twin = user_with(name="twin", person_number=admin.person_number)
    for user, actor in ((maker, checker), (admin, admin), (twin, admin)):
        with pytest.raises(Forbidden):
            duties.assign_roles(user=user, roles=["dealer"], actor=actor)
    with pytest.raises(Invalid):
        duties.assign_roles(user=maker, roles=["king"], actor=admin)


def test_two_logins_of_one_person_count_together(
    admin: User, maker: User, user_with: MakeUser
) -> None:
    second = user_with(name="maker2", person_number=maker.person_number)
    with pytest.raises(duties.DutiesConflict):
        duties.assign_roles(user=second, roles=["auditor"], actor=admin)
    with pytest.raises(IntegrityError, match="one person must not hold"), transaction.atomic():
        second.groups.add(Group.objects.get(name="auditor"))


def test_a_disabled_login_counts_again_when_it_is_switched_on(
    maker: User, user_with: MakeUser
) -> None:
    User.objects.filter(pk=maker.pk).update(is_active=False)
    user_with("auditor", name="maker2", person_number=maker.person_number)
    with pytest.raises(IntegrityError, match="one person must not hold"), transaction.atomic():
        User.objects.filter(pk=maker.pk).update(is_active=True)


def test_becoming_the_same_person_counts(maker: User, user_with: MakeUser) -> None:
    other = user_with("auditor", name="other")
    with pytest.raises(IntegrityError, match="one person must not hold"), transaction.atomic():
        User.objects.filter(pk=other.pk).update(person_number=maker.person_number)


def test_the_same_number_in_another_tenant_is_another_person(
    maker: User, other_tenant: Tenant
) -> None:
    with bound(other_tenant.id, actor="system:test"):
        made = make_user("auditor", "auditor", person_number=maker.person_number)
        assert made.roles == {"auditor"}


def test_two_halves_of_a_conflict_at_once_one_wins(committed_tenant: UUID) -> None:
    with bound(committed_tenant, actor="system:test"):
        logins = [make_user(name, person_number="P-1") for name in ("one", "two")]

    def add(login: User, role: str) -> bool:
        try:
            with bound(committed_tenant, actor="system:test"):
                login.groups.add(Group.objects.get(name=role))
        except IntegrityError:
            return False
        finally:
            connections.close_all()
        return True

    for _ in range(10):
        with ThreadPoolExecutor(2) as pair:
            jobs = [
                pair.submit(add, login, role)
                for login, role in zip(logins, ("treasury_maker", "auditor"), strict=True)
            ]
            assert sorted(job.result() for job in jobs) == [False, True]
        with bound(committed_tenant, actor="system:test"):
            assert duties.present_conflicts() == []
            for login in logins:
                login.groups.clear()


@pytest.fixture
def unguarded(owner_connection: psycopg.Connection[Any]) -> Iterator[None]:
    """The negative control: the database does not look."""
    owner_connection.execute("DROP TRIGGER duties ON core_user_groups")
    yield
    owner_connection.execute(duties_guards.DUTIES)


def test_without_the_trigger_the_conflict_stands_and_is_reported(
    unguarded: None, maker: User, user_with: MakeUser, admin: User
) -> None:
    second = user_with("auditor", name="maker2", person_number=maker.person_number)
    (found,) = duties.present_conflicts()
    assert set(found.people) == {maker.username, second.username}
    assert found.roles == ("auditor", "treasury_maker")

    page = client_of(admin).get("/admin/core/accessreview/conflicts/").content.decode()
    assert "auditor and treasury_maker" in page
    for person, status in ((admin, 200), (maker, 403)):
        header = {"Authorization": f"Bearer {access_token(person)}"}
        assert Client(headers=header).get("/api/v1/duties/conflicts").status_code == status


AUTUMN = datetime(2026, 10, 1, 3, 0, tzinfo=UTC)


@pytest.fixture
def review(tenant: Tenant, admin: User, maker: User) -> Iterator[AccessReview]:
    with clock.frozen(AUTUMN):
        made = reviews.open_review()
        assert made is not None
        yield made


def item_of(review: AccessReview, user: User) -> AccessReviewItem:
    return review.items.get(user=user)


def test_a_review_is_opened_once_a_quarter(review: AccessReview) -> None:
    assert review.quarter == "2026Q4"
    assert reviews.open_review() is None
    assert review.items.count() == 2
    with clock.frozen(datetime(2027, 1, 1, tzinfo=UTC)):
        later = reviews.open_review()
    assert later is not None
    assert later.quarter == "2027Q1"


def test_somebody_else_decides_and_the_review_closes(
    review: AccessReview, admin: User, maker: User, user_with: MakeUser
) -> None:
    manager = user_with("treasury_manager", name="manager")
    item = item_of(review, maker)
    assert item.roles == ["treasury_maker"]
    with pytest.raises(Invalid):
        reviews.decide_item(item=item.pk, verdict=Verdict.REMOVE, words=" ", reviewer=admin)
    words = "Moved to another desk"
    reviews.decide_item(item=item.pk, verdict=Verdict.REMOVE, words=words, reviewer=admin)
    own = item_of(review, admin)
    with pytest.raises(Forbidden):
        reviews.decide_item(item=own.pk, verdict=Verdict.KEEP, words="", reviewer=admin)
    with pytest.raises(Forbidden):
        reviews.decide_item(item=own.pk, verdict=Verdict.KEEP, words="", reviewer=maker)
    reviews.decide_item(item=own.pk, verdict=Verdict.KEEP, words="", reviewer=manager)
    with pytest.raises(reviews.ReviewClosed):
        reviews.decide_item(item=own.pk, verdict=Verdict.KEEP, words="", reviewer=manager)

    with pytest.raises(reviews.ReviewClosed):  # the removal was not carried out
        reviews.close_review(review=review.pk, reviewer=admin)
    duties.assign_roles(user=maker, roles=[], actor=admin)
    assert reviews.close_review(review=review.pk, reviewer=admin).closed_at == AUTUMN


def test_the_database_refuses_a_review_of_oneself_and_a_second_thought(
    review: AccessReview, admin: User, maker: User, user_with: MakeUser
) -> None:
    twin = user_with(name="twin", person_number=maker.person_number)
    decided = {"verdict": "KEEP", "decided_at": AUTUMN}
    mine = AccessReviewItem.objects.filter(user=maker)
    for oneself in (maker, twin):
        with pytest.raises(IntegrityError), transaction.atomic():
            mine.update(decided_by=oneself, **decided)
    mine.update(decided_by=admin, **decided)
    with pytest.raises(Exception, match="decided once"), transaction.atomic():
        mine.update(verdict="REMOVE")
    with pytest.raises(Exception, match="decided once"), transaction.atomic():
        mine.delete()


def test_a_review_is_completed_in_the_admin(review: AccessReview, admin: User, maker: User) -> None:
    client = client_of(admin)
    page = client.get("/admin/core/accessreviewitem/")
    assert "treasury_maker" in page.content.decode()
    items = [str(item.pk) for item in review.items.all()]
    client.post(
        "/admin/core/accessreviewitem/", {"action": "keep", "_selected_action": items}, follow=True
    )
    assert item_of(review, maker).verdict == "KEEP"
    assert item_of(review, admin).verdict == ""
