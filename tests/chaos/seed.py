"""Fill an empty running system with the house of the movement tests: `python -m tests.chaos.seed`.

Runs as a program of its own against TMS_HOME; prints one JSON line with tokens and accounts.
"""

import json
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import django

LOAD_DAY: Final = timedelta(hours=12)
HTTP_DOOR: Final = "http"
# As a bank's line takes them: orders gathered for a moment, then one file for all of them.
FILES: Final = "files"
IN_FILES: Final = MappingProxyType({"max_payments_per_file": 200, "gather_seconds": 3})
OWNER: Final = "North Remit Limited"
OPENING: Final = "50000000.00"
# Payments of one maker, and those out of one account, are counted one after the other: each desk
# has a maker and three accounts of its own. The first one's are those of `build_house`.
DESKS: Final = 4
_HOUSE: Final = {"home": "1000000001", "near": "1000000002", "far": "2000000009"}


def at_desk(name: str, desk: int) -> str:
    """Return what an account, or the maker, of a desk is called."""
    return f"{name}-{desk + 1}" if desk else name


NUMBERS: Final = MappingProxyType(
    {
        at_desk(name, desk): str(int(number) + 10 * desk)
        for desk in range(DESKS)
        for name, number in _HOUSE.items()
    }
)


def bank_account(*, bic: str, number: str, ifsc: str, channel: str) -> dict[str, str]:
    """Describe a rupee account as the sandbox bank wants to know it."""
    return {
        "bank_bic": bic,
        "number": number,
        "clearing_system": "INFSC",
        "clearing_code": ifsc,
        "currency": "INR",
        "owner_name": OWNER,
        "timezone": "Asia/Kolkata",
        "channel": channel,
        "opening_balance": OPENING,
    }


def accounts_at_the_bank() -> list[dict[str, str]]:
    """Return the accounts of the house for POST /accounts: the second bank answers over HTTP."""
    first = {"bic": "SBNKINBBXXX", "ifsc": "SBNK0000001", "channel": "folder"}
    other = {"bic": "OTHRINBBXXX", "ifsc": "OTHR0000001", "channel": "http"}
    return [
        bank_account(number=number, **(other if name.startswith("far") else first))
        for name, number in NUMBERS.items()
    ]


PEOPLE = (
    *((at_desk("maker", desk), "treasury_maker") for desk in range(DESKS)),
    ("checker-one", "treasury_checker"),
    ("checker-two", "treasury_checker"),
    ("manager", "treasury_manager"),
)


def _person(name: str, role: str) -> Any:
    from core.identity.services import create_user

    return create_user(
        name=name,
        display_name=name.title(),
        roles=(role,),
        password=None,
        person_number=f"P-{name}",
    )


def seed(*, bank_home: Path, bank_url: str, secret: str) -> dict[str, Any]:
    """Build people and house in a new tenant, and return what a load generator needs."""
    from approvals import policies as approval_policies
    from approvals import services as approvals
    from core import clock, policies
    from core.api.authentication import access_token
    from core.identity.services import create_tenant
    from core.tenancy import bound
    from integrations import services as lines
    from tests.treasury.movement.conftest import build_house
    from treasury.models import Bank
    from treasury.services import rates

    tenant = create_tenant(slug="north", name="North Remit")
    with bound(tenant.id, actor="system:chaos"):
        people = {name: _person(name, role) for name, role in PEOPLE}
        # The statements are of yesterday: an end-of-day statement of today would close the day.
        with clock.frozen(clock.now() - timedelta(days=1)):
            accounts = _accounts(build_house(bank_home))
        rates.record_usd_rate(
            currency="INR", usd_per_unit=Decimal("0.0117"), as_of=clock.now(), source="test"
        )
        # One code lasts half a minute: under load small payments go without.
        policies.change(
            policy=approval_policies.STEP_UP_FOR_EVERY_APPROVAL,
            value=False,
            actor=people["manager"],
            reason="load",
        )
        approvals.add_rule(
            rule=approvals.RuleIn(required_count=2, rail="RTGS_IN"), actor=people["manager"]
        )
        lines.save_connection(
            wish=lines.ConnectionIn(
                code=HTTP_DOOR,
                name="Over HTTP",
                kind="HTTP",
                base_url=bank_url,
                secret=secret,
                connect_timeout_seconds=1,
                read_timeout_seconds=3,
                rate_per_minute=6_000,
            )
        )
        Bank.objects.filter(bic="OTHRINBBXXX").update(connection=HTTP_DOOR)
        lines.save_profile(wish=lines.ProfileIn(code=FILES, name="In files", writing=IN_FILES))
        for door in ("host", HTTP_DOOR):
            lines.use_profile(connection_code=door, profile_code=FILES)
        tokens = {}
        for name, person in people.items():
            token = access_token(person)
            token.set_exp(lifetime=LOAD_DAY)
            tokens[name] = str(token)
        cookie = session_of(people["maker"])
    return {
        "tenant": str(tenant.id),
        "tokens": tokens,
        "cookie": cookie,
        "accounts": accounts,
    }


def _accounts(house: Any) -> dict[str, str]:
    """Open the accounts of the other desks beside those of the house; return all by name."""
    from tests.treasury.movement.conftest import put_balance
    from treasury.services import static

    found = {name: getattr(house, name) for name in _HOUSE}
    for desk in range(1, DESKS):
        for name in _HOUSE:
            like, called = found[name], at_desk(name, desk)
            found[called] = static.open_account(
                account=static.AccountIn(
                    entity=like.entity,
                    bank=like.bank,
                    label=f"{like.label} {desk + 1}",
                    currency="INR",
                    number=NUMBERS[called],
                    clearing_code=like.clearing_code,
                    timezone="Asia/Kolkata",
                )
            )
            put_balance(found[called], OPENING)
    return {name: str(account.pk) for name, account in found.items()}


def session_of(person: Any) -> str:
    """Return the cookie of a signed-in browser."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    from core.identity.views import BACKEND
    from core.middleware import TENANT_SESSION_KEY

    session = SessionStore()
    session[SESSION_KEY] = str(person.pk)
    session[BACKEND_SESSION_KEY] = BACKEND
    session[HASH_SESSION_KEY] = person.get_session_auth_hash()
    session[TENANT_SESSION_KEY] = str(person.tenant_id)
    session.save()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


def main() -> None:
    """Read the addresses from the command line, seed, print."""
    django.setup()
    home, url, secret = sys.argv[1:4]
    sys.stdout.write(json.dumps(seed(bank_home=Path(home), bank_url=url, secret=secret)) + "\n")


if __name__ == "__main__":
    main()
