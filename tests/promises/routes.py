"""Every address of the system, read from the URL resolver, and how to fill its arguments."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

_ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")

# Which object of a realm an argument means, by the longest fitting prefix of the address.
OBJECTS: dict[str, dict[str, str]] = {
    "": {
        "proposal_id": "proposal",
        "transfer_id": "transfer",
        "message_id": "message",
        "account_id": "account",
        "beneficiary_id": "beneficiary",
        "freeze_id": "freeze",
        "statement_id": "statement",
        "entry_id": "entry",
        "forecast_id": "forecast",
        "reading_id": "reading",
        "plan_id": "plan",
        "pattern_id": "pattern",
        "suppressed_id": "suppressed",
        "change_id": "change",
        "code": "line",
        "thing_id": "proposal",
        "passkey": "passkey",
        "session": "person_session",
        "delegation_id": "delegation",
        "task_id": "task",
        "uetr": "uetr",
        "upload_id": "upload",
        "late_id": "late",
        "decision_id": "decision",
        "order_id": "sweep",
        "sha256": "universe",
        "pool_id": "pool",
        "run_id": "pool_run",
        "lender_id": "lender",
        "borrower_id": "borrower",
        "deal_id": "deal",
        "suggestion_id": "suggestion",
        "fixing_id": "fixing",
        # A realm dealt nothing yet: no id of theirs is a leg, or a difference.
        "leg_id": "deal",
        "difference_id": "deal",
    },
    "pools/<uuid:pool_id>/notional": {"pool_id": "notional_pool"},
    "api/v1/pools/<uuid:pool_id>/notional": {"pool_id": "notional_pool"},
    "api/v1/approvals/": {"request_id": "approval"},
    "approvals/": {"request_id": "approval"},
    "authority/": {"request_id": "approval"},
    "api/v1/prefunding/": {"request_id": "prefunding"},
    "bank-messages/<uuid:message_id>/again": {"message_id": "set_aside"},
    "bank-messages/<uuid:message_id>/mapping": {"message_id": "set_aside"},
    "api/v1/messages/<uuid:message_id>/again": {"message_id": "set_aside"},
    "api/v1/proposals/<uuid:proposal_id>/submit": {"proposal_id": "draft"},
    "proposals/<uuid:proposal_id>/submit": {"proposal_id": "draft"},
    "proposals/<uuid:proposal_id>/retry": {"proposal_id": "paid"},
}


@dataclass(frozen=True, slots=True)
class Route:
    """One address: its pattern as text, and the names of its arguments."""

    pattern: str
    callback: Any

    @property
    def arguments(self) -> list[str]:
        return _ARGUMENT.findall(self.pattern)

    @property
    def is_admin(self) -> bool:
        return self.pattern.startswith("admin/")

    @property
    def is_api(self) -> bool:
        return self.pattern.startswith("api/v1/")

    def path(self, filling: dict[str, str]) -> str:
        return "/" + _ARGUMENT.sub(lambda found: filling[found.group(1)], self.pattern)

    def words(self) -> dict[str, str]:
        """Return the realm's word for every argument.

        Raises:
            LookupError: an argument that this matrix cannot fill: add it to OBJECTS.
        """
        found = {}
        prefixes = sorted(
            (prefix for prefix in OBJECTS if self.pattern.startswith(prefix)), key=len, reverse=True
        )
        for name in self.arguments:
            words = [OBJECTS[prefix][name] for prefix in prefixes if name in OBJECTS[prefix]]
            if not words:
                raise LookupError(f"{self.pattern}: no object is known for {name}")
            found[name] = words[0]
        return found


def _walk(resolver: Any, prefix: str = "") -> Iterator[Route]:
    for part in resolver.url_patterns:
        text = prefix + str(part.pattern)
        if isinstance(part, URLPattern):
            yield Route(text, part.callback)
        elif isinstance(part, URLResolver):
            yield from _walk(part, text)


def all_routes() -> list[Route]:
    """Return every address once."""
    return list({route.pattern: route for route in _walk(get_resolver())}.values())
