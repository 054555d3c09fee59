"""Passkeys: a second factor that cannot be fished, bound to what is on the screen.

The challenge is made by the database: the hash of a random number and of the content that the
person is looking at. It is stored there, works once and for five minutes. The signature over it is
checked here; `core.identity.passkey_guards` says what the database checks beside.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from psycopg.types.json import Jsonb
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, options_to_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from core import clock, strict_json
from core.errors import DomainError, Invalid, NotFound
from core.identity.models import User
from core.identity.proofs import Passkey, StepUp
from core.identity.step_up import StepUpFailed, content_of, prove_with_code, require

ANSWER_CHARS_MAX: Final = 20_000
PASSKEYS_MAX: Final = 10
NAME_CHARS_MAX: Final = 60
REGISTRATION: Final = "passkey"
_UNREADABLE: Final = (WebAuthnException, ValueError, KeyError, TypeError, AttributeError)


class PasskeysUnavailable(DomainError):
    """Browsers offer passkeys at names only, over TLS or on this machine itself."""

    code = "passkeys_unavailable"


def relying_party() -> str:
    """Return the domain that passkeys of this installation are bound to."""
    return str(settings.TMS_PASSKEY_DOMAIN)


def origins() -> list[str]:
    """Return the origins of ours at which that domain may be used."""
    domain = relying_party()
    return [
        origin
        for origin in settings.TMS_ORIGINS
        if (host := urlsplit(origin).hostname or "") == domain or host.endswith(f".{domain}")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Whether browsers offer passkeys at an address; if not, under which one of ours they do."""

    is_here: bool
    is_number: bool
    elsewhere: str


def place_of(*, host: str) -> Place:
    """Return what the address of a page, like `127.0.0.1:8000`, means for passkeys."""
    name = urlsplit(f"//{host}").hostname or ""
    usable = [] if _is_number(relying_party()) else origins()
    return Place(
        is_here=name in [urlsplit(origin).hostname for origin in usable],
        is_number=_is_number(name),
        elsewhere=usable[0] if usable else "",
    )


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def passkeys_of(*, user: User) -> QuerySet[Passkey]:
    """Return the person's passkeys, oldest first."""
    return Passkey.objects.filter(user=user, removed_at=None)


def parse_answer(text: str) -> dict[str, Any]:
    """Return the browser's answer, as its script wrote it into a form.

    Raises:
        StepUpFailed: it is too long or no JSON object.
    """
    if len(text) > ANSWER_CHARS_MAX:
        raise StepUpFailed("The passkey's answer is too long.")
    try:
        answer = strict_json.loads(text.encode())
    except Invalid as error:
        raise StepUpFailed("The passkey's answer cannot be read.") from error
    if not isinstance(answer, dict):
        raise StepUpFailed("The passkey's answer cannot be read.")
    return answer


def _challenge(user: User, content_hash: str) -> bytes:
    with connection.cursor() as cursor:
        cursor.execute("SELECT core_passkey_begin(%s, %s)", [user.pk, content_hash])
        row = cursor.fetchone()
    return bytes(row[0]) if row else b""


def _known(user: User) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(id=base64url_to_bytes(key.credential_id))
        for key in passkeys_of(user=user)
    ]


def begin_registration(*, user: User) -> dict[str, Any]:
    """Return what the browser needs to make a new passkey of `user`.

    Raises:
        PasskeysUnavailable: this installation is reached by address, or the person has many.
    """
    known = _known(user)
    if not origins():
        raise PasskeysUnavailable("Passkeys need a name in the address, like localhost.")
    if len(known) >= PASSKEYS_MAX:
        raise PasskeysUnavailable(f"Nobody needs more than {PASSKEYS_MAX} passkeys.")
    options = generate_registration_options(
        rp_id=relying_party(),
        rp_name=settings.TMS_AUTHENTICATOR_ISSUER,
        user_id=user.pk.bytes,
        user_name=user.username,
        user_display_name=user.display_name,
        challenge=_challenge(user, REGISTRATION),
        exclude_credentials=known,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
    )
    made: dict[str, Any] = json.loads(options_to_json(options))
    return made


def register(*, user: User, answer: Mapping[str, Any], name: str, code: str) -> Passkey:
    """Add the passkey that the browser made, together with an authenticator code for exactly it.

    Raises:
        Invalid: the name is empty or too long.
        StepUpFailed: the code or the browser's answer does not fit.
    """
    name = name.strip()
    if not 0 < len(name) <= NAME_CHARS_MAX:
        raise Invalid("Give the passkey a name, so that you know it again.", field="name")
    try:
        client_data = answer["response"]["clientDataJSON"]
        seen = verify_registration_response(
            credential=dict(answer),
            expected_challenge=_signed_challenge(client_data),
            expected_rp_id=relying_party(),
            expected_origin=origins(),
            require_user_verification=True,
        )
    except _UNREADABLE as error:
        raise StepUpFailed("The browser's passkey could not be verified.") from error
    key = {
        "credential_id": bytes_to_base64url(seen.credential_id),
        "public_key": bytes_to_base64url(seen.credential_public_key),
        "sign_count": seen.sign_count,
        "name": name,
    }
    content = content_of(f"passkey {key['credential_id']} {key['public_key']} of {user.pk}")
    proof = prove_with_code(user=user, code=code, content_hash=content)
    sql = "SELECT core_passkey_register(%s, %s, %s, %s)"
    made = _asked(sql, [user.pk, proof.pk, client_data, Jsonb(key)])
    if made is None:
        raise StepUpFailed("The request for this passkey is too old. Please start again.")
    return Passkey.objects.get(pk=made)


def begin_passkey(*, user: User, content_hash: str) -> dict[str, Any]:
    """Return what the browser needs to prove one of the user's passkeys for `content_hash`.

    Raises:
        StepUpFailed: the person has no passkey.
    """
    known = _known(user)
    if not known:
        raise StepUpFailed("There is no passkey yet; use the authenticator's code.")
    options = generate_authentication_options(
        rp_id=relying_party(),
        challenge=_challenge(user, content_hash),
        allow_credentials=known,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    made: dict[str, Any] = json.loads(options_to_json(options))
    return made


def prove_with_passkey(*, user: User, answer: Mapping[str, Any], content_hash: str) -> StepUp:
    """Return the proof that `user` answered with a passkey of theirs for `content_hash`.

    Raises:
        StepUpFailed: another person's key, another content, too old, used, or a copied key.
    """
    try:
        response = answer["response"]
        key = passkeys_of(user=user).filter(credential_id=str(answer["id"])).first()
        if key is None:
            raise KeyError("id")
        seen = verify_authentication_response(
            credential=dict(answer),
            expected_challenge=_signed_challenge(response["clientDataJSON"]),
            expected_rp_id=relying_party(),
            expected_origin=origins(),
            credential_public_key=base64url_to_bytes(key.public_key),
            credential_current_sign_count=key.sign_count,
            require_user_verification=True,
        )
        signed = {
            "client_data": response["clientDataJSON"],
            "authenticator_data": response["authenticatorData"],
            "signature": response["signature"],
        }
    except _UNREADABLE as error:
        raise StepUpFailed("The passkey does not fit.") from error
    sql = "SELECT core_passkey_prove(%s, %s, %s, %s, %s)"
    values = [user.pk, key.credential_id, content_hash, seen.new_sign_count, Jsonb(signed)]
    made = _asked(sql, values)
    if made is None:
        raise StepUpFailed("The passkey's answer is too old or was used before. Please try again.")
    return StepUp.objects.get(pk=made)


def _signed_challenge(client_data: str) -> bytes:
    """Return the challenge that the browser signed; the database knows whether it is ours."""
    return base64url_to_bytes(json.loads(base64url_to_bytes(client_data))["challenge"])


def _asked(sql: str, values: list[Any]) -> UUID | None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        row = cursor.fetchone()
    return row[0] if row else None


def rename(*, user: User, passkey: UUID, name: str) -> None:
    """Give one's passkey another name.

    Raises:
        Invalid: the name is empty or too long.
        NotFound: the user has no such passkey.
    """
    name = name.strip()
    if not 0 < len(name) <= NAME_CHARS_MAX:
        raise Invalid("Give the passkey a name, so that you know it again.", field="name")
    if not passkeys_of(user=user).filter(pk=passkey).update(name=name):
        raise NotFound("You have no such passkey.")


def remove(*, user: User, passkey: UUID, step_up: UUID | None) -> None:
    """Remove one's passkey for good; it takes a second factor for exactly that.

    Raises:
        StepUpMissing: there is no fresh proof for it.
        NotFound: the user has no such passkey.
    """
    require(step_up=step_up, user=user, content_hash=content_of(f"removal of {passkey}"))
    if not passkeys_of(user=user).filter(pk=passkey).update(removed_at=clock.now()):
        raise NotFound("You have no such passkey.")
