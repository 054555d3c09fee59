"""Prefund an account that will run short: one proposal per currency and local day."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from calendars import selectors as calendars
from core import clock, policies
from core.errors import DomainError, Forbidden, Invalid, NotFound
from core.identity.models import User
from core.money import Money
from treasury.engine.prefunding import (
    CENTRES,
    Choice,
    Need,
    Source,
    Terms,
    choose_source,
    local_day,
    shortfall_of,
    top_up_is_advised,
    transfer_amount,
)
from treasury.engine.rails import BOOK, rail_for
from treasury.models import BankAccount, PrefundingRequest, Purpose, SuppressedShortfall
from treasury.policies import (
    DEDUPE_DAY_TZ,
    PREFUNDING_BUFFER_PCT,
    PREFUNDING_MIN_TRANSFER,
    PREFUNDING_TOP_UP_PCT,
)
from treasury.selectors import accounts, positions
from treasury.selectors import flows as flow_reads
from treasury.services.news import raise_alert
from treasury.services.proposals import MAKERS, ProposalIn, create_proposal, submit_proposal

AGENT = "system:treasury.prefunding"
TOLERANCE = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """What liquidity saw coming: on `need_date` the account lacks `shortfall`."""

    event_id: UUID
    currency: str
    account_id: UUID
    need_date: date
    required: Decimal
    available: Decimal
    shortfall: Decimal
    occurred_at: datetime


@transaction.atomic
def handle_shortfall(*, shortfall: Shortfall) -> PrefundingRequest | SuppressedShortfall:
    """Propose the prefunding, or record that the day's prefunding was already proposed.

    The unique key (currency, local day, purpose) is inserted first: two workers with two events
    cannot both get past it. The same event again changes nothing.

    Raises:
        Invalid: a negative, zero or endless shortfall, or a currency that is not the account's.
    """
    account = _checked(shortfall)
    amount = transfer_amount(
        shortfall=shortfall.shortfall, currency=shortfall.currency, terms=_terms()
    )
    wanted = _request(shortfall, account, amount, sequence=1)
    PrefundingRequest.objects.bulk_create([wanted], ignore_conflicts=True)
    request = (
        PrefundingRequest.objects.select_for_update()
        .filter(currency=wanted.currency, local_date=wanted.local_date, purpose=Purpose.RDA_PREFUND)
        .order_by("-sequence")
        .first()
    )
    if request is None:
        raise NotFound("The prefunding of this day vanished.")
    if request.event_id == shortfall.event_id:
        if request.proposal_id is None and not request.problem:
            _propose(request, account)
        return request
    return _suppress(request, shortfall, amount)


@transaction.atomic
def rearm(*, request_id: UUID, actor: User, reason: str) -> PrefundingRequest:
    """Allow one more prefunding on the same day, after the first was rejected, failed or expired.

    Raises:
        Forbidden: this person may not.
        Invalid: no reason.
    """
    _require_person(actor)
    if not reason.strip():
        raise Invalid("Say why the day is re-armed.", field="reason")
    first = _found(request_id)
    again = PrefundingRequest(
        currency=first.currency,
        local_date=first.local_date,
        purpose=first.purpose,
        sequence=first.sequence + 1,
        account=first.account,
        need_date=first.need_date,
        required=first.required,
        available=first.available,
        shortfall=first.shortfall,
        transfer_amount=first.transfer_amount,
        event_id=first.event_id,
        rearm_reason=reason,
        created_at=clock.now(),
    )
    again.save(force_insert=True)
    _propose(again, again.account, triggered_by=actor)
    return again


@transaction.atomic
def propose_top_up(*, suppressed_id: UUID, actor: User) -> PrefundingRequest:
    """Propose, as a person, what a later shortfall of the day needs on top.

    Raises:
        Forbidden: this person may not.
        NotFound: no such suppressed shortfall.
        Invalid: no source can pay it.
    """
    _require_person(actor)
    later = (
        SuppressedShortfall.objects.select_for_update(of=("self",))
        .select_related("request", "account__bank")
        .filter(pk=suppressed_id)
        .first()
    )
    if later is None:
        raise NotFound("There is no such shortfall.", field="suppressed")
    if later.top_up_id is not None:
        raise Invalid("This shortfall was topped up already.", field="suppressed")
    amount = later.transfer_amount - later.request.transfer_amount
    if amount <= 0:
        raise Invalid("The first prefunding of the day covers this one.", field="suppressed")
    choice = _choose(later.account, amount, later.request.need_date)
    if choice is None:
        raise Invalid("No own account can spare this amount in time.", field="suppressed")
    proposal = create_proposal(
        draft=ProposalIn(
            debit_account=UUID(choice.source.account),
            credit_account=later.account_id,
            amount=amount,
            why=f"Top-up of {later.request.currency} on {later.request.local_date}: a later"
            f" shortfall of {later.shortfall:,.2f} exceeds the first one.",
            purpose=Purpose.TOP_UP,
        ),
        maker=actor,
    )
    later.top_up = submit_proposal(proposal_id=proposal.pk, actor=actor)
    later.save(update_fields=["top_up"])
    return later.request


def _checked(shortfall: Shortfall) -> BankAccount:
    account = accounts.account(shortfall.account_id)
    if shortfall.currency not in CENTRES or account.currency != shortfall.currency:
        raise Invalid(f"{shortfall.currency} is not this account's currency.", field="currency")
    if not shortfall.shortfall.is_finite() or shortfall.shortfall <= 0:
        raise Invalid("A shortfall is positive and finite.", field="shortfall")
    return account


def _terms() -> Terms:
    return Terms(
        buffer=policies.get(PREFUNDING_BUFFER_PCT), minimum=policies.get(PREFUNDING_MIN_TRANSFER)
    )


def _request(
    shortfall: Shortfall, account: BankAccount, amount: Decimal, *, sequence: int
) -> PrefundingRequest:
    day = local_day(
        currency=shortfall.currency,
        occurred_at=shortfall.occurred_at,
        by=policies.get(DEDUPE_DAY_TZ),
    )
    return PrefundingRequest(
        currency=shortfall.currency,
        local_date=day,
        sequence=sequence,
        account=account,
        need_date=shortfall.need_date,
        required=shortfall.required,
        available=shortfall.available,
        shortfall=shortfall.shortfall,
        transfer_amount=amount,
        event_id=shortfall.event_id,
        created_at=clock.now(),
    )


def _suppress(
    request: PrefundingRequest, shortfall: Shortfall, amount: Decimal
) -> SuppressedShortfall:
    advised = top_up_is_advised(
        first=request.transfer_amount,
        later=amount,
        threshold=policies.get(PREFUNDING_TOP_UP_PCT),
        minimum=policies.get(PREFUNDING_MIN_TRANSFER),
    )
    suppressed, is_new = SuppressedShortfall.objects.get_or_create(
        event_id=shortfall.event_id,
        defaults={
            "request": request,
            "account_id": shortfall.account_id,
            "shortfall": shortfall.shortfall,
            "transfer_amount": amount,
            "top_up_advised": advised,
            "created_at": clock.now(),
        },
    )
    if is_new and advised:
        raise_alert(
            kind="top_up_advised",
            severity="medium",
            subject_type="prefunding",
            subject_id=request.pk,
            title=f"{request.currency}: a larger shortfall than this morning's",
            detail=f"{shortfall.shortfall:,.2f} now; {request.shortfall:,.2f} was prefunded."
            " Propose a top-up if it is real.",
        )
    return suppressed


def _propose(
    request: PrefundingRequest, account: BankAccount, *, triggered_by: User | None = None
) -> None:
    """Find a source and submit the proposal; what stands in the way is written down in words."""
    choice = _choose(account, request.transfer_amount, request.need_date)
    if choice is None:
        _note_problem(request, account, _why_no_source(request, account))
        return
    try:
        with transaction.atomic():
            proposal = create_proposal(
                draft=ProposalIn(
                    debit_account=UUID(choice.source.account),
                    credit_account=account.pk,
                    amount=request.transfer_amount,
                    why=_why(request, account, choice),
                    purpose=Purpose.RDA_PREFUND,
                ),
                maker=triggered_by,
                maker_label="" if triggered_by else AGENT,
            )
            proposal = submit_proposal(proposal_id=proposal.pk, actor=triggered_by)
    except DomainError as refusal:
        _note_problem(request, account, refusal.message)
        return
    request.proposal = proposal
    request.save(update_fields=["proposal"])


def _choose(account: BankAccount, amount: Decimal, need_date: date) -> Choice | None:
    now = clock.now()
    candidates = sources_for(account=account, need_date=need_date, now=now)
    return choose_source(candidates, amount=amount, bank=account.bank.bic, now=now)


def sources_for(*, account: BankAccount, need_date: date, now: datetime) -> list[Source]:
    """Return what each other own account of the currency could spare, and until when it lands."""
    return [
        _source(candidate, account, need_date, now)
        for candidate in accounts.accounts(currency=account.currency)
        if candidate.pk != account.pk and candidate.rda_procedure in ("", account.rda_procedure)
    ]


def _source(candidate: BankAccount, account: BankAccount, need_date: date, now: datetime) -> Source:
    """Return what `candidate` could spare: above floor and holds, and above its own need."""
    same_bank = candidate.bank_id == account.bank_id
    rail = rail_for(currency=account.currency, same_bank=same_bank)
    own = positions.available(account_id=candidate.pk, on=need_date, now=now).amount
    planned = flow_reads.expected(
        account_id=candidate.pk, start=now.date(), end=need_date, sources=None
    )
    # Own transfers are inside `available` already; here only what customers will draw counts.
    draws = [flow.amount for flow in planned if flow.amount < 0 and not flow.end_to_end_id]
    outflow = -sum(draws, Decimal(0))
    lands_until = None
    if rail != BOOK:
        lands_until = calendars.latest_landing(
            rail=rail, need_by=need_date, bank=candidate.bank.bic, currency=account.currency
        )
    return Source(
        account=str(candidate.pk),
        bank=candidate.bank.bic,
        surplus=own - outflow,
        lands_until=lands_until,
        rail=rail,
    )


def _why(request: PrefundingRequest, account: BankAccount, choice: Choice) -> str:
    money = {
        name: str(Money(getattr(request, name), request.currency))
        for name in ("required", "available", "shortfall", "transfer_amount")
    }
    source = accounts.account(choice.source.account)
    buffer = policies.get(PREFUNDING_BUFFER_PCT)
    words = (
        f"{account.label} needs {money['required']} until {request.need_date} and has"
        f" {money['available']}: {money['shortfall']} are missing."
        f" With a buffer of {buffer:.0%} this moves {money['transfer_amount']} from"
        f" {source.label}, which keeps {Money(choice.left, request.currency)} above its own"
        f" floor and need, by {choice.source.rail}."
    )
    if choice.source.lands_until is None:
        return words
    return f"{words} It lands in time if sent before {choice.source.lands_until:%d %b %H:%M} UTC."


def _why_no_source(request: PrefundingRequest, account: BankAccount) -> str:
    amount = Money(request.transfer_amount, request.currency)
    return (
        f"No own {request.currency} account can spare {amount} in time without running short"
        f" itself. {account.label} needs an FX deal that buys {amount}, or less payouts."
    )


def _note_problem(request: PrefundingRequest, account: BankAccount, problem: str) -> None:
    request.problem = problem
    request.save(update_fields=["problem"])
    raise_alert(
        kind="prefunding_impossible",
        severity="high",
        subject_type="prefunding",
        subject_id=request.pk,
        title=f"{account.label} will run short and nothing was proposed",
        detail=problem,
    )


def _found(request_id: UUID) -> PrefundingRequest:
    found = PrefundingRequest.objects.select_related("account__bank").filter(pk=request_id).first()
    if found is None:
        raise NotFound("There is no such prefunding.", field="prefunding")
    return found


def _require_person(actor: User) -> None:
    if actor.is_service or not actor.has_role(*MAKERS):
        raise Forbidden("This takes a person with the role treasury_maker.")


def recomputed(*, required: Decimal, available: Decimal, currency: str) -> Decimal:
    """Return the shortfall as these two figures make it, to compare with an event's own."""
    return shortfall_of(Need(currency=currency, required=required, available=available))
