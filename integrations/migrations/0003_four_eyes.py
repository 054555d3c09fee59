"""Lines to banks come under four eyes; what a line remembers of its health stays free."""

from django.db import migrations

from core.changes.operations import Governed


class Migration(migrations.Migration):
    dependencies = [("integrations", "0002_walls"), ("core", "0004_four_eyes")]

    operations = [Governed("integrations_bankconnection", sealed=("secret",))]
