"""Run cash pools now: those that are due, or one by its code."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.errors import DomainError
from core.tenancy import bound, tenant_ids
from treasury.selectors import pools as reads
from treasury.services import pools


class Command(BaseCommand):
    help = (
        "Decide the pools that are near their cut-off and propose their moves, or one pool now."
        " Running a day again changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the code of one pool."""
        parser.add_argument("--pool", default="", help="Run this pool now, whenever it is due.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run for every tenant, and say what came of it."""
        for tenant in tenant_ids():
            if not options["pool"]:
                for ran in pools.run_due_pools(tenant=tenant):
                    with bound(tenant, actor="system:command"):
                        self._say(ran)
                continue
            with bound(tenant, actor="system:command"):
                held = reads.pools().filter(code=options["pool"]).first()
                if held is None:
                    continue
                try:
                    self._say(pools.run_pool(pool_id=held.pk))
                except DomainError as refusal:
                    raise CommandError(refusal.message) from refusal

    def _say(self, ran: pools.Ran) -> None:
        run, words = ran.run, "run" if ran.is_new else "stands"
        self.stdout.write(
            f"{run.pk} {words}: {run.pool.code} {run.day} up {run.swept:,.2f}"
            f" down {run.funded:,.2f} short {run.short:,.2f} {run.pool.currency}"
        )
