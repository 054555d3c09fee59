"""Build the evidence of one payment from what the rooms and the trail remember."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import Q

from approvals import selectors as approvals
from approvals.selectors.listing import list_text
from core.audit import anchors, reading
from core.audit.verification import standing
from core.events.models import OutboxEvent
from core.tenancy import Tenant, current_tenant_id
from integrations import selectors as lines
from treasury.evidence.facts import People, facts_of, now_text, plain, step_up_of
from treasury.evidence.records import (
    Facts,
    Happening,
    TransferEvidence,
    Verification,
    Version,
)
from treasury.models import BankAccount, BankEntry, PrefundingRequest, Proposal, Transfer
from treasury.selectors import movement
from treasury.services.proposals import SUBJECT
from treasury.views.timeline import story

FORMAT: Final = "tms-evidence/1"
# The text that the database hashed when the version was submitted.
_HASHED = """
    SELECT %s::text || E'\\n' || %s || E'\\n' || %s::text || E'\\n' || %s::text || E'\\n'
           || q.content::text
      FROM approvals_approvalrequest q WHERE q.id = %s
"""


def build(*, transfer_id: UUID) -> TransferEvidence:
    """Return everything that proves one transfer of the bound tenant.

    Raises:
        NotFound: there is no such transfer.
    """
    transfer = movement.transfer(transfer_id)
    proposal = movement.proposal(transfer.proposal_id)
    people = People()
    requests = list(_requests(proposal))
    statuses = list(transfer.statuses.all())
    messages = list(_messages(transfer))
    entries = _bank_entries(transfer)
    origin = _origin(proposal)
    things = {str(proposal.pk), str(transfer.pk)}
    things |= {str(row.pk) for row in (*requests, *statuses, *entries)}
    for request in requests:
        things |= set(_of_decisions(request))
    things |= {str(message["id"]) for message in messages}
    things |= {str(origin["prefunding"]["id"])} if "prefunding" in origin else set()
    trail = list(reading.entries_of(things))
    return TransferEvidence(
        format=FORMAT,
        tenant=facts_of(Tenant.objects.get(pk=current_tenant_id()), without=("created_at",)),
        reference=proposal.reference,
        made_at=now_text(),
        proposal={**facts_of(proposal), "maker_name": people.name(proposal.maker_id)},
        transfer=facts_of(transfer),
        debit=_account(proposal.debit_account),
        credit=_creditor(proposal),
        origin=origin,
        versions=tuple(_version(request, people) for request in requests),
        messages=tuple(messages),
        bank_answers=tuple(facts_of(status) for status in statuses),
        statement_entries=tuple(_entry(row) for row in entries),
        timeline=tuple(_timeline(proposal, trail, people)),
        audit=tuple(_proven(row, people) for row in trail),
        verification=_verification(trail),
    )


def _account(account: BankAccount | None) -> Facts:
    """Return an account as people know it; of its number the last four digits."""
    if account is None:
        return {}
    return {
        "id": str(account.pk),
        "label": account.label,
        "number_ends_with": account.number_hint,
        "number_digest": account.number_index,
        "currency": account.currency,
        "clearing_code": account.clearing_code,
        "bank": account.bank.name,
        "bic": account.bank.bic,
        "entity": account.entity.name,
    }


def _creditor(proposal: Proposal) -> Facts:
    """Return who gets the money: one of our accounts, or a beneficiary."""
    beneficiary = getattr(proposal, "beneficiary", None)
    if beneficiary is None:
        return _account(proposal.credit_account)
    return {"label": str(beneficiary), "beneficiary": facts_of(beneficiary)}


def _origin(proposal: Proposal) -> Facts:
    """Return where the proposal came from: a person, or a shortfall that a forecast saw."""
    request = (
        PrefundingRequest.objects.filter(Q(proposal=proposal) | Q(suppressed__top_up=proposal))
        .order_by("-sequence")
        .first()
    )
    told: dict[str, Any] = {"purpose": proposal.purpose, "made_by": proposal.maker_label}
    if request is None:
        return told
    told["prefunding"] = facts_of(request)
    event = OutboxEvent.objects.filter(pk=request.event_id).first()
    if event is not None:
        told["shortfall_event"] = {
            "id": str(event.pk),
            "topic": event.topic,
            "occurred_at": plain(event.occurred_at),
            "producer": event.producer,
            "causation_id": plain(event.causation_id),
            "payload": event.payload,
        }
    return told


def _requests(proposal: Proposal) -> Iterator[Any]:
    for number in range(1, proposal.version + 1):
        found = approvals.request_of(
            subject_type=SUBJECT, subject_id=proposal.pk, subject_version=number
        )
        if found is not None:
            yield found


def _version(request: Any, people: People) -> Version:
    text = _hashed_text(request)
    request_facts = facts_of(request, without=("policy_snapshot",))
    return Version(
        request={**request_facts, "maker_name": people.name(request.maker_id)},
        policy_snapshot=plain(request.policy_snapshot),
        hashed_text=text,
        content_hash=request.content_hash,
        hash_holds=sha256(text.encode()).hexdigest() == request.content_hash,
        decisions=tuple(_decision(found, people) for found in request.decisions.all()),
        seen_by=tuple(_seen_by(request)),
    )


def _decision(decision: Any, people: People) -> Facts:
    told = facts_of(decision)
    behind = told.get("on_behalf_of_id") or told.get("on_behalf_of")
    return {
        **told,
        "checker_name": people.name(decision.checker_id),
        "on_behalf_of_name": people.name(behind),
        "step_up_proof": step_up_of(told),
        "list": _list_of(decision),
    }


def _list_of(decision: Any) -> Facts | None:
    """Return the list that one second factor was shown for, so that its digest can be recomputed.

    `hashed_text` is exactly what `digest` is the sha256 of, and the proof was made for `digest`.
    """
    if decision.listed_id is None:
        return None
    listed = decision.listed
    text = list_text(listed.content_hashes)
    digest = sha256(text.encode()).hexdigest()
    return {
        **facts_of(listed),
        "hashed_text": text,
        "digest": digest,
        "digest_holds": digest == listed.step_up.content_hash,
        "is_on_it": decision.request.content_hash in listed.content_hashes,
    }


def _of_decisions(request: Any) -> Iterator[str]:
    """Yield the ids of decisions, of the lists they stand on, and of the second factors shown."""
    for found in request.decisions.all():
        yield from (str(key) for key in (found.pk, found.listed_id, found.step_up_id) if key)


def _seen_by(request: Any) -> Iterator[Facts]:
    """Yield who opened the request, and when for the first time."""
    for viewing in request.viewings.all():
        yield facts_of(viewing)


def _hashed_text(request: Any) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            _HASHED,
            [
                str(current_tenant_id()),
                request.subject_type,
                str(request.subject_id),
                str(request.subject_version),
                request.pk,
            ],
        )
        return str(cursor.fetchone()[0])


def _messages(transfer: Transfer) -> Iterator[Facts]:
    """Yield what left for this payment and what the banks answered, with the bytes' sha256."""
    answered = [status.message_id for status in transfer.statuses.all() if status.message_id]
    own = lines.messages().filter(reference=transfer.end_to_end_id, direction="OUT")
    files = own.exclude(carrier=None).values("carrier")
    wanted = Q(pk__in=own.values("pk")) | Q(pk__in=answered) | Q(pk__in=files)
    for message in lines.messages().filter(wanted).order_by("created_at"):
        archived = sha256(lines.message_bytes(message.pk)).hexdigest()
        yield {
            **facts_of(message),
            "connection": message.connection.code,
            "archived_bytes_sha256": archived,
            "archived_bytes_hold": archived == message.sha256,
        }


def _bank_entries(transfer: Transfer) -> list[BankEntry]:
    known = [key for key in (transfer.debit_entry_id, transfer.credit_entry_id) if key]
    wanted = Q(pk__in=known) | Q(uetr=transfer.uetr) | Q(end_to_end_id=transfer.end_to_end_id)
    found = BankEntry.objects.filter(wanted).select_related("statement", "account")
    return list(found.order_by("first_seen_at"))


def _entry(entry: BankEntry) -> Facts:
    statement = entry.statement
    return {
        **facts_of(entry),
        "account_label": entry.account.label,
        "statement_reference": statement.statement_ref,
        "statement_source": statement.source,
        "statement_date": plain(statement.statement_date),
        "statement_message_id": plain(statement.message_id),
        "file_sha256": statement.message_sha256,
    }


def _timeline(
    proposal: Proposal, trail: list[reading.Proven], people: People
) -> Iterator[Happening]:
    told = [
        Happening(at=step.at.isoformat(), what=step.title, words=step.words)
        for step in story(proposal)
        if step.look != "ahead"
    ]
    told += [
        Happening(
            at=row.at.isoformat(),
            what="Refused attempt",
            words=f"{people.name(row.actor)}: {(row.after or {}).get('code', '')}",
        )
        for row in trail
        if row.action == "REFUSED"
    ]
    yield from sorted(told, key=lambda happening: happening.at)


def _proven(row: reading.Proven, people: People) -> Facts:
    return {
        "id": row.id,
        "at": row.at.isoformat(),
        "who": people.name(row.actor),
        "actor": row.actor,
        "on_behalf_of": row.on_behalf_of,
        "action": row.action,
        "table": row.table,
        "row": row.row,
        "reason": row.reason,
        "request": row.request,
        "sequence": row.sequence,
        "previous_hash": row.previous_hash,
        "hash": row.hash,
        "hashed_text": row.text,
        "holds": row.holds,
    }


def _verification(trail: list[reading.Proven]) -> Verification:
    last = max((row.sequence for row in trail if row.sequence), default=0)
    known = standing().last
    return Verification(
        entries_count=len(trail),
        sealed_count=sum(1 for row in trail if row.hash),
        holding_count=sum(1 for row in trail if row.holds),
        last_sequence=last,
        anchor=reading.anchor_after(last) if last else "",
        public_key=anchors.public_key(),
        verified_at=plain(known.finished_at) if known else "",
        verified_links_count=known.links_count if known else 0,
        verified_intact=known.is_intact if known else False,
    )
