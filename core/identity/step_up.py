"""Step-up: a person shows the second factor for exactly what is on the screen.

A proof is a row of `core_stepup` that a function of the database wrote after it compared the code
with a seed that this process cannot read. A wrong code is counted although the refusal rolls the
request's transaction back: `StepUpFailuresMiddleware` counts it again afterwards.
"""

import re
from base64 import b32decode
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import connection

from core.errors import Forbidden
from core.identity.models import User
from core.identity.proofs import StepUp
from core.tenancy import bound, current_tenant_id

CODE: Final = re.compile(r"\d{6}", re.ASCII)
CONTENT_HASH: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
SEED: Final = re.compile(r"[A-Z2-7]{32}", re.ASCII)
SIGN_IN: Final = ""  # the content of a sign-in: nothing


class StepUpFailed(Forbidden):
    """The code or the passkey does not fit, was used before, or too many were wrong."""

    code = "step_up_failed"


class StepUpMissing(Forbidden):
    """A fresh second factor for exactly this content is needed."""

    code = "step_up_required"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A wrong code, to be counted even when the request is rolled back."""

    tenant: UUID
    user: UUID
    attempt: UUID

    @classmethod
    def of(cls, user: User) -> "Failure":
        """Return what is remembered when this attempt of `user` fails."""
        return cls(tenant=current_tenant_id(), user=user.pk, attempt=uuid4())


_failures: ContextVar[list[Failure] | None] = ContextVar("step_up_failures", default=None)


def _ask(sql: str, *values: UUID | str | bytes | None) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        row = cursor.fetchone()
    return row[0] if row else None


def content_of(words: str) -> str:
    """Return the content hash of something that is said in words."""
    return sha256(words.encode()).hexdigest()


def has_authenticator(*, user: User) -> bool:
    """Return whether `user` has a confirmed authenticator."""
    return bool(_ask("SELECT core_totp_exists(%s)", user.pk))


def enrol(*, user: User) -> str:
    """Give a person without a confirmed authenticator a new seed; return it once, in base32."""
    return str(_ask("SELECT core_totp_enrol(%s)", user.pk))


def hand_out(*, user: User, secret: str | None = None) -> str:
    """Give a person an authenticator that counts at once and return its seed, in base32.

    For whoever provisions people and hands the seed over; `secret` chooses the seed.
    """
    seed = b32decode(secret) if secret else None
    return str(_ask("SELECT core_totp_enrol(%s, %s, true)", user.pk, seed))


def confirm(*, user: User, code: str) -> StepUp:
    """Confirm the authenticator that `enrol` gave; from now on it is the person's second factor.

    Raises:
        StepUpFailed: the code does not fit the seed.
    """
    failure = Failure.of(user)
    sql = "SELECT core_totp_confirm(%s, %s, %s)"
    return _proof(_ask(sql, user.pk, _digits(code), failure.attempt), failure)


def prove_with_code(*, user: User, code: str, content_hash: str) -> StepUp:
    """Return the proof that `user` showed a fresh authenticator code for `content_hash`.

    Raises:
        StepUpFailed: the code does not fit, was used before, or too many were wrong.
    """
    failure = Failure.of(user)
    sql = "SELECT core_totp_prove(%s, %s, %s, %s)"
    return _proof(_ask(sql, user.pk, _digits(code), content_hash, failure.attempt), failure)


def _digits(code: str) -> str:
    digits = "".join(code.split())
    if not CODE.fullmatch(digits):
        raise StepUpFailed("A code has six digits.")
    return digits


def _proof(made: UUID | None, failure: Failure) -> StepUp:
    if made is not None:
        return StepUp.objects.get(pk=made)
    remembered = _failures.get()
    if remembered is not None:
        remembered.append(failure)
    raise StepUpFailed("The code does not fit. A code works once; wait for the next one.")


def require(*, step_up: UUID | None, user: User, content_hash: str) -> None:
    """Use a proof up for something that it may serve only once.

    Raises:
        StepUpMissing: there is none, or it is too old, used, another person's or for other content.
    """
    values = (step_up, user.pk, content_hash)
    if step_up is None or not _ask("SELECT core_step_up_use(%s, %s, %s)", *values):
        raise StepUpMissing("Confirm this with your second factor first.")


def counts(*, step_up: UUID, user: User, content_hash: str) -> bool:
    """Return whether the proof is the user's, for this content and at most five minutes old."""
    return bool(_ask("SELECT core_step_up_counts(%s, %s, %s)", step_up, user.pk, content_hash))


@contextmanager
def remembering_failures() -> Iterator[None]:
    """Count wrong codes of the block after it, in a transaction of their own."""
    failures: list[Failure] = []
    token = _failures.set(failures)
    try:
        yield
    finally:
        _failures.reset(token)
        for failure in failures:
            with bound(failure.tenant, actor=failure.user, reason="wrong code"):
                _ask("SELECT core_totp_failed(%s, %s)", failure.user, failure.attempt)
