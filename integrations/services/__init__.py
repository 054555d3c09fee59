"""Use cases of the lines to the banks."""

from integrations.selectors import message_bytes, read_archived
from integrations.services.archiving import (
    ROLES_FOR_TRYING_AGAIN,
    archive_inbound,
    mark_handled,
    set_aside,
    try_again,
    try_connection_again,
)
from integrations.services.collecting import CollectReport, collect_inbound
from integrations.services.connections import (
    PLAIN_SETTINGS,
    ConnectionIn,
    check_connection,
    save_connection,
)
from integrations.services.dispatching import DispatchReport, dispatch_due
from integrations.services.enquiring import EnquiryReport, confirm_sent, enquire_unknown
from integrations.services.lines import (
    ROLES_FOR_LINES,
    probe_requested,
    request_probe,
)
from integrations.services.profiles import ProfileIn, save_profile, use_profile
from integrations.services.queueing import queue_payment, withdraw_payment
from integrations.services.routing import RouteIn, route_for, save_route

__all__ = [
    "PLAIN_SETTINGS",
    "ROLES_FOR_LINES",
    "ROLES_FOR_TRYING_AGAIN",
    "CollectReport",
    "ConnectionIn",
    "DispatchReport",
    "EnquiryReport",
    "ProfileIn",
    "RouteIn",
    "archive_inbound",
    "check_connection",
    "collect_inbound",
    "confirm_sent",
    "dispatch_due",
    "enquire_unknown",
    "mark_handled",
    "message_bytes",
    "probe_requested",
    "queue_payment",
    "read_archived",
    "request_probe",
    "route_for",
    "save_connection",
    "save_profile",
    "save_route",
    "set_aside",
    "try_again",
    "try_connection_again",
    "use_profile",
    "withdraw_payment",
]
