"""Open deals and those that settled are found without reading the others."""

from django.db import migrations, models

from core.migrating import InOneStep


class Migration(migrations.Migration):

    dependencies = [
        ('fx', '0019_day_money_moves'),
    ]

    operations = [
        InOneStep([
            migrations.AddIndex(
                model_name='deal',
                index=models.Index(condition=models.Q(('state__in', ('EXECUTED', 'CONFIRMED', 'FAILED'))), fields=['tenant', 'base', 'quote', 'settles_on', 'fixing_date'], include=('side', 'base_amount', 'rate', 'executed_at'), name='deal_open'),
            ),
            migrations.AddIndex(
                model_name='deal',
                index=models.Index(condition=models.Q(('fixing_date__isnull', False), ('state__in', ('EXECUTED', 'CONFIRMED', 'FAILED'))), fields=['tenant', 'base', 'quote', 'fixing_date'], include=('executed_at',), name='deal_open_ndf'),
            ),
            migrations.AddIndex(
                model_name='deal',
                index=models.Index(condition=models.Q(('state', 'SETTLED')), fields=['tenant', 'closed_at'], name='deal_settled'),
            ),
        ]),
    ]
