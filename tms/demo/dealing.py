"""A demo's foreign exchange: a bank to deal with, and a few deals of the day.

One deal waits for its checkers, one is a draft: what it takes to deal is left to who practises.
Two more were dealt and confirmed for the same day: under the agreement that the bank signed, they
will be one payment and one receipt.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from approvals import selectors as approval_reads
from approvals import services as approvals
from core import clock
from core.identity import step_up
from core.identity.models import User
from core.identity.step_up import StepUpFailed
from core.ids import uuid7
from core.money import Money
from core.tenancy import bound, current_tenant_id
from fx.engine.pairs import parse_pair
from fx.engine.quotes import Side, rounded_rate
from fx.selectors import deals as deal_reads
from fx.selectors import rates as prices
from fx.services import counterparties, dealing, deals, netting, suggesting
from tms.demo.payees import KEEPER, VERIFIER
from tms.demo.people import Credentials
from tms.story.codes import STEP_SECONDS, code_at
from treasury.engine.prefunding import local_day
from treasury.selectors import accounts, movement, positions
from treasury.services import beneficiaries, prefunding
from treasury.services.beneficiaries import BeneficiaryIn

DEALER: Final = "dealer"
# What a partner's campaign takes next week, in dirhams.
_SHORT: Final = "AED"
_CAMPAIGN: Final = Decimal(60_000_000)
_CAMPAIGN_IN_DAYS: Final = 7
CHECKERS: Final = ("checker1", "checker2")
BACK_OFFICE: Final = "backoffice"
_PURPOSES: Final = {"AED": "FIS", "INR": "P1301"}
_BANK: Final = counterparties.CounterpartyIn(
    code="EXMARKETS",
    name="Example Markets Bank",
    bic="EXMBGB2LXXX",
    day_usd_max=Decimal(25_000_000),
    settlement_usd_max=Decimal(20_000_000),
)
# Currency: account, clearing code, BIC, street, post code, town, country. Published examples.
_ACCOUNTS: Final = {
    "USD": ("000987654321", "021000021", "EXMBUS33XXX", "Example Plaza", "10005", "New York", "US"),
    "EUR": ("DE02120300000000202051", "", "EXMBDEFFXXX", "Musterplatz", "60311", "Frankfurt", "DE"),
    "GBP": ("GB33BUKB20201555555555", "", "EXMBGB2LXXX", "Sample Lane", "EC2N 2DB", "London", "GB"),
    "AED": ("AE460090000000123456789", "", "EXMBAEADXXX", "Sample Street", "", "Dubai", "AE"),
    "INR": ("000700001234", "ICIC0000004", "EXMBINBBXXX", "Sample Road", "400001", "Mumbai", "IN"),
}


def make_counterparties() -> None:
    """Enter the bank, and where it receives each currency; another person verifies."""
    tenant = current_tenant_id()
    keeper, verifier = (
        User.objects.get(username__startswith=f"{name}@") for name in (KEEPER, VERIFIER)
    )
    party = counterparties.create_counterparty(wish=_BANK)
    for currency, facts in _ACCOUNTS.items():
        number, clearing_code, bic, street, post_code, town, country = facts
        with bound(tenant, actor=keeper.pk, reason="a demo tenant"):
            account = beneficiaries.create_beneficiary(
                beneficiary=BeneficiaryIn(
                    name=_BANK.name,
                    currency=currency,
                    number=number,
                    clearing_code=clearing_code,
                    bank_bic=bic,
                    bank_name=_BANK.name,
                    street=street,
                    building_number="1",
                    post_code=post_code,
                    town=town,
                    country=country,
                    payment_purpose=_PURPOSES.get(currency, ""),
                ),
                actor=keeper,
            )
        with bound(tenant, actor=verifier.pk, reason="called back"):
            beneficiaries.verify_beneficiary(beneficiary_id=account.pk, actor=verifier)
        counterparties.give_instruction(party=party, currency=currency, beneficiary=account.pk)


def make_deals() -> None:
    """Capture two deals of the day as the dealer: one is submitted, one stays a draft."""
    dealer = User.objects.get(username__startswith=f"{DEALER}@")
    bank = deal_reads.counterparties()[0].pk
    with bound(current_tenant_id(), actor=dealer.pk, reason="a demo tenant"):
        rupees = deals.capture_deal(
            draft=_wish("USD/INR", Side.SELL, "2500000.00", bank, "Rupees for the payouts"),
            maker=dealer,
        )
        deals.submit_deal(deal_id=rupees.pk, actor=dealer)
        deals.capture_deal(
            draft=_wish("GBP/USD", Side.SELL, "750000.00", bank, "Pounds that were collected"),
            maker=dealer,
        )


def make_suggestions(*, now: datetime) -> None:
    """Let the dirhams of next week run short once a day, and suggest what closes that.

    A partner's campaign takes more than any own account can spare: prefunding finds no source,
    and the desk is shown the deals that would bring the rest in time.
    """
    day = local_day(currency=_SHORT, occurred_at=now)
    told = movement.prefunding_requests().filter(currency=_SHORT, local_date=day)
    if not told.exists():
        account = accounts.accounts(_SHORT)[0]
        available = positions.available(account_id=account.pk, on=day, now=now).amount
        required = max(available, Decimal(0)) + _CAMPAIGN
        prefunding.handle_shortfall(
            shortfall=prefunding.Shortfall(
                event_id=uuid7(),
                currency=_SHORT,
                account_id=account.pk,
                need_date=day + timedelta(days=_CAMPAIGN_IN_DAYS),
                required=required,
                available=available,
                shortfall=required - available,
                occurred_at=now,
            )
        )
    suggesting.suggest_all(now=now)


def make_settlements(cast: Sequence[Credentials]) -> None:
    """Let two deals be dealt and confirmed with a bank that nets: four legs wait for their day.

    Each is approved by another checker, with a code of their own authenticator.
    """
    seeds = {one.username.partition("@")[0]: one.totp_secret for one in cast}
    bank = deal_reads.counterparties()[0]
    today = clock.now().date()
    netting.sign_agreement(
        party=bank,
        wish=netting.AgreementIn(
            reference="ISDA Master Agreement 2002, payment netting",
            signed_on=today - timedelta(days=400),
            starts_on=today - timedelta(days=400),
        ),
    )
    for amount, checker in zip(("500000.00", "180000.00"), CHECKERS, strict=True):
        wish = _wish("USD/AED", Side.SELL, amount, bank.pk, "Dirhams for the payouts")
        _settling(wish, checker=checker, seed=seeds[checker])


def _settling(wish: deals.DealIn, *, checker: str, seed: str) -> None:
    """Let the people of a deal capture, approve, deal and confirm it."""
    tenant, dealer, back_office = current_tenant_id(), _person(DEALER), _person(BACK_OFFICE)
    with bound(tenant, actor=dealer.pk, reason="a demo tenant"):
        made = deals.capture_deal(draft=wish, maker=dealer)
        deals.submit_deal(deal_id=made.pk, actor=dealer)
    _approve(made, _person(checker), seed)
    with bound(tenant, actor=dealer.pk, reason="a demo tenant"):
        dealing.execute_deal(
            deal_id=made.pk,
            rate=made.limit_rate,
            counterparty_reference=f"EXM-{made.reference[-4:]}",
            actor=dealer,
        )
    with bound(tenant, actor=back_office.pk, reason="a demo tenant"):
        dealt = deal_reads.deal(made.pk)
        dealing.confirm_deal(deal_id=made.pk, stated=_stated(dealt), actor=back_office)


def _approve(made: Any, checker: User, seed: str) -> None:
    with bound(current_tenant_id(), actor=checker.pk, reason="a demo tenant"):
        request = approval_reads.request_of(
            subject_type=deals.SUBJECT, subject_id=made.pk, subject_version=1
        )
        if request is None:
            return
        approvals.decide(
            request_id=request.pk,
            checker=checker,
            outcome="APPROVE",
            content_hash=request.content_hash,
            version=request.subject_version,
            evidence=approvals.Evidence(
                auth_method="totp",
                auth_at=clock.now(),
                ip=None,
                step_up=_proof(checker, seed, request.content_hash),
                acknowledged=tuple(one["code"] for one in request.flags),
            ),
        )


def _proof(checker: User, seed: str, content_hash: str) -> UUID:
    """Show the code of the step before: the present one is left to whoever signs in next."""
    present = int(clock.now().timestamp()) // STEP_SECONDS
    for step in (present - 1, present):
        try:
            with transaction.atomic():
                code = code_at(seed, step)
                return step_up.prove_with_code(
                    user=checker, code=code, content_hash=content_hash
                ).pk
        except StepUpFailed:  # a step ended just now
            continue
    raise StepUpFailed("No code of this checker fits.")


def _stated(dealt: Any) -> dealing.Stated:
    return dealing.Stated(
        pair=dealt.pair,
        side=dealt.side,
        base_amount=dealt.base_amount,
        quote_amount=dealt.quote_amount,
        rate=dealt.rate,
        value_date=dealt.value_date,
        counterparty_reference=dealt.counterparty_reference,
    )


def _person(name: str) -> User:
    return User.objects.get(username__startswith=f"{name}@")


def _wish(pair: str, side: Side, amount: str, party: UUID, why: str) -> deals.DealIn:
    found = parse_pair(pair)
    quote = prices.quote_for(found, now=clock.now())
    bought, sold = found.currencies if side is Side.BUY else (found.quote, found.base)
    return deals.DealIn(
        counterparty=party,
        pair=found,
        side=side,
        dealt=Money(Decimal(amount), found.base),
        limit_rate=rounded_rate(quote.taken(side), found),
        pay_account=_account(sold),
        receive_account=_account(bought),
        why=why,
    )


def _account(currency: str) -> UUID:
    return accounts.accounts(currency)[0].pk
