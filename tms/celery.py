"""The Celery application: tasks wake the work that rows remember."""

import os

from celery import Celery

from tms.schedule import SCHEDULE

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tms.settings")

app = Celery("tms")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_schedule = SCHEDULE
app.autodiscover_tasks(["core.events", "core.identity", "tms.demo"])
app.autodiscover_tasks()
