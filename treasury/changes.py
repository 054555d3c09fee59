"""What the treasury puts under four eyes, and how values become its rows."""

from dataclasses import MISSING, fields
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import models

from core.changes.models import Control
from core.changes.registry import Hooks, Values, govern
from core.changes.services import named_row, set_values
from core.errors import Invalid
from treasury.models import (
    Bank,
    BankAccount,
    CashPool,
    CashPoolMember,
    LegalEntity,
    SweepEligibility,
    SweepLine,
    SweepMandate,
    SweepProduct,
)
from treasury.services import pools, static, sweeps

GOVERNED = (
    LegalEntity, Bank, BankAccount, SweepProduct, SweepEligibility, SweepMandate, SweepLine,
    CashPool, CashPoolMember,
)  # fmt: skip
GUARDS = frozenset(f"{model._meta.db_table}.governed" for model in GOVERNED)
AMOUNTS = ("min_balance", "required_collateral", "overdraft_limit")
TERMS = tuple(one.name for one in fields(static.AccountTerms))
OPENING = tuple(one.name for one in fields(static.AccountIn))


def write_entity(row: models.Model | None, values: Values) -> models.Model:
    """Record one of our companies, or correct it.

    Raises:
        Invalid: a value cannot be right, or one is missing.
    """
    if isinstance(row, LegalEntity):
        return static.correct_entity(entity=set_values(row=row, values=values))
    return static.create_entity(entity=_built(static.EntityIn, _typed(values)))


def write_bank(row: models.Model | None, values: Values) -> models.Model:
    """Record a bank, or correct it.

    Raises:
        Invalid: a value cannot be right, or one is missing.
    """
    if isinstance(row, Bank):
        if values.get("bic", row.bic) != row.bic:
            raise Invalid("A bank keeps its BIC: messages name it.", field="bic")
        return static.correct_bank(bank=set_values(row=row, values=values))
    for name in ("bic", "name"):
        if not values.get(name):
            raise Invalid(f"{name} is missing.", field=name)
    return static.create_bank(**{name: str(value) for name, value in values.items()})


def write_account(row: models.Model | None, values: Values) -> models.Model:
    """Open an account, or change the terms of an open one; numbers never change.

    Raises:
        Invalid: a value cannot be right, or one is missing.
    """
    facts = _typed(values)
    if not isinstance(row, BankAccount):
        facts["entity"] = _row(LegalEntity, facts.get("entity"))
        facts["bank"] = _row(Bank, facts.get("bank"))
        return static.open_account(account=_built(static.AccountIn, facts))
    fixed = set(facts) - set(TERMS)
    if fixed:
        raise Invalid(f"{min(fixed)} of an open account does not change.", field=min(fixed))
    terms = {name: getattr(row, name) for name in TERMS} | facts
    return static.change_terms(account_id=row.pk, terms=static.AccountTerms(**terms))


def write_product(row: models.Model | None, values: Values) -> models.Model:
    """Record a product, or correct it.

    Raises:
        Invalid: a value cannot be right, or one is missing.
    """
    held = row if isinstance(row, SweepProduct) else SweepProduct()
    if row is not None and values.get("code", held.code) != held.code:
        raise Invalid("A product keeps its code: orders name it.", field="code")
    return sweeps.save_product(product=set_values(row=held, values=values))


def write_mandate(row: models.Model | None, values: Values) -> models.Model:
    """Record a mandate, or change its terms.

    Raises:
        Invalid: a value cannot be right, or one is missing.
    """
    held = row if isinstance(row, SweepMandate) else SweepMandate()
    return sweeps.save_mandate(mandate=set_values(row=held, values=values))


def write_pool(row: models.Model | None, values: Values) -> models.Model:
    """Record a cash pool, or change its terms.

    Raises:
        Invalid: a value cannot be right.
    """
    held = row if isinstance(row, CashPool) else CashPool()
    for name in ("code", "kind", "currency") if row is not None else ():
        if values.get(name, getattr(held, name)) != getattr(held, name):
            raise Invalid(f"A pool keeps its {name}: its runs rest on it.", field=name)
    return pools.save_pool(pool=set_values(row=held, values=values))


def write_member(row: models.Model | None, values: Values) -> models.Model:
    """Put an account into a cash pool, or change how it is kept there.

    Raises:
        Invalid: a value cannot be right, or pool or account is missing.
    """
    held = row if isinstance(row, CashPoolMember) else CashPoolMember()
    for name in ("pool", "account"):
        if row is None and not values.get(name):
            raise Invalid(f"{name} is missing.", field=name)
    set_values(row=held, values=values)
    if row is not None and {"pool", "account"} & set(values):
        raise Invalid("A member keeps its pool and account.", field="account")
    return pools.save_member(member=held)


def write_line(row: models.Model | None, values: Values) -> models.Model:
    """Record a line that sweeps are paid through, or change it.

    Raises:
        Invalid: a value cannot be right, or one is missing.
        PreflightFailed: the bank would refuse its orders; all reasons in words.
    """
    held = row if isinstance(row, SweepLine) else SweepLine()
    return sweeps.save_line(line=set_values(row=held, values=values))


def _row(model: Any, given: Any) -> Any:
    return given if isinstance(given, model) else named_row(model=model, name=str(given or ""))


def _typed(values: Values) -> dict[str, Any]:
    facts = dict(values)
    for name in AMOUNTS:
        if name in facts:
            facts[name] = _decimal(name, facts[name])
    if "statement_hours_expected" in facts:
        hours = str(facts["statement_hours_expected"])
        if not hours.isdigit():
            raise Invalid(f"{hours} is not a number of hours.", field="statement_hours_expected")
        facts["statement_hours_expected"] = int(hours)
    if "closed_until" in facts:
        facts["closed_until"] = _day("closed_until", facts["closed_until"])
    if "is_active" in facts:
        facts["is_active"] = str(facts["is_active"]).lower() in ("true", "1", "yes", "on")
    return facts


def _day(name: str, given: Any) -> date | None:
    try:
        return date.fromisoformat(str(given)) if given else None
    except ValueError as error:
        raise Invalid(f"{given} is not a day like 2026-11-23.", field=name) from error


def _decimal(name: str, given: Any) -> Decimal:
    try:
        return Decimal(str(given))
    except InvalidOperation as error:
        raise Invalid(f"{given} is not an amount.", field=name) from error


def _built(shape: Any, values: Values) -> Any:
    needed = [one.name for one in fields(shape) if one.default is MISSING]
    for name in needed:
        if values.get(name) in (None, ""):
            raise Invalid(f"{name} is missing.", field=name)
    return shape(**values)


def govern_static_data() -> None:
    """Name what this room governs."""
    govern(
        LegalEntity,
        fields=(
            "name",
            "lei",
            "street",
            "building_number",
            "post_code",
            "town",
            "country",
            "closed_until",
        ),
        known_by="name",
        hooks=Hooks(write=write_entity),
    )
    govern(
        Bank,
        fields=("bic", "name", "country", "connection"),
        known_by="bic",
        hooks=Hooks(write=write_bank),
    )
    govern(
        BankAccount,
        fields=tuple(dict.fromkeys((*OPENING, *TERMS))),
        label="account",
        known_by="label",
        hooks=Hooks(write=write_account),
        stamped=("changed_at", "changed_by_id"),
    )
    govern(
        SweepProduct,
        fields=tuple(
            one.name for one in SweepProduct._meta.local_fields if one.name not in ("id", "tenant")
        ),
        known_by="code",
        hooks=Hooks(write=write_product),
    )
    govern(SweepEligibility, fields=("product", "entity"))
    govern(
        SweepMandate,
        fields=tuple(
            one.name for one in SweepMandate._meta.local_fields if one.name not in ("id", "tenant")
        ),
        action=Control.CONTROL,
        known_by="name",
        hooks=Hooks(write=write_mandate),
    )
    _govern_pools()


def _govern_pools() -> None:
    govern(
        CashPool,
        fields=_own_fields(CashPool),
        action=Control.CONTROL,
        known_by="code",
        hooks=Hooks(write=write_pool),
    )
    govern(
        CashPoolMember,
        fields=_own_fields(CashPoolMember),
        action=Control.CONTROL,
        hooks=Hooks(write=write_member),
    )
    govern(
        SweepLine,
        fields=tuple(one for one in _own_fields(SweepLine) if one != "ends"),
        action=Control.CONTROL,
        known_by="name",
        hooks=Hooks(write=write_line),
    )


def _own_fields(model: type[models.Model]) -> tuple[str, ...]:
    return tuple(one.name for one in model._meta.local_fields if one.name not in ("id", "tenant"))
