"""What the API shows of windows and holidays, and which questions it takes."""

from typing import Any

from rest_framework import serializers

from calendars.engine.days import HolidayStatus
from calendars.engine.rails import ClosedReason
from calendars.models import Holiday
from core.api.fields import DayField


class WindowQuery(serializers.Serializer[None]):
    """Which rails to show, and through which bank's cut-offs."""

    rail = serializers.CharField(required=False, max_length=20)
    currency = serializers.RegexField(r"^[A-Z]{3}$", required=False)
    bank = serializers.RegexField(r"^[A-Z0-9]{8}([A-Z0-9]{3})?$", required=False)


class WindowOut(serializers.Serializer[Any]):
    """A rail at the present instant; all instants are UTC."""

    rail = serializers.CharField()
    currency = serializers.CharField()
    tz = serializers.CharField(help_text="IANA zone of the rail's wall times.")
    is_open = serializers.BooleanField()
    business_date = serializers.DateField()
    value_date = serializers.DateField(help_text="What a payment submitted now gets.")
    opens_at = serializers.DateTimeField(allow_null=True)
    cutoff_at = serializers.DateTimeField(allow_null=True)
    closes_at = serializers.DateTimeField(allow_null=True)
    seconds_to_cutoff = serializers.IntegerField(
        allow_null=True, help_text="0 once the business date's cut-off has passed."
    )
    next_cutoff_at = serializers.DateTimeField(allow_null=True)
    reason_closed = serializers.ChoiceField(
        choices=[reason.value for reason in ClosedReason], allow_null=True
    )
    reason_detail = serializers.CharField(allow_blank=True)


class HolidayQuery(serializers.Serializer[None]):
    """Which calendar, between which dates, in which state."""

    calendar = serializers.CharField(required=False, max_length=20)
    start = DayField(required=False)
    end = DayField(required=False)
    status = serializers.ChoiceField(
        choices=[status.value for status in HolidayStatus], required=False
    )

    def to_internal_value(self, data: dict[str, str]) -> dict[str, object]:
        """Read `from` and `to`, which are no Python names."""
        plain = {name: data[name] for name in ("calendar", "status") if name in data}
        renamed = {"start": data.get("from"), "end": data.get("to")}
        dates = {name: value for name, value in renamed.items() if value}
        return dict(super().to_internal_value({**plain, **dates}))

    def validate(self, attrs: dict[str, object]) -> dict[str, object]:
        """Refuse a span that runs backwards."""
        start, end = attrs.get("start"), attrs.get("end")
        if start and end and str(start) > str(end):
            raise serializers.ValidationError({"to": ["The span runs backwards."]})
        return attrs


class HolidayOut(serializers.ModelSerializer[Holiday]):
    """One named day of a calendar."""

    calendar = serializers.CharField(source="calendar.code")
    currency = serializers.CharField(source="calendar.currency")
    closes = serializers.BooleanField(
        read_only=True, help_text="False for a cancelled row and for a half day."
    )

    class Meta:
        model = Holiday
        fields = [
            "id",
            "calendar",
            "currency",
            "date",
            "name",
            "kind",
            "status",
            "source",
            "half_day_close_local",
            "closes",
        ]
