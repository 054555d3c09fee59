"""Proposals, transfers and prefunding on the wire: amounts as decimal strings, times in UTC."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from approvals.services import BreakGlassReason
from core.api.fields import AmountField, DayField
from integrations.codecs.records import Severity as FindingSeverity
from treasury.api.beneficiary_serializers import TypedInIn
from treasury.models import (
    PrefundingRequest,
    Proposal,
    SuppressedShortfall,
    Transfer,
    TransferStatus,
)
from treasury.selectors import controls
from treasury.services.preflighting import flags_of_the_bank


class ProposalIn(serializers.Serializer[Any]):
    """A new proposal: exactly one of `credit_account`, `beneficiary` and `typed_in` is paid.

    `submit` false keeps it as a draft.
    """

    debit_account = serializers.UUIDField()
    credit_account = serializers.UUIDField(required=False)
    beneficiary = serializers.UUIDField(required=False)
    typed_in = TypedInIn(required=False)
    amount = AmountField()
    why = serializers.CharField(max_length=2_000)
    value_date = DayField(required=False)
    submit = serializers.BooleanField(default=True)


class BreakGlassIn(serializers.Serializer[Any]):
    """An emergency: any two checkers approve with passkeys, and a third person reviews it."""

    incident = serializers.CharField(max_length=60)
    reason = serializers.ChoiceField(choices=[reason.value for reason in BreakGlassReason])
    words = serializers.CharField(max_length=500)


class SubmissionIn(serializers.Serializer[Any]):
    """How a draft is submitted: the ordinary way, or over broken glass."""

    break_glass = BreakGlassIn(required=False)


class NewProposalIn(ProposalIn):
    """A new proposal, in an emergency over broken glass."""

    break_glass = BreakGlassIn(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse broken glass for a draft: it belongs to its submission."""
        if attrs.get("break_glass") and not attrs["submit"]:
            raise serializers.ValidationError({"break_glass": ["A draft breaks no glass."]})
        return attrs


class MovementReasonIn(serializers.Serializer[Any]):
    """Why."""

    reason = serializers.CharField(max_length=500)


class ProposalOut(serializers.ModelSerializer[Proposal]):
    """A proposal with everything that was or will be sent."""

    amount = AmountField(read_only=True)
    usd_equivalent = AmountField(read_only=True, allow_null=True)
    debit_account_label = serializers.CharField(source="debit_account.label")
    credit_account_label = serializers.CharField(
        source="credit_account.label", read_only=True, allow_null=True
    )
    payee = serializers.CharField(read_only=True)

    class Meta:
        model = Proposal
        fields = [
            "id", "reference", "version", "purpose", "state", "debit_account",
            "debit_account_label", "credit_account", "credit_account_label", "beneficiary",
            "payee", "amount", "currency", "usd_equivalent", "rail", "charge_bearer",
            "value_date", "cutoff_at", "maker", "maker_label", "why", "content_hash",
            "created_at", "submitted_at", "closed_at", "closing_reason",
        ]  # fmt: skip


class PaymentFlagOut(serializers.Serializer[Any]):
    """What a checker should know; `ack` ones are acknowledged by their code."""

    code = serializers.CharField()
    words = serializers.CharField()
    severity = serializers.ChoiceField(choices=["info", "warn", "ack"])


class ProposalDetailOut(ProposalOut):
    """A proposal with its flags."""

    flags = serializers.SerializerMethodField()

    class Meta(ProposalOut.Meta):
        fields = [*ProposalOut.Meta.fields, "flags"]

    @extend_schema_field(PaymentFlagOut(many=True))
    def get_flags(self, proposal: Proposal) -> Any:
        """Return what its checkers should know."""
        found = (*controls.flags_of(proposal), *flags_of_the_bank(proposal=proposal))
        return PaymentFlagOut(found, many=True).data


class PreflightFindingOut(serializers.Serializer[Any]):
    """One thing that a bank would refuse or change; `locator` names the field."""

    code = serializers.CharField()
    message = serializers.CharField()
    locator = serializers.CharField()
    severity = serializers.ChoiceField(choices=[one.value for one in FindingSeverity])


class PreflightOut(serializers.Serializer[Any]):
    """How a payment would travel, and everything that speaks against it."""

    is_sendable = serializers.BooleanField()
    rail = serializers.CharField()
    value_date = serializers.DateField(allow_null=True)
    cutoff_at = serializers.DateTimeField(allow_null=True)
    findings = PreflightFindingOut(many=True)


class TransferStatusOut(serializers.ModelSerializer[TransferStatus]):
    """One thing the bank said."""

    class Meta:
        model = TransferStatus
        fields = ["status", "reason_code", "words", "source", "changed_state", "heard_at"]


class TransferOut(serializers.ModelSerializer[Transfer]):
    """A transfer: identifiers, the proposal's state, bank status and clocks."""

    reference = serializers.CharField(source="proposal.reference")
    state = serializers.CharField(source="proposal.state")
    amount = AmountField(source="proposal.amount", read_only=True)
    currency = serializers.CharField(source="proposal.currency")
    rail = serializers.CharField(source="proposal.rail")
    value_date = serializers.DateField(source="proposal.value_date")
    debit_account = serializers.UUIDField(source="proposal.debit_account_id")
    credit_account = serializers.UUIDField(source="proposal.credit_account_id", allow_null=True)
    beneficiary = serializers.UUIDField(source="proposal.beneficiary_id", allow_null=True)
    payee = serializers.CharField(source="proposal.payee")

    class Meta:
        model = Transfer
        fields = [
            "id", "reference", "proposal", "state", "end_to_end_id", "uetr", "amount", "currency",
            "rail", "value_date", "debit_account", "credit_account", "beneficiary", "payee",
            "attempt", "message_id", "bank_status", "bank_reference", "reason_code",
            "outcome_unknown_since", "sent_at", "sla_due_at", "sla_breached_at", "confirmed_at",
            "settled_at",
        ]  # fmt: skip


class TransferDetailOut(TransferOut):
    """A transfer with its status history."""

    statuses = TransferStatusOut(many=True, read_only=True)

    class Meta(TransferOut.Meta):
        fields = [*TransferOut.Meta.fields, "statuses"]


class SuppressedOut(serializers.ModelSerializer[SuppressedShortfall]):
    """A later shortfall of a day that was already prefunded."""

    shortfall = AmountField(read_only=True)
    transfer_amount = AmountField(read_only=True)

    class Meta:
        model = SuppressedShortfall
        fields = ["id", "shortfall", "transfer_amount", "top_up_advised", "created_at"]


class PrefundingOut(serializers.ModelSerializer[PrefundingRequest]):
    """One prefunding of a currency and day."""

    required = AmountField(read_only=True)  # type: ignore[assignment]
    available = AmountField(read_only=True)
    shortfall = AmountField(read_only=True)
    transfer_amount = AmountField(read_only=True)
    suppressed = SuppressedOut(many=True, read_only=True)

    class Meta:
        model = PrefundingRequest
        fields = [
            "id", "currency", "local_date", "sequence", "account", "need_date", "required",
            "available", "shortfall", "transfer_amount", "proposal", "problem", "rearm_reason",
            "created_at", "suppressed",
        ]  # fmt: skip
