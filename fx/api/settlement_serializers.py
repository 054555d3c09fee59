"""Legs on the wire."""

from rest_framework import serializers

from core.api.fields import AmountField
from fx.models import DealLeg


class LegOut(serializers.ModelSerializer[DealLeg]):
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
            "due_at", "state", "proposal", "entry", "reason", "created_at", "instructed_at",
            "sent_at", "settled_at", "closed_at",
        ]  # fmt: skip
