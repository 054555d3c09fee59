"""A real browser against the real application: ASGI, websockets, database and Valkey included."""

import http.client
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import connections
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from core import clock
from core.events.relay import relay_all
from core.events.transports import transport
from core.identity.models import User
from core.identity.views import BACKEND
from core.middleware import TENANT_SESSION_KEY
from core.tenancy import bound
from tests.conftest import make_user
from tests.treasury.movement.conftest import House, build_house

CHROMIUM = os.environ.get("TMS_CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ANSWER_MS_MAX = 15_000
START_SECONDS_MAX = 90
STOP_SECONDS_MAX = 30

expect.set_options(timeout=ANSWER_MS_MAX)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="module")
def address(django_db_setup: None) -> Iterator[str]:
    """Serve the application from a process of its own, on a port of its own."""
    with served() as url:
        yield url


@contextmanager
def served(clock_file: Path | None = None) -> Iterator[str]:
    """Serve until the block ends; with a clock file its time is what that file says."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        descriptor = listener.fileno()
        server = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.browser.serve",
                settings.DATABASES["default"]["NAME"],
                str(descriptor),
                url,
                *([str(clock_file)] if clock_file else []),
            ],
            cwd=settings.BASE_DIR,
            pass_fds=[descriptor],
            stdin=subprocess.PIPE,
        )
        try:
            _wait_for(url)
            yield url
        finally:
            server.terminate()
            server.communicate(timeout=STOP_SECONDS_MAX)


def _wait_for(url: str) -> None:
    """Return when the server answers; the socket queues the question until it is up."""
    asked = http.client.HTTPConnection(urlsplit(url).netloc, timeout=START_SECONDS_MAX)
    asked.request("GET", "/health")
    assert asked.getresponse().status == 200
    asked.close()


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Drive a browser; its event loop lives in this thread until the module is done.

    Django refuses the ORM beside a running loop, so it is told to allow it just that long.
    """
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as driver:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield driver


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
    yield chromium
    chromium.close()


class Office:
    """A tenant with its people; everything in it is committed, as other processes see it."""

    def __init__(self, tenant: UUID, folder: Path) -> None:
        self.tenant = tenant
        with self.as_system():
            self.maker = make_user("maker", "treasury_maker")
            self.checker = make_user("checker", "treasury_checker")
            self.checker2 = make_user("checker2", "treasury_checker")
            self.house: House = build_house(folder)

    @contextmanager
    def as_system(self) -> Iterator[None]:
        with bound(self.tenant, actor="system:test"):
            yield

    @contextmanager
    def acting(self, user: User) -> Iterator[None]:
        with bound(self.tenant, actor=user.pk):
            yield

    def news(self) -> None:
        """Carry what was committed outwards, as the relay process does."""

        def relay() -> None:
            relay_all(transport())
            connections.close_all()

        with ThreadPoolExecutor(1) as elsewhere:  # this thread has Playwright's event loop
            elsewhere.submit(relay).result()


@pytest.fixture
def office(committed_tenant: UUID, tmp_path: Path) -> Office:
    return Office(committed_tenant, tmp_path)


OpenDesk = Callable[..., Page]


@pytest.fixture
def open_desk(browser: Browser, address: str, office: Office) -> Iterator[OpenDesk]:
    """Open a page as somebody; console errors and refused resources fail the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def enter(user: User | None, path: str = "/", **options: Any) -> Page:
        context = browser.new_context(base_url=address, **options)
        contexts.append(context)
        if user is not None:
            cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session_of(user)}
            context.add_cookies([{**cookie, "url": address}])  # type: ignore[list-item, misc]
        page = context.new_page()
        page.set_default_timeout(ANSWER_MS_MAX)
        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
        page.on(
            "console",
            lambda said: (
                complaints.append(f"{page.url}: {said.text}") if said.type == "error" else None
            ),
        )
        page.goto(path)
        return page

    yield enter
    for context in contexts:
        context.close()
    assert complaints == []


def session_of(user: User) -> str:
    """Return the key of a session that belongs to `user`."""
    session = SessionStore()
    with bound(user.tenant_id, actor=user.pk):
        user.last_login = clock.now()
        user.save(update_fields=["last_login"])
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = BACKEND
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session[TENANT_SESSION_KEY] = str(user.tenant_id)
        session.save()
    return str(session.session_key)
