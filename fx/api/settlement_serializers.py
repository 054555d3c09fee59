"""Legs, nets and how deals end otherwise, on the wire."""

from typing import Any

from rest_framework import serializers

from core.api.fields import AmountField
from fx.api.fields import RateField
from fx.models import (
    DayFixing,
    DealCancellation,
    DealLeg,
    DifferenceKind,
    NdfFixing,
    ReceiptDifference,
    SettlementNet,
)


class DealLegOut(serializers.ModelSerializer[DealLeg]):
    """What a deal pays or receives, and what proves it."""

    reference = serializers.CharField()
    amount = AmountField()
    deal_reference = serializers.CharField(source="deal.reference")
    counterparty = serializers.CharField(source="deal.counterparty.code")

    class Meta:
        model = DealLeg
        fields = [
            "id", "reference", "deal", "deal_reference", "counterparty", "leg_no", "version",
            "direction", "currency", "amount", "account", "instruction", "rail", "value_date",
            "due_at", "state", "net", "proposal", "entry", "reason", "created_at", "instructed_at",
            "sent_at", "settled_at", "closed_at",
        ]  # fmt: skip


class NetOut(serializers.ModelSerializer[SettlementNet]):
    """One payment or receipt in place of several legs."""

    amount = AmountField()
    gross = AmountField()
    counterparty_code = serializers.CharField(source="counterparty.code")

    class Meta:
        model = SettlementNet
        fields = [
            "id", "reference", "state", "agreement", "counterparty", "counterparty_code",
            "currency", "value_date", "direction", "amount", "gross", "legs_count", "account",
            "instruction", "rail", "due_at", "proposal", "entry", "reason", "created_at",
            "settled_at", "closed_at",
        ]  # fmt: skip


class NetIn(serializers.Serializer[Any]):
    """Whose legs are netted, in which currency and of which day."""

    counterparty = serializers.UUIDField()
    currency = serializers.RegexField(r"^[A-Z]{3}$")
    value_date = serializers.DateField()


class ReplaceLegsIn(serializers.Serializer[Any]):
    """Why, and which of our accounts take the place of those that stand."""

    reason = serializers.CharField(max_length=500)
    pay_account = serializers.UUIDField(required=False, allow_null=True, default=None)
    receive_account = serializers.UUIDField(required=False, allow_null=True, default=None)


class CloseOutIn(serializers.Serializer[Any]):
    """How much of a deal is closed out, in its base currency; nothing given is all."""

    amount = AmountField(required=False, allow_null=True, default=None)
    limit_rate = RateField()
    why = serializers.CharField(max_length=500)


class EvidenceIn(serializers.Serializer[Any]):
    """What the counterparty wrote, and where it is kept."""

    evidence = serializers.CharField(max_length=2_000)


class CancellationOut(serializers.ModelSerializer[DealCancellation]):
    """What two people are asked about a deal."""

    class Meta:
        model = DealCancellation
        fields = ["id", "deal", "evidence", "maker", "state", "created_at", "closed_at"]


class FixingIn(serializers.Serializer[Any]):
    """The published rate, and who published it."""

    rate = RateField()
    said_by = serializers.CharField(max_length=80)


class FixingOut(serializers.ModelSerializer[NdfFixing]):
    """At what a deal was fixed."""

    rate = RateField()

    class Meta:
        model = NdfFixing
        fields = [
            "id", "deal", "rate", "fixed_on", "said_by", "from_rate", "entered_by", "entered_at",
        ]  # fmt: skip


class DayFixingIn(FixingIn):
    """The published rate of a pair and day, for all deals that wait for it."""

    pair = serializers.CharField(max_length=7)
    day = serializers.DateField()


class CorrectionIn(FixingIn):
    """Another rate for a day that was fixed, and why."""

    reason = serializers.CharField(max_length=500)


class RefusalIn(serializers.Serializer[Any]):
    """Why not."""

    reason = serializers.CharField(max_length=500)


class DayFixingOut(serializers.ModelSerializer[DayFixing]):
    """At what a pair was fixed on a day, and whether that holds."""

    rate = RateField()
    pair = serializers.CharField()

    class Meta:
        model = DayFixing
        fields = [
            "id", "pair", "fixed_on", "version", "rate", "said_by", "from_rate", "reason", "state",
            "entered_by", "entered_at", "checker", "decided_at", "note",
        ]  # fmt: skip


class DifferenceIn(serializers.Serializer[Any]):
    """Which entry came in place of what was agreed, what the difference is, and why it is taken."""

    entry = serializers.UUIDField()
    part = serializers.UUIDField(required=False, allow_null=True, default=None)
    kind = serializers.ChoiceField(choices=DifferenceKind.choices)
    reason = serializers.CharField(max_length=500)


class DifferenceOut(serializers.ModelSerializer[ReceiptDifference]):
    """What came for a leg in place of what was agreed."""

    came = AmountField()
    difference = AmountField()
    amount_usd = AmountField(allow_null=True)
    leg_reference = serializers.CharField(source="reference", help_text="Of the leg, or the net.")
    currency = serializers.CharField()

    class Meta:
        model = ReceiptDifference
        fields = [
            "id", "leg", "net", "leg_reference", "currency", "entry", "entry_part", "kind", "came",
            "difference",
            "reason", "state", "maker", "created_at", "checker", "decided_at", "note",
            "amount_usd", "reversed_at",
        ]  # fmt: skip
