"""A reset second factor ends the sessions that the lost one may have opened."""

from django.db import migrations

from core.identity import passkey_guards


class Migration(migrations.Migration):
    dependencies = [("core", "0012_personal_text")]

    operations = [migrations.RunSQL(passkey_guards.FUNCTIONS, migrations.RunSQL.noop)]
