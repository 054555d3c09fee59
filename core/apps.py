from typing import Any, Final

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import m2m_changed, post_delete, post_migrate, post_save

# A payment takes some 300 different statements; psycopg would keep the plans of 100.
STATEMENTS_PREPARED_MAX: Final = 1_000


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
        from core.identity.models import User, forget_roles
        from core.identity.roles import install_roles
        from core.policies.models import PolicyVersion
        from core.policies.registry import forget_values

        clock.configure(settings.TMS_CLOCK_FILE)
        ground.govern_the_ground()
        checks.required_triggers |= ground.GUARDS
        post_migrate.connect(install_roles, sender=self)
        membership = User.groups.through
        m2m_changed.connect(forget_roles, sender=membership, dispatch_uid="core.roles")
        for written in (post_save, post_delete):
            written.connect(forget_roles, sender=membership, dispatch_uid="core.roles")
            written.connect(forget_values, sender=PolicyVersion, dispatch_uid="core.policies")
        connection_created.connect(_keep_plans, dispatch_uid="core.keep_plans")


def _keep_plans(*, connection: Any, **_facts: Any) -> None:
    """Let a connection keep every statement prepared that it sends again and again."""
    connection.connection.prepared_max = STATEMENTS_PREPARED_MAX
