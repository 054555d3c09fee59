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
