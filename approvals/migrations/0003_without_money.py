"""Requests that are not about money."""

from django.conf import settings
from django.db import migrations, models

from approvals import guards


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0002_walls'),
        ('core', '0002_walls'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='approvalrequest',
            name='approval_request_currency_code',
        ),
        migrations.AlterField(
            model_name='approvalrequest',
            name='amount',
            field=models.DecimalField(decimal_places=4, help_text='Empty: it is not about money.', max_digits=20, null=True),
        ),
        migrations.AlterField(
            model_name='approvalrequest',
            name='currency',
            field=models.CharField(blank=True, max_length=3),
        ),
        migrations.AlterField(
            model_name='historicalapprovalrequest',
            name='amount',
            field=models.DecimalField(decimal_places=4, help_text='Empty: it is not about money.', max_digits=20, null=True),
        ),
        migrations.AlterField(
            model_name='historicalapprovalrequest',
            name='currency',
            field=models.CharField(blank=True, max_length=3),
        ),
        migrations.AddConstraint(
            model_name='approvalrequest',
            constraint=models.CheckConstraint(condition=models.Q(('currency__regex', '^[A-Z]{3}$'), models.Q(('amount', None), ('currency', '')), _connector='OR'), name='approval_request_currency_code'),
        ),
        migrations.RunSQL(guards.WITHOUT_MONEY + guards.FUNCTIONS, migrations.RunSQL.noop),
    ]
