"""What is governed: rooms name their models here, so that the ground floor knows none."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from django.db import models

from core.changes.errors import NotGoverned
from core.changes.models import Control
from core.identity.roles import RISK_OFFICER, STATIC_DATA, TENANT_ADMIN, TREASURY_MANAGER

if TYPE_CHECKING:
    from core.changes.models import ChangeRequest
    from core.identity.models import User

Values = Mapping[str, Any]
MAKERS: Final = {
    Control.STATIC_DATA: (STATIC_DATA, TENANT_ADMIN),
    Control.CONTROL: (TENANT_ADMIN, RISK_OFFICER, TREASURY_MANAGER),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a change would have done to the past: a sentence, and one line per case."""

    summary: str
    lines: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What a room adds to the changes of its model.

    `write` turns values into a row (None: a new one) with the room's own checks; without it the
    values are set, checked by the model and saved. `applied` announces a row in force. `parties`
    names people who may not approve the change, because it is about them. `name` calls a row by
    its columns, where the model's own text does not help. `preview` replays a change.
    """

    write: Callable[[models.Model | None, Values], models.Model] | None = None
    applied: Callable[[models.Model], None] | None = None
    parties: Callable[["ChangeRequest"], Iterable["User"]] | None = None
    name: Callable[[Values], str] | None = None
    preview: Callable[["ChangeRequest"], Preview | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Governed:
    """A model under four eyes: which fields values may name, and what finds a row by name.

    `stamped` columns are written by the database itself and belong to no change.
    """

    model: type[models.Model]
    fields: tuple[str, ...]
    action: Control
    label: str
    known_by: str = ""
    hooks: Hooks = field(default_factory=Hooks)
    stamped: frozenset[str] = frozenset()

    @property
    def target(self) -> str:
        """Return the model's label, like `treasury.bankaccount`."""
        return self.model._meta.label_lower

    @property
    def table(self) -> str:
        """Return the model's table."""
        return self.model._meta.db_table

    @property
    def columns(self) -> dict[str, models.Field[Any, Any]]:
        """Return the model's fields by column."""
        return {str(one.column): one for one in self.model._meta.local_fields}

    @property
    def rows(self) -> models.QuerySet[Any]:
        """Return the model's rows."""
        return rows_of(self.model)

    @property
    def makers(self) -> tuple[str, ...]:
        """Return the roles that may propose changes of it."""
        return MAKERS[self.action]


def rows_of(model: type[models.Model]) -> models.QuerySet[Any]:
    """Return a model's rows, whatever its own managers leave out."""
    return model._base_manager.all()  # noqa: SLF001 - Django's documented way around them


_by_table: dict[str, Governed] = {}


def govern(  # noqa: PLR0913 - a declaration, all by keyword
    model: type[models.Model],
    *,
    fields: Sequence[str] = (),
    action: str = Control.STATIC_DATA,
    label: str = "",
    known_by: str = "",
    hooks: Hooks | None = None,
    stamped: Sequence[str] = (),
) -> None:
    """Put a model under four eyes; its table carries `operations.Governed` in a migration.

    `fields` may be named by API, command line and import; `known_by` is the unique field by
    which people name a row there. `stamped` columns are the database's own, here and there.
    """
    _by_table[model._meta.db_table] = Governed(
        model=model,
        fields=tuple(fields),
        action=Control(action),
        label=label or str(model._meta.verbose_name),
        known_by=known_by,
        hooks=hooks or Hooks(),
        stamped=frozenset(stamped),
    )


_policy_previews: dict[str, Callable[["ChangeRequest"], Preview | None]] = {}


def preview_policy(key: str, preview: Callable[["ChangeRequest"], Preview | None]) -> None:
    """Name what replays a change of the policy of that key."""
    _policy_previews[key] = preview


def policy_preview(key: str) -> Callable[["ChangeRequest"], Preview | None] | None:
    """Return what replays a change of a policy, or None."""
    return _policy_previews.get(key)


def governed_models() -> list[Governed]:
    """Return everything that is governed, by target."""
    return sorted(_by_table.values(), key=lambda one: one.target)


def governed_table(table: str) -> Governed:
    """Return what is known about a governed table.

    Raises:
        NotGoverned: no room put it under four eyes.
    """
    if table not in _by_table:
        raise NotGoverned(f"{table} is not changed through change requests.", field="model")
    return _by_table[table]


def governed(target: str) -> Governed:
    """Return what is known about a model, named by its label or its bare name.

    Raises:
        NotGoverned: no room put it under four eyes.
    """
    wanted = target.lower()
    for one in _by_table.values():
        if wanted in (one.target, one.model._meta.model_name):
            return one
    raise NotGoverned(f"{target} is not changed through change requests.", field="model")
