"""The trail asks less of each row; keys of deliveries hold once, with the tenant."""

from django.db import migrations

from core.audit.sql import FUNCTIONS
from core.tenancy.operations import KeysOnce


class Migration(migrations.Migration):
    dependencies = [("core", "0003_trail_without_keys")]

    operations = [
        KeysOnce("core_delivery"),
        migrations.RunSQL(FUNCTIONS, migrations.RunSQL.noop),
    ]
