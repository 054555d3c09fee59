"""The book as a page for people."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from integrations.sandbox_bank.faults import PAYMENT_KINDS, STATEMENT_KINDS

ROWS_SHOWN_MAX = 200
_STYLE = """
:root{color-scheme:light dark;--ink:#1b2430;--soft:#5b6775;--line:#d9dfe6;
--paper:#fff;--good:#0b6b3a;--bad:#a3231f}
@media(prefers-color-scheme:dark){:root{--ink:#e6ebf1;--soft:#9aa7b5;--line:#313b47;--paper:#141a21;--good:#5fd39a;
--bad:#ff8f88}}
body{margin:0 auto;max-width:76rem;padding:1.5rem;
font:15px/1.45 system-ui,sans-serif;color:var(--ink);
background:var(--paper)}
h1{font-size:1.4rem;margin:0 0 .25rem}
h2{font-size:1.05rem;margin:2rem 0 .5rem}p{color:var(--soft);margin:.2rem 0}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid var(--line);white-space:nowrap}
th{font-weight:600;color:var(--soft)}td.n{text-align:right;font-variant-numeric:tabular-nums}
.good{color:var(--good)}.bad{color:var(--bad)}
"""
_NUMBERS = frozenset({"balance", "available", "amount", "balance_after", "executed_count"})
_ACCOUNTS = (
    "account", "currency", "balance", "available", "bank_date", "statement_seq",
    "statement_format", "channel",
)  # fmt: skip
_PAYMENTS = (
    "end_to_end_id", "amount", "currency", "rail", "status", "reason", "history",
    "executed_count", "faults", "received_at", "uetr",
)  # fmt: skip
_MOVEMENTS = (
    "booked_at", "account", "amount", "currency", "balance_after", "leg", "end_to_end_id",
    "counterparty_name", "reference",
)  # fmt: skip


_FILES = ("created_at", "kind", "account", "channel", "file_name", "bytes")
_FAULTS = ("kind", "match", "count", "rate", "fired")


def render_book(book: Mapping[str, Any], now: str) -> str:
    """Return the whole page."""
    verdict = (
        '<span class="good">every balance is its opening plus its movements</span>'
        if book["balanced"]
        else '<span class="bad">the book does not add up</span>'
    )
    parts = [
        "<h1>Sandbox bank</h1>",
        f"<p>Bank time {escape(now)} · book {escape(str(book['bank']))} · {verdict}</p>",
        *_banks(book["accounts"]),
        _section("Faults", book["faults"], _FAULTS),
        _switch(),
        _section("Payments, newest first", _newest(book["payments"]), _PAYMENTS),
        _section("Files sent, newest first", _newest(book["files"]), _FILES),
        _section("Movements, newest first", _newest(book["movements"]), _MOVEMENTS),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport"'
        ' content="width=device-width,initial-scale=1"><title>Sandbox bank</title>'
        f"<style>{_STYLE}</style></head><body><main>{''.join(parts)}</main></body></html>"
    )


def _banks(accounts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a section for each bank of the house."""
    names = dict.fromkeys((one["bank_name"], one["bank_bic"]) for one in accounts)
    return [
        _section(
            f"{name} ({bic})",
            [one for one in accounts if (one["bank_name"], one["bank_bic"]) == (name, bic)],
            _ACCOUNTS,
        )
        for name, bic in names
    ] or [_section("Accounts", [], _ACCOUNTS)]


def _switch() -> str:
    """Return the form that arms one fault for the next payment or statement, or clears all."""
    kinds = "".join(f"<option>{kind}</option>" for kind in sorted(PAYMENT_KINDS | STATEMENT_KINDS))
    return (
        '<form method="post" action="/book/faults"><p>'
        f'<label>Fault <select name="kind"><option value="">clear all</option>{kinds}</select>'
        '</label> <label>Account <input name="account" placeholder="any"></label> '
        '<label>Operator\'s secret <input name="secret" type="password" autocomplete="off">'
        "</label> <button>Switch</button></p></form>"
    )


def _newest(rows: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    return list(reversed(rows))[:ROWS_SHOWN_MAX]


def _section(title: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    if not rows:
        return f"<h2>{escape(title)}</h2><p>None yet.</p>"
    head = "".join(f'<th scope="col">{name.replace("_", " ")}</th>' for name in columns)
    body = "".join(
        "<tr>" + "".join(_cell(name, row[name]) for name in columns) + "</tr>" for row in rows
    )
    return (
        f'<h2>{escape(title)}</h2><div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(name: str, value: Any) -> str:
    if name == "history":
        text = " → ".join(line["status"] for line in value)
    elif name == "reason":
        text = f"{value['code']} {value['text']}".strip()
    elif name == "faults":
        text = ", ".join(value)
    elif name == "match":
        text = ", ".join(f"{key} {wanted}" for key, wanted in value.items()) or "any"
    else:
        text = "" if value is None else str(value)
    kind = ' class="n"' if name in _NUMBERS else ""
    if name == "status":
        kind = (
            ' class="bad"'
            if text == "RJCT"
            else ' class="good"'
            if text in {"ACSC", "ACCC"}
            else ""
        )
    return f"<td{kind}>{escape(text)}</td>"
