"""Second factors for tests: a proof out of thin air, or a code of a real authenticator."""

import os
import time
from base64 import b32encode
from uuid import UUID

from approvals.services import Evidence
from core import clock
from core.identity import step_up
from core.identity.models import User
from tests.conftest import stepped_up
from tms.story.codes import STEP_SECONDS, code_at

SEED = b32encode(b"twenty bytes of seed").decode()
# By test: what one test used up, the database has forgotten before the next one.
_last_steps: dict[tuple[str, UUID], int] = {}


def shown(checker: User, content_hash: str) -> Evidence:
    """Return the evidence of a checker who showed a second factor for this content just now."""
    return Evidence(
        auth_method="totp",
        auth_at=clock.now(),
        ip=None,
        step_up=stepped_up(checker, content_hash),
    )


def code_of(user: User) -> str:
    """Return a code of the user's authenticator that was not used before: three in a row at most.

    The user gets the authenticator here when there is none; the tenant is bound.
    """
    if not step_up.has_authenticator(user=user):
        step_up.hand_out(user=user, secret=SEED)
    present = int(time.time()) // STEP_SECONDS
    known = (os.environ["PYTEST_CURRENT_TEST"].partition(" (")[0], user.pk)
    step = max(present - 1, _last_steps.get(known, 0) + 1)
    assert step <= present + 1, "the authenticator has no further code yet"
    _last_steps[known] = step
    return code_at(SEED, step)
