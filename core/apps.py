from django.apps import AppConfig
from django.db.models.signals import post_migrate


class CoreConfig(AppConfig):
    """The ground floor: money, clock, tenancy, identity, events, audit, policies."""

    name = "core"

    def ready(self) -> None:
        """Point the clock at its file and keep the roles complete."""
        from django.conf import settings

        from core import checks, clock
        from core.audit import (  # noqa: F401 - importing registers policies and health
            erasure,
            witness,
        )
        from core.changes import ground
        from core.identity.roles import install_roles

        clock.configure(settings.TMS_CLOCK_FILE)
        ground.govern_the_ground()
        checks.required_triggers |= ground.GUARDS
        post_migrate.connect(install_roles, sender=self)
