"""What repeats everybody's doings is shown by the admin to readers of the trail alone."""

from http import HTTPStatus

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import ProgrammingError, transaction
from django.urls import reverse

from core.identity.roles import ALL, AUDIT_READERS, INTEGRATION, TREASURY_MAKER, TREASURY_MANAGER
from tests.conftest import MakeUser
from tests.tms.desk.conftest import client_of

KEPT = ("core_auditentry", "core_outboxevent", "core_delivery", "integrations_message")


@pytest.mark.parametrize("role", [role for role in ALL if role != INTEGRATION])
def test_the_trail_is_listed_for_its_readers_only(user_with: MakeUser, role: str) -> None:
    client = client_of(user_with(role))
    expected = HTTPStatus.OK if role in AUDIT_READERS else HTTPStatus.FORBIDDEN
    for page in KEPT:
        assert client.get(reverse(f"admin:{page}_changelist")).status_code == expected, page
    menu = client.get(reverse("admin:index")).content.decode()
    assert (reverse("admin:core_auditentry_changelist") in menu) is (role in AUDIT_READERS)
    assert client.get(reverse("admin:treasury_proposal_changelist")).status_code == HTTPStatus.OK


@pytest.mark.django_db
def test_the_running_system_cannot_give_itself_the_right() -> None:
    group = Group.objects.get(name=TREASURY_MAKER)
    right = Permission.objects.get(codename="view_auditentry")
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        group.permissions.add(right)
    assert not group.permissions.filter(pk=right.pk).exists()
    manager = Group.objects.get(name=TREASURY_MANAGER)
    assert manager.permissions.filter(pk=right.pk).exists()
