"""The trail keeps its tenant without a key on every line; its guards take the key's place."""

import django.db.models.deletion
from django.db import migrations, models

from core.migrating import InOneStep

from core.audit.sql import FUNCTIONS, REFUSED
from core.audit.tenants import GUARDS


class Migration(migrations.Migration):

    dependencies = [
        ("core", "0002_guards"),
    ]

    operations = [
        InOneStep([
            migrations.AlterField(
                model_name='auditentry',
                name='tenant',
                field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant'),
            ),
            migrations.AlterField(
                model_name='auditlink',
                name='tenant',
                field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant'),
            ),
            migrations.AlterField(
                model_name='auditpending',
                name='tenant',
                field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant'),
            ),
        ]),
        migrations.RunSQL(FUNCTIONS, migrations.RunSQL.noop),
        migrations.RunSQL(REFUSED, migrations.RunSQL.noop),
        migrations.RunSQL(GUARDS, migrations.RunSQL.noop),
    ]
