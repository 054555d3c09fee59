"""Who plays: people of the tenant, signed in with password and one-time code."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tms.story.api import Api
from tms.story.codes import CodeBook
from tms.story.errors import StoryFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """How one of the people signs in."""

    username: str
    display_name: str
    password: str = field(repr=False)
    totp_secret: str = field(repr=False, default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Those the story needs."""

    maker: Person
    checker_one: Person
    checker_two: Person
    auditor: Person

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> "People":
        """Find them by their roles in what the seeding wrote about a tenant.

        Raises:
            StoryFailed: somebody is missing.
        """

        def having(role: str) -> list[Person]:
            return [
                Person(
                    username=one["username"],
                    display_name=one["display_name"],
                    password=one["password"],
                    totp_secret=one["totp_secret"],
                )
                for one in facts["people"]
                if role in one["roles"]
            ]

        makers, auditors = having("treasury_maker"), having("auditor")
        checkers = having("treasury_checker")
        if not makers or not auditors or len(checkers) < 2:  # noqa: PLR2004 - a pair of eyes each
            raise StoryFailed("The story needs a maker, two checkers and an auditor.")
        return cls(
            maker=makers[0],
            checker_one=checkers[0],
            checker_two=checkers[1],
            auditor=auditors[0],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """The people with their clients, signed in."""

    maker: Api
    checker_one: Api
    checker_two: Api
    auditor: Api


def sign_in(person: Person, *, base_url: str, codes: CodeBook) -> Api:
    """Exchange password and one-time code for a token.

    Raises:
        StoryFailed: the system refuses.
    """

    def code() -> str:
        if not person.totp_secret:
            return ""
        return codes.next_code(username=person.username, secret=person.totp_secret)

    body = {"username": person.username, "password": person.password}
    if person.totp_secret:
        body["otp"] = code()
    pair = Api(base_url=base_url, person=person.display_name).post("/api/v1/token", body)
    return Api(base_url=base_url, person=person.display_name, token=pair["access"], code=code)


def sign_all_in(people: People, *, base_url: str, codes: CodeBook) -> Cast:
    """Sign everybody in.

    Raises:
        StoryFailed: the system refuses somebody.
    """
    return Cast(
        maker=sign_in(people.maker, base_url=base_url, codes=codes),
        checker_one=sign_in(people.checker_one, base_url=base_url, codes=codes),
        checker_two=sign_in(people.checker_two, base_url=base_url, codes=codes),
        auditor=sign_in(people.auditor, base_url=base_url, codes=codes),
    )
