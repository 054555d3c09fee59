"""The OpenAPI file that is served is the one that the documents hold."""

from typing import Any

import pytest
import yaml
from django.conf import settings
from django.test import Client

HELD = settings.BASE_DIR / "docs" / "openapi.yaml"


@pytest.fixture(scope="module")
def held() -> Any:
    return yaml.safe_load(HELD.read_text())


@pytest.mark.django_db
@pytest.mark.parametrize("asked", ["", "?format=json", "?version=2"])
def test_the_served_file_is_the_held_one(held: Any, asked: str) -> None:
    answer = Client().get(f"/api/schema/{asked}")
    assert answer.status_code == 200
    assert yaml.safe_load(answer.content) == held
