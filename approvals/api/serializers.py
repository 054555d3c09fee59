"""Requests and decisions on the wire."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from approvals.constants import AT_ONCE_MAX, FLAGS_MAX, REASON_LENGTH_MAX
from approvals.models import ApprovalRequest, Decision
from approvals.selectors import Progress, progress
from core.api.fields import AmountField


class PersonOut(serializers.Serializer[Any]):
    """A person as others see them."""

    id = serializers.UUIDField()
    name = serializers.CharField(source="display_name")


class DecisionOut(serializers.ModelSerializer[Decision]):
    """One person's decision."""

    checker = PersonOut()
    on_behalf_of = PersonOut(allow_null=True)
    step_up = serializers.CharField(source="step_up.method", allow_null=True, default=None)

    class Meta:
        model = Decision
        fields = [
            "id", "checker", "as_role", "outcome", "reason", "content_hash", "step_up",
            "on_behalf_of", "acknowledged",
            "decided_at",
        ]  # fmt: skip


class ProgressOut(serializers.Serializer[Progress]):
    """How many approvals there are, and how many are missing."""

    approved_count = serializers.IntegerField()
    missing_count = serializers.IntegerField()
    missing_manager_count = serializers.IntegerField()
    open_step = serializers.IntegerField(allow_null=True)


class RequestOut(serializers.ModelSerializer[ApprovalRequest]):
    """A request in a list."""

    amount = AmountField(read_only=True, allow_null=True)
    usd_equivalent = AmountField(read_only=True, allow_null=True)
    maker = PersonOut(allow_null=True)
    progress = serializers.SerializerMethodField()

    class Meta:
        model = ApprovalRequest
        fields = [
            "id", "action", "subject_type", "subject_id", "subject_version", "title", "state",
            "content_hash", "maker", "maker_label", "amount", "currency", "rail", "entity",
            "usd_equivalent", "required_count", "required_manager_count", "submitted_at",
            "cutoff_at", "decided_at", "escalation_level", "reason", "progress",
        ]  # fmt: skip

    @extend_schema_field(ProgressOut)
    def get_progress(self, request: ApprovalRequest) -> Any:
        """Return how far it has come."""
        return ProgressOut(progress(request)).data


class FlagOut(serializers.Serializer[Any]):
    """What the checkers should know."""

    code = serializers.CharField()
    words = serializers.CharField()
    severity = serializers.ChoiceField(choices=["info", "ack"])


class EligibilityOut(serializers.Serializer[Any]):
    """Whether the caller may decide, and why not."""

    is_eligible = serializers.BooleanField()
    code = serializers.CharField()
    reason = serializers.CharField()


class RequestDetailOut(serializers.Serializer[Any]):
    """A request with its content, its decisions and what the caller may do."""

    request = RequestOut()
    content = serializers.JSONField(source="request.content")
    flags = FlagOut(source="request.flags", many=True)
    break_glass = serializers.JSONField(source="request.break_glass", allow_null=True)
    decisions = DecisionOut(many=True)
    progress = ProgressOut()
    eligibility = EligibilityOut()
    url = serializers.CharField(source="description.url")
    needs_step_up = serializers.BooleanField()


class DecisionIn(serializers.Serializer[Any]):
    """What the caller saw, and says."""

    version = serializers.IntegerField(min_value=1)
    content_hash = serializers.RegexField(r"\A[0-9a-f]{64}\Z")
    code = serializers.CharField(
        max_length=12,
        required=False,
        allow_blank=True,
        default="",
        help_text="Six digits of the caller's authenticator, for exactly this content.",
    )
    passkey = serializers.DictField(
        required=False,
        allow_null=True,
        default=None,
        help_text="Instead of the code: the browser's answer to the options that begin a passkey.",
    )
    acknowledged = serializers.ListField(
        child=serializers.CharField(max_length=60),
        max_length=FLAGS_MAX,
        required=False,
        default=list,
        help_text="Codes of the warnings that the caller acknowledges.",
    )
    delegation = serializers.UUIDField(
        required=False, allow_null=True, default=None, help_text="In whose place: a delegation."
    )
    reason = serializers.CharField(
        max_length=REASON_LENGTH_MAX, required=False, allow_blank=True, default=""
    )


class DecisionResultOut(serializers.Serializer[Any]):
    """The request after the decision; `counted` is false when it had been recorded before."""

    request = RequestOut()
    counted = serializers.BooleanField()
    is_final = serializers.BooleanField()


class SeenIn(serializers.Serializer[Any]):
    """One request as the caller saw it."""

    request = serializers.UUIDField()
    version = serializers.IntegerField(min_value=1)
    content_hash = serializers.RegexField(r"\A[0-9a-f]{64}\Z")
    acknowledged = serializers.ListField(
        child=serializers.CharField(max_length=60),
        max_length=FLAGS_MAX,
        required=False,
        default=list,
        help_text="Codes of the warnings that the caller acknowledges.",
    )


class ApproveSeveralIn(serializers.Serializer[Any]):
    """Several requests that the caller approves, each for itself."""

    items = serializers.ListField(child=SeenIn(), min_length=1, max_length=AT_ONCE_MAX)


class ItemResultOut(serializers.Serializer[Any]):
    """What became of one of them: `code` and `message` say why it was refused."""

    request = serializers.UUIDField(source="request_id")
    approved = serializers.SerializerMethodField()
    is_final = serializers.BooleanField(source="result.is_final", default=False)
    code = serializers.CharField(source="refusal.code", default="")
    message = serializers.CharField(source="refusal.message", default="")

    def get_approved(self, found: Any) -> bool:
        """Return whether the caller's approval stands."""
        return found.result is not None


class ApproveSeveralOut(serializers.Serializer[Any]):
    """What became of each, in the order of the request."""

    results = ItemResultOut(many=True)
