"""Tenant walls, audit trail, and readings that nobody changes."""

from django.db import migrations

from core.audit.operations import AppendOnly, Audited
from core.tenancy.operations import EnforceTenancy


class Migration(migrations.Migration):
    dependencies = [
        ("risk", "0001_initial"),
        ("core", "0002_walls"),
        ("treasury", "0002_walls"),
    ]

    operations = [
        EnforceTenancy("risk"),
        Audited("risk", quiet_inserts=("backtest",)),
        AppendOnly("risk_riskrun", "risk_accountrisk", "risk_backtest"),
    ]
