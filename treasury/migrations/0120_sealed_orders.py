"""Orders are sealed when they are submitted; purposes of the Reserve Bank of India fit in."""

from django.db import migrations, models

from treasury import guards


class Migration(migrations.Migration):

    dependencies = [
        ('treasury', '0100_four_eyes'),
    ]

    operations = [
        migrations.AddField(
            model_name='historicalproposal',
            name='order_seal',
            field=models.CharField(default='', editable=False, help_text='Digest of the order as submitted; only an order of this digest can leave.', max_length=64),
        ),
        migrations.AddField(
            model_name='proposal',
            name='order_seal',
            field=models.CharField(default='', editable=False, help_text='Digest of the order as submitted; only an order of this digest can leave.', max_length=64),
        ),
        migrations.AlterField(
            model_name='beneficiary',
            name='payment_purpose',
            field=models.CharField(blank=True, help_text='Purpose code that its payments carry, like SUPP; FIS (UAE); P1301 (India).', max_length=5),
        ),
        migrations.AlterField(
            model_name='historicalbeneficiary',
            name='payment_purpose',
            field=models.CharField(blank=True, help_text='Purpose code that its payments carry, like SUPP; FIS (UAE); P1301 (India).', max_length=5),
        ),
        migrations.RunSQL(guards.SEALING, migrations.RunSQL.noop),
    ]
