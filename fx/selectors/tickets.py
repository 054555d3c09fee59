"""Everything that a deal's ticket says, as text: the same state of a deal says the same."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Final
from uuid import UUID

from approvals import selectors as approvals
from core.money import Money
from fx.engine.pairs import Pair
from fx.engine.quotes import rounded_rate
from fx.models import Deal, DealKind
from fx.selectors import deals as reads

SUBJECT: Final = "fx.deal"
Line = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A deal on one page. Account numbers are masked as everywhere: the last four digits."""

    reference: str
    version: int
    content_hash: str
    headline: str
    state: str
    us: tuple[Line, ...]
    them: tuple[Line, ...]
    terms: tuple[Line, ...]
    settlement: tuple[Line, ...]
    approvals: tuple[tuple[str, str, str, str], ...]
    steps: tuple[tuple[str, str, str], ...]

    def sha256(self) -> str:
        """Return the digest of all that it says."""
        text = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)
        return sha256(text.encode()).hexdigest()


def ticket_of(deal_id: UUID) -> Ticket:
    """Return the ticket of a deal as it stands.

    Raises:
        DealUnknown: there is none.
    """
    deal = reads.deals().select_related("pay_account__entity").get(pk=reads.deal(deal_id).pk)
    return Ticket(
        reference=deal.reference,
        version=deal.version,
        content_hash=deal.content_hash,
        headline=(
            f"We {deal.side.lower()} {_money(deal, deal.base)} against {_money(deal, deal.quote)}"
        ),
        state=deal.get_state_display(),
        us=_us(deal),
        them=_them(deal),
        terms=_terms(deal),
        settlement=_settlement(deal),
        approvals=_approvals(deal),
        steps=_steps(deal),
    )


def _money(deal: Deal, currency: str) -> str:
    amount: Decimal = deal.base_amount if currency == deal.base else deal.quote_amount
    return str(Money(amount, currency).quantized())


def _us(deal: Deal) -> tuple[Line, ...]:
    entity = deal.pay_account.entity
    return (
        ("Name", entity.name),
        ("LEI", entity.lei),
        ("Place", f"{entity.town}, {entity.country}"),
        ("Dealer", deal.maker.display_name),
    )


def _them(deal: Deal) -> tuple[Line, ...]:
    party = deal.counterparty
    return (
        ("Name", party.name),
        ("BIC", party.bic),
        ("LEI", party.lei or "not known"),
        ("Their reference", deal.counterparty_reference or "not dealt yet"),
    )


def _terms(deal: Deal) -> tuple[Line, ...]:
    pair = Pair(deal.base, deal.quote)
    rate = deal.rate or deal.limit_rate
    found = [
        ("Pair", deal.pair),
        ("Side", f"{deal.side}, seen from us"),
        ("We receive", _money(deal, deal.bought)),
        ("We pay", _money(deal, deal.sold)),
        ("Rate" if deal.rate else "At no worse than", f"{rounded_rate(rate, pair):f}"),
        ("Exact amount", f"that in {deal.dealt_currency}"),
        ("Kind", deal.get_kind_display()),
        ("Trade date", deal.trade_date.isoformat()),
        ("Value date", f"{deal.value_date.isoformat()} ({deal.get_period_display()})"),
    ]
    if deal.fixing_date:
        found.append(("Fixing date", deal.fixing_date.isoformat()))
    if deal.usd_equivalent is not None:
        found.append(("Worth", str(Money(deal.usd_equivalent, "USD").quantized())))
    if deal.mid_rate is not None and deal.mid_at is not None:
        market = f"{rounded_rate(deal.mid_rate, pair):f} by {deal.mid_source}"
        found.append(("Market then", f"{market}, {_instant(deal.mid_at)}"))
    found.append(("Why", deal.why))
    return tuple(found)


def _settlement(deal: Deal) -> tuple[Line, ...]:
    def ours(account: object) -> str:
        label, hint = getattr(account, "label", ""), getattr(account, "number_hint", "")
        return f"{label} (…{hint}) at {getattr(getattr(account, 'bank', None), 'name', '')}"

    if deal.kind == DealKind.NDF:
        theirs = "nothing is delivered: the difference is paid in dollars"
    elif deal.instruction is not None:
        paid = deal.instruction.beneficiary
        theirs = f"{paid.name} (…{paid.number_hint}) at {paid.bank_words}"
    else:
        theirs = "not known"
    return (
        (f"We pay {deal.sold} from", ours(deal.pay_account)),
        (f"They receive {deal.sold} at", theirs),
        (f"We receive {deal.bought} at", ours(deal.receive_account)),
    )


def _approvals(deal: Deal) -> tuple[tuple[str, str, str, str], ...]:
    request = approvals.request_of(
        subject_type=SUBJECT, subject_id=deal.pk, subject_version=deal.version
    )
    if request is None:
        return ()
    return tuple(
        (
            _instant(one.decided_at),
            one.outcome,
            f"{one.checker.display_name} ({one.get_as_role_display()})",
            one.reason,
        )
        for one in request.decisions.select_related("checker").order_by("decided_at", "id")
    )


def _steps(deal: Deal) -> tuple[tuple[str, str, str], ...]:
    dealt = deal.executed_by.display_name if deal.executed_by else ""
    confirmed = deal.confirmed_by.display_name if deal.confirmed_by else ""
    steps = (
        (deal.created_at, "captured", deal.maker.display_name),
        (deal.submitted_at, "submitted", deal.maker.display_name),
        (deal.executed_at, "dealt", dealt),
        (deal.confirmed_at, "confirmed", confirmed),
        (deal.closed_at, deal.get_state_display(), deal.closing_reason),
    )
    return tuple((_instant(at), what, who) for at, what, who in steps if at is not None)


def _instant(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
