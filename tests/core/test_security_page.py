"""What opens one's account: recovery codes, sessions, password, tokens, and how each ends."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from core.errors import Forbidden, Invalid, NotFound
from core.identity import passwords, recovery, sessions, step_up
from core.identity.models import User
from core.identity.sessions import PersonSession
from tests.conftest import PASSWORD, MakeUser, stepped_up
from tests.core.test_step_up import SEED, code_now, wrong_code
from tests.scenes import scene
from tests.tms.desk.conftest import client_of
from tests.tms.desk.test_sign_in import is_in, password_step


@scene
def anna(user_with: MakeUser) -> User:
    made = user_with("treasury_maker", name="anna", password=PASSWORD)
    step_up.hand_out(user=made, secret=SEED)
    return made


def codes_of(user: User) -> list[str]:
    proof = stepped_up(user, recovery.renewal_of(user))
    return recovery.renew_codes(user=user, step_up=proof)


def test_ten_recovery_codes_are_shown_once(anna: User) -> None:
    client = client_of(anna)
    page = client.post(reverse("my-recovery-codes"), {"code": code_now()}).content.decode()
    codes = re.findall(r"<li>([A-Z2-7-]+)</li>", page)
    assert len(set(codes)) == 10
    assert all(len(code.replace("-", "")) == 26 for code in codes)
    assert recovery.codes_left(user=anna) == 10
    assert codes[0] not in client.get(reverse("my-security")).content.decode()


def test_codes_are_renewed_only_after_a_step_up_for_it(anna: User) -> None:
    with pytest.raises(step_up.StepUpMissing):
        recovery.renew_codes(user=anna, step_up=None)
    with pytest.raises(step_up.StepUpMissing):
        recovery.renew_codes(user=anna, step_up=stepped_up(anna, recovery.replacement_of(anna)))
    proof = stepped_up(anna, recovery.renewal_of(anna))
    recovery.renew_codes(user=anna, step_up=proof)
    with pytest.raises(step_up.StepUpMissing):
        recovery.renew_codes(user=anna, step_up=proof)


def test_a_recovery_code_opens_the_door_once(anna: User) -> None:
    code = codes_of(anna)[0]
    first, second = Client(), Client()
    for client in (first, second):
        password_step(client)
        client.post(reverse("sign-in-code"), {"code": code.lower()})
    assert is_in(first)
    assert not is_in(second)
    assert recovery.codes_left(user=anna) == 9
    assert "recovery code" in first.get(reverse("my-security")).content.decode()


def test_a_recovery_code_proves_no_content(anna: User) -> None:
    proof = recovery.prove_with_recovery_code(user=anna, code=codes_of(anna)[0])
    assert not step_up.counts(step_up=proof.pk, user=anna, content_hash="")


def test_new_codes_replace_the_old_ones(anna: User) -> None:
    old = codes_of(anna)
    codes_of(anna)
    with pytest.raises(step_up.StepUpFailed):
        recovery.prove_with_recovery_code(user=anna, code=old[0])


def test_a_recovery_code_replaces_the_authenticator(anna: User) -> None:
    client = client_of(anna)
    code = codes_of(anna)[0]
    page = client.post(reverse("my-authenticator"), {"code": code}).content.decode()
    found = re.search(r'name="secret" value="([A-Z2-7]{32})"', page)
    assert found is not None
    fresh = found[1]
    confirm = reverse("my-authenticator-confirm")
    again = client.post(confirm, {"code": wrong_code(fresh), "secret": fresh})
    assert "does not fit" in again.content.decode()
    assert step_up.prove_with_code(user=anna, code=code_now(), content_hash="").method == "totp"
    assert client.post(confirm, {"code": code_now(fresh), "secret": fresh}).status_code == 302
    with pytest.raises(step_up.StepUpFailed):
        step_up.prove_with_code(user=anna, code=code_now(ahead=1), content_hash="")
    assert (
        step_up.prove_with_code(user=anna, code=code_now(fresh, 1), content_hash="").method
        == "totp"
    )


def test_an_administrator_resets_another_person_with_a_code(
    anna: User, user_with: MakeUser
) -> None:
    admin = user_with("tenant_admin", name="admin")
    for wrong in (stepped_up(anna, recovery.reset_of(anna)), stepped_up(admin, "a" * 64), None):
        with pytest.raises(Forbidden):
            recovery.reset_second_factor(user=anna, admin=admin, step_up=wrong)
    proof = stepped_up(anna, recovery.reset_of(anna))
    with pytest.raises(Forbidden):
        recovery.reset_second_factor(user=anna, admin=anna, step_up=proof)
    assert step_up.has_authenticator(user=anna)
    proof = stepped_up(admin, recovery.reset_of(anna))
    recovery.reset_second_factor(user=anna, admin=admin, step_up=proof)
    assert not step_up.has_authenticator(user=anna)


def test_a_session_is_listed_with_its_device_and_ended_by_its_owner(anna: User) -> None:
    here, there = client_of(anna), client_of(anna)
    agent = "Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/140.0"
    there.get(reverse("desk"), headers={"User-Agent": agent})
    page = here.get(reverse("my-security")).content.decode()
    assert "Firefox on Windows" in page
    row = PersonSession.objects.get(user_agent=agent)
    here.post(reverse("my-session-end", args=[row.pk]))
    assert there.get(reverse("desk")).headers["Location"].startswith(reverse("sign-in"))
    assert here.get(reverse("desk")).status_code == 200


def test_all_other_sessions_end_at_once(anna: User) -> None:
    here, there = client_of(anna), client_of(anna)
    for client in (here, there):
        assert client.get(reverse("desk")).status_code == 200
    here.post(reverse("my-sessions-end-others"))
    assert here.get(reverse("desk")).status_code == 200
    assert there.get(reverse("desk")).status_code == 302


def test_nobody_ends_the_sessions_of_others_but_an_administrator(
    anna: User, user_with: MakeUser
) -> None:
    theirs = client_of(anna)
    theirs.get(reverse("desk"))
    row = PersonSession.objects.get(user=anna)
    with pytest.raises(Forbidden):
        sessions.end_session(session=row.pk, actor=user_with("treasury_manager", name="manager"))
    sessions.end_session(session=row.pk, actor=user_with("tenant_admin", name="admin"))
    assert theirs.get(reverse("desk")).status_code == 302
    with pytest.raises(NotFound):
        sessions.end_session(session=row.pk, actor=anna)


def test_a_disabled_person_is_out_with_the_next_request(anna: User) -> None:
    client = client_of(anna)
    assert client.get(reverse("desk")).status_code == 200
    User.objects.filter(pk=anna.pk).update(is_active=False)
    assert client.get(reverse("desk")).status_code == 302


@pytest.mark.parametrize(
    "weak", ["short", "fourteen chars", "111111111111111", "1q2w3e4r5t6y7u8i9o0p"]
)
def test_short_and_common_passwords_are_refused(anna: User, weak: str) -> None:
    with pytest.raises(Invalid):
        passwords.set_password(user=anna, password=weak)
    assert anna.check_password(PASSWORD)


def test_a_password_needs_no_digits_and_no_signs(anna: User) -> None:
    passwords.set_password(user=anna, password="anna likes long walks")
    assert anna.password.startswith("argon2")


def test_changing_the_password_ends_everything_else(anna: User) -> None:
    here, there = client_of(anna), client_of(anna)
    there.get(reverse("desk"))
    form = {"present": PASSWORD, "fresh": "four words are enough", "again": "four words are enough"}
    refused: list[dict[str, Any]] = [{"present": "wrong"}, {"again": "other"}]
    for change in refused:
        here.post(reverse("my-password"), form | change)
        anna.refresh_from_db()
        assert anna.check_password(PASSWORD)
    generation = anna.generation
    here.post(reverse("my-password"), form)
    anna.refresh_from_db()
    assert anna.check_password("four words are enough")
    assert anna.generation == generation + 1
    assert here.get(reverse("desk")).status_code == 200
    assert there.get(reverse("desk")).status_code == 302


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "[::1]:8000"])
def test_who_comes_by_a_number_is_told_where_passkeys_work(
    anna: User, settings: Any, host: str
) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    settings.TMS_ORIGINS = ["http://127.0.0.1:8000", "http://localhost:8000"]
    settings.TMS_PASSKEY_DOMAIN = "localhost"
    page = client_of(anna).get(reverse("my-security"), headers={"host": host}).content.decode()
    assert f"Passkeys need a host name; you came by the number {host}" in page
    assert 'href="http://localhost:8000/me/security"' in page
    assert "data-passkey-begin" not in page


def test_at_the_host_name_itself_passkeys_are_offered(anna: User, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    settings.TMS_ORIGINS = ["http://127.0.0.1:8000", "http://localhost:8000"]
    settings.TMS_PASSKEY_DOMAIN = "localhost"
    client = client_of(anna)
    page = client.get(reverse("my-security"), headers={"host": "localhost:8000"}).content.decode()
    assert "data-passkey-begin" in page
    assert "Passkeys need a host name" not in page


def test_an_installation_without_a_name_says_what_it_lacks(anna: User, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    settings.TMS_ORIGINS = ["https://10.0.0.7"]
    settings.TMS_PASSKEY_DOMAIN = "10.0.0.7"
    page = client_of(anna).get(reverse("my-security"), headers={"host": "10.0.0.7"})
    assert "This system has no host name yet." in page.content.decode()
