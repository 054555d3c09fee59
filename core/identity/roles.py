"""Roles: what a person is in the treasury, stored as Django groups."""

from typing import Any, Final

TREASURY_MAKER: Final = "treasury_maker"
TREASURY_CHECKER: Final = "treasury_checker"
TREASURY_MANAGER: Final = "treasury_manager"
DEALER: Final = "dealer"
BACK_OFFICE: Final = "back_office"
RECON_ANALYST: Final = "recon_analyst"
RISK_OFFICER: Final = "risk_officer"
STATIC_DATA: Final = "static_data"
AUDITOR: Final = "auditor"
TENANT_ADMIN: Final = "tenant_admin"
INTEGRATION: Final = "integration"

ALL: Final = (
    TREASURY_MAKER, TREASURY_CHECKER, TREASURY_MANAGER, DEALER, BACK_OFFICE, RECON_ANALYST,
    RISK_OFFICER, STATIC_DATA, AUDITOR, TENANT_ADMIN, INTEGRATION,
)  # fmt: skip

# Who reads the trail: on the desk, and everything in the admin that repeats what others did.
AUDIT_READERS: Final = (AUDITOR, RISK_OFFICER, TENANT_ADMIN, TREASURY_MANAGER)

ROOMS: Final = (
    "core", "calendars", "approvals", "integrations", "treasury", "fx", "liquidity", "risk",
)  # fmt: skip

# What each role may add or change in the admin; everything else there is read-only or a button.
_ADMIN_EDITS: Final[dict[str, tuple[str, ...]]] = {
    STATIC_DATA: (
        "calendars.holiday", "calendars.weekendrule", "calendars.bankcutoff",
        "treasury.legalentity", "treasury.bank", "treasury.bankaccount",
        "treasury.sweepproduct", "treasury.sweepeligibility",
        "integrations.bankconnection", "fx.ratesource", "fx.settlementinstruction",
        "fx.nettingagreement",
    ),
    TREASURY_MAKER: ("liquidity.payoutplan", "liquidity.recurringpattern"),
    TENANT_ADMIN: ("core.user",),
    RISK_OFFICER: ("fx.counterparty",),
}  # fmt: skip

# What the admin shows to readers of the trail only; everything else everybody may look at.
_FOR_READERS: Final = (
    ("core", "auditentry"), ("core", "outboxevent"), ("core", "delivery"),
    ("integrations", "message"),
)  # fmt: skip


def install_roles(**_kwargs: Any) -> None:
    """Create the role groups and their admin permissions; runs after every migrate."""
    from django.apps import apps
    from django.contrib.auth.management import create_permissions
    from django.contrib.auth.models import Group, Permission
    from django.db.models import Q

    # This may run before the other rooms' own signal: their permissions must exist first.
    for config in apps.get_app_configs():
        create_permissions(config, verbosity=0)
    rooms = [config.label for config in apps.get_app_configs() if config.name in ROOMS]
    views = list(
        Permission.objects.filter(
            Q(content_type__app_label__in=rooms) | Q(content_type__model="group"),
            codename__startswith="view_",
        ).select_related("content_type")
    )
    for role in ALL:
        group, _ = Group.objects.get_or_create(name=role)
        edits = []
        for label in _ADMIN_EDITS.get(role, ()):
            app, model = label.split(".")
            codenames = (f"add_{model}", f"change_{model}")
            edits += list(
                Permission.objects.filter(content_type__app_label=app, codename__in=codenames)
            )
        shown = [
            view
            for view in views
            if role in AUDIT_READERS
            or (view.content_type.app_label, view.content_type.model) not in _FOR_READERS
        ]
        group.permissions.set(shown + edits)
