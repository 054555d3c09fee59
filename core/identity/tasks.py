"""What beat wakes for identity."""

from celery import shared_task

from core.identity.reviews import open_review
from core.tenancy import bound, tenant_ids


@shared_task(name="core.identity.open_access_reviews", ignore_result=True)
def open_access_reviews() -> None:
    """Open the quarter's access review of every tenant that has none yet."""
    for tenant in tenant_ids():
        with bound(tenant, actor="system:access-review"):
            open_review()
