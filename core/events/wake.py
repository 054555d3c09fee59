"""Call the workers to help with a backlog: a hint for speed that may get lost without harm."""

import structlog
from celery import current_app
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

logger = structlog.get_logger(__name__)


def workers() -> None:
    """Ask a worker to drain too, now; beat asks again every few seconds anyway."""
    try:
        current_app.send_task("core.events.drain", ignore_result=True, retry=False)
    except (OperationalError, RedisError, OSError) as error:
        logger.warning("workers_not_woken", error=type(error).__name__)
