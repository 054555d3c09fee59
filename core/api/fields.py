"""Amounts on the wire: decimal strings, never JSON numbers."""

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.errors import Invalid
from core.money import parse_amount


@extend_schema_field(
    {"type": "string", "pattern": r"^-?\d{1,16}(\.\d{1,4})?$", "example": "2750000.00"}
)
class AmountField(serializers.Field[Decimal, str, str, Any]):
    """A decimal string; a number, an exponent or another script's digits are refused."""

    def to_internal_value(self, data: str) -> Decimal:
        """Read strictly; the currency's decimals are checked where the currency is known."""
        if not isinstance(data, str):
            raise serializers.ValidationError('Write the amount as a string, like "1250.00".')
        try:
            return parse_amount(data, "CLF", field=self.field_name or "amount")
        except Invalid as error:
            raise serializers.ValidationError(error.message) from error

    def to_representation(self, value: Decimal) -> str:
        """Write plainly, without an exponent."""
        return f"{value:f}"
