"""Talking to the sandbox bank as its operator: accounts, reports, its clock, its book."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import httpx

from core.errors import DomainError
from integrations.channels.access import usual_trust

CONNECT_SECONDS_MAX: Final = 2.0
ANSWER_SECONDS_MAX: Final = 60.0


class BankRefused(DomainError):
    """The sandbox bank did not do what it was asked."""

    code = "bank_refused"


class BankAway(DomainError):
    """The sandbox bank does not answer."""

    code = "bank_away"
    status = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxBank:
    """One running bank; `secret` is sent with every request and never shown."""

    base_url: str
    secret: str = field(default="", repr=False)

    def answers(self) -> bool:
        """Return whether a sandbox bank listens at the address."""
        try:
            return "now" in self._call("GET", "/clock")
        except DomainError:
            return False

    def now(self) -> datetime:
        """Return the time on the bank's own clock.

        Raises:
            BankAway: it does not answer.
        """
        return datetime.fromisoformat(self._call("GET", "/clock")["now"])

    def advance(self, *, seconds: float) -> datetime:
        """Move the bank's clock forward; it works through everything due on the way.

        Raises:
            BankRefused: backwards or too far.
            BankAway: it does not answer.
        """
        answer = self._call("POST", "/clock/advance", {"seconds": seconds})
        return datetime.fromisoformat(answer["now"])

    def put_accounts(self, accounts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Open accounts at the bank; those it knows keep their money.

        Raises:
            BankRefused: an account is unusable.
            BankAway: it does not answer.
        """
        answer: list[dict[str, Any]] = self._call("POST", "/accounts", list(accounts))["accounts"]
        return answer

    def accounts(self) -> list[dict[str, Any]]:
        """Return the accounts as the bank has them."""
        answer: list[dict[str, Any]] = self._call("GET", "/accounts")["accounts"]
        return answer

    def report(self, *, account: str, kind: str = "camt.052") -> str:
        """Ask for a report on an account; return the id of the message that is on its way.

        Raises:
            BankRefused: no such account or kind.
            BankAway: it does not answer.
        """
        answer = self._call("POST", "/report", {"account": account, "type": kind})
        return str(answer["message_id"])

    def plan(self, steps: Sequence[dict[str, Any]]) -> int:
        """Put steps on the bank's agenda; the same ones again change nothing. Return the new ones.

        Raises:
            BankRefused: a step is wrong.
            BankAway: it does not answer.
        """
        return int(self._call("POST", "/script", list(steps))["steps"])

    def payment(self, end_to_end_id: str) -> dict[str, Any]:
        """Return what the bank knows about a payment; `found` says whether it has it."""
        return self._call("GET", f"/payments/{end_to_end_id}", absent_is_answer=True)

    def executed(self) -> dict[str, int]:
        """Return how many times the bank booked each end-to-end id."""
        answer: dict[str, int] = self._call("GET", "/book/executed")["executed"]
        return answer

    def _call(
        self, method: str, path: str, body: Any = None, *, absent_is_answer: bool = False
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.secret}"} if self.secret else {}
        patience = httpx.Timeout(ANSWER_SECONDS_MAX, connect=CONNECT_SECONDS_MAX)
        try:
            answer = httpx.request(
                method,
                self.base_url + path,
                json=body,
                headers=headers,
                timeout=patience,
                verify=usual_trust(),
            )
            content: dict[str, Any] = answer.json()
        except (httpx.HTTPError, ValueError) as trouble:
            words = type(trouble).__name__
            raise BankAway(f"No sandbox bank answers at {self.base_url} ({words}).") from trouble
        if answer.status_code == httpx.codes.NOT_FOUND and absent_is_answer:
            return content
        if answer.is_error:
            message = content.get("message") or f"status {answer.status_code}"
            raise BankRefused(f"The sandbox bank refused {path}: {message}.", path=path)
        return content
