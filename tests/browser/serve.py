"""Serve the application on an inherited socket, against the database of a test run.

python -m tests.browser.serve DATABASE SOCKET_FD ORIGIN [CLOCK_FILE]
"""

import os
import socket
import sys
import threading

import uvicorn


def main(database: str, descriptor: int, origin: str, clock_file: str = "") -> None:
    """Point the settings at the test database, then load and run the real ASGI application."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tms.settings")
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = database
    if clock_file:
        settings.TMS_CLOCK_FILE = clock_file
    named = origin.replace("127.0.0.1", "localhost")
    settings.TMS_ORIGINS.extend([origin, named])
    from tms.asgi import application

    config = uvicorn.Config(application, log_level="warning", lifespan="off")
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
