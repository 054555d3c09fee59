"""The demo's people: one or more per role, named by what they do; their credentials."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Final

from django.conf import settings

from core.api.authentication import access_token, refresh_token
from core.identity import roles, step_up
from core.identity.models import User
from core.identity.services import create_user

PASSWORD_WORDS: Final = 5
DEMO_DAY: Final = timedelta(hours=24)
_WORDS: Final = (
    "amber", "anchor", "apple", "arrow", "autumn", "badger", "bamboo", "basil", "beacon", "birch",
    "bridge", "bronze", "canyon", "cedar", "cherry", "cliff", "clover", "cobalt", "copper", "coral",
    "cotton", "crane", "dahlia", "delta", "desert", "ember", "falcon", "feather", "fern", "flint",
    "forest", "garnet", "ginger", "glacier", "granite", "harbor", "hazel", "heron", "indigo",
    "iris", "island", "ivory", "jasmine", "juniper", "kestrel", "lagoon", "lantern", "laurel",
    "lemon",
    "linen", "lotus", "magnet", "maple", "marble", "meadow", "mint", "mosaic", "nectar", "oasis",
    "olive", "opal", "orchard", "otter", "pebble", "pepper", "pine", "plum", "prairie", "quartz",
    "raven", "reef", "ribbon", "river", "saffron", "sage", "sierra", "silver", "slate", "sparrow",
    "spruce", "summit", "sunset", "teal", "thistle", "thunder", "timber", "topaz", "tulip",
    "tundra", "valley", "velvet", "violet", "walnut", "willow", "winter", "zephyr",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part to be played: sign-in name, shown name, roles."""

    name: str
    display_name: str
    roles: tuple[str, ...]
    is_service: bool = False


PARTS: Final = (
    Part(name="maker", display_name="Treasury Maker", roles=(roles.TREASURY_MAKER,)),
    Part(name="checker1", display_name="Checker One", roles=(roles.TREASURY_CHECKER,)),
    Part(name="checker2", display_name="Checker Two", roles=(roles.TREASURY_CHECKER,)),
    Part(name="manager", display_name="Treasury Manager", roles=(roles.TREASURY_MANAGER,)),
    Part(name="dealer", display_name="Dealer", roles=(roles.DEALER,)),
    Part(name="backoffice", display_name="Back Office", roles=(roles.BACK_OFFICE,)),
    Part(name="backoffice2", display_name="Back Office Two", roles=(roles.BACK_OFFICE,)),
    Part(name="recon", display_name="Reconciliation Analyst", roles=(roles.RECON_ANALYST,)),
    Part(name="risk", display_name="Risk Officer", roles=(roles.RISK_OFFICER,)),
    Part(name="staticdata", display_name="Static Data", roles=(roles.STATIC_DATA,)),
    Part(name="auditor", display_name="Auditor", roles=(roles.AUDITOR,)),
    Part(name="admin", display_name="Tenant Admin", roles=(roles.TENANT_ADMIN,)),
    Part(
        name="feed",
        display_name="Integration Feed",
        roles=(roles.INTEGRATION,),
        is_service=True,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """How one of them signs in; both tokens last a demo day."""

    username: str
    display_name: str
    roles: tuple[str, ...]
    password: str
    totp_secret: str
    access: str
    refresh: str

    def as_json(self) -> dict[str, Any]:
        """Return them for machines."""
        return asdict(self)


def create_people(*, seed: int) -> list[Credentials]:
    """Create everybody in the bound tenant and return their credentials."""
    return [_create(part, seed=seed) for part in PARTS]


def _create(part: Part, *, seed: int) -> Credentials:
    material = _material(f"{seed}:{part.name}")
    password = _password(material)
    user = create_user(
        name=part.name,
        display_name=part.display_name,
        roles=part.roles,
        password=password,
        person_number=f"D-{part.name}",
        is_service=part.is_service,
    )
    access, refresh = _tokens(user)
    return Credentials(
        username=user.username,
        display_name=user.display_name,
        roles=part.roles,
        password=password,
        totp_secret="" if part.is_service else _give_authenticator(user, material),
        access=access,
        refresh=refresh,
    )


def _tokens(user: User) -> tuple[str, str]:
    """Return an access token for a whole demo day, and a refresh token."""
    access = access_token(user)
    access.set_exp(lifetime=DEMO_DAY)
    return str(access), str(refresh_token(user))


def _material(purpose: str) -> bytes:
    """Return 32 bytes: the same for the same seed in local mode, random everywhere else."""
    if settings.TMS_MODE == "local":
        return hmac.digest(b"demo people of a local system", purpose.encode(), hashlib.sha256)
    return secrets.token_bytes(32)


def _password(material: bytes) -> str:
    """Return words that can be typed; far longer than the fifteen characters asked for."""
    words = [_WORDS[byte % len(_WORDS)] for byte in material[:PASSWORD_WORDS]]
    return "-".join([*words, str(int.from_bytes(material[8:10], "big") % 900 + 100)])


def _give_authenticator(user: User, material: bytes) -> str:
    """Give the user an authenticator and return its seed as apps take it (base32)."""
    return step_up.hand_out(user=user, secret=base64.b32encode(material[12:32]).decode())


def fresh_tokens(usernames: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return new tokens (access, refresh) of users of the bound tenant."""
    found = User.objects.filter(username__in=usernames, is_active=True)
    return {user.username: _tokens(user) for user in found}
