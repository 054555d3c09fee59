"""Balances over the event bus: the messages of another system, in the form of the webhook.

Each names its tenant and is signed with that tenant's own key: who may report for one company
cannot report for another. A signature has no age: a bus may keep messages for days. Sent again, a
report changes nothing, and an older balance never replaces a newer one.
"""

import hmac
import json
from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256
from typing import Final
from uuid import UUID

import structlog
from django.db import DataError, IntegrityError, transaction
from django.utils.crypto import salted_hmac

from core.errors import DomainError, Invalid
from core.events.sources import Arrived, Refused
from core.tenancy import bound, tenant_ids
from treasury.api.balances_serializers import ReportedBalanceIn
from treasury.api.webhook import BODY_BYTES_MAX
from treasury.services import reported, tasks
from treasury.services.reported import ReportedBalance
from treasury.services.tasks import TaskIn

logger = structlog.get_logger(__name__)

ACTOR: Final = "system:treasury.intake"
REFUSED_TASK: Final = "balance_refused"
Read = tuple[Arrived, ReportedBalance]


def key_of(tenant: UUID) -> str:
    """Return the key of who reports for a tenant; a new TMS_SECRET_KEY makes another one."""
    return salted_hmac("treasury.api.bus", str(tenant), algorithm="sha256").hexdigest()


def signature(tenant: UUID, body: bytes) -> str:
    """Return `v1=` and the hexadecimal HMAC-SHA256 of a body under the tenant's key."""
    return f"v1={hmac.new(key_of(tenant).encode(), body, sha256).hexdigest()}"


def take_in(batch: Sequence[Arrived]) -> list[Refused]:
    """Record the balances of a batch, each once; return what was refused, and why.

    What is signed by its sender and refused nevertheless is also told to people, as a task.

    Raises:
        DatabaseError: nothing is lost; the batch is to be taken again.
    """
    known, refused = set(tenant_ids()), []
    by_tenant: dict[UUID, list[Arrived]] = defaultdict(list)
    for message in batch:
        tenant, why = _sender(message, known)
        if tenant is None:
            logger.warning("balance_refused", place=message.place, why=why)
            refused.append(Refused(message=message, why=why))
        else:
            by_tenant[tenant].append(message)
    for tenant, messages in by_tenant.items():
        with bound(tenant, actor=ACTOR):
            found = _recorded(messages)
            for one in found:
                _tell(one)
        refused += found
        logger.info("balances_taken", tenant=str(tenant), count=len(messages), refused=len(found))
    return refused


def _sender(message: Arrived, known: set[UUID]) -> tuple[UUID | None, str]:
    """Return the tenant that a message is for; None, and why, where it is not believed."""
    if len(message.body) > BODY_BYTES_MAX:
        return None, f"The body has at most {BODY_BYTES_MAX} bytes."
    try:
        tenant = UUID(message.headers.get("tenant", ""))
    except ValueError:
        return None, "The header tenant is no id."
    expected, given = signature(tenant, message.body), message.headers.get("signature", "")
    if not hmac.compare_digest(expected.encode(), given.encode()):
        return None, "The signature does not fit tenant and body."
    return (tenant, "") if tenant in known else (None, "There is no such tenant.")


def _recorded(messages: Sequence[Arrived]) -> list[Refused]:
    """Record what can be read, in one statement where it is new."""
    ready: list[Read] = []
    refused: list[Refused] = []
    for message in messages:
        try:
            ready.append((message, _read(message)))
        except DomainError as refusal:
            refused.append(Refused(message=message, why=refusal.message))
    for message, balance in _left_over(ready):
        try:
            reported.record_balance(balance=balance)
        except DomainError as refusal:
            refused.append(Refused(message=message, why=refusal.message))
        except (DataError, IntegrityError, ArithmeticError, ValueError) as error:
            # Whatever it is: the messages behind it are not held up by it.
            logger.exception("balance_refused", place=message.place)
            why = f"It cannot be recorded ({type(error).__name__})."
            refused.append(Refused(message=message, why=why))
    return refused


def _left_over(ready: Sequence[Read]) -> list[Read]:
    """Record together what is new; return what the service must look at by itself."""
    if not ready:
        return []
    try:
        with transaction.atomic():
            told = reported.record_balances(balances=[balance for _, balance in ready])
    except (DataError, IntegrityError, ArithmeticError, ValueError):
        # Such as one name for two balances at one instant: the service says of which.
        return list(ready)
    return [one for one, said in zip(ready, told, strict=True) if said.why]


def _read(message: Arrived) -> ReportedBalance:
    """Return the balance that a message reports.

    Raises:
        Invalid: it is none; the first fault is named with its field.
    """
    try:
        found = json.loads(message.body)
    except (ValueError, RecursionError) as error:
        raise Invalid("The body is not JSON.", field="body") from error
    given = ReportedBalanceIn(data=found)
    if not given.is_valid():
        field, faults = next(iter(given.errors.items()))
        raise Invalid(f"{field}: {faults[0]}", field=field)
    return ReportedBalance(**given.validated_data)


def _tell(refused: Refused) -> None:
    tasks.open_task(
        task=TaskIn(
            kind=REFUSED_TASK,
            key=refused.message.place,
            severity="medium",
            title="A reported balance was refused",
            detail=f"{refused.why} It came over the event bus ({refused.message.place}), and its"
            " bytes are kept there among what is refused. Have the sender correct it and send it"
            " under a new event_id.",
        )
    )
