from django.apps import AppConfig
from django.db.models.signals import post_migrate


class CoreConfig(AppConfig):
    """The ground floor: money, clock, tenancy, identity, events, audit, policies."""

    name = "core"

    def ready(self) -> None:
        """Point the clock at its file and keep the roles complete."""
        from django.conf import settings

        from core import checks, clock  # noqa: F401 - importing registers the system checks
        from core.audit import (  # noqa: F401 - importing registers policies and health
            erasure,
            witness,
        )
        from core.identity.roles import install_roles

        clock.configure(settings.TMS_CLOCK_FILE)
        post_migrate.connect(install_roles, sender=self)
