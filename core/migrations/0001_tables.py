"""Tenants, people, events, audit, policies, idempotency and what four eyes need."""

import core.ids
import core.tenancy.context
import django.db.models.deletion
import django_fsm
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    replaces = [
        ('core', '0001_initial'),
        ('core', '0002_walls'),
        ('core', '0003_changes'),
        ('core', '0004_four_eyes'),
        ('core', '0006_step_up'),
        ('core', '0007_passkeys'),
        ('core', '0008_sessions'),
        ('core', '0009_duties'),
        ('core', '0010_refusals'),
        ('core', '0011_verification'),
        ('core', '0012_personal_text'),
    ]

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
    ]

    operations = [
        migrations.CreateModel(
            name='Tenant',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('slug', models.SlugField(max_length=40, unique=True)),
                ('name', models.CharField(max_length=140)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('opened_at', models.DateTimeField(editable=False, help_text='Since when everything that steers money is changed by two people only.', null=True)),
            ],
        ),
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('at', models.DateTimeField()),
                ('actor', models.TextField()),
                ('on_behalf_of', models.TextField(null=True)),
                ('request', models.TextField()),
                ('reason', models.TextField()),
                ('database_role', models.TextField()),
                ('table_name', models.TextField()),
                ('row_id', models.TextField()),
                ('action', models.TextField()),
                ('before', models.JSONField(null=True)),
                ('after', models.JSONField(null=True)),
            ],
            options={
                'verbose_name_plural': 'audit entries',
                'indexes': [models.Index(fields=['tenant', 'table_name', 'row_id'], name='audit_by_row'), models.Index(fields=['tenant', 'row_id', '-id'], name='audit_of_thing'), models.Index(condition=models.Q(('action', 'REFUSED')), fields=['tenant', 'actor', '-at'], name='audit_refused_by_actor')],
            },
        ),
        migrations.CreateModel(
            name='AuditPending',
            fields=[
                ('entry', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, primary_key=True, serialize=False, to='core.auditentry')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
            ],
        ),
        migrations.CreateModel(
            name='AuditLink',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('sequence', models.BigIntegerField()),
                ('entry', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, to='core.auditentry')),
                ('hash', models.CharField(max_length=64)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('tenant', 'sequence'), name='audit_link_sequence')],
            },
        ),
        migrations.CreateModel(
            name='AuditVerification',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('requested_at', models.DateTimeField()),
                ('requested_by', models.CharField(max_length=80)),
                ('finished_at', models.DateTimeField(null=True)),
                ('links_count', models.BigIntegerField(default=0)),
                ('head', models.CharField(blank=True, max_length=64)),
                ('faults', models.JSONField(default=list)),
            ],
            options={
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('finished_at', None)), fields=('tenant',), name='audit_verification_one_open')],
            },
        ),
        migrations.CreateModel(
            name='PersonalText',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('person', models.UUIDField()),
                ('digest', models.CharField(max_length=80)),
                ('salt', models.CharField(max_length=80)),
                ('text', models.TextField()),
            ],
            options={
                'indexes': [models.Index(fields=['tenant', 'digest'], name='personal_by_digest'), models.Index(fields=['tenant', 'person'], name='personal_by_person')],
            },
        ),
        migrations.CreateModel(
            name='ChangeDraft',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('table_name', models.CharField(max_length=63)),
                ('row_id', models.CharField(max_length=40)),
                ('operation', models.CharField(choices=[('INSERT', 'new'), ('UPDATE', 'changed'), ('DELETE', 'removed')], max_length=6)),
                ('before', models.JSONField(null=True)),
                ('after', models.JSONField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='OutboxEvent',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('topic', models.CharField(max_length=80)),
                ('version', models.PositiveSmallIntegerField(default=1)),
                ('aggregate', models.CharField(max_length=120)),
                ('payload', models.JSONField()),
                ('occurred_at', models.DateTimeField()),
                ('correlation_id', models.UUIDField()),
                ('causation_id', models.UUIDField(null=True)),
                ('producer', models.CharField(max_length=80)),
                ('sequence', models.BigIntegerField(null=True)),
                ('relayed_at', models.DateTimeField(null=True)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('sequence', None)), fields=['id'], name='outbox_unsequenced'), models.Index(condition=models.Q(('relayed_at', None)), fields=['tenant', 'sequence'], name='outbox_unrelayed'), models.Index(fields=['tenant', 'topic', 'id'], name='outbox_by_topic')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'sequence'), name='outbox_sequence')],
            },
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('event', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='core.outboxevent')),
                ('consumer', models.CharField(max_length=80)),
                ('aggregate', models.CharField(max_length=120)),
                ('state', models.CharField(choices=[('WAITING', 'waiting'), ('DONE', 'done'), ('DEAD', 'dead letter')], default='WAITING', max_length=8)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('fence', models.PositiveIntegerField(default=0)),
                ('due_at', models.DateTimeField()),
                ('locked_until', models.DateTimeField(null=True)),
                ('done_at', models.DateTimeField(null=True)),
                ('last_error', models.TextField(blank=True)),
            ],
            options={
                'verbose_name_plural': 'deliveries',
                'indexes': [models.Index(models.F('tenant'), models.F('due_at'), condition=models.Q(('state', 'WAITING')), name='delivery_waiting'), models.Index(models.F('tenant'), models.F('consumer'), models.F('aggregate'), models.F('event'), condition=models.Q(('state', 'WAITING')), name='delivery_order')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'consumer', 'event'), name='delivery_once_per_consumer'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'DONE'), _negated=True), ('done_at__isnull', False), _connector='OR'), name='delivery_done_has_time')],
            },
        ),
        migrations.CreateModel(
            name='IdempotencyKey',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('actor', models.CharField(max_length=120)),
                ('key', models.CharField(max_length=120)),
                ('request_hash', models.CharField(max_length=64)),
                ('status', models.PositiveSmallIntegerField(null=True)),
                ('response', models.JSONField(null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('tenant', 'actor', 'key'), name='idempotency_key_per_actor')],
            },
        ),
        migrations.CreateModel(
            name='User',
            fields=[
                ('password', models.CharField(max_length=128, verbose_name='password')),
                ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
                ('is_superuser', models.BooleanField(default=False, help_text='Designates that this user has all permissions without explicitly assigning them.', verbose_name='superuser status')),
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('username', models.CharField(help_text='Sign-in name, like treasurer@example.', max_length=120, unique=True)),
                ('display_name', models.CharField(max_length=140)),
                ('person_number', models.CharField(max_length=40)),
                ('is_service', models.BooleanField(default=False)),
                ('is_active', models.BooleanField(default=True)),
                ('is_staff', models.BooleanField(default=False)),
                ('generation', models.PositiveIntegerField(default=1)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('groups', models.ManyToManyField(blank=True, help_text='The groups this user belongs to. A user will get all permissions granted to each of their groups.', related_name='user_set', related_query_name='user', to='auth.group', verbose_name='groups')),
                ('user_permissions', models.ManyToManyField(blank=True, help_text='Specific permissions for this user.', related_name='user_set', related_query_name='user', to='auth.permission', verbose_name='user permissions')),
            ],
            options={
                'ordering': ['username'],
                'constraints': [models.CheckConstraint(condition=models.Q(('username__regex', '^[a-z0-9._-]+@[a-z0-9-]+$')), name='user_name_carries_the_tenant'), models.CheckConstraint(condition=models.Q(('person_number', ''), _negated=True), name='user_has_a_person')],
            },
        ),
        migrations.CreateModel(
            name='ChangeRequest',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('target', models.CharField(max_length=80)),
                ('row_id', models.CharField(max_length=40)),
                ('operation', models.CharField(choices=[('INSERT', 'new'), ('UPDATE', 'changed'), ('DELETE', 'removed')], max_length=6)),
                ('action', models.CharField(choices=[('static_data', 'static data'), ('control', 'control')], max_length=20)),
                ('title', models.CharField(max_length=200)),
                ('rows', models.JSONField()),
                ('sealed', models.JSONField(default=dict, editable=False)),
                ('reason', models.CharField(max_length=300)),
                ('maker', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('maker_label', models.CharField(max_length=140)),
                ('state', django_fsm.FSMField(choices=[('PROPOSED', 'proposed'), ('APPLIED', 'applied'), ('REJECTED', 'rejected'), ('CANCELLED', 'cancelled'), ('FAILED', 'failed')], default='PROPOSED', max_length=10, protected=True)),
                ('proposed_at', models.DateTimeField()),
                ('decided_at', models.DateTimeField(null=True)),
                ('problem', models.CharField(blank=True, help_text='Why it was not applied.', max_length=500)),
            ],
            options={
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state', 'PROPOSED')), fields=('tenant', 'target', 'row_id'), name='change_request_one_per_row'), models.CheckConstraint(condition=models.Q(('state__in', ['PROPOSED', 'APPLIED', 'REJECTED', 'CANCELLED', 'FAILED'])), name='change_request_state_known'), models.CheckConstraint(condition=models.Q(('action__in', ['static_data', 'control'])), name='change_request_action_known'), models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='change_request_has_a_reason'), models.CheckConstraint(condition=models.Q(models.Q(('decided_at', None), ('state', 'PROPOSED')), models.Q(models.Q(('state', 'PROPOSED'), _negated=True), ('decided_at__isnull', False)), _connector='OR'), name='change_request_closed_has_time')],
            },
            bases=(django_fsm.FSMModelMixin, models.Model),
        ),
        migrations.CreateModel(
            name='StepUp',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='step_ups', to=settings.AUTH_USER_MODEL)),
                ('method', models.CharField(choices=[('totp', 'authenticator code'), ('passkey', 'passkey'), ('recovery', 'recovery code')], max_length=8)),
                ('content_hash', models.CharField(blank=True, max_length=64)),
                ('proved_at', models.DateTimeField()),
                ('used_at', models.DateTimeField(null=True)),
                ('proof', models.JSONField(default=dict)),
            ],
            options={
                'ordering': ['-proved_at'],
                'constraints': [models.CheckConstraint(condition=models.Q(('content_hash__regex', '^([0-9a-f]{64})?$')), name='stepup_hash_is_hex')],
            },
        ),
        migrations.CreateModel(
            name='Passkey',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='passkeys', to=settings.AUTH_USER_MODEL)),
                ('name', models.CharField(max_length=60)),
                ('credential_id', models.CharField(max_length=1400)),
                ('public_key', models.CharField(max_length=1400)),
                ('sign_count', models.BigIntegerField(default=0)),
                ('registered_with', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.stepup')),
                ('created_at', models.DateTimeField()),
                ('last_used_at', models.DateTimeField(null=True)),
                ('removed_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['created_at'],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'credential_id'), name='passkey_registered_once'), models.CheckConstraint(condition=models.Q(('name', ''), _negated=True), name='passkey_has_a_name')],
            },
        ),
        migrations.CreateModel(
            name='AccessReview',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('quarter', models.CharField(help_text='Like 2026Q4.', max_length=6)),
                ('opened_at', models.DateTimeField()),
                ('closed_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['-quarter'],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'quarter'), name='access_review_quarter'), models.CheckConstraint(condition=models.Q(('quarter__regex', '^\\d{4}Q[1-4]$')), name='access_review_quarter_is_one')],
            },
        ),
        migrations.CreateModel(
            name='AccessReviewItem',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('review', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='items', to='core.accessreview')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('person_number', models.CharField(max_length=40)),
                ('roles', models.JSONField(default=list)),
                ('last_sign_in', models.DateTimeField(null=True)),
                ('verdict', models.CharField(blank=True, choices=[('', 'open'), ('KEEP', 'keep'), ('REMOVE', 'remove')], default='', max_length=6)),
                ('words', models.TextField(blank=True)),
                ('decided_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('decided_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['review', 'person_number'],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'review', 'user'), name='access_review_item_once'), models.CheckConstraint(condition=models.Q(models.Q(('decided_at', None), ('decided_by', None), ('verdict', '')), models.Q(models.Q(('verdict', ''), _negated=True), ('decided_at__isnull', False), ('decided_by__isnull', False)), _connector='OR'), name='access_review_item_decided_whole'), models.CheckConstraint(condition=models.Q(('decided_by', None), models.Q(('decided_by', models.F('user')), _negated=True), _connector='OR'), name='access_review_not_by_oneself')],
            },
        ),
        migrations.CreateModel(
            name='PolicyVersion',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('key', models.CharField(max_length=80)),
                ('version', models.PositiveIntegerField()),
                ('value', models.JSONField()),
                ('reason', models.TextField()),
                ('changed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('changed_at', models.DateTimeField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('tenant', 'key', 'version'), name='policy_version')],
            },
        ),
        migrations.CreateModel(
            name='PersonSession',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='sessions', to=settings.AUTH_USER_MODEL)),
                ('key_digest', models.CharField(max_length=64)),
                ('second_factor', models.CharField(blank=True, max_length=8)),
                ('ip', models.GenericIPAddressField(null=True)),
                ('user_agent', models.CharField(blank=True, max_length=200)),
                ('created_at', models.DateTimeField()),
                ('seen_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['-seen_at'],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'key_digest'), name='session_known_once')],
            },
        ),
        migrations.CreateModel(
            name='TokenFamily',
            fields=[
                ('id', models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('tenant', models.ForeignKey(db_index=False, default=core.tenancy.context.tenant_of_new_rows, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.tenant')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='token_families', to=settings.AUTH_USER_MODEL)),
                ('current', models.UUIDField(help_text='The one token that may still be exchanged.')),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('revoked_at', models.DateTimeField(null=True)),
                ('revoked_because', models.CharField(blank=True, max_length=40)),
            ],
            options={
                'verbose_name_plural': 'token families',
                'ordering': ['-created_at'],
            },
        ),
    ]
