"""What money in a product has earned so far. Pure.

Interest accrues evenly over the days until the money is back: simple interest on 360 days does so
by itself, and the discount of a short bill is counted so (26 U.S.C. 1283(b)(1): a ratable share
for each day after the one on which it was bought, up to the one on which it matures).
"""

from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

CENT: Final = Decimal("0.01")


def days_run(*, settles_on: date, matures_on: date, on: date) -> int:
    """Return for how many of its days the money has been out by `on`; never more than all."""
    return min(max(0, (on - settles_on).days), (matures_on - settles_on).days)


def accrued(interest: Decimal, *, settles_on: date, matures_on: date, on: date) -> Decimal:
    """Return what of the whole `interest` is earned by `on`, in cents, half to even.

    Nothing on the day on which the money leaves, all of it from the day on which it is back.
    """
    run = days_run(settles_on=settles_on, matures_on=matures_on, on=on)
    share = interest * run / (matures_on - settles_on).days
    return share.quantize(CENT, ROUND_HALF_EVEN)
