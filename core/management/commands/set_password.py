"""Give a person of one tenant a new password; what the old one opened ends."""

import getpass
import secrets
import sys
from typing import Any, Final
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.errors import DomainError
from core.identity.models import User
from core.identity.passwords import reset_password
from core.identity.services import find_login
from core.tenancy import bound

RANDOM_BYTES: Final = 18
FORGOTTEN: Final = "a forgotten password"


class Command(BaseCommand):
    """Read the password from the standard input, or make one and show it once."""

    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take who, why, and whether to make a password."""
        parser.add_argument("--tenant", required=True, metavar="SLUG", help="Slug.")
        parser.add_argument("--person", required=True, metavar="NAME", help="Name before the @.")
        parser.add_argument("--reason", default=FORGOTTEN, help="Why; the audit trail says it.")
        parser.add_argument("--make", action="store_true", help="Make a password and show it once.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Set it, end sessions and tokens, and say so."""
        reason = options["reason"].strip()
        if not reason:
            raise CommandError("Say why.")
        username = f"{options['person']}@{options['tenant']}".lower()
        login = find_login(username)
        if login is None:
            raise CommandError("There is no such person in this tenant.")
        fresh = secrets.token_urlsafe(RANDOM_BYTES) if options["make"] else self._asked()
        self._set(login.tenant, login.user, fresh, f"set_password: {reason}")
        self.stdout.write(f"{username} has a new password; sessions and tokens ended.")
        if options["make"]:
            self.stdout.write(fresh)

    def _asked(self) -> str:
        """Return the password from a prompt that does not show it, or from a pipe."""
        if sys.stdin.isatty():
            return getpass.getpass("New password: ")
        return sys.stdin.readline().rstrip("\r\n")

    def _set(self, tenant: UUID, user: UUID, fresh: str, reason: str) -> None:
        with bound(tenant, actor="system:operator", reason=reason):
            try:
                reset_password(user=User.objects.get(pk=user), fresh=fresh)
            except DomainError as refusal:
                raise CommandError(refusal.message) from refusal
