"""The writers of sweeps."""

from treasury.services.sweeps.answering import Answer, answer_order
from treasury.services.sweeps.batching import BATCH_MAX, Batch, HandedOver, Settled, decide_many
from treasury.services.sweeps.deciding import Decided, decide_account
from treasury.services.sweeps.lines import LineIn, add_line, save_line
from treasury.services.sweeps.ordering import expire_due, fail_unreleased, release_order
from treasury.services.sweeps.paying import follow_payments
from treasury.services.sweeps.replaying import Replay, replay_decision, replay_record
from treasury.services.sweeps.rounds import (
    DECIDE_BEFORE,
    decide_alone,
    decide_arrived,
    decide_sweeps,
    decide_together,
    decide_window,
)
from treasury.services.sweeps.sending import mark_sent, sign_due
from treasury.services.sweeps.settling import follow_money
from treasury.services.sweeps.static import (
    MandateIn,
    ProductIn,
    add_mandate,
    add_product,
    save_eligibility,
    save_mandate,
    save_product,
)
from treasury.services.sweeps.unexplained import tell_unexplained

__all__ = [
    "BATCH_MAX",
    "DECIDE_BEFORE",
    "Answer",
    "Batch",
    "Decided",
    "HandedOver",
    "LineIn",
    "MandateIn",
    "ProductIn",
    "Replay",
    "Settled",
    "add_line",
    "add_mandate",
    "add_product",
    "answer_order",
    "decide_account",
    "decide_alone",
    "decide_arrived",
    "decide_many",
    "decide_sweeps",
    "decide_together",
    "decide_window",
    "expire_due",
    "fail_unreleased",
    "follow_money",
    "follow_payments",
    "mark_sent",
    "release_order",
    "replay_decision",
    "replay_record",
    "save_eligibility",
    "save_line",
    "save_mandate",
    "save_product",
    "sign_due",
    "tell_unexplained",
]
