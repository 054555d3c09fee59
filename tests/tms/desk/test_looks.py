"""How figures, states and colours look."""

import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.test import RequestFactory

from core.identity.roles import ALL
from core.money import Money
from core.policies.models import PolicyVersion
from tests.conftest import MakeUser
from tms.templatetags import desk


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        ("1234567.8900", "USD", "1,234,567.89"),
        ("-1234.5", "USD", "\u22121,234.50"),
        ("1234.0000", "JPY", "1,234"),
        ("1.2345", "KWD", "1.2345"),
        ("0.0000", "EUR", "0.00"),
        ("100000000", "INR", "100,000,000.00"),
    ],
)
def test_amounts_carry_the_decimals_of_their_currency(
    amount: str, currency: str, written: str
) -> None:
    assert desk.grouped(Decimal(amount), currency) == written


def test_no_amount_is_not_zero() -> None:
    assert "0" not in desk.money(None)
    assert "not known" in desk.money(None)


def test_money_is_written_with_its_currency() -> None:
    assert desk.money(Money(Decimal(5), "GBP")) == desk.money(Decimal(5), "GBP")
    assert "GBP" in desk.money(Decimal(5), "GBP")
    assert "GBP" not in desk.figure(Decimal(5), "GBP")
    assert "money-negative" in desk.figure(Decimal(-5), "GBP")


def test_a_state_is_colour_icon_and_words() -> None:
    shown = desk.chip("SETTLED")
    assert "chip-ok" in shown
    assert "#check-circle" in shown
    assert "Settled" in shown


def test_words_from_outside_are_escaped() -> None:
    assert "<b>" not in desk.chip("OPEN", "<b>bold</b>")
    assert "<b>" not in desk.chip("<b>")


def test_times_carry_their_instant_for_the_browser() -> None:
    at = datetime(2026, 11, 21, 14, 5, tzinfo=UTC)
    assert 'datetime="2026-11-21T14:05:00+00:00"' in desk.when(at)
    assert "data-countdown" in desk.countdown(at)
    assert "data-ago" in desk.ago(at)
    assert "\u2013" in desk.ago(None)


WRITING = ("ink", "ink-soft", "ink-faint", "brand", "ok", "warn", "bad")
GROUNDS = ("paper", "surface", "surface-sunk", "surface-raised")
TONES = ("ok", "info", "warn", "bad", "wait", "quiet", "brand")
PAIRS = [
    *((ink, ground) for ink in WRITING for ground in GROUNDS),
    *((tone, f"{tone}-wash") for tone in TONES),
    ("on-brand", "brand"),
    ("ink", "brand-wash"),
    ("ink-faint", "brand-wash"),
    ("sidebar-ink", "sidebar"),
    ("sidebar-faint", "sidebar"),
]
CONTRAST_MIN = 4.5  # WCAG 2.2, level AA, text of ordinary size


def luminance(colour: str) -> float:
    """Relative luminance after WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def colours() -> dict[str, tuple[str, str]]:
    """Every token's light and dark colour."""
    text = (settings.BASE_DIR / "static" / "desk" / "tokens.css").read_text(encoding="utf-8")
    pair = r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);"
    both = {name: (light, dark) for name, light, dark in re.findall(pair, text)}
    same = re.findall(r"--([\w-]+): (#[0-9a-f]{6});", text)
    return both | {name: (colour, colour) for name, colour in same}


def test_the_yardstick_knows_black_from_white() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") < CONTRAST_MIN


@pytest.mark.parametrize(("ink", "ground"), PAIRS)
def test_words_can_be_read_in_light_and_in_dark(ink: str, ground: str) -> None:
    known = colours()
    for mode in (0, 1):
        assert contrast(known[ink][mode], known[ground][mode]) >= CONTRAST_MIN


def _drawn_otherwise(form: type[forms.BaseForm]) -> list[str]:
    """Return the fields whose widgets are not the theme's, and would have no border."""
    plain = []
    for name, field in form.base_fields.items():
        widget = field.widget
        if isinstance(widget, RelatedFieldWidgetWrapper):
            widget = widget.widget
        ours = type(widget).__mro__[:2]
        if not widget.is_hidden and not any(one.__module__.startswith("unfold") for one in ours):
            plain.append(name)
    return plain


def test_every_field_of_the_admin_is_drawn_by_its_theme(
    rf: RequestFactory, user_with: MakeUser
) -> None:
    plain: dict[str, list[str]] = {}
    asked = set()
    for role in ALL:
        request = rf.get("/admin/")
        request.user = user_with(role)
        for model, page in admin.site._registry.items():
            if page.has_add_permission(request):
                asked.add(model)
                plain[model.__name__] = _drawn_otherwise(page.get_form(request))
            actions = [one for one in _drawn_otherwise(page.action_form) if one != "select_across"]
            plain[f"actions of {model.__name__}"] = actions
    assert PolicyVersion in asked
    assert {name: fields for name, fields in plain.items() if fields} == {}


def test_a_plain_field_of_the_admin_would_be_noticed() -> None:
    class Plain(forms.Form):
        number = forms.CharField()

    assert _drawn_otherwise(Plain) == ["number"]
