"""Command line of the sandbox bank: `serve` runs it, `history` writes its past."""

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from integrations.sandbox_bank.accounts_file import DEMO_ACCOUNTS, load_accounts
from integrations.sandbox_bank.book import Book
from integrations.sandbox_bank.currencies import to_text
from integrations.sandbox_bank.engine import Bank
from integrations.sandbox_bank.history import span_until, write_history
from integrations.sandbox_bank.office import Office
from integrations.sandbox_bank.records import Account, BankError
from integrations.sandbox_bank.serve import Wishes, serve, sole_keeper

DESCRIPTION = (
    "A bank to practise against: it takes pain.001, moves its own book and answers like a bank."
)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m integrations.sandbox_bank", description=DESCRIPTION
    )
    commands = parser.add_subparsers(dest="command", required=True)
    _add_serve(commands)
    _add_history(commands)
    return parser


def _add_serve(commands: Any) -> None:
    running = commands.add_parser(
        "serve", help="run the bank", description="Run the bank until it is told to stop."
    )
    running.add_argument("--home", type=Path, required=True, help="directory of the book")
    running.add_argument(
        "--folder", type=Path, help="directory with outbound/ and inbound/ (default: the home)"
    )
    running.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)"
    )
    running.add_argument(
        "--port",
        type=int,
        default=8100,
        help="port to listen on, 0 takes a free one (default 8100)",
    )
    running.add_argument(
        "--secret-env", metavar="NAME", help="environment variable that holds the HTTP secret"
    )
    running.add_argument(
        "--accounts",
        type=Path,
        help="accounts file to add at start; known accounts keep their money",
    )
    running.add_argument(
        "--demo-accounts", action="store_true", help="add the demo accounts at start"
    )
    running.add_argument(
        "--pace",
        type=float,
        default=1.0,
        help="factor on the seconds that rails take (default 1)",
    )
    running.add_argument(
        "--interim-minutes",
        type=int,
        default=30,
        help="minutes between camt.052 reports, 0 for none",
    )
    running.add_argument(
        "--activity-seed", type=int, help="let the accounts live their business by this seed"
    )
    running.add_argument("--banks", type=Path, help="file of banks: how each of them speaks")
    running.add_argument("--script", type=Path, help="file of steps: what happens when")
    running.add_argument(
        "--tls-port", type=int, help="open a door for client certificates, 0 takes a free port"
    )
    running.add_argument("--sftp-port", type=int, help="open an SFTP door, 0 takes a free port")
    running.add_argument(
        "--follow-parent", action="store_true", help="stop when the starting process is gone"
    )


def _add_history(commands: Any) -> None:
    past = commands.add_parser(
        "history", help="write a past", description="Write statements for the days gone by."
    )
    past.add_argument("--seed", type=int, required=True, help="the same seed writes the same files")
    past.add_argument(
        "--days",
        type=int,
        default=365,
        help="calendar days, the last one included (default 365)",
    )
    past.add_argument(
        "--until", type=date.fromisoformat, required=True, help="last day, YYYY-MM-DD"
    )
    past.add_argument("--out", type=Path, required=True, help="directory for the statement files")
    past.add_argument(
        "--accounts",
        type=Path,
        default=DEMO_ACCOUNTS,
        help="accounts file (default: demo accounts)",
    )
    past.add_argument(
        "--into-book",
        type=Path,
        metavar="HOME",
        help="load closing balances into this bank's book",
    )
    past.add_argument(
        "--accounts-out",
        type=Path,
        help="write the accounts as they stand after, as an accounts file",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    chosen = build_parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s bank: %(message)s")
    try:
        if chosen.command == "serve":
            serve(_wishes(chosen))
        else:
            _history(chosen)
    except BankError as error:
        sys.stderr.write(f"{error.code}: {error}\n")
        return 2
    return 0


def _wishes(chosen: argparse.Namespace) -> Wishes:
    secret = ""
    if chosen.secret_env:
        secret = os.environ.get(chosen.secret_env, "")
        if not secret:
            raise BankError(
                "secret_missing", f"the environment variable {chosen.secret_env} is empty"
            )
    return Wishes(
        home=chosen.home,
        folder=chosen.folder or chosen.home,
        host=chosen.host,
        port=chosen.port,
        secret=secret,
        accounts=chosen.accounts or (DEMO_ACCOUNTS if chosen.demo_accounts else None),
        pace=max(0.0, chosen.pace),
        interim_minutes=chosen.interim_minutes,
        activity_seed=chosen.activity_seed,
        follow_parent=chosen.follow_parent,
        banks=chosen.banks,
        script=chosen.script,
        tls_port=chosen.tls_port,
        sftp_port=chosen.sftp_port,
    )


def _history(chosen: argparse.Namespace) -> None:
    started = time.monotonic()
    span = span_until(until=chosen.until, days=chosen.days, seed=chosen.seed)
    files, ends = write_history(load_accounts(chosen.accounts), span, chosen.out)
    described = [describe(account) for account in ends]
    if chosen.accounts_out:
        chosen.accounts_out.write_text(json.dumps(described, indent=1) + "\n", "utf-8")
    loaded: list[dict[str, str]] = []
    if chosen.into_book:
        with sole_keeper(chosen.into_book):
            office = Office(book=Book(chosen.into_book))
            loaded = Bank(office).put_accounts(ends)
            office.book.close()
    summary = {
        "files": files,
        "days": chosen.days,
        "seconds": round(time.monotonic() - started, 2),
        "accounts": [{name: one[name] for name in _SUMMARY} for one in described],
        "into_book": loaded,
    }
    sys.stdout.write(json.dumps(summary, indent=1) + "\n")


_SUMMARY = (
    "bank_bic",
    "iban",
    "number",
    "currency",
    "opening_balance",
    "statement_seq",
    "bank_date",
)


def describe(account: Account) -> dict[str, object]:
    """Return the account in the shape of the accounts file."""
    return {
        "bank_bic": account.bank_bic,
        "bank_name": account.bank_name,
        "iban": account.iban,
        "number": account.number,
        "clearing_system": account.clearing_system,
        "clearing_code": account.clearing_code,
        "currency": account.currency,
        "owner_name": account.owner_name,
        "timezone": account.timezone,
        "channel": account.channel,
        "statement_format": account.statement_format,
        "credit_line": to_text(account.credit_line, account.currency),
        "opening_balance": to_text(account.opening, account.currency),
        "bank_date": account.bank_date.isoformat() if account.bank_date else None,
        "statement_seq": account.statement_seq,
        "profile": account.profile,
    }


if __name__ == "__main__":
    sys.exit(main())
