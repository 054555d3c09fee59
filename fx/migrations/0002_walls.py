"""Tenant walls, audit trail, rates that nobody changes, and sources under four eyes."""

from django.db import migrations

from core.audit.operations import AppendOnly, Audited
from core.changes.operations import Governed
from core.tenancy.operations import EnforceTenancy


class Migration(migrations.Migration):
    dependencies = [
        ("fx", "0001_initial"),
        ("core", "0002_guards"),
        ("treasury", "0002_guards"),
    ]

    operations = [
        EnforceTenancy("fx"),
        Audited("fx", quiet_inserts=("rate", "ratedelivery")),
        AppendOnly("fx_rate", "fx_ratedelivery"),
        Governed("fx_ratesource"),
    ]
