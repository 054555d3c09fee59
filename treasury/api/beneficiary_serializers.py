"""Beneficiaries on the wire. A number is written, never read back: only its last digits are."""

from typing import Any

from rest_framework import serializers

from treasury.models import Beneficiary


class TypedInIn(serializers.Serializer[Any]):
    """Somebody to pay, without the currency."""

    name = serializers.CharField(max_length=140)
    number = serializers.CharField(max_length=60)
    bank_bic = serializers.CharField(max_length=11)
    bank_name = serializers.CharField(max_length=70, required=False, allow_blank=True)
    clearing_code = serializers.CharField(max_length=20, required=False, allow_blank=True)
    street = serializers.CharField(max_length=70, required=False, allow_blank=True)
    building_number = serializers.CharField(max_length=16, required=False, allow_blank=True)
    post_code = serializers.CharField(max_length=16, required=False, allow_blank=True)
    town = serializers.CharField(max_length=35)
    country = serializers.CharField(max_length=2)
    payment_purpose = serializers.CharField(max_length=5, required=False, allow_blank=True)


class BeneficiaryIn(TypedInIn):
    """A beneficiary for the list."""

    currency = serializers.CharField(max_length=3)


class BeneficiaryOut(serializers.ModelSerializer[Beneficiary]):
    """A beneficiary with who changed and verified it."""

    class Meta:
        model = Beneficiary
        fields = [
            "id", "name", "currency", "bank_bic", "bank_name", "is_iban", "number_hint",
            "clearing_code", "street", "building_number", "post_code", "town", "country",
            "payment_purpose", "state", "is_typed_in", "is_verified", "verified_by", "created_at",
            "changed_at", "changed_by",
        ]  # fmt: skip


class ReadinessRuleOut(serializers.Serializer[Any]):
    """A rule that some beneficiaries break, in the words of the first of them."""

    code = serializers.CharField()
    words = serializers.CharField()
    severity = serializers.CharField()
    count = serializers.IntegerField()


class ReadinessFindingOut(serializers.Serializer[Any]):
    """What a bank would say of one field."""

    code = serializers.CharField()
    message = serializers.CharField()
    locator = serializers.CharField()
    severity = serializers.CharField()


class ReadinessRowOut(serializers.Serializer[Any]):
    """One beneficiary that is not simply ready."""

    beneficiary = serializers.UUIDField(source="beneficiary.pk")
    name = serializers.CharField(source="beneficiary.name")
    rail = serializers.CharField()
    state = serializers.CharField()
    findings = ReadinessFindingOut(many=True)


class ReadinessOut(serializers.Serializer[Any]):
    """How many beneficiaries could be paid today, and the first thousand to correct."""

    total = serializers.IntegerField()
    payable = serializers.IntegerField()
    percent = serializers.IntegerField()
    counts = serializers.DictField(child=serializers.IntegerField())
    rules = ReadinessRuleOut(many=True)
    rows = ReadinessRowOut(many=True)
