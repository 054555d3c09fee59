"""What the database holds of messages, lines, profiles and routes."""

from django.db import migrations

from core.audit.operations import Audited
from core.changes.operations import Governed
from core.tenancy.operations import EnforceTenancy, KeysOnce
from integrations import guards

class Migration(migrations.Migration):
    replaces = [("integrations", "0043_fewer_keys")]
    dependencies = [
        ("integrations", "0001_tables"),
    ]

    operations = [
        EnforceTenancy("integrations"),
        Audited(
            "integrations",
            # The memory of a line changes with every request and decides nothing about money.
            exclude=("linestate", "linenote", "linesample"),
            secret_columns=("secret", "body"),
        ),
        migrations.RunSQL(guards.ALL, migrations.RunSQL.noop),
        Governed("integrations_bankconnection", sealed=("secret",)),
        Governed("integrations_bankprofile"),
        Governed("integrations_route"),
        KeysOnce(
            "integrations_message",
            "integrations_linestate",
            "integrations_linesample",
            "integrations_linenote",
        ),
    ]
