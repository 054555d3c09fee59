"""Tenants, and the base of every row that belongs to one."""

from django.db import models

from core.ids import uuid7
from core.tenancy.context import tenant_of_new_rows


class Tenant(models.Model):
    """One organisation; its data is invisible to every other one."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=140)
    created_at = models.DateTimeField(auto_now_add=True)
    opened_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text="Since when everything that steers money is changed by two people only.",
    )

    class Meta:
        app_label = "core"

    def __str__(self) -> str:
        return self.name


class TenantModel(models.Model):
    """A row of one tenant; its wall comes with `EnforceTenancy` in the room's migration."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(
        Tenant,
        on_delete=models.PROTECT,
        default=tenant_of_new_rows,
        editable=False,
        related_name="+",
        db_index=False,
    )

    class Meta:
        abstract = True
