"""Profiles of banks: walled in, audited, an object on each side, changed by two people."""

from django.db import migrations

from core.audit.operations import Audited
from core.changes.operations import Governed
from core.tenancy.operations import EnforceTenancy

OBJECTS = """
ALTER TABLE integrations_bankprofile
    ADD CONSTRAINT bank_profile_sides_are_objects
    CHECK (jsonb_typeof(reading) = 'object' AND jsonb_typeof(writing) = 'object');
"""
UNDO = "ALTER TABLE integrations_bankprofile DROP CONSTRAINT bank_profile_sides_are_objects;"


class Migration(migrations.Migration):
    dependencies = [("integrations", "0010_bank_profiles")]

    operations = [
        EnforceTenancy("integrations"),
        Audited(
            "integrations",
            exclude=("linestate", "linenote"),
            secret_columns=("secret", "body"),
        ),
        migrations.RunSQL(OBJECTS, UNDO),
        Governed("integrations_bankprofile"),
    ]
