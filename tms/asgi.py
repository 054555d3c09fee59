"""One address serves pages, API, event stream and websockets."""

import os
from concurrent.futures import ThreadPoolExecutor

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import OriginValidator
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tms.settings")
http = get_asgi_application()

from django.conf import settings  # noqa: E402 - Django must be set up first

from core.checks import refuse_unless_safe  # noqa: E402
from core.sockets import RecordedOrigins  # noqa: E402
from tms.celery import app as celery_app  # noqa: E402, F401 - web sends tasks
from tms.routing import websocket_urlpatterns  # noqa: E402

# The database is asked in a thread of its own: this module may load inside a running event loop.
with ThreadPoolExecutor(1) as pool:
    pool.submit(refuse_unless_safe).result()
application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": RecordedOrigins(
            OriginValidator(URLRouter(websocket_urlpatterns), settings.TMS_ORIGINS)
        ),
    }
)
