"""Celery door of the demo: rates, plans and forecast stay of today while the system runs."""

from celery import shared_task
from django.conf import settings

from tms.demo.connector import execute_everywhere
from tms.demo.places import MODES
from tms.demo.pricing import tick_everywhere
from tms.demo.seeding import refresh_all


@shared_task(name="demo.keep_fresh", ignore_result=True)
def keep_fresh() -> None:
    """Refresh every demo tenant; elsewhere there is none."""
    if settings.TMS_MODE in MODES:
        refresh_all()


@shared_task(name="demo.execute_sweeps", ignore_result=True)
def execute_sweeps() -> None:
    """Let the sandbox banks execute what was swept in the demo."""
    if settings.TMS_MODE in MODES:
        execute_everywhere()


@shared_task(name="demo.tick_rates", ignore_result=True)
def tick_rates() -> None:
    """Let the sandbox feed say what every pair is worth now."""
    if settings.TMS_MODE in MODES:
        tick_everywhere()
