"""Draw how a bank's spreadsheets are read: guess, look at the first rows, propose."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from core.changes.models import ChangeRequest, Control
from core.changes.registry import MAKERS
from core.changes.services import write_or_propose
from core.errors import Forbidden
from core.identity.models import User
from integrations import selectors
from integrations.codecs.errors import UnreadableMessage
from integrations.codecs.proof import Proof, prove
from integrations.codecs.records import ParsedEntry, ParsedMessage
from integrations.codecs.sheet_guess import Guess, guess_mapping
from integrations.codecs.sheets import read_sheet
from integrations.dialects.errors import ProfileInvalid
from integrations.dialects.reading import parse_dialect
from integrations.models import BankConnection, BankProfile
from integrations.services.profiles import ProfileIn, save_profile, use_profile

ROLES_FOR_MAPPING: Final = MAKERS[Control.STATIC_DATA]
SAMPLE_BYTES_MAX: Final = 512 * 1024
ROWS_SHOWN_MAX: Final = 20
DAYS_SHOWN_MAX: Final = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a mapping makes of a sample: entries and proofs, or why it cannot be read."""

    entries: tuple[ParsedEntry, ...] = ()
    entries_count: int = 0
    proofs: tuple[tuple[str, Proof], ...] = ()
    problem: str = ""

    @property
    def is_proven(self) -> bool:
        """Return whether every day with balances adds up."""
        return not self.problem and all(proof.difference in (None, 0) for _, proof in self.proofs)


def draft_mapping(*, sample: bytes, connection_code: str) -> Guess:
    """Return a first draft of how a sample is read.

    Raises:
        UnreadableMessage: the sample is no table.
        ConnectionUnknown: no active connection has this code.
    """
    reading = _reading(selectors.connection_named(connection_code))
    return guess_mapping(sample, encoding=str(reading.get("encoding", "")))


def try_mapping(*, sample: bytes, connection_code: str, sheet: Mapping[str, Any]) -> Trial:
    """Read a sample as a mapping says; what is wrong comes back in words.

    Raises:
        ConnectionUnknown: no active connection has this code.
    """
    reading = _reading(selectors.connection_named(connection_code)) | {"sheet": dict(sheet)}
    try:
        dialect = parse_dialect(reading)
        if dialect.sheet is None:
            return Trial(problem="There is no mapping.")
        message = read_sheet(sample, dialect=dialect, mapping=dialect.sheet)
    except ProfileInvalid as problem:
        return Trial(problem=problem.message)
    except UnreadableMessage as refusal:
        where = f" ({refusal.locator})" if refusal.locator else ""
        return Trial(problem=f"{refusal.message}{where}")
    return _trial(message)


def _trial(message: ParsedMessage) -> Trial:
    entries = [entry for statement in message.statements for entry in statement.entries]
    proofs = [
        (f"{one.account.iban or one.account.number} {one.to_at:%Y-%m-%d}", prove(one))
        for one in message.statements
        if one.to_at is not None
    ]
    return Trial(
        entries=tuple(entries[:ROWS_SHOWN_MAX]),
        entries_count=len(entries),
        proofs=tuple(proofs[:DAYS_SHOWN_MAX]),
    )


def propose_mapping(
    *, connection_code: str, sheet: Mapping[str, Any], maker: User, reason: str
) -> BankProfile | ChangeRequest:
    """Propose that the bank of a connection writes its spreadsheets like this.

    Its profile changes; a connection without one gets its own. Before the tenant is opened the
    change is in force at once.

    Raises:
        ConnectionUnknown: no active connection has this code.
        ProfileInvalid: the mapping cannot be right.
        Forbidden: the person's roles do not let them.
        NothingChanges: it is like that already.
        ChangePending: another change of the profile waits.
    """
    if not maker.has_role(*ROLES_FOR_MAPPING):
        raise Forbidden("Your roles do not allow changing how a bank is read.")
    connection = selectors.connection_named(connection_code)
    wish = _wish(connection, sheet)

    def write() -> BankProfile:
        profile = save_profile(wish=wish)
        if connection.profile is None:
            use_profile(connection_code=connection.code, profile_code=profile.code)
        return profile

    return write_or_propose(run=write, maker=maker, reason=reason)


def _wish(connection: BankConnection, sheet: Mapping[str, Any]) -> ProfileIn:
    known = connection.profile
    reading = _reading(connection) | {"sheet": dict(sheet)}
    if known is None:
        return ProfileIn(code=connection.code, name=connection.name, reading=reading)
    return ProfileIn(
        code=known.code,
        name=known.name,
        reading=reading,
        writing=known.writing,
        is_active=known.is_active,
    )


def _reading(connection: BankConnection) -> dict[str, Any]:
    return dict(connection.profile.reading) if connection.profile is not None else {}
