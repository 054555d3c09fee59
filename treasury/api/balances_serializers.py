"""Balances, positions and entries on the wire: amounts as decimal strings, times in UTC."""

from typing import Any

from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.api.fields import AmountField, DayField
from treasury.models import (
    BankEntry,
    BookingStatus,
    EntryObservation,
    EntryPart,
    EntryState,
    Statement,
)
from treasury.selectors.positions import LADDER_DAYS_MAX

BALANCE_TYPES = ("CLBD", "CLAV", "ITBD", "ITAV", "OPBD", "OPAV")


class BalanceQuery(serializers.Serializer[Any]):
    """Which balances, and for which day."""

    currency = serializers.RegexField(r"^[A-Z]{3}$", required=False)
    entity = serializers.UUIDField(required=False)
    account = serializers.UUIDField(required=False)
    on = DayField(required=False, help_text="Value date; today when left out.")


class LinksOut(serializers.Serializer[Any]):
    """Where a figure can be opened."""

    ladder = serializers.CharField()
    entries = serializers.CharField()
    message = serializers.CharField(allow_null=True)


class BalanceOut(serializers.Serializer[Any]):
    """An account: what the bank stated last, what it comes to, and what may be spent."""

    account_id = serializers.UUIDField()
    label = serializers.CharField()  # type: ignore[assignment]
    number_hint = serializers.CharField()
    bank = serializers.CharField()
    entity_id = serializers.UUIDField()
    entity = serializers.CharField()
    currency = serializers.CharField()
    on = serializers.DateField()
    balance = AmountField(allow_null=True)
    balance_type = serializers.CharField(source="balance_code")
    as_of = serializers.DateTimeField(source="balance_as_of", allow_null=True)
    age_seconds = serializers.IntegerField(allow_null=True)
    is_stale = serializers.BooleanField()
    source = serializers.CharField()  # type: ignore[assignment]
    flags = serializers.ListField(child=serializers.CharField())
    statement_id = serializers.UUIDField(allow_null=True)
    message_id = serializers.UUIDField(allow_null=True)
    locator = serializers.CharField()
    booked = AmountField()
    pending = AmountField()
    expected_in = AmountField()
    expected_out = AmountField()
    projected = AmountField()
    available = serializers.SerializerMethodField()
    floor = AmountField()
    links = serializers.SerializerMethodField()

    @extend_schema_field(AmountField)
    def get_available(self, position: Any) -> str:
        """Return what may be spent, floor and reservations taken off."""
        found = self.context["available"][position.account_id]
        return f"{found.amount:f}"

    @extend_schema_field(LinksOut)
    def get_links(self, position: Any) -> dict[str, str | None]:
        """Return the way down to days, entries and the bank's own bytes."""
        account = {"account_id": position.account_id}
        return {
            "ladder": reverse("account-ladder", kwargs=account),
            "entries": reverse("account-entries", kwargs=account),
            "message": message_path(position.message_id),
        }


class BalancePageOut(serializers.Serializer[Any]):
    """A page of balances."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = BalanceOut(many=True)


def message_path(message_id: Any) -> str | None:
    """Return the address of an archived message's bytes."""
    return f"/api/v1/messages/{message_id}/content" if message_id else None


class ReportedBalanceIn(serializers.Serializer[Any]):
    """A balance that a bank reports."""

    event_id = serializers.RegexField(r"^[A-Za-z0-9._:-]{1,40}$")
    account = serializers.RegexField(
        r"^[A-Za-z0-9 ./-]{1,42}$", help_text="IBAN or local account number."
    )
    currency = serializers.RegexField(r"^[A-Z]{3}$")
    balance_type = serializers.ChoiceField(choices=BALANCE_TYPES)
    amount = AmountField()
    as_of = serializers.DateTimeField(help_text="With its offset from UTC.")


class RecordedOut(serializers.Serializer[Any]):
    """What became of a reported balance."""

    statement_id = serializers.UUIDField()
    account_id = serializers.UUIDField()
    is_new = serializers.BooleanField()
    is_newest = serializers.BooleanField()


class LadderQuery(serializers.Serializer[Any]):
    """From which day, and how many."""

    start = DayField(required=False, help_text="Today when left out.")
    days = serializers.IntegerField(min_value=1, max_value=LADDER_DAYS_MAX, default=14)


class PositionDayOut(serializers.Serializer[Any]):
    """One day of an account by value date; outflows are negative."""

    day = serializers.DateField()
    opening = AmountField()
    booked = AmountField()
    pending = AmountField()
    expected_in = AmountField()
    expected_out = AmountField()
    closing = AmountField()


class EntryQuery(serializers.Serializer[Any]):
    """Which entries, by value date, state and references."""

    start = DayField(required=False)
    end = DayField(required=False)
    state = serializers.ChoiceField(choices=EntryState.values, required=False)
    status = serializers.ChoiceField(choices=BookingStatus.values, required=False)
    end_to_end_id = serializers.CharField(max_length=70, required=False)


class EntryOut(serializers.ModelSerializer[BankEntry]):
    """A movement on an account, with the place in the message it was read from."""

    amount = AmountField(read_only=True)
    source = serializers.CharField(source="best_source")  # type: ignore[assignment]
    message_id = serializers.UUIDField(source="statement.message_id", allow_null=True)
    message = serializers.SerializerMethodField()

    class Meta:
        model = BankEntry
        fields = [
            "id", "account", "amount", "booking_date", "value_date", "status", "state", "source",
            "is_reversal", "bank_reference", "end_to_end_id", "uetr", "transaction_code",
            "counterparty", "remittance", "return_reason", "statement", "message_id", "message",
            "locator", "first_seen_at", "announced_at", "merged_into",
        ]  # fmt: skip

    @extend_schema_field(OpenApiTypes.STR)
    def get_message(self, entry: BankEntry) -> str | None:
        """Return the address of the bytes it was read from."""
        return message_path(entry.statement.message_id)


class EntryPageOut(serializers.Serializer[Any]):
    """A page of entries."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = EntryOut(many=True)


class ObservationOut(serializers.ModelSerializer[EntryObservation]):
    """One sighting of an entry."""

    source = serializers.CharField(source="statement.source")  # type: ignore[assignment]
    statement_ref = serializers.CharField(source="statement.statement_ref")
    statement_state = serializers.CharField(source="statement.state")
    message_id = serializers.UUIDField(source="statement.message_id", allow_null=True)

    class Meta:
        model = EntryObservation
        fields = [
            "id", "source", "status", "statement", "statement_ref", "statement_state",
            "message_id", "locator",
        ]  # fmt: skip


class EntryPartOut(serializers.ModelSerializer[EntryPart]):
    """One payment inside a batch booking; the parts add up to the entry."""

    class Meta:
        model = EntryPart
        fields = [
            "number", "source", "amount", "bank_reference", "end_to_end_id", "uetr",
            "counterparty", "remittance", "return_reason", "locator",
        ]  # fmt: skip


class EntryDetailOut(EntryOut):
    """A movement with every sighting of it, and with its parts where it is a batch."""

    observations = serializers.SerializerMethodField()
    parts = EntryPartOut(many=True)

    class Meta(EntryOut.Meta):
        fields = [*EntryOut.Meta.fields, "observations", "parts"]

    @extend_schema_field(ObservationOut(many=True))
    def get_observations(self, _entry: BankEntry) -> Any:
        """Return the sightings, those of joined doubles included."""
        return ObservationOut(self.context["observations"], many=True).data


class ReadStatementOut(serializers.ModelSerializer[Statement]):
    """A version of a statement that came of reading it again."""

    class Meta:
        model = Statement
        fields = ["id", "account", "source", "statement_ref", "version", "state", "proof", "reason"]


class ReadAgainOut(serializers.Serializer[Any]):
    """What reading again brought; no statements: it reads as before."""

    statements = ReadStatementOut(many=True)
    entries_new = serializers.IntegerField()
    entries_changed = serializers.IntegerField()
