"""One address serves pages, API, event stream and websockets."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import OriginValidator
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tms.settings")
http = get_asgi_application()

from django.conf import settings  # noqa: E402 - Django must be set up first

from core.checks import refuse_unless_safe  # noqa: E402
from tms.celery import app as celery_app  # noqa: E402, F401 - web sends tasks
from tms.routing import websocket_urlpatterns  # noqa: E402

refuse_unless_safe()
application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": OriginValidator(URLRouter(websocket_urlpatterns), settings.TMS_ORIGINS),
    }
)
