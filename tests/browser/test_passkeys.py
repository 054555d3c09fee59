"""Passkeys in a browser with a virtual authenticator: register, sign in, confirm a content."""

import base64
import hashlib
import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from playwright.sync_api import Page, expect
from webauthn.helpers import base64url_to_bytes, decode_credential_public_key
from webauthn.helpers.decode_credential_public_key import DecodedOKPPublicKey

from approvals.models import Decision
from core.identity import passkeys, step_up
from core.identity.models import User
from core.identity.proofs import Passkey, StepUp
from tests.browser.conftest import Office, OpenDesk
from tests.browser.test_desk import proposed
from tests.conftest import PASSWORD, make_user, stepped_up
from tests.core.test_step_up import code_now

PAYMENT = hashlib.sha256(b"2,750,000.00 USD to North Bank").hexdigest()
OTHER = hashlib.sha256(b"9,750,000.00 USD to North Bank").hexdigest()

# What the page's own script sends, asked for by hand: an answer for one content.
ASK = """async ([address, content]) => {
    const body = new FormData();
    body.append("content_hash", content);
    body.append("csrfmiddlewaretoken", document.querySelector("[name=csrfmiddlewaretoken]").value);
    const options = await (await fetch(address, {method: "POST", body})).json();
    const key = PublicKeyCredential.parseRequestOptionsFromJSON(options);
    return JSON.stringify(await navigator.credentials.get({publicKey: key}));
}"""


@pytest.fixture
def anna(office: Office) -> tuple[User, str]:
    with office.as_system():
        made = make_user("anna", "treasury_checker", password=PASSWORD)
        return made, step_up.hand_out(user=made)


def _plug_in(page: Page) -> None:
    """Give the browser an authenticator that says yes, as a finger on a key would."""
    line = page.context.new_cdp_session(page)
    line.send("WebAuthn.enable")
    line.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )


def _named(page: Page, path: str) -> None:
    """Go to the system by its name: addresses have no passkeys."""
    port = urlsplit(page.url).port
    page.goto(f"http://localhost:{port}{path}")


def _sign_in(page: Page, code: str = "") -> None:
    page.get_by_label("Name").fill("anna@north")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Authenticator code")).to_be_visible()
    if code:
        page.get_by_label("six digits").fill(code)
        page.keyboard.press("Enter")
    else:
        page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="My security")).to_be_visible()


def _answer(page: Page, content: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(page.evaluate(ASK, ["/me/step-up/passkey", content]))
    return found


def _signature_holds(proof: dict[str, str]) -> bool:
    """Verify a stored proof as an auditor would, with the proof alone."""
    client_data = base64url_to_bytes(proof["client_data"])
    signed = base64url_to_bytes(proof["authenticator_data"]) + hashlib.sha256(client_data).digest()
    key = decode_credential_public_key(base64url_to_bytes(proof["public_key"]))
    assert isinstance(key, DecodedOKPPublicKey)
    signature = base64url_to_bytes(proof["signature"])
    Ed25519PublicKey.from_public_bytes(key.x).verify(signature, signed)
    said = json.loads(client_data)["challenge"]
    made = hashlib.sha256(bytes.fromhex(proof["nonce"]) + PAYMENT.encode()).digest()
    return bool(base64.urlsafe_b64encode(made).decode().rstrip("=") == said)


def test_a_passkey_is_added_opens_the_door_and_confirms_one_content(
    office: Office, open_desk: OpenDesk, anna: tuple[User, str], settings: Any
) -> None:
    person, seed = anna
    page = open_desk(None, "/sign-in")
    _named(page, "/sign-in?next=/me/security")
    settings.TMS_ORIGINS = [page.evaluate("location.origin")]
    _plug_in(page)
    _sign_in(page, code_now(seed))

    page.get_by_label("Name of the new passkey").fill("Work laptop")
    page.locator("#passkey-code").fill(code_now(seed, 1))
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.locator(".toast-success")).to_contain_text("Work laptop is yours")
    expect(page.get_by_role("row", name="Work laptop")).to_contain_text("never")

    page.get_by_label("account").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    _named(page, "/sign-in?next=/me/security")
    _sign_in(page)
    with office.as_system():
        assert Passkey.objects.get(user=person).sign_count > 1
        assert StepUp.objects.filter(user=person, method="passkey", content_hash="").count() == 1

    answer, late = _answer(page, PAYMENT), _answer(page, PAYMENT)
    with office.acting(person):
        for content in (OTHER, ""):  # bound to what was on the screen
            with pytest.raises(step_up.StepUpFailed):
                passkeys.prove_with_passkey(user=person, answer=answer, content_hash=content)
        with pytest.raises(step_up.StepUpFailed):  # to the person
            passkeys.prove_with_passkey(user=office.maker, answer=answer, content_hash=PAYMENT)
        proof = passkeys.prove_with_passkey(user=person, answer=answer, content_hash=PAYMENT)
        assert step_up.counts(step_up=proof.pk, user=person, content_hash=PAYMENT)
        assert not step_up.counts(step_up=proof.pk, user=person, content_hash=OTHER)
        assert _signature_holds(proof.proof)
        with pytest.raises(step_up.StepUpFailed):  # and works once
            passkeys.prove_with_passkey(user=person, answer=answer, content_hash=PAYMENT)
        _bent_answers_are_refused(person, late)

        key = Passkey.objects.get(user=person)
        removal = stepped_up(person, step_up.content_of(f"removal of {key.pk}"))
        passkeys.remove(user=person, passkey=key.pk, step_up=removal)
        with pytest.raises(step_up.StepUpFailed):
            passkeys.prove_with_passkey(user=person, answer=late, content_hash=PAYMENT)


def test_a_checker_with_a_passkey_decides_with_two_keys(
    office: Office, open_desk: OpenDesk, anna: tuple[User, str], settings: Any
) -> None:
    person, seed = anna
    made = proposed(office)
    page = open_desk(None, "/sign-in")
    _named(page, "/sign-in?next=/me/security")
    settings.TMS_ORIGINS = [page.evaluate("location.origin")]
    _plug_in(page)
    _sign_in(page, code_now(seed))
    page.get_by_label("Name of the new passkey").fill("Work laptop")
    page.locator("#passkey-code").fill(code_now(seed, 1))
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.locator(".toast-success")).to_contain_text("Work laptop is yours")

    _named(page, "/approvals")
    expect(page.locator("#request-detail")).to_contain_text(made.reference)
    page.keyboard.press("a")
    expect(page.get_by_role("button", name="Approve with a passkey")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".toast-success")).to_contain_text("Approved and released")
    with office.as_system():
        decision = Decision.objects.get(checker=person)
        assert decision.step_up is not None
        assert decision.step_up.method == "passkey"
        assert decision.step_up.content_hash == decision.content_hash


def _bent_answers_are_refused(person: User, answer: dict[str, Any]) -> None:
    response = answer["response"]
    for field in ("signature", "authenticatorData", "clientDataJSON"):
        raw = bytearray(base64url_to_bytes(response[field]))
        raw[-3] ^= 1
        bent = base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("=")
        with pytest.raises(step_up.StepUpFailed):
            passkeys.prove_with_passkey(
                user=person,
                answer=answer | {"response": response | {field: bent}},
                content_hash=PAYMENT,
            )
    for broken in (
        {},
        {"id": answer["id"]},
        {"id": 1, "response": []},
        answer | {"response": None},
    ):
        with pytest.raises(step_up.StepUpFailed):
            passkeys.prove_with_passkey(user=person, answer=broken, content_hash=PAYMENT)


def test_my_security_fits_a_small_phone(
    office: Office, open_desk: OpenDesk, anna: tuple[User, str]
) -> None:
    for scheme in ("light", "dark"):
        narrow = {"width": 360, "height": 740}
        page = open_desk(anna[0], "/me/security", viewport=narrow, color_scheme=scheme)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
