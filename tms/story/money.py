"""Chapters: a proposal is approved, leaves as pain.001, the bank answers, it is settled."""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from tms.story.api import Answer, Api
from tms.story.errors import StoryFailed
from tms.story.patience import wait_for
from tms.story.scene import Scene, shown

APPROVAL_SECONDS_MAX: Final = 60.0
SENDING_SECONDS_MAX: Final = 20.0
SETTLING_SECONDS_MAX: Final = 40.0
REFUSED: Final = 403
# A transfer inside one bank is booked within this; any rail takes longer.
NUDGE_AFTER_SECONDS: Final = 5.0
NUDGE: Final = timedelta(seconds=240)
FINAL: Final = ("SETTLED",)
LOST: Final = ("FAILED", "RETURNED", "CANCELLED", "EXPIRED", "REJECTED")


def require_outflows(api: Api) -> None:
    """See that money may leave at all: while somebody has stopped it, no transfer would be made.

    Raises:
        StoryFailed: all outflows are stopped.
    """
    stop = api.first("/api/v1/freezes", state__in="FROZEN,RELEASING")
    if stop is not None:
        raise StoryFailed(
            f"All outflows are stopped since {stop['frozen_at']} ({stop['reason']}), so no order"
            f" would leave. Two people release them at {api.base_url}/freeze.",
            freeze=stop["id"],
        )


def request_for(scene: Scene, proposal: dict[str, Any]) -> dict[str, Any]:
    """Return the approval request of a proposal, as soon as it is there.

    Raises:
        StoryFailed: it does not come.
    """

    def find() -> dict[str, Any] | None:
        rows = scene.cast.checker_one.get("/api/v1/approvals", subject_id=proposal["id"])
        pending = [row for row in rows["results"] if row["state"] == "PENDING"]
        return pending[0] if pending else None

    return wait_for(find, what="the approval request", seconds=APPROVAL_SECONDS_MAX)


def decide(api: Api, request: dict[str, Any], *, code: str = "") -> Answer:
    """Approve exactly what the request says, and return whatever the system answers."""
    body = {
        "version": request["subject_version"],
        "content_hash": request["content_hash"],
        "code": code,
    }
    return api.ask("POST", f"/api/v1/approvals/{request['id']}/approve", body=body)


def refuse_the_maker(scene: Scene, request: dict[str, Any]) -> None:
    """Show that the maker cannot approve.

    Raises:
        StoryFailed: the system let it happen.
    """
    answer = decide(scene.cast.maker, request)
    if answer.status != REFUSED:
        raise StoryFailed("The maker's approval was not refused.", answer=answer.content)
    scene.tell.say(
        f"{scene.cast.maker.person} tries to approve and is refused: {answer.status}"
        f" {answer.code}. {answer.words}",
        code=answer.code,
    )


def approve(scene: Scene, api: Api, request: dict[str, Any]) -> dict[str, Any]:
    """Let one checker approve; return what came of it.

    Raises:
        StoryFailed: the system refuses it.
    """
    answer = decide(api, request, code=api.code())
    if answer.is_refusal:
        raise StoryFailed(f"{api.person} could not approve: {answer.code} {answer.words}")
    progress = answer.content["request"]["progress"]
    missing = progress["missing_count"]
    rest = "that is enough" if answer.content["is_final"] else f"{missing} more needed"
    scene.tell.say(
        f"{api.person} approves content {request['content_hash'][:12]}… with a fresh code: {rest}.",
        request=request["id"],
    )
    found: dict[str, Any] = answer.content
    return found


def follow(scene: Scene, proposal: dict[str, Any]) -> dict[str, Any]:
    """Follow an approved proposal to the bank and back; return the settled transfer.

    Raises:
        StoryFailed: it is not settled in time, or fails.
    """
    reference = proposal["reference"]
    scene.stream.wait(
        lambda event: (
            event["type"] == "maker_checker.proposal.approved"
            and event["payload"].get("proposal_id") == proposal["id"]
        ),
        what=f"approval of {reference}",
        seconds=APPROVAL_SECONDS_MAX,
    )
    scene.tell.say(f"Event maker_checker.proposal.approved: {reference} is set free.")
    transfer = wait_for(
        lambda: scene.cast.maker.first("/api/v1/transfers", end_to_end_id=reference),
        what=f"the transfer {reference}",
        seconds=SENDING_SECONDS_MAX,
    )
    _watch_it_leave(scene, transfer)
    return _watch_it_settle(scene, proposal, transfer["id"])


def _watch_it_leave(scene: Scene, transfer: dict[str, Any]) -> None:
    reference = transfer["end_to_end_id"]

    def sent() -> dict[str, Any] | None:
        row = scene.cast.auditor.first(
            "/api/v1/messages", direction="OUT", kind="pain.001", reference=reference
        )
        if row and row["state"] == "REFUSED":
            raise StoryFailed(f"{row['name']} was refused: {row['reason']}.")
        return row if row and row["state"] == "SENT" else None

    row = wait_for(sent, what=f"the payment order {reference}", seconds=SENDING_SECONDS_MAX)
    order = scene.cast.auditor.content_of(f"/api/v1/messages/{row['id']}/content").decode()
    if reference not in order or transfer["uetr"] not in order:
        raise StoryFailed("The order does not carry the transfer's references.")
    scene.tell.say(
        f"pain.001 {row['message_reference']} left over {row['connection']} as {row['name']},"
        f" UETR {transfer['uetr']}, sha256 {row['sha256'][:12]}….",
        message=row["id"],
        uetr=transfer["uetr"],
    )


def _watch_it_settle(scene: Scene, proposal: dict[str, Any], transfer_id: str) -> dict[str, Any]:
    last = time.monotonic()

    def settled() -> dict[str, Any] | None:
        row: dict[str, Any] = scene.cast.maker.get(f"/api/v1/transfers/{transfer_id}")
        if row["state"] in LOST:
            raise StoryFailed(f"{row['reference']} is {row['state']} ({row['reason_code']}).")
        return row if row["state"] in FINAL else None

    def help_along() -> None:
        nonlocal last
        if time.monotonic() - last > NUDGE_AFTER_SECONDS:
            last = time.monotonic()
            _pass_the_rails_time(scene, proposal["reference"])

    row = wait_for(
        settled,
        what=f"settlement of {proposal['reference']}",
        seconds=SETTLING_SECONDS_MAX,
        meanwhile=help_along,
    )
    heard = " → ".join(status["status"] for status in row["statuses"])
    scene.tell.say(
        f"The bank answers pain.002 {heard}; its camt.054 shows both sides: SETTLED,"
        f" bank reference {row['bank_reference'] or 'none'}.",
        transfer=row["id"],
    )
    _show_entries(scene, row)
    return row


def _pass_the_rails_time(scene: Scene, reference: str) -> None:
    """Real rails take minutes, or are closed: let that time pass on the demo's clocks."""
    payment = scene.bank.payment(reference)
    if not payment.get("found") or payment.get("executed_count"):
        return
    step = NUDGE
    if payment.get("starts_at"):
        step += max(datetime.fromisoformat(payment["starts_at"]) - scene.bank.now(), timedelta())
    scene.tell.say(
        f"The bank holds it as {payment['status']} on {payment['rail']}: the demo's clocks are"
        f" moved on by {step.total_seconds():.0f} s."
    )
    scene.advance(step)


def _show_entries(scene: Scene, transfer: dict[str, Any]) -> None:
    """Show the one debit and the one credit, each with the message it was read from.

    Raises:
        StoryFailed: a side is missing or there twice.
    """
    sides = (("debit_account", "left"), ("credit_account", "reached"))
    for name, verb in sides:
        rows = scene.cast.maker.get(
            f"/api/v1/accounts/{transfer[name]}/entries",
            end_to_end_id=transfer["end_to_end_id"],
            state="COUNTED",
        )["results"]
        if len(rows) != 1:
            raise StoryFailed(
                f"{transfer['reference']} has {len(rows)} entries on one side, not one."
            )
        account = scene.balance(transfer[name])
        scene.tell.say(
            f"{shown(rows[0]['amount'].lstrip('-'), transfer['currency'])} {verb}"
            f" {account['label']}, read from {rows[0]['source']}; booked now"
            f" {shown(account['booked'], transfer['currency'])}.",
            entry=rows[0]["id"],
        )


def propose(scene: Scene, *, debit: str, credit: str, amount: str, why: str) -> dict[str, Any]:
    """Let the maker propose a transfer, twice with one key: it exists once.

    Raises:
        StoryFailed: it is refused, or exists twice.
    """
    body = {"debit_account": debit, "credit_account": credit, "amount": amount, "why": why}
    key = f"story-{scene.system_now():%Y%m%dT%H%M%S%f}"
    made = scene.cast.maker.post("/api/v1/proposals", body, key=key)
    again = scene.cast.maker.post("/api/v1/proposals", body, key=key)
    if made["id"] != again["id"]:
        raise StoryFailed("The same request made two proposals.")
    scene.tell.say(
        f"{scene.cast.maker.person} proposes {made['reference']}:"
        f" {shown(made['amount'], made['currency'])} from {made['debit_account_label']} to"
        f" {made['credit_account_label']} by {made['rail']}. Sent twice with one key, made once.",
        proposal=made["id"],
    )
    found: dict[str, Any] = made
    return found


def prove_two_pairs_of_eyes(scene: Scene, requests: Sequence[dict[str, Any]]) -> None:
    """Hold every decision of the story against its maker.

    Raises:
        StoryFailed: somebody approved their own, or too few did.
    """
    for request in requests:
        detail = scene.cast.auditor.get(f"/api/v1/approvals/{request['id']}")
        maker = (detail["request"]["maker"] or {}).get("id")
        checkers = {
            decision["checker"]["id"]: decision["checker"]["name"]
            for decision in detail["decisions"]
            if decision["outcome"] == "APPROVE"
            and decision["content_hash"] == detail["request"]["content_hash"]
        }
        needed = detail["request"]["required_count"]
        if maker in checkers or len(checkers) < needed:
            raise StoryFailed("A decision does not stand.", request=request["id"])
        made_by = detail["request"]["maker_label"]
        scene.tell.prove(
            f"{detail['request']['title']}: made by {made_by}, approved by"
            f" {' and '.join(sorted(checkers.values()))} ({needed} needed), all on one content.",
            request=request["id"],
        )
