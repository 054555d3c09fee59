"""A home of its own for each test: people, anchors and the bank's book."""

import socket
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def demo_home(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep files in a temporary folder, and look for banks where none listens."""
    settings.TMS_HOME = tmp_path
    settings.TMS_AUDIT_ANCHOR_DIR = tmp_path / "anchor"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("TMS_BANK_PORT", str(free.getsockname()[1]))
    return tmp_path
