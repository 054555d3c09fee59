"""Chapter: the bank reports, the report is archived and read, the position follows."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from tms.story.errors import StoryFailed
from tms.story.patience import wait_for
from tms.story.scene import Scene, amount_of, shown

CURRENCY: Final = "INR"
ARRIVAL_SECONDS_MAX: Final = 30.0


def hear_from_the_bank(scene: Scene) -> list[dict[str, Any]]:
    """Ask the bank for a report on every rupee account and wait until the last one is read.

    Return the rupee accounts' balances, as they are after it.

    Raises:
        StoryFailed: a report does not arrive or cannot be read.
    """
    tell = scene.tell
    tell.chapter("The bank reports")
    ours = _rupee_accounts(scene)
    for account in _at_the_bank(scene, ours):
        message = scene.bank.report(account=account["account"])
        tell.say(
            f"{account['bank_name']} is asked for an intraday report on …{account['account'][-4:]}:"
            f" camt.052 {message} leaves the bank."
        )
        _wait_until_read(scene, message)
    after = _rupee_accounts(scene)
    for row in after:
        tell.say(
            f"{row['label']}: {shown(row['booked'], CURRENCY)} booked, from {row['source']}"
            f" ({row['balance_type']}), {row['age_seconds']} s old; may be spent:"
            f" {shown(row['available'], CURRENCY)}.",
            account=row["account_id"],
            booked=row["booked"],
            message=row["message_id"],
        )
    return after


def _rupee_accounts(scene: Scene) -> list[dict[str, Any]]:
    rows = scene.cast.maker.rows("/api/v1/balances", currency=CURRENCY)
    if not rows:
        raise StoryFailed("There are no rupee accounts; run seed_demo first.")
    return rows


def _at_the_bank(scene: Scene, ours: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    hints = {row["number_hint"] for row in ours}
    return [
        account
        for account in scene.bank.accounts()
        if account["currency"] == CURRENCY and account["account"][-4:] in hints
    ]


def _wait_until_read(scene: Scene, message: str) -> None:
    """Wait until the report with the bank's message id was archived and handled."""

    def handled() -> dict[str, Any] | None:
        newest = scene.cast.maker.get(
            "/api/v1/messages", direction="IN", kind="camt.052", limit="10"
        )["results"]
        for row in newest:
            if message not in f"{row['name']} {row['message_reference']}":
                continue
            if row["state"] == "SET_ASIDE":
                raise StoryFailed(f"{row['name']} was set aside: {row['reason']}.")
            return row if row["state"] == "HANDLED" else None
        return None

    row = wait_for(handled, what=f"the report {message}", seconds=ARRIVAL_SECONDS_MAX)
    scene.tell.say(
        f"It arrived as {row['name']} over {row['connection']}, {row['size_bytes']:,} bytes,"
        f" archived with sha256 {row['sha256'][:12]}…, and is in the books.",
        message=row["id"],
    )


def look_at_the_position(scene: Scene) -> None:
    """Tell the position per currency; every figure has an age and a source."""
    scene.tell.chapter("The position")
    booked: dict[str, Decimal] = defaultdict(Decimal)
    counts: dict[str, int] = defaultdict(int)
    stale = 0
    for row in scene.cast.maker.rows("/api/v1/balances"):
        booked[row["currency"]] += amount_of(row["booked"])
        counts[row["currency"]] += 1
        stale += bool(row["is_stale"])
    for currency, amount in sorted(booked.items()):
        scene.tell.say(f"{shown(amount, currency)} on {counts[currency]} accounts.")
    if stale:
        scene.tell.say(f"{stale} of these balances are older than expected, and say so.")
