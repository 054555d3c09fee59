"""Orders leave by lines of their own bank; a recall is a camt.056 from its first letter on."""

from decimal import Decimal
from django.conf import settings
from django.db import migrations, models

from treasury import guards


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0110_reset_ends_sessions'),
        ('treasury', '0170_bodies'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(guards.LINES, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name='lateentry',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gt', Decimal('-10000000000000000')), ('amount__lt', Decimal('10000000000000000'))), name='late_entry_amount_is_finite'),
        ),
    ]
