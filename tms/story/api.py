"""The public API as one person's client uses it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import httpx

from tms.story.errors import StoryFailed

ANSWER_SECONDS_MAX: Final = 25.0
PAGES_MAX: Final = 100
PAGE_ROWS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the API answered: its status and its content."""

    status: int
    content: Any

    @property
    def is_refusal(self) -> bool:
        """Return whether the call was refused."""
        return self.status >= httpx.codes.BAD_REQUEST

    @property
    def code(self) -> str:
        """Return the refusal's stable code."""
        return str(self.content.get("code", "")) if isinstance(self.content, dict) else ""

    @property
    def words(self) -> str:
        """Return the refusal in words."""
        return str(self.content.get("detail", "")) if isinstance(self.content, dict) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """A client with one person's token; `code` gives a fresh code of their authenticator."""

    base_url: str
    person: str
    token: str = field(default="", repr=False)
    code: Callable[[], str] = field(default=str, repr=False)

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
        key: str = "",
    ) -> Answer:
        """Call once and return whatever the API answers, refusals included.

        Raises:
            StoryFailed: nobody answers, or not in JSON.
        """
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if method == "POST":
            headers["Idempotency-Key"] = key or uuid4().hex
        try:
            answer = httpx.request(
                method,
                self.base_url + path,
                json=body,
                params=params,
                headers=headers,
                timeout=ANSWER_SECONDS_MAX,
            )
            content = answer.json() if answer.content else None
        except (httpx.HTTPError, ValueError) as trouble:
            words = f"{method} {path}: {type(trouble).__name__}"
            raise StoryFailed(f"The system does not answer ({words}).") from trouble
        return Answer(status=answer.status_code, content=content)

    def get(self, path: str, **params: str) -> Any:
        """Read something.

        Raises:
            StoryFailed: it was refused.
        """
        return self._content(self.ask("GET", path, params=params), path)

    def post(self, path: str, body: Mapping[str, Any] | None = None, *, key: str = "") -> Any:
        """Do something; the key makes it happen once.

        Raises:
            StoryFailed: it was refused.
        """
        return self._content(self.ask("POST", path, body=body or {}, key=key), path)

    def rows(self, path: str, **params: str) -> list[dict[str, Any]]:
        """Read a list, all its pages.

        Raises:
            StoryFailed: it was refused.
        """
        found: list[dict[str, Any]] = []
        page = self.get(path, limit=str(PAGE_ROWS), **params)
        for _ in range(PAGES_MAX):
            found += page["results"]
            if not page.get("next"):
                break
            page = self.get(page["next"].removeprefix(self.base_url))
        return found

    def first(self, path: str, **params: str) -> dict[str, Any] | None:
        """Return the newest row of a list, if there is one.

        Raises:
            StoryFailed: it was refused.
        """
        results = self.get(path, limit="1", **params)["results"]
        return results[0] if results else None

    def content_of(self, path: str) -> bytes:
        """Return the bytes behind an address.

        Raises:
            StoryFailed: it was refused, or nobody answers.
        """
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            answer = httpx.get(self.base_url + path, headers=headers, timeout=ANSWER_SECONDS_MAX)
            answer.raise_for_status()
        except httpx.HTTPError as trouble:
            raise StoryFailed(f"{self.person} cannot read {path}: {trouble}.") from trouble
        return answer.content

    def _content(self, answer: Answer, path: str) -> Any:
        if answer.is_refusal:
            message = f"{self.person} was refused {path}: {answer.status} {answer.code}"
            raise StoryFailed(f"{message} {answer.words}".strip(), **_context(answer))
        return answer.content


def _context(answer: Answer) -> dict[str, Any]:
    return {"status": answer.status, "answer": answer.content}
