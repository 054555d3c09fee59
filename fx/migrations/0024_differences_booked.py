"""Nets and parts of batches are taken with a difference; differences are booked as results."""

import django.db.models.deletion
from decimal import Decimal
from django.conf import settings
from django.db import migrations, models

from core.migrating import InOneStep


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0006_queue_goes_on'),
        ('fx', '0023_chosen_accounts'),
        ('treasury', '0012_keys_by_index'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        InOneStep([
            migrations.RemoveConstraint(
                model_name='pnlentry',
                name='pnl_entry_has_its_parts',
            ),
            migrations.RemoveConstraint(
                model_name='pnlentry',
                name='pnl_follows_from_the_second_on',
            ),
            migrations.RemoveConstraint(
                model_name='pnlentry',
                name='pnl_booked_once',
            ),
            migrations.RemoveConstraint(
                model_name='receiptdifference',
                name='receipt_difference_once_an_entry',
            ),
            migrations.AddField(
                model_name='pnlentry',
                name='difference',
                field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='booked', to='fx.receiptdifference'),
            ),
            migrations.AddField(
                model_name='receiptdifference',
                name='entry_part',
                field=models.ForeignKey(help_text='Which payment of the entry it is, where the bank booked several as one.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='deal_differences', to='treasury.entrypart'),
            ),
            migrations.AddField(
                model_name='receiptdifference',
                name='net',
                field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='differences', to='fx.settlementnet'),
            ),
            migrations.AlterField(
                model_name='pnlentry',
                name='kind',
                field=models.CharField(choices=[('UNREALISED', 'unrealised'), ('REVERSAL', 'reversal'), ('REALISED', 'realised'), ('DIFFERENCE', 'difference of a receipt'), ('TAKEN_BACK', 'difference taken back')], max_length=10),
            ),
            migrations.AlterField(
                model_name='receiptdifference',
                name='leg',
                field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='differences', to='fx.dealleg'),
            ),
            migrations.AddConstraint(
                model_name='pnlentry',
                constraint=models.CheckConstraint(condition=models.Q(models.Q(('difference', None), ('kind', 'UNREALISED'), ('rate', None), ('usd_rate', None), ('valuation__isnull', False)), models.Q(('difference', None), ('earlier__isnull', False), ('kind', 'REVERSAL'), ('rate', None), ('usd_rate', None), ('valuation', None)), models.Q(('difference', None), ('kind', 'REALISED'), ('usd_rate__gt', 0), ('usd_rate__lt', Decimal('10000000')), ('valuation', None), ('rate__gt', 0), ('rate__lt', Decimal('10000000'))), models.Q(('difference__isnull', False), ('kind', 'DIFFERENCE'), ('rate', None), ('usd_rate__gt', 0), ('usd_rate__lt', Decimal('10000000')), ('valuation', None)), models.Q(('difference__isnull', False), ('earlier__isnull', False), ('kind', 'TAKEN_BACK'), ('rate', None), ('usd_rate', None), ('valuation', None)), _connector='OR'), name='pnl_entry_has_its_parts'),
            ),
            migrations.AddConstraint(
                model_name='pnlentry',
                constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'REVERSAL'), ('number__gte', 1)), models.Q(('earlier', None), ('kind__in', ('UNREALISED', 'REALISED')), ('number', 1)), models.Q(('earlier__isnull', False), ('kind__in', ('UNREALISED', 'REALISED')), ('number__gt', 1)), models.Q(('earlier', None), ('kind', 'DIFFERENCE'), ('number', 0)), models.Q(('kind', 'TAKEN_BACK'), ('number', 0)), _connector='OR'), name='pnl_follows_from_the_second_on'),
            ),
            migrations.AddConstraint(
                model_name='pnlentry',
                constraint=models.UniqueConstraint(condition=models.Q(('kind__in', ('UNREALISED', 'REALISED'))), fields=('tenant', 'deal', 'number'), name='pnl_booked_once'),
            ),
            migrations.AddConstraint(
                model_name='pnlentry',
                constraint=models.UniqueConstraint(condition=models.Q(('difference__isnull', False)), fields=('tenant', 'difference', 'kind'), name='pnl_difference_booked_once'),
            ),
            migrations.AddConstraint(
                model_name='receiptdifference',
                constraint=models.CheckConstraint(condition=models.Q(models.Q(('leg__isnull', False), ('net', None)), models.Q(('leg', None), ('net__isnull', False)), _connector='OR'), name='receipt_difference_of_a_leg_or_net'),
            ),
            migrations.AddConstraint(
                model_name='receiptdifference',
                constraint=models.UniqueConstraint(condition=models.Q(('state__in', ('PROPOSED', 'ACCEPTED'))), fields=('tenant', 'net'), name='receipt_difference_once_a_net'),
            ),
            migrations.AddConstraint(
                model_name='receiptdifference',
                constraint=models.UniqueConstraint(condition=models.Q(('entry_part', None), ('state__in', ('PROPOSED', 'ACCEPTED'))), fields=('tenant', 'entry'), name='receipt_difference_once_an_entry'),
            ),
            migrations.AddConstraint(
                model_name='receiptdifference',
                constraint=models.UniqueConstraint(condition=models.Q(('state__in', ('PROPOSED', 'ACCEPTED'))), fields=('tenant', 'entry_part'), name='receipt_difference_once_a_part'),
            ),
        ]),
    ]
