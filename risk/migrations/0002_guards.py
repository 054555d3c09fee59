"""The wall around readings of risk, their trail, and what never changes."""

from django.db import migrations

from core.audit.operations import AppendOnly, Audited
from core.tenancy.operations import EnforceTenancy

class Migration(migrations.Migration):
    replaces = [("risk", "0002_walls")]
    dependencies = [
        ("risk", "0001_tables"),
    ]

    operations = [
        EnforceTenancy("risk"),
        Audited("risk", quiet_inserts=("backtest",)),
        AppendOnly("risk_riskrun", "risk_accountrisk", "risk_backtest"),
    ]
