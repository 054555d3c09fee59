"""Watch the rates: a pair nobody has a fresh price of, and sources that disagree, ring once."""

from datetime import datetime
from typing import Final

from django.db import transaction

from core import policies
from fx.engine import quotes
from fx.engine.pairs import Pair
from fx.engine.quotes import Quote
from fx.models import AlarmKind, RateAlarm
from fx.policies import FX_DISAGREEMENT_PCT
from fx.selectors import rates as reads
from treasury.services.news import raise_alert

_SEVERITY: Final = {AlarmKind.STALE: "high", AlarmKind.DISAGREE: "medium"}


@transaction.atomic
def watch_rates(*, now: datetime) -> list[RateAlarm]:
    """Open the alarms that are due, close those that are not any more; return the new ones."""
    standing = {(one.kind, one.pair): one for one in reads.open_alarms().select_for_update()}
    due = _due(now)
    for key, alarm in standing.items():
        if key not in due:
            alarm.closed_at = now
            alarm.save(update_fields=["closed_at"])
    return [_opened(key, words, now) for key, words in due.items() if key not in standing]


def _due(now: datetime) -> dict[tuple[str, str], str]:
    due: dict[tuple[str, str], str] = {}
    tolerance = policies.get(FX_DISAGREEMENT_PCT)
    for row in reads.board(now=now):
        pair = str(row.pair)
        if row.quote is None:
            due[AlarmKind.STALE, pair] = (
                f"No source has a fresh rate for {pair}; what needs one is refused."
            )
            continue
        apart = quotes.disagreements((row.quote, *row.others), tolerance=tolerance)
        if apart:
            due[AlarmKind.DISAGREE, pair] = _words(row.pair, *apart[0])
    return due


def _words(pair: Pair, one: Quote, other: Quote) -> str:
    return (
        f"{'/'.join(one.sources)} says {quotes.rounded_rate(one.mid, pair):f},"
        f" {'/'.join(other.sources)} says {quotes.rounded_rate(other.mid, pair):f}:"
        f" {quotes.apart(other.mid, one.mid) * quotes.PERCENT:.2f} % apart."
    )


def _opened(key: tuple[str, str], words: str, now: datetime) -> RateAlarm:
    kind, pair = key
    alarm = RateAlarm.objects.create(kind=kind, pair=pair, words=words, opened_at=now)
    raise_alert(
        kind=f"rate_{kind.lower()}",
        severity=_SEVERITY[AlarmKind(kind)],
        subject_type="fx.rate",
        subject_id=alarm.pk,
        title=f"{pair}: {alarm.get_kind_display()}",
        detail=words,
    )
    return alarm
