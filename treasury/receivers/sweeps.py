"""Balances that have just arrived, and sweeps beyond their mandate as approvals decides them."""

from collections.abc import Sequence
from uuid import UUID

import structlog

from approvals import registry as approvals
from core.events import Envelope, subscribe_many
from treasury.constants import SWEEP_SUBJECT
from treasury.selectors import sweeps as reads
from treasury.services import sweeps

logger = structlog.get_logger(__name__)


@subscribe_many("ops.nostro.balance.update", consumer="treasury.sweeps", several=True)
def decide_on_balances(envelopes: Sequence[Envelope]) -> None:
    """Decide the accounts whose balance arrived while their window is near.

    An account is decided once, on its newest balance; the log tells of every other event which
    one its account was decided with.
    """
    newest = {UUID(one.payload["account_id"]): one for one in envelopes}
    if len(newest) < len(envelopes):
        for one in envelopes:
            with_it = newest[UUID(one.payload["account_id"])].event_id
            if with_it != one.event_id:
                logger.info("balance_decided_with", older=str(one.event_id), newest=str(with_it))
    # Several that the database refuses are delivered again, each by itself.
    sweeps.decide_arrived(accounts=list(newest), causes=newest, is_repeated=len(envelopes) > 1)


def _approved(outcome: approvals.SubjectOutcome) -> None:
    sweeps.release_order(order_pk=outcome.subject_id)


def _not_approved(outcome: approvals.SubjectOutcome) -> None:
    sweeps.fail_unreleased(order_pk=outcome.subject_id, reason=outcome.reason)


def _describe(subject_id: UUID) -> approvals.SubjectDescription:
    found = reads.orders().get(pk=subject_id)
    return approvals.SubjectDescription(
        title=f"Sweep {found.order_id}",
        url=f"/sweeps/decisions/{found.decision_id}",
        facts=(
            ("Amount", f"{found.amount:,.2f} USD"),
            ("From", found.account.label),
            ("Into", found.product.name),
            ("Leaves on", found.settles_on.isoformat()),
            ("Back on", f"{found.matures_on.isoformat()}: {found.comes_back:,.2f} USD"),
            ("Why it is asked", "It goes beyond the account's mandate."),
        ),
    )


approvals.register(
    SWEEP_SUBJECT,
    approvals.SubjectHooks(
        on_approved=_approved,
        on_rejected=_not_approved,
        on_expired=_not_approved,
        on_cancelled=_not_approved,
        describe=_describe,
    ),
)
