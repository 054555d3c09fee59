"""Checked by mypy, never run: state machines keep their types.

Type-checked below Python 3.12, django-fsm would be Any and so would every model built on it; each
`assert_type` below turns red then. mypy runs over this file with the rest (`make check`).
"""

from typing import assert_type

from approvals.models import ApprovalRequest
from liquidity.models import PayoutPlan
from treasury.models import Proposal


def a_model_with_a_machine_is_itself(proposal: Proposal, request: ApprovalRequest) -> None:
    assert_type(Proposal.objects.get(pk=proposal.pk), Proposal)
    assert_type(proposal.version, int)
    assert_type(ApprovalRequest.objects.get(pk=request.pk), ApprovalRequest)
    assert_type(request.is_pending, bool)
    assert_type(PayoutPlan.objects.planned().first(), PayoutPlan | None)
