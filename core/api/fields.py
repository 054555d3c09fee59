"""Amounts and days on the wire: decimal strings, never JSON numbers; days one can reckon with."""

from datetime import date
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.browsing import YEAR_MAX, YEAR_MIN
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


class DayField(serializers.DateField):
    """A day that is asked for; one so far away that nothing can be reckoned from it is refused."""

    def to_internal_value(self, value: Any) -> date:
        """Read a day like 2026-11-23."""
        found: date = super().to_internal_value(value)
        if not YEAR_MIN <= found.year <= YEAR_MAX:
            message = f"Choose a day between {YEAR_MIN} and {YEAR_MAX}."
            raise serializers.ValidationError(message)
        return found
