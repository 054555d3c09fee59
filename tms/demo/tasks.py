"""Celery door of the demo: rates, plans and forecast stay of today while the system runs."""

from celery import shared_task
from django.conf import settings

from tms.demo.places import MODES
from tms.demo.seeding import refresh_all


@shared_task(name="demo.keep_fresh", ignore_result=True)
def keep_fresh() -> None:
    """Refresh every demo tenant; elsewhere there is none."""
    if settings.TMS_MODE in MODES:
        refresh_all()
