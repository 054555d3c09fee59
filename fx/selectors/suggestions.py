"""What is to be bought of a currency, with whom and from which accounts; and what was suggested."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.db.models import Q, QuerySet, Sum

from core import policies
from fx import policies as knobs
from fx.engine.exposure import ZERO
from fx.engine.suggesting import Room, needed_on
from fx.errors import SuggestionUnknown
from fx.models import (
    Counterparty,
    Deal,
    DealSide,
    DealState,
    DealSuggestion,
    NeedCause,
    SuggestionState,
)
from fx.selectors import exposure
from fx.selectors.deals import COUNTED
from fx.selectors.exposure import NEEDS, Board
from treasury.constants import BeneficiaryState
from treasury.selectors import accounts, flows, positions

if TYPE_CHECKING:
    from treasury.models import BankAccount

# Not dealt yet, but on the way: what they buy needs no second suggestion.
IN_WORKS: Final = (DealState.SUBMITTED, DealState.APPROVED)
DEALT_OPEN: Final = (DealState.EXECUTED, DealState.CONFIRMED, DealState.SETTLED)
ALIVE: Final = (DealState.DRAFT, *IN_WORKS, *DEALT_OPEN)


def suggestions() -> QuerySet[DealSuggestion]:
    """Return all suggestions, newest first, with what they came from and became."""
    return DealSuggestion.objects.select_related(
        "need", "counterparty", "pay_account", "receive_account", "closed_by", "deal"
    )


def suggestion(suggestion_id: UUID) -> DealSuggestion:
    """Return one suggestion.

    Raises:
        SuggestionUnknown: there is none.
    """
    found = suggestions().filter(pk=suggestion_id).first()
    if found is None:
        raise SuggestionUnknown("There is no such suggestion.", field="suggestion")
    return found


def open_suggestions(currency: str | None = None) -> QuerySet[DealSuggestion]:
    """Return what is suggested now, the parts of a need in their order."""
    found = suggestions().filter(state=SuggestionState.OPEN).order_by("currency", "part")
    return found if currency is None else found.filter(currency=currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfunded:
    """Transfers to accounts that run short and that no own account could pay in full."""

    total: Decimal
    inventory: Decimal
    needed_on: date | None
    account: UUID | None
    facts: tuple[dict[str, Any], ...]

    @property
    def missing(self) -> Decimal:
        """Return what is left to buy after own accounts gave what they can spare."""
        return max(ZERO, self.total - self.inventory)


NOTHING_UNFUNDED: Final = Unfunded(
    total=ZERO, inventory=ZERO, needed_on=None, account=None, facts=()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a suggestion has to bring of a currency, by when, and what that follows from.

    `on_its_way` is bought by deals that the exposure does not count yet, `answered` by all deals
    of today: a shortfall was told once and knows of neither.
    """

    board: Board
    unfunded: Unfunded
    on_its_way: Decimal
    answered: Decimal
    left_open: Decimal
    needed_on: date

    @property
    def is_shortfall(self) -> bool:
        """Tell whether more is left of the shortfalls than of the open exposure."""
        return self.unfunded.missing - self.answered > self.board.exposure.open - self.on_its_way

    @property
    def in_works(self) -> Decimal:
        """Return what is being dealt already of what it is about."""
        return self.answered if self.is_shortfall else self.on_its_way

    @property
    def amount(self) -> Decimal:
        """Return what is left to be bought: the larger of the two, less what was left open."""
        gross = self.unfunded.missing if self.is_shortfall else self.board.exposure.open
        return max(ZERO, gross - self.in_works - self.left_open)

    @property
    def cause(self) -> NeedCause:
        """Say why it is to be bought."""
        if self.is_shortfall:
            return NeedCause.SHORTFALL
        return NeedCause.BREACH if self.board.is_breached else NeedCause.EXPOSURE


def wanted(currency: str, *, now: datetime, unfunded: Unfunded) -> Wanted:
    """Return what is to be bought of a currency now.

    Raises:
        CalendarUnknown: the currency has no calendar.
        CalendarCoverageError: its calendar does not reach far enough.
    """
    board = exposure.of_currency(currency, now=now)
    day, until = board.cap.day, board.cap.until
    outflows = [
        (flow.value_date, -flow.amount)
        for account in accounts.accounts(currency)
        for flow in flows.expected(account_id=account.pk, start=day, end=until, sources=NEEDS)
        if flow.amount < 0
    ]
    covered = board.exposure.prefunded + board.exposure.hedged
    days = [needed_on(outflows, covered=covered, last=until)] if board.exposure.open > 0 else []
    if unfunded.missing > 0 and unfunded.needed_on is not None:
        days.append(unfunded.needed_on)
    taken = Q(suggestion__day=day, suggestion__currency=currency, state__in=ALIVE)
    dealt, last = Q(state__in=DEALT_OPEN), max([until, *days])
    on_its_way = (taken & ~(dealt & Q(value_date__lte=until))) | Q(
        state__in=IN_WORKS, value_date__gte=day, value_date__lte=until
    )
    answered = taken | Q(
        state__in=(*IN_WORKS, *DEALT_OPEN), trade_date__gte=day, value_date__lte=last
    )
    return Wanted(
        board=board,
        unfunded=unfunded,
        on_its_way=_bought(currency, on_its_way),
        answered=_bought(currency, answered),
        left_open=_left_open(currency, day),
        needed_on=min(days, default=until),
    )


def _bought(currency: str, which: Q) -> Decimal:
    """Return what deals bring of a currency, as they stand."""
    buys_base = Deal.objects.filter(which, base=currency, side=DealSide.BUY)
    buys_quote = Deal.objects.filter(which, quote=currency, side=DealSide.SELL)
    return _sum(buys_base, "base_amount") + _sum(buys_quote, "quote_amount")


def _left_open(currency: str, day: date) -> Decimal:
    """Return what dealers left open on purpose today: it is not suggested again that day."""
    rows = DealSuggestion.objects.filter(
        currency=currency, day=day, state=SuggestionState.DISMISSED
    )
    return _sum(rows, "buys")


def _sum(rows: QuerySet[Any], column: str) -> Decimal:
    return rows.order_by().aggregate(total=Sum(column))["total"] or ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """A counterparty that could deal it, and what its limits still allow."""

    party: Counterparty
    room: Room


def partners(sold: str, *, trade: date, value: date) -> list[Partner]:
    """Return who may be dealt with: active, with a verified account for what we pay, in tenor."""
    able = (
        Counterparty.objects.filter(
            is_active=True,
            tenor_days_max__gte=(value - trade).days,
            instructions__currency=sold,
            instructions__is_active=True,
            instructions__beneficiary__state=BeneficiaryState.ACTIVE,
            instructions__beneficiary__is_verified=True,
        )
        .order_by("code")
        .distinct()
    )
    return [
        Partner(party=one, room=Room(counterparty=one.code, left_usd=_left_usd(one, trade, value)))
        for one in able
    ]


def _left_usd(party: Counterparty, trade: date, value: date) -> Decimal | None:
    standing = Deal.objects.filter(counterparty=party, state__in=COUNTED)
    rooms = []
    if party.day_usd_max is not None:
        used = _sum(standing.filter(trade_date=trade), "usd_equivalent")
        rooms.append(party.day_usd_max - used)
    if party.settlement_usd_max is not None:
        used = _sum(standing.filter(value_date=value), "usd_equivalent")
        rooms.append(party.settlement_usd_max - used)
    return max(ZERO, min(rooms)) if rooms else None


def fullest(currency: str, *, on: date, now: datetime) -> "BankAccount | None":
    """Return the account of ours that has most of a currency to pay from."""
    return _by_available(currency, on=on, now=now, most=True)


def emptiest(currency: str, *, on: date, now: datetime) -> "BankAccount | None":
    """Return the account of ours that needs a currency most."""
    return _by_available(currency, on=on, now=now, most=False)


def _by_available(currency: str, *, on: date, now: datetime, most: bool) -> "BankAccount | None":
    held = list(accounts.accounts(currency))
    have = positions.available_many(held, on=on, now=now)
    ranked = sorted(held, key=lambda one: (have[one.pk].amount, str(one.pk)))
    return (ranked[-1] if most else ranked[0]) if ranked else None


def total_of(rows: Iterable[DealSuggestion]) -> Decimal:
    """Return what several suggestions are worth in dollars."""
    return sum((one.usd_equivalent for one in rows), ZERO)


def funding() -> str:
    """Return the currency that is sold to buy another one."""
    return policies.get(knobs.FX_FUNDING_CURRENCY)
