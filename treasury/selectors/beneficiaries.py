"""Reads of beneficiaries."""

from uuid import UUID

from django.db.models import QuerySet

from core.errors import NotFound
from treasury.models import Beneficiary, BeneficiaryState


def beneficiaries() -> QuerySet[Beneficiary]:
    """Return all beneficiaries with who changed and verified them."""
    return Beneficiary.objects.select_related("changed_by", "verified_by")


def listed() -> QuerySet[Beneficiary]:
    """Return those that stand on the list; typed-in ones do not."""
    return beneficiaries().filter(is_typed_in=False)


def payable() -> QuerySet[Beneficiary]:
    """Return those on the list that may be paid."""
    return listed().filter(state=BeneficiaryState.ACTIVE)


def beneficiary(beneficiary_id: UUID) -> Beneficiary:
    """Return one beneficiary.

    Raises:
        NotFound: no such beneficiary.
    """
    found = beneficiaries().filter(pk=beneficiary_id).first()
    if found is None:
        raise NotFound("There is no such beneficiary.", field="beneficiary")
    return found
