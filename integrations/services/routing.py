"""Which line a payment leaves by, and which one instead while nothing of it has left.

A message may change its line only while it is queued: a message comes back into the queue after a
call only when the bank certainly does not have it. What timed out, or whose sender went silent, is
unknown and is asked about; it never falls back. The database refuses a change of line in any other
state, and to any line that no active route names.
"""

from dataclasses import dataclass

from django.db import transaction

from core.errors import Invalid
from integrations import selectors
from integrations.codecs.rails import RAILS
from integrations.errors import ConnectionUnknown
from integrations.models import BankConnection, LineNoteKind, LineState, Message, Route
from integrations.services import lines


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteIn:
    """A route as it shall be; connections by their codes."""

    home: str
    connection: str
    account: str = ""
    rail: str = ""
    priority: int = 10
    is_active: bool = True


@transaction.atomic
def save_route(*, wish: RouteIn) -> Route:
    """Enter a route, or bring the one between the same ends up to date.

    Raises:
        ConnectionUnknown: one of the codes is of no active connection.
        Invalid: there is no such rail, or the account is not the end of a number.
    """
    account = "".join(wish.account.split()).upper()
    check_route(account=account, rail=wish.rail)
    home = selectors.connection_named(wish.home)
    connection = selectors.connection_named(wish.connection)
    found = Route.objects.select_for_update().filter(
        home=home, account=account, rail=wish.rail, connection=connection
    )
    route = found.first() or Route(home=home, account=account, rail=wish.rail)
    route.connection = connection
    route.priority = wish.priority
    route.is_active = wish.is_active
    route.save()
    return route


def check_route(*, account: str, rail: str) -> None:
    """Refuse a route that no payment could take.

    Raises:
        Invalid: with the field.
    """
    if rail and rail not in RAILS:
        raise Invalid(f"There is no rail {rail}: {', '.join(RAILS)}.", field="rail")
    if account and not (len(account) >= ACCOUNT_TAIL_MIN and account.isalnum()):
        message = f"Write at least the last {ACCOUNT_TAIL_MIN} characters of the account's number."
        raise Invalid(message, field="account")


ACCOUNT_TAIL_MIN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The line a payment takes, the one it was meant for, and the account its route names."""

    connection: BankConnection
    home: BankConnection
    account: str = ""

    @property
    def routed_from(self) -> BankConnection | None:
        """Return the home line, when the payment takes another one."""
        return None if self.connection.pk == self.home.pk else self.home


def route_for(*, account_connection: str, rail: str, account: str = "") -> Choice:
    """Return the line by which a payment leaves: the first usable one of its routes.

    Without any route it is the line of the account's own bank. When no route is usable now, the
    payment waits at the first that is switched on.

    Raises:
        ConnectionUnknown: there is no such line, or none of the routes leads over an active one.
    """
    ways = selectors.ways_of(account_connection, account=account, rail=rail)
    if not ways:
        home = selectors.connection_named(account_connection)
        return Choice(connection=home, home=home)
    active = [way.connection for way in ways if way.connection.is_active]
    if not active:
        message = f"Every route from {account_connection} for {rail} leads over a closed line."
        raise ConnectionUnknown(message, field="connection")
    usable = next((one for one in active if not _rests(one)), active[0])
    return Choice(connection=usable, home=ways[0].home, account=ways[0].account)


def fall_back(*, message: Message) -> bool:
    """Let a queued message leave by another route, under the caller's lock; False without one."""
    home = message.routed_from or message.connection
    tried = message.connection
    for way in selectors.ways_of(home.code, account=message.routed_account, rail=message.rail):
        line = way.connection
        if line.pk == tried.pk or not line.is_active or _rests(line):
            continue
        message.routed_from = home
        message.connection = line
        message.save(update_fields=["routed_from", "connection"])
        message.orders.update(routed_from=home, connection=line)
        text = f"{message.name} leaves by {line.code}: nothing of it had left by {tried.code}."
        lines.note(connection=tried, kind=LineNoteKind.REROUTED, text=text)
        return True
    return False


def _rests(connection: BankConnection) -> bool:
    return LineState.objects.filter(
        connection=connection, circuit_open_until__isnull=False
    ).exists()
