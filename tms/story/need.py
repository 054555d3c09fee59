"""Chapter: the forecast sees a shortfall; its prefunding is proposed once per currency and day."""

from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from tms.story.arrivals import CURRENCY
from tms.story.money import propose
from tms.story.patience import wait_for
from tms.story.scene import Scene, amount_of, shown

FORECAST_DOOR: Final = "/api/v1/forecasts/run"
EVENT_SECONDS_MAX: Final = 60.0
PROPOSAL_SECONDS_MAX: Final = 20.0
WAITING: Final = "PENDING"
EVERYDAY_AMOUNT: Final = Decimal(60_000_000)
VARIATION: Final = 999_999
PAYOUT_ACCOUNT: Final = "INR Payouts"
LATE_BATCH: Final = Decimal(35_000_000)
LOCAL_ZONE: Final = "Asia/Kolkata"


def need_money(scene: Scene, accounts: list[dict[str, Any]]) -> dict[str, Any]:
    """Run the forecast and return a proposal that waits for one checker.

    The first time on a day it is the prefunding of the shortfall. Later it is the top-up of a
    larger shortfall, or a proposal of the maker's own: one prefunding per currency and day.

    Raises:
        StoryFailed: nothing was proposed.
    """
    is_short = _forecast(scene, accounts)
    prefunding = wait_for(
        lambda: _newest(scene), what="a prefunding of rupees", seconds=PROPOSAL_SECONDS_MAX
    )
    scene.tell.chapter("A prefunding is proposed")
    scene.tell.say(
        f"{CURRENCY} on {prefunding['local_date']}: {shown(prefunding['required'], CURRENCY)}"
        f" needed until {prefunding['need_date']}, {shown(prefunding['available'], CURRENCY)}"
        f" there, {shown(prefunding['shortfall'], CURRENCY)} missing; with the buffer"
        f" {shown(prefunding['transfer_amount'], CURRENCY)}.",
        prefunding=prefunding["id"],
    )
    proposal = _waiting_proposal(scene, prefunding)
    if proposal is not None:
        _tell_suppressed(scene, prefunding)
        scene.tell.say(f"{proposal['maker_label']} proposed {proposal['reference']}.")
        scene.tell.say(proposal["why"])
        return proposal
    _tell_suppressed(scene, prefunding)
    advised = [one for one in prefunding["suppressed"] if one["top_up_advised"]]
    topped_up = _top_up(scene, advised[0]) if is_short and advised else None
    return topped_up or _everyday(scene, accounts)


def _announce_payouts(scene: Scene, accounts: list[dict[str, Any]]) -> dict[str, Any]:
    """Let the payout system announce a late batch on the first payout account; return that."""
    account = next(row for row in accounts if row["label"] == PAYOUT_ACCOUNT)
    now = scene.system_now()
    amount = LATE_BATCH + now.microsecond % VARIATION
    plan = {
        "account": account["account_id"],
        "currency": CURRENCY,
        "value_date": now.astimezone(ZoneInfo(LOCAL_ZONE)).date().isoformat(),
        "amount": f"{amount:.2f}",
        "description": "Late batch of payouts",
        "source_ref": f"LATE-{now:%Y%m%dT%H%M%S%f}",
        "kind": "EXTRA",
    }
    scene.cast.maker.post("/api/v1/payout-plans", {"plans": [plan]})
    scene.tell.say(
        f"A late batch of {shown(amount, CURRENCY)} is announced for today on {account['label']}."
    )
    return account


def _forecast(scene: Scene, accounts: list[dict[str, Any]]) -> bool:
    """Run the forecast after a late batch; say whether its account will run short."""
    scene.tell.chapter("The forecast")
    account = _announce_payouts(scene, accounts)
    forecasts = scene.cast.maker.post(FORECAST_DOOR)["forecasts"]
    short = [one for one in forecasts if amount_of(one["shortfall"]) > 0]
    scene.tell.say(
        f"{scene.cast.maker.person} runs the forecast of {len(forecasts)} accounts:"
        f" {len(short)} will run short."
    )
    expected = [one for one in short if one["account"] == account["account_id"]]
    if not expected:
        scene.tell.say(f"{account['label']} holds enough: it was funded earlier today.")
        return False
    event = scene.stream.wait(
        lambda one: (
            one["type"] == "forecast.rda.shortfall"
            and one["payload"]["forecast_id"] == expected[0]["id"]
        ),
        what="forecast.rda.shortfall",
        seconds=EVENT_SECONDS_MAX,
    )
    facts = event["payload"]
    scene.tell.say(
        f"Event forecast.rda.shortfall on the stream: {account['label']} lacks"
        f" {shown(facts['shortfall'], facts['currency'])} until {facts['date']}.",
        event=event["event_id"],
    )
    return True


def _newest(scene: Scene) -> dict[str, Any] | None:
    return scene.cast.maker.first("/api/v1/prefunding", currency=CURRENCY)


def _waiting_proposal(scene: Scene, prefunding: dict[str, Any]) -> dict[str, Any] | None:
    if not prefunding["proposal"]:
        return None
    proposal: dict[str, Any] = scene.cast.maker.get(f"/api/v1/proposals/{prefunding['proposal']}")
    if proposal["state"] == WAITING:
        return proposal
    scene.tell.say(
        f"{proposal['reference']} is {proposal['state']}: this day's prefunding of {CURRENCY} was"
        " made before, and there is one per currency and day."
    )
    return None


def _tell_suppressed(scene: Scene, prefunding: dict[str, Any]) -> None:
    count = len(prefunding["suppressed"])
    advised = sum(bool(one["top_up_advised"]) for one in prefunding["suppressed"])
    if count:
        scene.tell.say(
            f"Later shortfalls of the day do not make another one: {count} recorded beside it,"
            f" {advised} with the advice to top up."
        )


def _top_up(scene: Scene, suppressed: dict[str, Any]) -> dict[str, Any] | None:
    answer = scene.cast.maker.ask("POST", f"/api/v1/prefunding/top-up/{suppressed['id']}", body={})
    if answer.is_refusal:
        scene.tell.say(f"No top-up: {answer.words}")
        return None
    proposal = scene.cast.maker.first(
        "/api/v1/proposals", purpose="TOP_UP", currency=CURRENCY, state=WAITING
    )
    if proposal is not None:
        scene.tell.say(f"{scene.cast.maker.person} proposes the top-up {proposal['reference']}.")
    return proposal


def _everyday(scene: Scene, accounts: list[dict[str, Any]]) -> dict[str, Any]:
    """Let the maker move an everyday amount from the fullest rupee account to the emptiest."""
    fresh = [scene.balance(row["account_id"]) for row in accounts]
    ordered = sorted(fresh, key=lambda row: amount_of(row["available"]))
    fullest = ordered[-1]
    neighbours = [row for row in ordered[:-1] if row["bank"] == fullest["bank"]]
    amount = EVERYDAY_AMOUNT + scene.system_now().microsecond % VARIATION
    return propose(
        scene,
        debit=fullest["account_id"],
        credit=neighbours[0]["account_id"],
        amount=f"{amount:.2f}",
        why="Working balance for the afternoon's payouts.",
    )
