"""Whatever is asked of the API: a clear refusal or an answer, never a failure."""

from collections.abc import Iterator
from typing import Final

import pytest

from tests.promises.conftest import World
from tests.promises.routes import Route, all_routes
from tms.reference import described

NONSENSE: Final = ("0001-01-01", "9999-12-31", "-1", "9" * 400, "NaN", "\0", "\U0001f4a9")
SAID_TO_ALL: Final = ("limit", "cursor", "format")


@pytest.fixture(scope="module")
def questions(world: World) -> list[tuple[str, str]]:
    return list(_questions(world))


def _questions(world: World) -> Iterator[tuple[str, str]]:
    """Yield every address that is read with every word that it may be asked with."""
    routes: dict[str, Route] = {_shape(route.pattern): route for route in all_routes()}
    for path, methods in described()["paths"].items():
        route = routes[_shape(path.lstrip("/"))]
        words = route.words()
        filled = route.path({name: world.ours.objects[word] for name, word in words.items()})
        said = [one["name"] for one in methods.get("get", {}).get("parameters", [])]
        for name in {*said, *SAID_TO_ALL} - set(words) if "get" in methods else ():
            yield filled, name


def _shape(pattern: str) -> str:
    parts = pattern.split("/")
    return "/".join("*" if part[:1] in ("<", "{") else part for part in parts)


@pytest.mark.parametrize("nonsense", NONSENSE, ids=lambda given: repr(given)[1:14])
def test_nonsense_is_refused_or_answered(
    world: World, questions: list[tuple[str, str]], db: None, at_work: object, nonsense: str
) -> None:
    client = world.ours.client("auditor")
    client.raise_request_exception = False
    failed, answered = {}, 0
    for path, name in questions:
        status = client.get(path, {name: nonsense}).status_code
        answered += status in (200, 400, 422)
        if status >= 500:
            failed[path, name] = status
    assert failed == {}
    assert answered > 200


@pytest.mark.parametrize("day", ["0001-01-01", "1899-12-31", "3000-01-01", "9999-12-31"])
def test_a_day_that_is_too_far_away_is_named(
    world: World, db: None, at_work: object, day: str
) -> None:
    client = world.ours.client("auditor")
    answer = client.get("/api/v1/balances", {"on": day})
    assert answer.status_code == 400
    assert "between 1900 and 2999" in answer.content.decode()
    assert client.get("/api/v1/balances", {"on": "2999-12-31"}).status_code == 200
