"""A leg or net may be one payment of an entry that books several."""

import django.db.models.deletion
from django.db import migrations, models

from core.migrating import InOneStep
from core.tenancy.operations import EnforceTenancy
from fx import leg_guards, net_guards


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0004_quicker_trail_and_queue'),
        ('fx', '0014_suggestions'),
        ('treasury', '0011_accounts_indexed_once'),
    ]

    operations = [
        InOneStep([
            migrations.AddField(
                model_name='dealleg',
                name='entry_part',
                field=models.OneToOneField(help_text='Which payment of the entry it is, where the bank booked several as one.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='deal_leg', to='treasury.entrypart'),
            ),
            migrations.AddField(
                model_name='settlementnet',
                name='entry_part',
                field=models.OneToOneField(help_text='Which payment of the entry it is, where the bank booked several as one.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='settlement_net', to='treasury.entrypart'),
            ),
            migrations.AlterField(
                model_name='dealleg',
                name='entry',
                field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='deal_legs', to='treasury.bankentry'),
            ),
            migrations.AlterField(
                model_name='settlementnet',
                name='entry',
                field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='settlement_nets', to='treasury.bankentry'),
            ),
            migrations.AddConstraint(
                model_name='dealleg',
                constraint=models.UniqueConstraint(condition=models.Q(('entry_part', None)), fields=('tenant', 'entry'), name='deal_leg_entry_alone'),
            ),
            migrations.AddConstraint(
                model_name='dealleg',
                constraint=models.CheckConstraint(condition=models.Q(('entry_part', None), models.Q(('entry', None), _negated=True), _connector='OR'), name='deal_leg_part_in_entry'),
            ),
            migrations.AddConstraint(
                model_name='settlementnet',
                constraint=models.UniqueConstraint(condition=models.Q(('entry_part', None)), fields=('tenant', 'entry'), name='settlement_net_entry_alone'),
            ),
            migrations.AddConstraint(
                model_name='settlementnet',
                constraint=models.CheckConstraint(condition=models.Q(('entry_part', None), models.Q(('entry', None), _negated=True), _connector='OR'), name='settlement_net_part_in_entry'),
            ),
        ]),
        EnforceTenancy("fx"),
        migrations.RunSQL(leg_guards.SQL, migrations.RunSQL.noop),
        migrations.RunSQL(net_guards.SQL, migrations.RunSQL.noop),
    ]
