"""The strict JSON parser of the API."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from core import strict_json
from core.errors import Invalid


class StrictJSONParser(BaseParser):
    """Refuse what ordinary parsers quietly accept, with a 400 that says what is wrong."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002 - its signature
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> Any:
        """Return the parsed body."""
        try:
            return strict_json.loads(stream.read(strict_json.BYTES_MAX + 1))
        except Invalid as error:
            raise ParseError(error.message) from error
