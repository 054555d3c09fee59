"""Add a person or a service account to a tenant, and give or propose their roles."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.errors import DomainError
from core.identity.joining import Joined, PersonIn, add_person
from core.identity.models import User
from core.identity.services import find_login
from core.tenancy import bound


class Command(BaseCommand):
    """The account is there at once; in an opened tenant its roles wait for another person."""

    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take who, which roles, in whose name and why."""
        parser.add_argument("name", help="Sign-in name before the @.")
        parser.add_argument("--display-name", required=True)
        parser.add_argument("--person-number", required=True, help="One per human being.")
        parser.add_argument("--role", action="append", default=[], help="Again for each role.")
        parser.add_argument("--service", action="store_true", help="A machine, not a person.")
        parser.add_argument(
            "--as", dest="admin", required=True, metavar="NAME@SLUG", help="The administrator."
        )
        parser.add_argument("--reason", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        """Add, and say what is still missing."""
        login = find_login(options["admin"])
        if login is None:
            raise CommandError("Nobody signs in with that name.")
        person = PersonIn(
            name=options["name"],
            display_name=options["display_name"],
            person_number=options["person_number"],
            roles=tuple(options["role"]),
            is_service=options["service"],
        )
        try:
            with bound(login.tenant, actor=login.user, reason=options["reason"]):
                admin = User.objects.get(pk=login.user)
                joined = add_person(person=person, actor=admin, reason=options["reason"])
        except DomainError as refusal:
            raise CommandError(refusal.message) from refusal
        self._say(joined)

    def _say(self, joined: Joined) -> None:
        name, _, slug = joined.user.username.partition("@")
        self.stdout.write(f"{joined.user.username} is there.")
        if joined.change is not None:
            self.stdout.write(f"The roles wait for another person: change {joined.change.pk}.")
        self.stdout.write(
            f"First password: manage.py set_password --tenant {slug} --person {name} --make"
        )
