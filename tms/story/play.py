"""The main job from the first statement to the last proof, played against the running system."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from tms.story.api import Api
from tms.story.arrivals import CURRENCY, hear_from_the_bank, look_at_the_position
from tms.story.cast import sign_all_in
from tms.story.errors import StoryFailed
from tms.story.money import (
    approve,
    decide,
    follow,
    propose,
    prove_two_pairs_of_eyes,
    refuse_the_maker,
    request_for,
    require_outflows,
)
from tms.story.narrator import Line, Narrator
from tms.story.need import LOCAL_ZONE, need_money
from tms.story.scene import CLOCKS_APART_MAX, Scene, Stage, amount_of, shown
from tms.story.stream import Stream, present_position

# About 10.8 million dollars at 95 rupees: strictly above ten million, two people decide. Small
# enough for the story to be told twice of the money that the demo has.
LARGE_AMOUNT: Final = Decimal(1_030_000_000)
VARIATION: Final = 9_999
MIDNIGHT_MARGIN: Final = timedelta(seconds=120)
TWO: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A story that came to its end."""

    lines: tuple[Line, ...]
    seconds: float
    transfers: tuple[str, ...]


def run_story(stage: Stage) -> Told:
    """Play the whole main job and return what was told.

    Raises:
        StoryFailed: something that must happen did not; the system is left as it is.
        BankAway: the sandbox bank does not answer.
    """
    tell = Narrator(stage.listen)
    tell.chapter("The people sign in")
    health = Api(base_url=stage.base_url, person="Anybody").get("/health")
    tell.say(f"The system at {stage.base_url} says: {health['status']}.", health=health)
    cast = sign_all_in(stage.people, base_url=stage.base_url, codes=stage.codes)
    names = ", ".join(api.person for api in (cast.maker, cast.checker_one, cast.checker_two))
    tell.say(f"{names} and {cast.auditor.person} sign in with password and one-time code.")
    require_outflows(cast.auditor)
    with Stream(cast.auditor, after=present_position(cast.auditor)) as stream:
        scene = Scene(stage=stage, cast=cast, stream=stream, tell=tell)
        transfers = _play(scene)
    return Told(lines=tuple(tell.lines), seconds=tell.seconds, transfers=tuple(transfers))


def _play(scene: Scene) -> list[str]:
    _set_the_clocks(scene)
    accounts = hear_from_the_bank(scene)
    look_at_the_position(scene)
    first, first_request = _prefund(scene, accounts)
    second, second_request = _move_a_lot(scene, accounts)
    _prove(scene, [first_request, second_request])
    return [first["end_to_end_id"], second["end_to_end_id"]]


def _set_the_clocks(scene: Scene) -> None:
    """Bring the clocks together, and a day that is about to end over its midnight."""
    ours, theirs = scene.system_now(), scene.bank.now()
    if ours - theirs > CLOCKS_APART_MAX:
        scene.bank.advance(seconds=(ours - theirs).total_seconds())
        scene.tell.say("The bank's clock was behind ours and is set.")
    elif theirs - ours > CLOCKS_APART_MAX and scene.stage.move_clock:
        scene.stage.move_clock(theirs - ours)
        scene.tell.say("Our clock was behind the bank's and is set.")
    local = scene.system_now().astimezone(ZoneInfo(LOCAL_ZONE))
    if (local + MIDNIGHT_MARGIN).date() != local.date():
        scene.advance(MIDNIGHT_MARGIN)
        scene.tell.say("It is nearly midnight in Mumbai: the demo's clocks go on by two minutes.")


def _prefund(scene: Scene, accounts: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Play the need, its proposal, one checker, and the transfer to its end."""
    proposal = need_money(scene, accounts)
    scene.tell.chapter("One checker decides")
    request = request_for(scene, proposal)
    scene.tell.say(
        f"{request['title']} waits for {request['required_count']}"
        f" {'person' if request['required_count'] == 1 else 'people'} until"
        f" {request['cutoff_at']}; worth {shown(request['usd_equivalent'] or '0', 'USD')}."
    )
    refuse_the_maker(scene, request)
    result = approve(scene, scene.cast.checker_one, request)
    if not result["is_final"]:
        result = approve(scene, scene.cast.checker_two, request)
    scene.tell.chapter("The order leaves and the bank answers")
    return follow(scene, proposal), request


def _move_a_lot(
    scene: Scene, accounts: list[dict[str, Any]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Play a transfer above ten million dollars: two different people have to agree."""
    scene.tell.chapter("More than ten million dollars")
    debit, credit = _two_at_one_bank(scene, accounts)
    amount = LARGE_AMOUNT + scene.system_now().microsecond % VARIATION
    proposal = propose(
        scene,
        debit=debit["account_id"],
        credit=credit["account_id"],
        amount=f"{amount:.2f}",
        why="Positioning of rupee liquidity, as agreed at the morning meeting.",
    )
    request = request_for(scene, proposal)
    if request["required_count"] < TWO:
        raise StoryFailed("More than ten million dollars must take two people.", **request)
    scene.tell.say(
        f"Worth {shown(request['usd_equivalent'] or '0', 'USD')}:"
        f" {request['required_count']} people must agree."
    )
    refuse_the_maker(scene, request)
    if approve(scene, scene.cast.checker_one, request)["is_final"]:
        raise StoryFailed("One person was enough for more than ten million dollars.")
    _approve_again(scene, request)
    approve(scene, scene.cast.checker_two, request)
    return follow(scene, proposal), request


def _approve_again(scene: Scene, request: dict[str, Any]) -> None:
    """Show that the same person counts once.

    Raises:
        StoryFailed: the second click counted.
    """
    answer = decide(scene.cast.checker_one, request)
    counted = not answer.is_refusal and answer.content["counted"]
    if counted:
        raise StoryFailed("The same person was counted twice.", answer=answer.content)
    scene.tell.say(f"{scene.cast.checker_one.person} approves once more: it does not count again.")


def _two_at_one_bank(
    scene: Scene, accounts: list[dict[str, Any]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fullest rupee account and another one at its bank: that needs no open rail."""
    fresh = [scene.balance(row["account_id"]) for row in accounts]
    fullest = max(fresh, key=lambda row: amount_of(row["available"]))
    others = [
        row
        for row in fresh
        if row["bank"] == fullest["bank"] and row["account_id"] != fullest["account_id"]
    ]
    if not others or amount_of(fullest["available"]) < LARGE_AMOUNT + VARIATION:
        raise StoryFailed(f"No {CURRENCY} account can spare {LARGE_AMOUNT:,.0f} at its own bank.")
    return fullest, others[0]


def _prove(scene: Scene, requests: list[dict[str, Any]]) -> None:
    scene.tell.chapter("The proofs")
    prove_two_pairs_of_eyes(scene, requests)
    _prove_the_banks_book(scene)
    for finding in scene.stage.inspect():
        if not finding.holds:
            raise StoryFailed(f"{finding.name} does not hold: {finding.words}")
        scene.tell.prove(f"{finding.name}: {finding.words}")


def _prove_the_banks_book(scene: Scene) -> None:
    """Hold the bank's book against our transfers: each settled one is there, once.

    Raises:
        StoryFailed: one is missing, there twice, or unknown to us.
    """
    ours = {row["end_to_end_id"]: row for row in scene.cast.auditor.rows("/api/v1/transfers")}
    executed = scene.bank.executed()
    settled = [ref for ref, row in ours.items() if row["state"] in ("SETTLED", "RETURNED")]
    wrong = [ref for ref in settled if executed.get(ref) != 1]
    doubled = [ref for ref in ours if executed.get(ref, 0) > 1]
    foreign = [ref for ref in executed if ref not in ours]
    if wrong or doubled or foreign:
        raise StoryFailed(
            "The bank's book is not what we ordered.",
            not_once=wrong,
            doubled=doubled,
            unknown=foreign,
        )
    scene.tell.prove(
        f"The bank's book has {len(executed)} executed orders, each once, and each is one of our"
        f" {len(ours)} transfers; all {len(settled)} settled ones are among them."
    )
