"""Tenant walls and the audit trail of the calendars room."""

from django.db import migrations

from core.audit.operations import Audited
from core.tenancy.operations import EnforceTenancy


class Migration(migrations.Migration):
    dependencies = [("calendars", "0001_initial")]

    operations = [EnforceTenancy("calendars"), Audited("calendars")]
