"""Ask a bank's line the same questions as every other, and say where it deviates.

Orders are sent only over a line marked as a test line, or with --yes-real-money; without accounts
nothing is ordered at all. What the bank has for us is looked at and left where it is.
"""

import argparse
import json
from dataclasses import asdict
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from core import clock
from core.tenancy import Tenant, bound, tenant_ids
from integrations import selectors
from integrations.codecs.instructions import Agent, Party, PaymentInstruction, PostalAddress
from integrations.codecs.rails import RAILS
from integrations.conformance.battery import Battery
from integrations.conformance.hearing import Heard
from integrations.conformance.records import (
    AMOUNT_DEFAULT,
    AMOUNT_MAX,
    WAIT_SECONDS_DEFAULT,
    Report,
    Terms,
    Verdict,
)
from integrations.dialects.reading import PLAIN, parse_dialect
from integrations.models import BankConnection, LineState
from integrations.services import lines

_MARKS = {
    Verdict.SUPPORTED: "ok  ",
    Verdict.DEVIATES: "DIFF",
    Verdict.ABSENT: "none",
    Verdict.SKIPPED: "–   ",
}


class Command(BaseCommand):
    """One line, one report; the exit status is 1 when the bank deviates."""

    help = __doc__ or ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Name the line, and what may be ordered over it."""
        parser.add_argument("connection", help="code of the line")
        parser.add_argument("--tenant", required=True, help="slug of the tenant")
        parser.add_argument("--debit", default="", help="IBAN or number of the account that pays")
        parser.add_argument("--debit-bic", default="")
        parser.add_argument("--credit", default="", help="IBAN or number of the account that gets")
        parser.add_argument("--credit-bic", default="")
        parser.add_argument("--name", default="Conformance", help="name of both holders")
        parser.add_argument("--town", default="London")
        parser.add_argument("--country", default="GB")
        parser.add_argument("--currency", default="EUR")
        parser.add_argument("--amount", default=str(AMOUNT_DEFAULT), help="of each order")
        parser.add_argument("--rail", default="SEPA_INST", choices=sorted(RAILS))
        parser.add_argument("--wait-seconds", type=float, default=WAIT_SECONDS_DEFAULT)
        parser.add_argument("--json", action="store_true", help="print one JSON document")
        parser.add_argument(
            "--yes-real-money",
            action="store_true",
            help="order over a line that is not marked as a test line: the bank will pay",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the battery and print what was found.

        Raises:
            CommandError: the line is unknown, or nothing may be ordered over it.
        """
        report = _battery(_tenant(options["tenant"]), options).run()
        self._tell(report, as_json=options["json"])
        if report.deviations:
            raise SystemExit(1)

    def _tell(self, report: Report, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(asdict(report)))
            return
        self.stdout.write(f"{report.connection} ({report.kind})")
        for one in report.findings:
            self.stdout.write(f"  {_MARKS[one.verdict]} {one.check:<18} {one.words}")
        self.stdout.write(f"{len(report.deviations)} deviations.")


def _tenant(slug: str) -> UUID:
    for tenant in tenant_ids():
        with bound(tenant, actor="system:conformance"):
            if Tenant.objects.filter(pk=tenant, slug=slug).exists():
                return tenant
    raise CommandError(f"There is no tenant {slug}.")


def _battery(tenant: UUID, options: dict[str, Any]) -> Battery:
    began = clock.now()
    with bound(tenant, actor="system:conformance"):
        connection = (
            BankConnection.objects.select_related("profile")
            .filter(code=options["connection"])
            .first()
        )
        if connection is None:
            raise CommandError(f"There is no bank connection {options['connection']}.")
        terms = _terms(connection, options)
        profile = connection.profile
        state = LineState.objects.filter(connection=connection).first()
        line = lines.settings_of(connection)

    def archived() -> list[bytes]:
        with bound(tenant, actor="system:conformance"):
            return selectors.bodies_since(connection.code, began)

    heard = Heard(
        dialect=parse_dialect(profile.reading) if profile else PLAIN,
        archive=archived,
    )
    cursor = state.inbound_cursor if state else ""
    return Battery(line=line, terms=terms, heard=heard, cursor=cursor)


def _terms(connection: BankConnection, options: dict[str, Any]) -> Terms:
    wait = options["wait_seconds"]
    if not options["debit"] or not options["credit"]:
        return Terms(wait_seconds=wait)
    is_safe = connection.is_test_line or options["yes_real_money"]
    if not is_safe:
        raise CommandError(
            f"{connection.code} is not marked as a test line: orders over it would pay real money."
            " Mark it in the admin (four eyes), leave --debit and --credit out, or say"
            " --yes-real-money."
        )
    return Terms(model=_model(options), wait_seconds=wait)


def _model(options: dict[str, Any]) -> PaymentInstruction:
    try:
        amount = Decimal(options["amount"])
    except InvalidOperation as error:
        raise CommandError(f"{options['amount']} is not an amount.") from error
    if not 0 < amount <= AMOUNT_MAX and not options["yes_real_money"]:
        raise CommandError(f"Orders of the battery are above 0 and at most {AMOUNT_MAX}.")
    rule, now = RAILS[options["rail"]], clock.now()
    address = PostalAddress(town=options["town"], country=options["country"])
    bearers = sorted(rule.charge_bearers)
    return PaymentInstruction(
        message_id="",
        payment_information_id="",
        end_to_end_id="",
        amount=amount,
        currency=options["currency"],
        execution_date=_tomorrow(now.date()) if rule.zone != "UTC" else now.date(),
        created_at=now.replace(microsecond=0),
        initiating_party_name=options["name"],
        debtor=_party(options["debit"], options["name"], address),
        debtor_agent=Agent(bic=options["debit_bic"] or None),
        creditor=_party(options["credit"], options["name"], address),
        creditor_agent=Agent(bic=options["credit_bic"] or None),
        charge_bearer="SHAR" if "SHAR" in bearers else bearers[0],
        service_level=rule.service_level,
        local_instrument=rule.local_instrument,
    )


def _tomorrow(day: date) -> date:
    return day + timedelta(days=1)


def _party(number: str, name: str, address: PostalAddress) -> Party:
    plain = number.replace(" ", "")
    is_iban = plain[:2].isalpha() and plain[2:4].isdigit()
    return Party(
        name=name,
        address=address,
        iban=plain if is_iban else None,
        number=None if is_iban else plain,
    )
