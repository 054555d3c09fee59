"""A tenant under four eyes, with the people that it takes."""

from dataclasses import dataclass
from uuid import UUID

from approvals import selectors, services
from calendars import services as calendars
from core.changes.models import ChangeRequest
from core.changes.services import open_tenant, propose_change
from core.identity.models import User
from core.tenancy import Tenant, bound
from tests.approvals.stepping import shown
from tests.conftest import make_user
from tests.scenes import scene
from treasury.models import Bank, BankAccount, LegalEntity
from treasury.services import static


@dataclass
class House:
    """An opened tenant: its people and one account."""

    tenant: UUID
    clerk: User
    admin: User
    checker: User
    manager: User
    manager2: User
    both: User
    maker: User
    account: BankAccount
    entity: LegalEntity
    bank: Bank

    def propose(self, who: User | None = None, **values: object) -> ChangeRequest:
        """Propose new terms of the account, as static data unless somebody else does."""
        maker = who or self.clerk
        with bound(self.tenant, actor=maker.pk):
            return propose_change(
                model="treasury.bankaccount",
                row_id=self.account.pk,
                values=values or {"min_balance": "250000"},
                maker=maker,
                reason="The bank asks for more.",
            )

    def decide(
        self, change: ChangeRequest, who: User | None = None, outcome: str = "APPROVE"
    ) -> ChangeRequest:
        """Decide on a change, as the checker unless somebody else does."""
        checker = who or self.checker
        found = selectors.request_of(subject_type="core.change", subject_id=change.pk)
        assert found is not None
        with bound(self.tenant, actor=checker.pk):
            services.decide(
                request_id=found.pk,
                checker=checker,
                outcome=outcome,
                content_hash=found.content_hash,
                version=1,
                reason="" if outcome == "APPROVE" else "Not agreed with the bank.",
                evidence=shown(checker, found.content_hash),
            )
        return ChangeRequest.objects.get(pk=change.pk)

    def balance(self) -> str:
        """Return the account's floor as it is stored."""
        return str(BankAccount.objects.get(pk=self.account.pk).min_balance)


def furnished(tenant: UUID) -> House:
    """Furnish a tenant, not yet opened."""
    services.install_default_rules()
    calendars.install_reference_calendars(years=(2026,))
    calendars.install_rails()
    entity = static.create_entity(
        entity=static.EntityIn(
            name="North Remit Limited", lei="529900T8BM49AURSDO55", town="London", country="GB"
        )
    )
    bank = static.create_bank(bic="DEUTDEFF", name="Example Bank")
    account = static.open_account(
        account=static.AccountIn(
            entity=entity,
            bank=bank,
            label="Euro operating",
            currency="EUR",
            number="DE89370400440532013000",
            timezone="Europe/Berlin",
        )
    )
    return House(
        tenant=tenant,
        clerk=make_user("clerk", "static_data"),
        admin=make_user("admin", "tenant_admin"),
        checker=make_user("checker", "treasury_checker"),
        manager=make_user("manager", "treasury_manager"),
        manager2=make_user("manager2", "treasury_manager"),
        both=make_user("both", "static_data", "treasury_checker"),
        maker=make_user("maker", "treasury_maker"),
        account=account,
        entity=entity,
        bank=bank,
    )


@scene
def house(tenant: Tenant) -> House:
    made = furnished(tenant.pk)
    open_tenant(actor=made.admin)
    return made
