"""Watch the exposure: what is out of bounds is told once for each currency and day."""

from datetime import UTC, datetime
from typing import Final

import structlog
from django.db import transaction

from core.errors import DomainError
from core.events import publish
from fx.engine.pairs import USD
from fx.engine.quotes import PERCENT
from fx.events import ExposureBreached
from fx.models import ExposureAlarm, ExposureAlarmKind
from fx.selectors import exposure as reads
from fx.selectors import rates
from fx.selectors.exposure import Board
from treasury.services.news import raise_alert

logger = structlog.get_logger(__name__)
_SEVERITY: Final = {ExposureAlarmKind.BREACH: "high", ExposureAlarmKind.OVERHEDGED: "medium"}


@transaction.atomic
def watch_exposure(*, now: datetime) -> list[ExposureAlarm]:
    """Raise the alarms that are due and were not raised for their day; return the new ones.

    Nothing is ever dealt from here: a person decides, and another one approves.
    """
    raised: list[ExposureAlarm] = []
    for currency in rates.currencies():
        if currency == USD:
            continue
        try:
            board = reads.of_currency(currency, now=now)
        except DomainError as refusal:  # a calendar that ends stops no other currency
            logger.warning("exposure_unknown", currency=currency, code=refusal.code)
            continue
        if board.is_breached:
            raised += _raised(board, ExposureAlarmKind.BREACH, now)
        if board.is_overhedged:
            raised += _raised(board, ExposureAlarmKind.OVERHEDGED, now)
    return raised


def _raised(board: Board, kind: ExposureAlarmKind, now: datetime) -> list[ExposureAlarm]:
    found = board.exposure
    is_breach = kind is ExposureAlarmKind.BREACH
    row = ExposureAlarm(
        kind=kind,
        currency=board.currency,
        day=board.cap.day,
        required=found.required,
        prefunded=found.prefunded,
        hedged=found.hedged,
        open_amount=found.open,
        share=found.share if is_breach else found.over,
        limit_share=board.limit,
        raised_at=now,
    )
    ExposureAlarm.objects.bulk_create([row], ignore_conflicts=True)
    if not ExposureAlarm.objects.filter(pk=row.pk).exists():  # told before
        return []
    if is_breach:
        _publish(board, now)
    raise_alert(
        kind=f"fx_exposure_{kind.lower()}",
        severity=_SEVERITY[kind],
        subject_type="fx.exposure",
        subject_id=row.pk,
        title=f"{board.currency}: {kind.label}",
        detail=_words(board),
    )
    return [row]


def _publish(board: Board, now: datetime) -> None:
    found = board.exposure
    publish(
        ExposureBreached(
            currency=board.currency,
            day=board.cap.day,
            required=found.required,
            prefunded=found.prefunded,
            hedged=found.hedged,
            open=found.open,
            pct=found.share,
            limit_pct=board.limit,
            cap_time_utc=board.cap.at.astimezone(UTC),
            at=now,
        )
    )


def _words(board: Board) -> str:
    found = board.exposure
    return (
        f"Until {board.cap.until} {found.required:,.2f} {board.currency} are needed,"
        f" {found.prefunded:,.2f} are there and {found.hedged:,.2f} were bought:"
        f" {found.open:,.2f} are open, {found.share * PERCENT:.2f} % of the need"
        f" (allowed: {board.limit * PERCENT:.2f} %)."
    )
