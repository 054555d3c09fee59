"""Rates on the wire: decimal strings, never JSON numbers."""

import re
from decimal import Decimal
from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from fx.engine.pairs import Pair, parse_pair

_RATE: Final = re.compile(r"[0-9]{1,7}(\.[0-9]{1,10})?", re.ASCII)
_PLACES: Final = Decimal("0.0000000001")


@extend_schema_field({"type": "string", "pattern": r"^\d{1,7}(\.\d{1,10})?$", "example": "1.0868"})
class RateField(serializers.Field[Decimal, Any, str, Any]):
    """A decimal string of at most ten places; a number, a sign or an exponent is refused."""

    def to_internal_value(self, data: object) -> Decimal:
        """Read strictly."""
        if not isinstance(data, str) or not _RATE.fullmatch(data):
            raise serializers.ValidationError('Write the rate as a string, like "1.0868".')
        return Decimal(data)

    def to_representation(self, value: Decimal) -> str:
        """Write plainly, with ten places at the most."""
        return f"{value.quantize(_PLACES).normalize():f}"


@extend_schema_field({"type": "string", "pattern": "^[A-Z]{3}/?[A-Z]{3}$", "example": "EUR/USD"})
class PairField(serializers.Field[Pair, Any, str, Any]):
    """A pair like EUR/USD, in the order that the rate is meant in."""

    def to_internal_value(self, data: object) -> Pair:
        """Read it, or refuse."""
        if not isinstance(data, str):
            raise serializers.ValidationError("Write a pair like EUR/USD.")
        return parse_pair(data)

    def to_representation(self, value: Pair) -> str:
        """Write it with a slash."""
        return str(value)
