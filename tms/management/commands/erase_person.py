"""Replace the names of a person who left by a pseudonym; the audit chain stays as it is."""

import argparse
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from core.audit.erasure import erase_person
from core.errors import DomainError
from core.identity.services import find_login
from tms.ops.tenants import chosen_tenants


class Command(BaseCommand):
    """Refused while the account is active or a retention period (a policy) runs."""

    help = __doc__ or ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Name the person, by id or sign-in name, and the reason."""
        parser.add_argument("--tenant", required=True, metavar="SLUG", help="whose person")
        parser.add_argument("--person", required=True, metavar="PERSON", help="id or sign-in name")
        parser.add_argument("--reason", required=True, help="enters the trail")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Erase, and say under which pseudonym the person goes on."""
        try:
            (tenant,) = chosen_tenants(options["tenant"])
            erased = erase_person(
                tenant=tenant.id,
                person=self._person(options["person"]),
                actor="system:erasure",
                reason=options["reason"],
            )
        except DomainError as refusal:
            raise CommandError(refusal.message) from refusal
        self.stdout.write(f"{erased.pseudonym}: {erased.texts_count} recorded names removed")

    def _person(self, text: str) -> UUID:
        login = find_login(text)
        if login is not None:
            return login.user
        try:
            return UUID(text)
        except ValueError as error:
            raise CommandError(f"There is no person {text}.") from error
