"""Chapter: the forecast sees a shortfall; its prefunding is proposed once per currency and day."""

from decimal import Decimal
from typing import Any, Final

from tms.story.arrivals import CURRENCY
from tms.story.money import propose
from tms.story.patience import wait_for
from tms.story.scene import Scene, amount_of, shown

FORECAST_DOOR: Final = "/api/v1/forecasts/run"
EVENT_SECONDS_MAX: Final = 15.0
PROPOSAL_SECONDS_MAX: Final = 20.0
WAITING: Final = "PENDING"
EVERYDAY_AMOUNT: Final = Decimal(60_000_000)
VARIATION: Final = 999_999


def need_money(scene: Scene, accounts: list[dict[str, Any]]) -> dict[str, Any]:
    """Run the forecast and return a proposal that waits for one checker.

    The first time on a day it is the prefunding of the shortfall. Later it is the top-up of a
    larger shortfall, or a proposal of the maker's own: one prefunding per currency and day.

    Raises:
        StoryFailed: nothing was proposed.
    """
    _forecast(scene)
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
        scene.tell.say(f"{proposal['maker_label']} proposed {proposal['reference']}.")
        scene.tell.say(proposal["why"])
        return proposal
    return _something_else(scene, prefunding, accounts)


def _forecast(scene: Scene) -> None:
    scene.tell.chapter("The forecast")
    run = scene.cast.maker.post(FORECAST_DOOR)
    scene.tell.say(
        f"{scene.cast.maker.person} runs the forecast of {run['accounts_count']} accounts over"
        f" {run['horizon_days']} days: {run['shortfalls_count']} will run short.",
        run=run["id"],
    )
    event = scene.stream.heard(_is_shortfall)
    if event is None and run.get("announced", True) and run["shortfalls_count"]:
        event = scene.stream.wait(
            _is_shortfall, what="forecast.rda.shortfall", seconds=EVENT_SECONDS_MAX
        )
    if event is None:
        scene.tell.say("Nothing changed since the last forecast: its shortfalls stand announced.")
        return
    facts = event["payload"]
    missing = shown(facts["shortfall"], facts["currency"])
    scene.tell.say(
        f"Event forecast.rda.shortfall on the stream: {missing} missing until {facts['date']}.",
        event=event["event_id"],
    )


def _is_shortfall(event: dict[str, Any]) -> bool:
    return str(event["type"]) == "forecast.rda.shortfall"


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


def _something_else(
    scene: Scene, prefunding: dict[str, Any], accounts: list[dict[str, Any]]
) -> dict[str, Any]:
    """Top up when a larger shortfall was suppressed, else let the maker propose something."""
    advised = [one for one in prefunding["suppressed"] if one["top_up_advised"]]
    if prefunding["suppressed"]:
        scene.tell.say(
            f"{len(prefunding['suppressed'])} later shortfalls were recorded and suppressed,"
            f" {len(advised)} with the advice to top up."
        )
    if advised:
        proposal = _top_up(scene, advised[-1])
        if proposal is not None:
            return proposal
    return _everyday(scene, accounts)


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
