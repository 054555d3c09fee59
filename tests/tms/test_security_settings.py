"""Headers, cookies and settings of production: what browsers are told to refuse."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from core.identity.models import User
from core.tenancy import Tenant
from tests.conftest import MakeUser
from tests.tms.desk.conftest import client_of

SHOWN = (
    "SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE",
    "SESSION_COOKIE_HTTPONLY", "SECURE_HSTS_SECONDS", "SECURE_SSL_REDIRECT", "DEBUG",
    "TMS_ORIGINS", "SESSION_COOKIE_PATH", "SESSION_COOKIE_DOMAIN",
)  # fmt: skip
SHOW = (
    "import json; from django.conf import settings as s;"
    f" print(json.dumps({{n: getattr(s, n) for n in {SHOWN!r}}}))"
)


def _in_production(home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command with the settings of production and a home of its own."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=settings.BASE_DIR,
        env={
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": "tms.settings",
            "TMS_MODE": "production",
            "TMS_HOME": str(home),
            "TMS_ENV_FILE": "",
            "TMS_ALLOWED_HOSTS": "desk.example",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_deployment_check_is_clean_in_production(tmp_path: Path) -> None:
    done = _in_production(tmp_path, "manage.py", "check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr
    assert "no issues (0 silenced)" in done.stdout + done.stderr


def test_production_cookies_belong_to_this_host_alone(tmp_path: Path) -> None:
    done = _in_production(tmp_path, "-c", SHOW)
    found = json.loads(done.stdout)
    assert found["SESSION_COOKIE_NAME"] == "__Host-sessionid"
    assert found["CSRF_COOKIE_NAME"] == "__Host-csrftoken"
    # What the prefix demands, else browsers drop the cookie and nobody can sign in.
    assert found["SESSION_COOKIE_SECURE"]
    assert found["CSRF_COOKIE_SECURE"]
    assert found["SESSION_COOKIE_PATH"] == "/"
    assert found["SESSION_COOKIE_DOMAIN"] is None
    assert found["SESSION_COOKIE_HTTPONLY"]
    assert found["SECURE_SSL_REDIRECT"]
    assert found["SECURE_HSTS_SECONDS"] >= 31_536_000
    assert not found["DEBUG"]
    assert "https://desk.example" in found["TMS_ORIGINS"]
    assert all(origin.startswith("https://") for origin in found["TMS_ORIGINS"])


@pytest.fixture
def admin(user_with: MakeUser) -> User:
    return user_with("tenant_admin", name="admin")


def _policy(client: Client, path: str) -> dict[str, str]:
    header = client.get(path).headers["Content-Security-Policy"]
    pairs = (part.strip().split(" ", 1) for part in header.split(";") if part.strip())
    return {pair[0]: pair[1] if len(pair) > 1 else "" for pair in pairs}


@pytest.mark.parametrize("path", ["/", "/me/security", "/sign-in", "/nowhere", "/api/v1/events"])
def test_nothing_unsafe_runs_outside_the_admin(admin: User, path: str) -> None:
    policy = _policy(client_of(admin), path)
    assert "unsafe" not in " ".join(policy.values())
    assert policy["frame-ancestors"] == "'none'"
    assert policy["object-src"] == "'none'"
    assert policy["base-uri"] == "'none'"


def test_the_admin_has_a_policy_of_its_own(admin: User) -> None:
    policy = _policy(client_of(admin), "/admin/")
    assert policy["script-src"] == "'self' 'unsafe-eval'"
    assert policy["style-src"] == "'self' 'unsafe-inline'"
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["form-action"] == "'self'"


def test_an_address_that_only_looks_like_the_admin_stays_strict(admin: User) -> None:
    assert "unsafe" not in " ".join(_policy(client_of(admin), "/administration").values())


def test_every_page_carries_the_other_headers(tenant: Tenant) -> None:
    headers = Client().get("/sign-in").headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert headers["Cache-Control"].startswith(("no-store", "max-age=0"))


@pytest.mark.parametrize("path", ["/health", "/metrics", "/api/v1/events"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE"])
def test_what_is_only_read_takes_no_other_method(admin: User, path: str, method: str) -> None:
    client = client_of(admin)
    assert client.generic(method, path).status_code == 405
    assert client.get(path).status_code == 200


def test_notices_stay_on_the_server(admin: User) -> None:
    """A notice may name a payee: the browser gets it with the next page, not in a cookie."""
    client = client_of(admin)
    client.post("/admin/core/delivery/replay/")
    assert "messages" not in client.cookies
    assert "dead letters are back to work" in client.get("/").content.decode()
