"""Whom the demo company may pay besides its own accounts.

Account numbers are the published examples of the IBAN registry and made-up local numbers; they
belong to nobody. One name is in letters that most rails do not carry, so that the readiness page
has something to show; two wait for the second person who verifies them.
"""

from typing import Final

from core.identity.models import User
from core.tenancy import bound, current_tenant_id
from treasury.services import beneficiaries
from treasury.services.beneficiaries import BeneficiaryIn

KEEPER: Final = "staticdata"
VERIFIER: Final = "backoffice"
FUND: Final = "Example Government Money Fund"

VERIFIED: Final = (
    BeneficiaryIn(
        name="Example Office Rent Limited", number="GB29NWBK60161331926819",
        bank_bic="NWBKGB2L", bank_name="Example bank in London", currency="GBP",
        street="High Street", building_number="7", post_code="SW1A 1AA", town="London",
        country="GB", payment_purpose="RENT",
    ),
    BeneficiaryIn(
        name="Beispiel Rechenzentrum GmbH", number="DE89370400440532013000",
        bank_bic="COBADEFF", bank_name="Example bank in Köln", currency="EUR",
        street="Musterstraße", building_number="12", post_code="50667", town="Köln",
        country="DE", payment_purpose="SUPP",
    ),
    BeneficiaryIn(
        name="Voorbeeld Verzekering B.V.", number="NL91ABNA0417164300",
        bank_bic="ABNANL2A", bank_name="Example bank in Amsterdam", currency="EUR",
        street="Voorbeeldweg", building_number="3", post_code="1011 AB", town="Amsterdam",
        country="NL", payment_purpose="INSU",
    ),
    BeneficiaryIn(
        name="Example Exchange House LLC", number="AE070331234567890123456",
        bank_bic="EBILAEAD", bank_name="Example bank in Dubai", currency="AED",
        street="Sample Road", building_number="21", town="Dubai", country="AE",
        payment_purpose="FIS",
    ),
    BeneficiaryIn(
        name="Example Card Services Inc.", number="000123456789", clearing_code="021000021",
        bank_bic="CHASUS33", bank_name="Example bank in New York", currency="USD",
        street="Example Avenue", building_number="100", post_code="10017", town="New York",
        country="US", payment_purpose="SUPP",
    ),
    BeneficiaryIn(
        name=FUND, number="000987654321", clearing_code="026009593",
        bank_bic="BOFAUS3N", bank_name="Example bank in New York", currency="USD",
        street="Example Square", building_number="1", post_code="10036", town="New York",
        country="US", payment_purpose="TREA",
    ),
    BeneficiaryIn(
        name="Example Payout Partner Private Limited", number="000405001234",
        clearing_code="ICIC0000004", bank_bic="ICICINBB", bank_name="Example bank in Mumbai",
        currency="INR", street="Sample Marg", building_number="5", post_code="400001",
        town="Mumbai", country="IN", payment_purpose="P1301",
    ),
)  # fmt: skip
NOT_VERIFIED: Final = (
    BeneficiaryIn(
        name="Exemple Conseil SARL", number="FR1420041010050500013M02606",
        bank_bic="PSSTFRPP", bank_name="Example bank in Paris", currency="EUR",
        town="Paris", country="FR",
    ),
    BeneficiaryIn(
        name="شركة المثال للتجارة", number="AE050330000010191000000",
        bank_bic="BOMLAEAD", bank_name="Example bank in Dubai", currency="AED",
        town="Dubai", country="AE", payment_purpose="SAL",
    ),
)  # fmt: skip


def make_payees() -> None:
    """Put them on the bound tenant's list; one person writes, another verifies."""
    tenant = current_tenant_id()
    keeper, verifier = (
        User.objects.get(username__startswith=f"{name}@") for name in (KEEPER, VERIFIER)
    )
    with bound(tenant, actor=keeper.pk, reason="a demo tenant"):
        made = [
            beneficiaries.create_beneficiary(beneficiary=wish, actor=keeper)
            for wish in (*VERIFIED, *NOT_VERIFIED)
        ]
    with bound(tenant, actor=verifier.pk, reason="called back"):
        for row in made[: len(VERIFIED)]:
            beneficiaries.verify_beneficiary(beneficiary_id=row.pk, actor=verifier)
