"""What the addresses of the API take and answer, as one file that every reference page reads."""

from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularAPIView


@cache
def described() -> dict[str, Any]:
    """Describe the whole API, once: no address changes while a process lives."""
    generator: Any = SchemaGenerator  # the library says nothing about its types
    schema: dict[str, Any] = generator().get_schema(request=None, public=True)
    return schema


class DescribedOnce(SchemaGenerator):
    """Hands out the one description, whoever asks: nothing in it depends on the request."""

    def get_schema(self, *_: object, **__: object) -> dict[str, Any]:
        return described()


class SchemaView(SpectacularAPIView):
    """The OpenAPI file, as YAML or as JSON."""

    generator_class = DescribedOnce
