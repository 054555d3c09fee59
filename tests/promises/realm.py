"""Two tenants with something in every room, each under a mark that occurs nowhere else."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.test import Client

from approvals import selectors as approval_reads
from approvals import services as approvals
from calendars import services as calendars
from calendars.engine.rails import WindowKind
from calendars.errors import CalendarCoverageError
from core import clock, policies
from core.api.authentication import access_token
from core.audit import chain
from core.changes.services import propose_change
from core.events.drain import drain
from core.identity import reviews
from core.identity.models import User
from core.identity.roles import ALL, INTEGRATION
from core.identity.services import create_tenant
from core.identity.sessions import PersonSession, digest_of
from core.identity.tokens import begin_family
from core.identity.views import BACKEND
from core.middleware import TENANT_SESSION_KEY
from core.tenancy import bound
from integrations import services as lines
from liquidity import selectors as forecasts
from liquidity.engine.occurrences import RuleKind
from liquidity.services import forecasting, planning
from risk.models import AccountRisk
from risk.services import measuring
from tests.approvals.stepping import shown
from tests.conftest import make_user
from tests.promises.realm_fx import make_deals
from tests.promises.realm_pools import make_pools
from tests.promises.realm_sweeps import make_sweeps
from tests.treasury.bank import paper
from treasury.models import (
    BankAccount,
    BankEntry,
    LateEntry,
    Proposal,
    Transfer,
)
from treasury.services import (
    beneficiaries,
    flows,
    freezing,
    ingest,
    prefunding,
    proposals,
    rates,
    static,
    tasks,
    transfers,
    uploading,
)

# A Tuesday morning in London; New York is asleep, Mumbai is at work.
TUESDAY = datetime(2026, 11, 17, 9, 0, tzinfo=UTC)
KNOB = policies.define("TEST_PROMISES_KNOB", 1, minimum=0, help="Only for tests.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Realm:
    """One tenant: its mark, its people by role, and its objects by the word the routes use."""

    tenant: UUID
    mark: str
    people: dict[str, User]
    accounts: dict[str, BankAccount]
    objects: dict[str, str]
    secrets: tuple[str, ...]

    def client(self, role: str) -> Client:
        """Return a signed-in browser of the person with this role."""
        return signed_in(self.people[role])


def signed_in(person: User) -> Client:
    """Return a browser whose session belongs to `person`."""
    client = Client(raise_request_exception=False)
    with bound(person.tenant_id, actor=person.pk):
        client.force_login(person, backend=BACKEND)
    session = client.session
    session[TENANT_SESSION_KEY] = str(person.tenant_id)
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
    return client


def machine(person: User) -> Client:
    """Return a caller that sends the bearer token of `person`."""
    with bound(person.tenant_id, actor=person.pk):
        token = access_token(person)
    return Client(raise_request_exception=False, headers={"Authorization": f"Bearer {token}"})


@contextmanager
def _at_work(tenant: UUID, actor: User | None = None) -> Iterator[None]:
    with bound(tenant, actor=actor.pk if actor else "system:test"):
        yield


def people_of(slug: str) -> dict[str, User]:
    """Make one person for each role, and a second checker."""
    made = {
        role: make_user(role.replace("_", "-"), role, is_service=role == INTEGRATION)
        for role in ALL
    }
    made["second_checker"] = make_user("second-checker", "treasury_checker")
    for person in made.values():
        person.display_name = f"{slug.title()} {person.display_name}"
        person.save(update_fields=["display_name"])
    return made


def _accounts(mark: str, digit: str, line: str) -> dict[str, BankAccount]:
    entity = static.create_entity(
        entity=static.EntityIn(
            name=f"{mark} Remit Limited",
            lei="5493001KJTIIGC8Y1R12",
            town=f"{mark}",
            country="GB",
            street=f"{mark} Street",
            building_number="1",
            post_code="EC1A 1AA",
        )
    )
    banks = {
        "INR": static.create_bank(bic="SBNKINBBXXX", name=f"{mark} Mumbai Bank", connection=line),
        "USD": static.create_bank(bic="SBNKUS33XXX", name=f"{mark} York Bank", connection=line),
    }
    opened = {}
    for name, currency, code in (
        ("payout", "INR", "SBNK0000001"),
        ("collection", "INR", "SBNK0000001"),
        ("dollars", "USD", "021000021"),
        ("spare", "USD", "021000021"),
    ):
        zone = "Asia/Kolkata" if currency == "INR" else "America/New_York"
        account = static.AccountIn(
            entity=entity,
            bank=banks[currency],
            label=f"{mark} {name}",
            currency=currency,
            number=f"7{digit}3100000{len(opened)}",
            clearing_code=code,
            timezone=zone,
        )
        opened[name] = static.open_account(account=account)
    return opened


def _statements(realm_line: str, mark: str, accounts: dict[str, BankAccount]) -> dict[str, str]:
    """Let yesterday's statements arrive, with a movement each; one file is nonsense."""
    objects = {}
    day = TUESDAY.date() - timedelta(days=1)
    for account in accounts.values():
        entry = paper.E(
            amount="1250.00",
            ref=f"{mark}-{account.number[-2:]}",
            text=f"{mark} invoice",
            currency=account.currency,
            booked=day,
            value=day,
        )
        balances = tuple(
            paper.B(code=code, amount=amount, on=day, currency=account.currency)
            for code, amount in (("OPBD", "50000000.00"), ("CLBD", "50001250.00"))
        )
        sheet = paper.S(
            id=f"S{account.number}",
            number=account.number,
            currency=account.currency,
            created=f"{day}T23:00:00+01:00",
            balances=balances,
            entries=(entry,),
        )
        message = lines.archive_inbound(
            connection_code=realm_line,
            name=f"{mark}_{account.number}.xml",
            data=paper.camt("053", sheet, message=f"{mark}{account.number}"[:35]),
        )
        result = ingest.ingest_message(message_id=message.pk)
        assert result.entries_new == 1, result
        sheet_row = result.statements[0]
        objects.setdefault("message", str(message.pk))
        objects.setdefault("statement", str(sheet_row.pk))
        objects.setdefault("entry", str(BankEntry.objects.get(statement=sheet_row).pk))
    aside = lines.archive_inbound(
        connection_code=realm_line, name=f"{mark}_broken.xml", data=f"<{mark}".encode()
    )
    lines.set_aside(message_id=aside.pk, reason=f"{mark} is not a bank message")
    objects["set_aside"] = str(aside.pk)
    return objects


def propose(realm_people: dict[str, User], accounts: dict[str, BankAccount], why: str) -> Proposal:
    """Make a draft of the tenant's maker, from collection to payout."""
    draft = proposals.ProposalIn(
        debit_account=accounts["collection"].pk,
        credit_account=accounts["payout"].pk,
        amount=Decimal("2750.00"),
        why=why,
    )
    return proposals.create_proposal(draft=draft, maker=realm_people["treasury_maker"])


def approve(tenant: UUID, proposal: Proposal, checker: User) -> str:
    """Approve the pending request of `proposal` and return its id."""
    with bound(tenant, actor=checker.pk):
        request = approval_reads.request_of(
            subject_type="treasury.proposal",
            subject_id=proposal.pk,
            subject_version=proposal.version,
        )
        assert request is not None
        approvals.decide(
            request_id=request.pk,
            checker=checker,
            outcome="APPROVE",
            content_hash=request.content_hash,
            version=request.subject_version,
            evidence=shown(checker, request.content_hash),
        )
        return str(request.pk)


def _beneficiary(mark: str, keeper: User) -> dict[str, str]:
    """Put somebody whom the tenant pays in dollars on its list."""
    wanted = beneficiaries.BeneficiaryIn(
        name=f"{mark} Supplies",
        number="4000000077",
        bank_bic="PAYEUS33XXX",
        bank_name=f"{mark} Pay Bank",
        clearing_code="026009593",
        currency="USD",
        town=mark,
        country="US",
    )
    made = beneficiaries.create_beneficiary(beneficiary=wanted, actor=keeper)
    return {"beneficiary": str(made.pk)}


def _freeze(tenant: UUID, mark: str, people: dict[str, User]) -> dict[str, str]:
    """Stop all outflows and release them again."""
    with _at_work(tenant, people["risk_officer"]):
        held = freezing.stop_outflows(actor=people["risk_officer"], reason=f"{mark} drill")
    with _at_work(tenant, people["treasury_maker"]):
        freezing.ask_release(
            freeze_id=held.pk, actor=people["treasury_maker"], reason=f"{mark} drill is over"
        )
    checker = people["treasury_checker"]
    with bound(tenant, actor=checker.pk):
        request = approval_reads.request_of(subject_type="treasury.freeze", subject_id=held.pk)
        assert request is not None
        approvals.decide(
            request_id=request.pk,
            checker=checker,
            outcome="APPROVE",
            content_hash=request.content_hash,
            version=request.subject_version,
            evidence=shown(checker, request.content_hash),
        )
    return {"freeze": str(held.pk)}


def _movements(
    tenant: UUID, mark: str, people: dict[str, User], accounts: dict[str, BankAccount]
) -> dict[str, str]:
    maker = people["treasury_maker"]
    with _at_work(tenant, maker):
        draft = propose(people, accounts, f"{mark} draft")
        pending = propose(people, accounts, f"{mark} pending")
        proposals.submit_proposal(proposal_id=pending.pk, actor=maker)
        file = (
            "from_account,to_account,amount,currency,why\n"
            f"{accounts['collection'].number},{accounts['payout'].number},10.00,"
            f"{accounts['payout'].currency},{mark} file\n"
        )
        upload = uploading.upload_file(name=f"{mark}.csv", data=file.encode(), maker=maker)
        paid = propose(people, accounts, f"{mark} paid")
        proposals.submit_proposal(proposal_id=paid.pk, actor=maker)
    decided = approve(tenant, paid, people["treasury_checker"])
    assert transfers.execute_due(tenant=tenant) == 1
    with _at_work(tenant):
        transfers.mark_sent(reference=paid.reference, bank_reference=f"{mark}-BANK")
        request = approval_reads.request_of(
            subject_type="treasury.proposal", subject_id=pending.pk, subject_version=1
        )
        assert request is not None
        transfer = Transfer.objects.get(proposal=paid)
        task = tasks.open_task(
            task=tasks.TaskIn(
                kind="transfer_question",
                key=f"{mark}-1",
                title=f"{mark} needs a person",
                detail=f"{mark} bank contradicts itself.",
                transfer=transfer,
            )
        )
        return {
            "draft": str(draft.pk),
            "proposal": str(pending.pk),
            "paid": str(paid.pk),
            "approval": str(request.pk),
            "approval_hash": request.content_hash,
            "decided": decided,
            "transfer": str(transfer.pk),
            "uetr": transfer.uetr,
            "task": str(task.pk),
            "upload": str(upload.pk),
            "payment": str(transfer.message_id),
        }


def shortfall(account: BankAccount, missing: str, **more: Any) -> prefunding.Shortfall:
    """Return a shortfall of the payout account."""
    return prefunding.Shortfall(
        event_id=more.pop("event_id", None) or uuid4(),
        currency=account.currency,
        account_id=account.pk,
        need_date=TUESDAY.date(),
        required=Decimal(60_000_000),
        available=Decimal(60_000_000) - Decimal(missing),
        shortfall=Decimal(missing),
        occurred_at=clock.now(),
    )


def _late(entry_id: str) -> dict[str, str]:
    """Let a bank take an entry of a closed period back."""
    entry = BankEntry.objects.get(pk=entry_id)
    made = LateEntry.objects.create(
        account=entry.account,
        entry=entry,
        statement=entry.statement,
        change="WITHDRAWAL",
        amount=entry.amount,
        booking_before=entry.booking_date,
        value_before=entry.value_date,
        settled="WITHDRAWN",
        closed_until=entry.booking_date,
        found_at=clock.now(),
    )
    return {"late": str(made.pk)}


def _prefunding(tenant: UUID, accounts: dict[str, BankAccount]) -> dict[str, str]:
    with _at_work(tenant):
        first = prefunding.handle_shortfall(shortfall=shortfall(accounts["payout"], "2500.00"))
        later = prefunding.handle_shortfall(shortfall=shortfall(accounts["payout"], "9500.00"))
        return {"prefunding": str(first.pk), "suppressed": str(later.pk)}


def _calendar_rows(mark: str, people: dict[str, User]) -> None:
    keeper = people["static_data"]
    calendars.declare_closure(
        closure=calendars.Closure(
            calendar="FED", day=date(2026, 12, 8), name=f"{mark} storm", source="notice"
        ),
        actor=keeper,
    )
    calendars.set_bank_cutoff(
        cutoff=calendars.BankCutoffIn(
            rail="FEDWIRE",
            bank="SBNKUS33XXX",
            local_time=time(16, 0),
            tz="America/New_York",
            effective_from=date(2026, 1, 1),
        ),
        actor=keeper,
    )
    with bound(str(keeper.tenant_id), actor=keeper.pk):
        calendars.override_window(
            request=calendars.OverrideRequest(
                rail="FEDWIRE",
                business_date=date(2026, 12, 9),
                kind=WindowKind.CLOSE,
                local_time=time(15, 0),
                reason=f"{mark} maintenance",
            ),
            actor=keeper,
        )
    evening = datetime(2026, 11, 17, 21, 35, tzinfo=UTC)
    while not calendars.raise_window_alerts(now=evening):
        evening += timedelta(minutes=15)
        if evening.date() > TUESDAY.date() + timedelta(days=1):
            raise CalendarCoverageError("No rail closes within a day.")
    calendars.publish_holiday_lookahead(today=date(2026, 12, 23))


def _furniture(slug: str, mark: str, folder: Path) -> str:
    calendars.install_reference_calendars(years=range(2026, 2028))
    calendars.install_rails()
    approvals.install_default_rules()
    code = f"line-{slug}"
    profile = lines.save_profile(
        wish=lines.ProfileIn(
            code=f"profile-{slug}", name=f"{mark} profile", reading={"accounts": {mark: mark}}
        )
    )
    lines.save_connection(
        wish=lines.ConnectionIn(
            code=code,
            name=f"{mark} line",
            kind="FOLDER",
            directory=str(folder),
            profile=profile.code,
        )
    )
    lines.save_route(wish=lines.RouteIn(home=code, connection=code))
    rates.record_usd_rate(
        currency="INR", usd_per_unit=Decimal("0.0117"), as_of=clock.now(), source="test"
    )
    return code


def _forecasts(mark: str, accounts: dict[str, BankAccount]) -> dict[str, str]:
    """Plan a payout and a recurring flow, forecast and measure every account."""
    now = clock.now()
    plan = planning.PlanIn(
        account_id=accounts["payout"].pk,
        currency="INR",
        value_date=TUESDAY.date() + timedelta(days=1),
        amount=Decimal("900.00"),
        description=f"{mark} payouts",
        source_ref=f"{mark}-plan",
    )
    pattern = planning.PatternIn(
        account_id=accounts["payout"].pk,
        name=f"{mark} rent",
        amount=Decimal("-75.00"),
        rule=RuleKind.MONTH_DAY,
        month_day=25,
        valid_from=TUESDAY.date(),
    )
    (planned,) = planning.plan_payouts(plans=[plan], now=now).created
    recurring = planning.add_pattern(pattern=pattern, now=now)
    forecasting.run_daily_forecast(now=now, horizon_days=10)
    made = forecasts.newest_of(accounts["payout"].pk)
    assert made is not None
    measuring.measure_risk(now=now)
    reading = str(AccountRisk.objects.get(account=accounts["payout"]).pk)
    found = {"plan": str(planned.pk), "pattern": str(recurring.pk), "forecast": str(made.pk)}
    return found | {"reading": reading}


def _changes(tenant: UUID, mark: str, clerk: User) -> dict[str, str]:
    with _at_work(tenant, clerk):
        change = propose_change(
            model="legalentity",
            row_id=f"{mark} Remit Limited",
            values={"street": f"{mark} Lane"},
            maker=clerk,
            reason=f"{mark} moves",
        )
    return {"change": str(change.pk)}


def _authority(tenant: UUID, mark: str, people: dict[str, User]) -> dict[str, str]:
    """Ask for a delegation and a limit; let a checker look at what waits."""
    checker, stand_in = people["treasury_checker"], people["second_checker"]
    with _at_work(tenant, checker):
        delegation = approvals.propose_delegation(
            delegation=approvals.DelegationIn(
                delegate=stand_in,
                starts_at=clock.now(),
                ends_at=clock.now() + timedelta(days=2),
                reason=f"{mark} leave",
            ),
            actor=checker,
        )
    with _at_work(tenant, people["risk_officer"]):
        approvals.propose_limit(
            limit=approvals.LimitIn(
                person=stand_in,
                per_transaction_usd=Decimal(5_000_000),
                per_day_usd=None,
                reason=f"{mark} charter",
            ),
            actor=people["risk_officer"],
        )
    with _at_work(tenant, stand_in):
        request = approval_reads.request_of(
            subject_type="approvals.delegation", subject_id=delegation.pk
        )
        assert request is not None
        approvals.record_viewing(request=request, viewer=stand_in)
    return {"delegation": str(delegation.pk), "person": str(people["treasury_maker"].pk)}


def _identity(tenant: UUID, people: dict[str, User]) -> dict[str, str]:
    """Let somebody have signed in elsewhere; a passkey comes from a browser, so here it is none."""
    person = people["treasury_maker"]
    with _at_work(tenant):
        assert reviews.open_review() is not None
        begin_family(user=people[INTEGRATION])
        key, now = digest_of(uuid4().hex), clock.now()
        row = PersonSession.objects.create(user=person, key_digest=key, created_at=now, seen_at=now)
    return {"person_session": str(row.pk), "passkey": str(uuid4())}


def build_realm(*, slug: str, digit: str, folder: Path) -> Realm:
    """Build and commit one tenant at the frozen present."""
    mark = slug.capitalize()
    tenant = create_tenant(slug=slug, name=f"{mark} Limited").id
    with _at_work(tenant):
        people = people_of(slug)
        code = _furniture(slug, mark, folder)
        accounts = _accounts(mark, digit, code)
        objects = _statements(code, mark, accounts)
        _calendar_rows(mark, people)
        flows.put_expected_flow(
            flow=flows.FlowIn(
                account_id=accounts["payout"].pk,
                source="MANUAL",
                source_ref=f"{mark}-1",
                amount=Decimal("-500.00"),
                value_date=TUESDAY.date(),
                description=f"{mark} rent",
                expires_on=TUESDAY.date() + timedelta(days=9),
            )
        )
        policies.change(policy=KNOB, value=3, actor=people["tenant_admin"], reason=f"{mark} wish")
    with _at_work(tenant, keeper := people["static_data"]):
        objects |= _beneficiary(mark, keeper)
    objects |= _freeze(tenant, mark, people)
    objects |= _movements(tenant, mark, people, accounts)
    objects |= _prefunding(tenant, accounts)
    with _at_work(tenant):
        objects |= _late(objects["entry"])
        objects |= _forecasts(mark, accounts)
        objects |= make_sweeps(mark, digit, accounts, day=TUESDAY.date())
        objects |= make_pools(mark, digit, accounts, day=TUESDAY.date())
    objects |= make_deals(tenant, mark, people, accounts)
    objects |= _changes(tenant, mark, keeper)
    drain(tenant=tenant)
    chain.seal(tenant=tenant)
    objects |= {"line": code, "account": str(accounts["payout"].pk)}
    numbers = tuple(account.number for account in accounts.values())
    objects |= _identity(tenant, people) | _authority(tenant, mark, people)
    return Realm(
        tenant=tenant,
        mark=mark,
        people=people,
        accounts=accounts,
        objects=objects,
        secrets=(mark.lower(), str(tenant), *numbers, *objects.values()),
    )
