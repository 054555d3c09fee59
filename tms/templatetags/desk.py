"""How figures, states and times look on every page: `{% load desk %}`."""

from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.money import Money, minor_units
from core.policies.standing import readable

register = template.Library()

_MINUS: Final = "\u2212"
_DASH: Final = "\u2013"

# Tone and icon of every state that a page shows; colour is never the only sign.
_LOOKS: Final[dict[str, tuple[str, str]]] = {
    "DRAFT": ("quiet", "pencil"),
    "NEW": ("wait", "hourglass"),
    "ACK": ("ok", "check-circle"),
    "PENDING": ("wait", "hourglass"),
    "ESCALATED": ("warn", "arrow-up"),
    "APPROVED": ("info", "check"),
    "REJECTED": ("bad", "cross"),
    "CANCELLED": ("quiet", "ban"),
    "EXPIRED": ("quiet", "clock"),
    "EXECUTING": ("info", "send"),
    "SENT": ("info", "send"),
    "CONFIRMED": ("info", "check"),
    "SETTLED": ("ok", "check-circle"),
    "FAILED": ("bad", "alert"),
    "RETURNED": ("bad", "undo"),
    "OPEN": ("ok", "check-circle"),
    "CLOSED": ("quiet", "lock"),
    "WAITING": ("wait", "hourglass"),
    "ACCEPTED": ("ok", "check-circle"),
    "IN_FORCE": ("ok", "check-circle"),
    "PROPOSED": ("wait", "hourglass"),
    "REPLACED": ("quiet", "undo"),
    "REVERSED": ("bad", "undo"),
    "REFUSED": ("bad", "cross"),
    "LEFT": ("quiet", "ban"),
    "VOID": ("quiet", "undo"),
    "HOLIDAY": ("quiet", "calendar"),
    "TAKEN": ("ok", "check-circle"),
    "DISMISSED": ("quiet", "ban"),
    "SUPERSEDED": ("quiet", "undo"),
    "PROVEN": ("ok", "check-circle"),
    "UNPROVEN": ("warn", "alert"),
    "PROVISIONAL": ("wait", "hourglass"),
    "SUPPRESSED": ("quiet", "ban"),
    "HIGH": ("bad", "alert"),
    "MEDIUM": ("warn", "alert"),
    "LOW": ("info", "info"),
    "OK": ("ok", "check-circle"),
    "WARN": ("warn", "alert"),
    "BAD": ("bad", "alert"),
    "INFO": ("info", "info"),
    "QUIET": ("quiet", "dot"),
}


@register.simple_tag
def icon(name: str) -> SafeString:
    """Draw one icon of the sprite; it is decoration, the text beside it carries the meaning."""
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>',
        static("desk/icons.svg"),
        name,
    )


@register.simple_tag
def chip(state: object, label: str = "") -> SafeString:
    """Show a state as colour, icon and words."""
    key = str(state).upper()
    tone, picture = _LOOKS.get(key, ("quiet", "dot"))
    words = label or str(state).replace("_", " ").capitalize()
    return format_html(
        '<span class="chip chip-{}" data-state="{}">{}{}</span>', tone, key, icon(picture), words
    )


def grouped(amount: Decimal, currency: str) -> str:
    """Return `amount` with thousands separators and the currency's own number of decimals."""
    places = max(minor_units(currency), -int(amount.normalize().as_tuple().exponent or 0))
    text = f"{abs(amount):,.{places}f}"
    return f"{_MINUS}{text}" if amount < 0 else text


@register.simple_tag
def money(amount: Money | Decimal | None, currency: str = "") -> SafeString:
    """Show an amount in tabular figures with its currency; a dash when there is none."""
    if amount is None:
        return format_html('<span class="money money-none" title="not known">{}</span>', _DASH)
    value = amount.amount if isinstance(amount, Money) else amount
    unit = amount.currency if isinstance(amount, Money) else currency
    sign = " money-negative" if value < 0 else ""
    return format_html(
        '<span class="money{}">{}<span class="money-currency">{}</span></span>',
        sign,
        grouped(value, unit),
        f" {unit}",
    )


@register.filter
def policy_value(value: object) -> str:
    """Return the value of a policy as people read it."""
    return readable(value)


@register.simple_tag
def figure(amount: Decimal | None, currency: str) -> SafeString:
    """Show an amount without its currency, for columns whose heading names it."""
    if amount is None:
        return format_html('<span class="money money-none" title="not known">{}</span>', _DASH)
    sign = " money-negative" if amount < 0 else ""
    return format_html('<span class="money{}">{}</span>', sign, grouped(amount, currency))


@register.simple_tag
def about(amount: Decimal | None, currency: str) -> SafeString:
    """Show a converted amount, rounded to whole units: it is an estimate and looks like one."""
    if amount is None:
        return format_html('<span class="money money-none">{}</span>', "no fresh rate")
    whole = amount.quantize(Decimal(1), ROUND_HALF_EVEN)
    return format_html(
        '<span class="money">{}<span class="money-currency">{}</span></span>',
        f"\u2248 {whole:,}",
        f" {currency}",
    )


@register.simple_tag
def when(at: datetime | None) -> SafeString:
    """Show an instant; the browser adds the reader's own time zone."""
    return _time(at, "when", "%d %b %H:%M UTC")


@register.simple_tag
def countdown(until: datetime | None) -> SafeString:
    """Show the time that is left until `until`, ticking in the browser."""
    return _time(until, "countdown", "%H:%M UTC")


@register.simple_tag
def ago(at: datetime | None) -> SafeString:
    """Show how long ago `at` was, ticking in the browser."""
    return _time(at, "ago", "%d %b %H:%M UTC")


def _time(at: datetime | None, kind: str, pattern: str) -> SafeString:
    if at is None:
        return format_html("<span>{}</span>", _DASH)
    return format_html(
        '<time class="{}" data-{} datetime="{}">{}</time>',
        kind,
        kind,
        at.isoformat(),
        at.strftime(pattern),
    )


@register.inclusion_tag("desk/fragments/empty.html")
def empty(picture: str, title: str, words: str = "") -> dict[str, Any]:
    """Say that there is nothing here, and why that may be so."""
    return {"picture": picture, "title": title, "words": words}
