"""Propose, apply, close and withdraw changes; open a tenant."""

import json
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar
from uuid import UUID

import structlog
from django.core.exceptions import ValidationError
from django.db import (
    DatabaseError,
    IntegrityError,
    ProgrammingError,
    connection,
    models,
    transaction,
)
from django.db.models import ProtectedError

from core import clock
from core.changes import port
from core.changes.drafting import Drafted, RowChange, draft, is_drafting
from core.changes.errors import (
    ChangeClosed,
    ChangeConflict,
    ChangePending,
    ChangeRoleMissing,
    ChangeUnknown,
    NotGoverned,
    NothingChanges,
    OpeningRefused,
)
from core.changes.models import REASON_LENGTH_MAX, ChangeRequest, Control, Operation
from core.changes.registry import Governed, Values, governed, governed_table
from core.changes.replaying import replay, sealed_key
from core.changes.selectors import name_of, opened
from core.errors import Forbidden, Invalid
from core.identity.models import User
from core.identity.roles import TENANT_ADMIN, TREASURY_CHECKER, TREASURY_MANAGER
from core.tenancy import Tenant, current_actor, current_tenant_id

log = structlog.get_logger(__name__)
T = TypeVar("T")
Row = TypeVar("Row", bound=models.Model)
ROWS_MAX: Final = 2_000
CHECKERS_MIN: Final = 2
_CLOSING_FIELDS: Final = ("state", "decided_at", "problem")


@transaction.atomic
def propose_change(
    *, model: str, row_id: UUID | str | None, values: Values, maker: User | None, reason: str
) -> ChangeRequest:
    """Propose to set `values` on a row, or to enter a new row when none is named.

    Raises:
        NotGoverned: model or field is not changed through change requests.
        ChangeRoleMissing: the maker's roles do not let them.
        Invalid: the values cannot be right, or no reason is given.
        NothingChanges: the row is like that already.
        ChangePending: another change of the row waits.
    """
    known = governed(model)
    _require_fields(known, values)
    found = _found(known, row_id) if row_id is not None else None
    return propose_writes(
        run=lambda: write_values(known=known, row=found, values=values), maker=maker, reason=reason
    )


@transaction.atomic
def propose_removal(
    *, model: str, row_id: UUID | str, maker: User | None, reason: str
) -> ChangeRequest:
    """Propose to remove a row.

    Raises:
        NotGoverned: the model is not changed through change requests.
        ChangeRoleMissing: the maker's roles do not let them.
        ChangePending: another change of the row waits.
        Invalid: other rows refer to it, or its kind is never removed.
    """
    known = governed(model)
    found = _found(known, row_id)
    return propose_writes(run=found.delete, maker=maker, reason=reason)


@transaction.atomic
def propose_writes(
    *, run: Callable[[], object], maker: User | None, reason: str, title: str = ""
) -> ChangeRequest:
    """Propose whatever governed rows `run` would write; nothing of it is written now.

    Raises:
        NothingChanges: it would write none.
        Invalid: no reason is given, too many rows, or the database does not allow it.
        ChangeRoleMissing: the maker's roles do not let them.
        ChangePending: another change of one of the rows waits.
    """
    try:
        drafted = draft(run)
    except ProtectedError as error:
        raise Invalid("Other rows refer to it.", field="row") from error
    except (IntegrityError, ProgrammingError) as error:
        raise Invalid("The database does not allow this.", field="row") from error
    if not drafted.rows:
        raise NothingChanges("This leaves everything as it is.")
    return propose_drafted(drafted=drafted, maker=maker, reason=reason, title=title)


@transaction.atomic
def propose_drafted(
    *, drafted: Drafted[T], maker: User | None, reason: str, title: str = ""
) -> ChangeRequest:
    """Put a draft before its checkers.

    Raises:
        Invalid: no reason is given, or too many rows.
        ChangeRoleMissing: the maker's roles do not let them.
        ChangePending: another change of one of the rows waits.
    """
    rows, why = drafted.rows, reason.strip()
    if not why or len(why) > REASON_LENGTH_MAX:
        raise Invalid(f"Say why, in up to {REASON_LENGTH_MAX} characters.", field="reason")
    if len(rows) > ROWS_MAX:
        raise Invalid(f"One change has up to {ROWS_MAX} rows.", field="rows")
    touched = {row.table: governed_table(row.table) for row in rows}
    _require_maker(maker, touched.values())
    _refuse_second(rows)
    change = _created(rows, touched, maker, why, title)
    port.desk().submit(
        port.ForApproval(
            change=change,
            content=content_of(change=change),
            parties=tuple(_parties(change, touched.values())),
        )
    )
    return change


def content_of(*, change: ChangeRequest) -> dict[str, Any]:
    """Return what is approved, as the database's guard composes it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT core_change_content(%s)::text", [change.pk])
        content: dict[str, Any] = json.loads(cursor.fetchone()[0])
    return content


def write_values(*, known: Governed, row: models.Model | None, values: Values) -> models.Model:
    """Write values to a row, or to a new one, with the checks of its room; used in drafts.

    Raises:
        Invalid: a value cannot be right.
    """
    if known.hooks.write is not None:
        return known.hooks.write(row, values)
    return save_values(row=row or known.model(), values=values)


def save_values(*, row: Row, values: Values) -> Row:
    """Set values as people write them, let the model check the row, and save it.

    Raises:
        Invalid: a value cannot be right.
    """
    set_values(row=row, values=values)
    if row._state.adding:  # noqa: SLF001 - Django's own flag
        row.save(force_insert=True)
    else:
        row.save(update_fields=list(values))
    return row


def set_values(*, row: Row, values: Values) -> Row:
    """Set values as people write them and let the model check the row.

    Raises:
        Invalid: a value cannot be right.
    """
    try:
        for name, value in values.items():
            _set(row, name, value)
        row.full_clean(exclude=["tenant", *_left_empty(row)])
    except ValidationError as error:
        raise Invalid(_in_words(error), field=next(iter(values), "")) from error
    return row


@transaction.atomic
def apply_change(*, change_id: UUID) -> ChangeRequest:
    """Put an approved change in force, inside the transaction that approved it.

    A change that does not fit any more fails with the reason; nothing else is lost by that.

    Raises:
        ChangeUnknown: there is no such change.
        ChangeClosed: it was decided before.
    """
    change = _waiting(change_id)
    try:
        with transaction.atomic():
            written = replay(change)
    except ChangeConflict as conflict:
        return _failed(change, conflict.message)
    except IntegrityError as error:
        log.warning("change_not_applied", change=str(change.pk), error=type(error).__name__)
        return _failed(change, "What is stored now does not allow it any more.")
    except DatabaseError as error:
        log.warning("change_not_applied", change=str(change.pk), error=type(error).__name__)
        return _failed(change, "The database refused it.")
    change.apply(at=clock.now())
    change.save(update_fields=_CLOSING_FIELDS)
    for row in written:
        applied = governed_table(row._meta.db_table).hooks.applied
        if applied is not None:
            applied(row)
    return change


@transaction.atomic
def close_change(*, change_id: UUID, is_rejected: bool, reason: str) -> ChangeRequest:
    """Note that a change was rejected or withdrawn.

    Raises:
        ChangeUnknown: there is no such change.
        ChangeClosed: it was decided before; what is in force is changed by another change.
    """
    change = _waiting(change_id)
    if is_rejected:
        change.reject(at=clock.now(), reason=reason)
    else:
        change.cancel(at=clock.now(), reason=reason)
    change.save(update_fields=_CLOSING_FIELDS)
    return change


@transaction.atomic
def withdraw_change(*, change_id: UUID, actor: User, reason: str = "") -> ChangeRequest:
    """Take back what one proposed.

    Raises:
        ChangeUnknown: there is no such change.
        ChangeClosed: it was decided before.
        Forbidden: somebody else proposed it.
    """
    change = _waiting(change_id)
    if change.maker is None or change.maker.person_number != actor.person_number:
        raise Forbidden("Only who proposed it may withdraw it.", change=str(change_id))
    port.desk().withdraw(change, actor, reason.strip() or "Withdrawn by its maker.")
    change.refresh_from_db()
    return change


@transaction.atomic
def open_tenant(*, actor: User | None) -> Tenant:
    """Put the bound tenant under four eyes, for good. `actor` None is provisioning.

    Raises:
        Forbidden: the actor does not administer the tenant.
        OpeningRefused: it is open, or too few people could ever approve a change.
    """
    if actor is not None and not actor.has_role(TENANT_ADMIN):
        raise Forbidden("Tenant administrators open a tenant.")
    tenant = Tenant.objects.select_for_update().get(pk=current_tenant_id())
    if tenant.opened_at is not None:
        raise OpeningRefused("This tenant is open already.")
    people = User.objects.filter(is_active=True, is_service=False)
    checkers = people.filter(groups__name__in=[TREASURY_CHECKER, TREASURY_MANAGER])
    persons = checkers.values("person_number").distinct().count()
    if persons < CHECKERS_MIN or not people.filter(groups__name=TREASURY_MANAGER).exists():
        raise OpeningRefused(
            "Changes need two people who may check, one of them a manager.", checkers=persons
        )
    tenant.opened_at = clock.now()
    tenant.save(update_fields=["opened_at"])
    return tenant


def write_or_propose(*, run: Callable[[], T], maker: User | None, reason: str) -> T | ChangeRequest:
    """Run a write at once while the tenant is not opened; propose it afterwards.

    Raises:
        NothingChanges: the tenant is open and nothing governed would be written.
        Invalid: no reason is given.
        ChangeRoleMissing: the maker's roles do not let them.
        ChangePending: another change of one of the rows waits.
    """
    if is_drafting() or not opened():
        return run()
    return propose_writes(run=run, maker=maker, reason=reason)


def _require_fields(known: Governed, values: Values) -> None:
    for name in values:
        if name not in known.fields:
            allowed = ", ".join(known.fields) or "none"
            raise NotGoverned(f"{name} of {known.label}: one of {allowed}.", field=name)


def _require_maker(maker: User | None, touched: Iterable[Governed]) -> None:
    if maker is None:
        return
    for known in touched:
        if not maker.has_role(*known.makers):
            raise ChangeRoleMissing(
                f"Changes of {known.label} are proposed by: {', '.join(known.makers)}.",
                model=known.target,
            )


def _refuse_second(rows: Iterable[RowChange]) -> None:
    with connection.cursor() as cursor:
        lock = f"change:{current_tenant_id()}"
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 11))", [lock])
    for row in rows:
        if row.operation == Operation.INSERT:
            continue
        waiting = ChangeRequest.objects.waiting().touching(row.table, row.id).first()
        if waiting is not None:
            raise ChangePending(
                f"{waiting.title} waits for approval already.", change=str(waiting.pk)
            )


def _created(
    rows: tuple[RowChange, ...],
    touched: dict[str, Governed],
    maker: User | None,
    reason: str,
    title: str,
) -> ChangeRequest:
    first = touched[rows[0].table]
    strictest = Control.CONTROL in {known.action for known in touched.values()}
    sealed = {
        sealed_key(row.table, row.id, column): text
        for row in rows
        for column, text in row.sealed.items()
    }
    return ChangeRequest.objects.create(
        target=first.target,
        row_id=rows[0].id,
        operation=rows[0].operation,
        action=Control.CONTROL if strictest else Control.STATIC_DATA,
        title=(title or _title(rows, first))[: ChangeRequest._meta.get_field("title").max_length],
        rows=[row.as_json() for row in rows],
        sealed=sealed,
        reason=reason,
        maker=maker,
        maker_label=maker.display_name if maker else current_actor(),
        proposed_at=clock.now(),
    )


def _title(rows: tuple[RowChange, ...], first: Governed) -> str:
    label = first.label
    word = {"INSERT": "New", "UPDATE": "Change", "DELETE": "Remove"}[rows[0].operation]
    name = name_of(rows[0].as_json())
    more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
    return f"{word} {label}: {name}{more}"


def _parties(change: ChangeRequest, touched: Iterable[Governed]) -> list[User]:
    found: dict[UUID, User] = {}
    for known in touched:
        if known.hooks.parties is not None:
            found |= {user.pk: user for user in known.hooks.parties(change)}
    return list(found.values())


def _found(known: Governed, row_id: UUID | str) -> models.Model:
    rows = known.rows
    try:
        wanted: models.Q = models.Q(pk=UUID(str(row_id)))
    except ValueError:
        if not known.known_by:
            raise NotGoverned(f"{row_id} is no id.", field="row") from None
        wanted = models.Q(**{known.known_by: row_id})
    found = rows.filter(wanted)[:2]
    if len(found) != 1:
        raise ChangeUnknown(f"There is no {known.label} {row_id}.", field="row")
    row: models.Model = found[0]
    return row


def _set(row: models.Model, name: str, value: Any) -> None:
    """Set a field from a value as people write it; rows of governed models by their name."""
    column = row._meta.get_field(name)
    if not isinstance(column, models.ForeignKey):
        cleaned = column.clean(None if value == "" and column.null else value, row)  # type: ignore[union-attr]
        setattr(row, name, cleaned)
        return
    if value in (None, ""):
        setattr(row, name, None)
    elif isinstance(value, models.Model):
        setattr(row, name, value)
    else:
        setattr(row, name, named_row(model=column.related_model, name=value))


def named_row(*, model: Any, name: str) -> Any:
    """Return the row of a governed model that people name like this.

    Raises:
        ChangeUnknown: there is none.
        NotGoverned: the model has no name to find rows by.
    """
    return _found(governed_table(model._meta.db_table), name)


def _left_empty(row: models.Model) -> list[str]:
    """Return the fields that may be null and are: forms would ask for some of them."""
    columns = row._meta.local_fields
    return [one.name for one in columns if one.null and getattr(row, one.attname) is None]


def _in_words(error: ValidationError) -> str:
    if hasattr(error, "message_dict"):
        return " ".join(
            f"{name}: {' '.join(texts)}" if name != "__all__" else " ".join(texts)
            for name, texts in error.message_dict.items()
        )
    return " ".join(error.messages)


def _waiting(change_id: UUID) -> ChangeRequest:
    change = ChangeRequest.objects.locked().filter(pk=change_id).first()
    if change is None:
        raise ChangeUnknown("There is no such change.", change=str(change_id))
    if not change.is_waiting:
        raise ChangeClosed(f"This change is {change.get_state_display()}.", state=change.state)
    return change


def _failed(change: ChangeRequest, problem: str) -> ChangeRequest:
    change.fail(at=clock.now(), problem=problem)
    change.save(update_fields=_CLOSING_FIELDS)
    return change
