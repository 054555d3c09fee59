"""What every page of the desk knows."""

from typing import Any

from django.http import HttpRequest


def desk(request: HttpRequest) -> dict[str, Any]:
    """Return the mode, for the banner of local demo systems."""
    from django.conf import settings

    return {"tms_mode": settings.TMS_MODE, "request_id": request.META.get("TMS_REQUEST_ID", "")}
