"""The writers of cash pools."""

from treasury.services.pools.lending import book_loan, reverse_loan
from treasury.services.pools.pairing import pair_all, pair_bank_sweeps
from treasury.services.pools.replaying import replay_run
from treasury.services.pools.running import Ran, run_due_pools, run_pool
from treasury.services.pools.static import (
    MemberIn,
    PoolIn,
    add_member,
    add_pool,
    save_member,
    save_pool,
)

__all__ = [
    "MemberIn", "PoolIn", "Ran", "add_member", "add_pool", "book_loan", "pair_all",
    "pair_bank_sweeps",
    "replay_run", "reverse_loan", "run_due_pools", "run_pool", "save_member", "save_pool",
]  # fmt: skip
