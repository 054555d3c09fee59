"""Long lists on the desk: asked for with a form, cut by key instead of by count, handed out as CSV.

A page of a list costs the same wherever it lies: the next one begins after the last key of this
one, and nobody counts what nobody looks at.
"""

import csv
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from typing import Any, Final, Generic, TypeVar

from django import forms
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import cached_property

from core.errors import Invalid

M = TypeVar("M", bound=Model)
PAGE_ROWS: Final = 50
EXPORT_ROWS_MAX: Final = 50_000
CURSOR_CHARS_MAX: Final = 400
COUNTED_MAX: Final = 10_000
YEAR_MIN: Final = 1900
YEAR_MAX: Final = 2999
# What a spreadsheet would take for a formula.
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[M]):
    """One list: what it is asked with, how it is read and shown, and what its CSV holds.

    `rows` turns the cleaned answers of `form` into a queryset and the keys that order it, each
    descending, the last one unique. `table` is the template of the rows, `page` that around it.
    """

    name: str
    form: type[forms.Form]
    rows: Callable[[Mapping[str, Any]], tuple[QuerySet[M], tuple[str, ...]]]
    page: str
    table: str
    columns: Mapping[str, Callable[[M], object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice(Generic[M]):
    """One page of a list; `older` is where the next one begins, empty on the last."""

    rows: list[M]
    older: str
    is_first: bool


def listed(request: HttpRequest, listing: Listing[M], **more: object) -> HttpResponse:
    """Answer with a page of the list, with its rows alone (htmx), or with its CSV (`?as=csv`).

    A filter that cannot be right is named at its field, and the list stays empty until it is.
    """
    form = listing.form(request.GET)
    if not form.is_valid():
        return render(request, listing.page, {"form": form, "slice": None, **more}, status=422)
    rows, by = listing.rows(form.cleaned_data)
    if request.GET.get("as") == "csv":
        return as_csv(rows.order_by(*_descending(by)), listing.columns, name=listing.name)
    asked = request.GET.copy()
    after = "".join(asked.pop("after", []))
    found = slice_of(rows, by=by, after=after)
    context = {
        "form": form,
        "slice": found,
        "rows": found.rows,
        "asked": asked.urlencode(),
        "is_filtered": any(form.cleaned_data[field.name] for field in form.visible_fields()),
        **more,
    }
    whole = request.headers.get("HX-Request") != "true"
    return render(request, listing.page if whole else listing.table, context)


def slice_of(
    rows: QuerySet[M], *, by: tuple[str, ...], after: str = "", size: int = PAGE_ROWS
) -> Slice[M]:
    """Return the `size` rows that follow the cursor `after` in descending order of `by`.

    Raises:
        Invalid: the cursor is none of ours.
    """
    if after:
        rows = _rows_behind(rows, by, after)
    found = list(rows.order_by(*_descending(by))[: size + 1])
    older = _cursor(found[size - 1], by) if len(found) > size else ""
    return Slice(rows=found[:size], older=older, is_first=not after)


def as_csv(
    rows: QuerySet[M], columns: Mapping[str, Callable[[M], object]], *, name: str
) -> HttpResponse:
    """Return the rows as CSV; no cell can begin a formula.

    Raises:
        Invalid: more than 50,000 rows.
    """
    found = list(rows[: EXPORT_ROWS_MAX + 1])
    if len(found) > EXPORT_ROWS_MAX:
        raise Invalid(
            f"These are more than {EXPORT_ROWS_MAX:,} rows. Narrow the filter, by dates for"
            " example, and export again.",
            field="as",
        )
    lines = ([read(row) for read in columns.values()] for row in found)
    return csv_answer(columns, lines, name=name)


def csv_answer(
    heads: Iterable[str], lines: Iterable[Iterable[object]], *, name: str
) -> HttpResponse:
    """Return lines as a CSV download; no cell can begin a formula."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(heads)
    writer.writerows([cell(value) for value in line] for line in lines)
    answer = HttpResponse(out.getvalue(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return answer


def cell(value: object) -> str:
    """Return a value as a cell: instants in UTC, numbers as they are, texts never as formulas."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date | int):
        return str(value)
    words = str(value)
    return f"'{words}" if words.startswith(_FORMULA_STARTS) else words


def _descending(by: tuple[str, ...]) -> list[str]:
    return [f"-{name}" for name in by]


def _rows_behind(rows: QuerySet[M], by: tuple[str, ...], after: str) -> QuerySet[M]:
    try:
        return rows.filter(_behind(by, _read_cursor(after, by)))
    except (ValueError, TypeError, ValidationError):
        message = "This page of the list is none of ours; begin at the first."
        raise Invalid(message, field="after") from None


def _behind(by: tuple[str, ...], values: list[Any]) -> Q:
    """Return the condition that a row comes after the cursor; its first part can use an index."""
    found = Q(**{f"{by[0]}__lte": values[0]}) if len(by) > 1 else Q()
    later = Q()
    same: dict[str, Any] = {}
    for name, value in zip(by, values, strict=True):
        later |= Q(**same, **{f"{name}__lt": value})
        same[name] = value
    return found & later


def _cursor(row: Model, by: tuple[str, ...]) -> str:
    values = [str(getattr(row, name)) for name in by]
    return urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def _read_cursor(text: str, by: tuple[str, ...]) -> list[Any]:
    padded = text[:CURSOR_CHARS_MAX] + "=" * (-len(text) % 4)
    values = json.loads(urlsafe_b64decode(padded))
    if len(values) != len(by) or not all(isinstance(value, str) for value in values):
        raise ValueError(text)
    return list(values)


def text_asked(request: HttpRequest, name: str, *, chars_max: int = 200) -> str:
    """Return a text of the address, without the one character that the database cannot hold."""
    return request.GET.get(name, "").replace("\0", "")[:chars_max]


def day_asked(request: HttpRequest, name: str) -> date | None:
    """Return a day of the address; None without one.

    Raises:
        Invalid: it is no day, or so far away that nothing can be reckoned from it.
    """
    text = request.GET.get(name, "")
    return day_written(text, field=name) if text else None


def day_written(text: str, *, field: str) -> date:
    """Return the day that somebody wrote.

    Raises:
        Invalid: it is no day, or so far away that nothing can be reckoned from it.
    """
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise Invalid("Write the day as 2026-11-23.", field=field) from None
    if not YEAR_MIN <= found.year <= YEAR_MAX:
        raise Invalid(f"Choose a day between {YEAR_MIN} and {YEAR_MAX}.", field=field)
    return found


class BoundedPaginator(Paginator[Any]):
    """A paginator that stops counting where nobody turns pages any more."""

    @cached_property
    def count(self) -> int:
        """Return how many rows there are, but at most 10,000."""
        rows = self.object_list
        if isinstance(rows, QuerySet):
            return rows.order_by()[:COUNTED_MAX].count()
        return len(rows)


class FilterForm(forms.Form):
    """Questions to a list: every answer is optional, and trimmed."""

    required_css_class = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.required = False

    def clean(self) -> dict[str, Any]:
        """Refuse a period that ends before it begins."""
        found = dict(super().clean() or {})
        since, until = found.get("since"), found.get("until")
        if since and until and until < since:
            raise ValidationError({"until": "This is before the first day."})
        return found


def day_field(label: str) -> forms.DateField:
    """Return a field that takes a day, written as the browser writes it."""
    return forms.DateField(
        label=label,
        widget=forms.DateInput(attrs={"type": "date"}),
        error_messages={"invalid": "Write the day as 2026-11-23."},
    )
