"""Import rows of governed models from CSV: every problem with its line, all rows or none."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import IntegrityError, models, transaction

from core.changes.models import ChangeRequest
from core.changes.registry import Governed, governed
from core.changes.services import ROWS_MAX, named_row, propose_writes, write_values
from core.errors import DomainError, Invalid
from core.identity.models import User

FIRST_LINE: Final = 2
PROBLEMS_SHOWN_MAX: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with a line of the file."""

    line: int
    code: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}"


class ImportRefused(Invalid):
    """Some lines cannot be right; nothing was proposed. `problems` tells which."""

    code = "import_refused"

    def __init__(self, problems: Sequence[Problem]) -> None:
        shown = [str(one) for one in problems[:PROBLEMS_SHOWN_MAX]]
        super().__init__(f"{len(problems)} lines cannot be right.", problems=shown)
        self.problems = tuple(problems)


def propose_import(*, model: str, text: str, maker: User | None, reason: str) -> ChangeRequest:
    """Propose every row of a CSV file as one change; a named row that exists is changed.

    The first line names the fields. An empty cell leaves the field as it is.

    Raises:
        NotGoverned: model or field is not changed through change requests.
        ImportRefused: lines that cannot be right, each with its number.
        NothingChanges, ChangePending, ChangeRoleMissing: the proposal itself is refused.
    """
    known = governed(model)
    rows = list(_read(known, text))
    title = f"Import {known.label}: {len(rows)} rows"
    return propose_writes(run=lambda: _write(known, rows), maker=maker, reason=reason, title=title)


def _read(known: Governed, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(text.splitlines(), strict=True)
    names = [name.strip() for name in reader.fieldnames or ()]
    unknown = [name for name in names if name not in known.fields]
    if unknown or not names:
        allowed = ", ".join(known.fields)
        raise Invalid(f"The first line names fields among: {allowed}.", field="file")
    reader.fieldnames = names
    try:
        for line, row in enumerate(reader, start=FIRST_LINE):
            if line - FIRST_LINE >= ROWS_MAX:
                raise Invalid(f"A file has up to {ROWS_MAX} rows.", field="file")
            if None in row or None in row.values():
                raise ImportRefused(
                    [Problem(line=line, code="cells", message=f"It has not {len(names)} cells.")]
                )
            yield line, {name: cell.strip() for name, cell in row.items() if cell.strip()}
    except csv.Error as error:
        raise Invalid(f"The file is no CSV: {error}.", field="file") from error


def _write(known: Governed, rows: Sequence[tuple[int, dict[str, str]]]) -> None:
    """Write all rows, each undone alone when it is refused; refuse the whole when one is."""
    problems = []
    for line, values in rows:
        try:
            with transaction.atomic():
                write_values(known=known, row=_present(known, values), values=values)
        except DomainError as refusal:
            problems.append(Problem(line=line, code=refusal.code, message=refusal.message))
        except IntegrityError:
            words = "It collides with what is stored, or with another line."
            problems.append(Problem(line=line, code="collision", message=words))
    if problems:
        raise ImportRefused(problems)


def _present(known: Governed, values: dict[str, Any]) -> models.Model | None:
    """Return the row that the line names, or None for a new one."""
    name = values.get(known.known_by) if known.known_by else None
    if not name or not known.rows.filter(**{known.known_by: name}).exists():
        return None
    found: models.Model = named_row(model=known.model, name=name)
    return found
