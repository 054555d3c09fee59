"""Propose changes of what steers money: one row, or a CSV file of rows."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.changes.importing import ImportRefused, propose_import
from core.changes.models import ChangeRequest
from core.changes.services import propose_change, propose_removal
from core.errors import DomainError, Forbidden, Invalid
from core.identity.models import User
from core.identity.services import find_login
from core.tenancy import bound


class Command(BaseCommand):
    """Propose; another person approves on the desk, by the API or in the admin."""

    help = (
        "change MODEL ROW field=value … --as NAME --reason WHY; ROW is an id or a name, or 'new'."
        " With --import FILE every line of the CSV file is a row."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take model, row and values, or a file."""
        parser.add_argument("model", help="Like bankaccount, holiday, policyversion.")
        parser.add_argument("row", nargs="?", default="new")
        parser.add_argument("values", nargs="*", metavar="field=value")
        parser.add_argument("--as", dest="maker", required=True, help="Sign-in name of the maker.")
        parser.add_argument("--reason", required=True)
        parser.add_argument("--remove", action="store_true", help="Propose to remove the row.")
        parser.add_argument("--import", dest="file", help="CSV file; its first line names fields.")
        parser.add_argument("--json", action="store_true", help="Print one JSON document.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Propose and report."""
        login = find_login(options["maker"])
        if login is None:
            raise CommandError(f"Nobody signs in as {options['maker']}.")
        try:
            with bound(login.tenant, actor=login.user, reason="change command"):
                change = self._propose(options, User.objects.get(pk=login.user))
        except ImportRefused as refusal:
            lines = "\n".join(str(problem) for problem in refusal.problems)
            raise CommandError(f"{refusal.message}\n{lines}") from refusal
        except DomainError as refusal:
            raise CommandError(refusal.message) from refusal
        if options["json"]:
            facts = {"id": str(change.pk), "title": change.title, "state": change.state}
            self.stdout.write(json.dumps(facts))
        else:
            self.stdout.write(f"{change.title} waits for another person ({change.pk}).")

    def _propose(self, options: dict[str, Any], maker: User) -> ChangeRequest:
        if not maker.is_active:
            raise Forbidden("This account is switched off.")
        model, reason = options["model"], options["reason"]
        if options["file"]:
            text = Path(options["file"]).read_text(encoding="utf-8-sig")
            return propose_import(model=model, text=text, maker=maker, reason=reason)
        row_id = None if options["row"] == "new" else options["row"]
        if options["remove"]:
            return propose_removal(model=model, row_id=row_id or "", maker=maker, reason=reason)
        return propose_change(
            model=model,
            row_id=row_id,
            values=_values(options["values"]),
            maker=maker,
            reason=reason,
        )


def _values(given: list[str]) -> dict[str, str]:
    values = {}
    for pair in given:
        name, sign, value = pair.partition("=")
        if not sign:
            raise Invalid(f"{pair} is not field=value.", field="values")
        values[name] = value
    return values
