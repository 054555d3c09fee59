"""Use cases of the lines to the banks."""

from integrations.selectors import message_bytes, read_archived
from integrations.services.archiving import (
    ROLES_FOR_TRYING_AGAIN,
    archive_inbound,
    mark_handled,
    set_aside,
    try_again,
)
from integrations.services.collecting import CollectReport, collect_inbound
from integrations.services.dispatching import DispatchReport, dispatch_due
from integrations.services.enquiring import EnquiryReport, confirm_sent, enquire_unknown
from integrations.services.lines import (
    ROLES_FOR_LINES,
    ConnectionIn,
    probe_requested,
    request_probe,
    save_connection,
)
from integrations.services.profiles import ProfileIn, save_profile, use_profile
from integrations.services.queueing import order_bytes, queue_payment, withdraw_payment

__all__ = [
    "ROLES_FOR_LINES",
    "ROLES_FOR_TRYING_AGAIN",
    "CollectReport",
    "ConnectionIn",
    "DispatchReport",
    "EnquiryReport",
    "ProfileIn",
    "archive_inbound",
    "collect_inbound",
    "confirm_sent",
    "dispatch_due",
    "enquire_unknown",
    "mark_handled",
    "message_bytes",
    "order_bytes",
    "probe_requested",
    "queue_payment",
    "read_archived",
    "request_probe",
    "save_connection",
    "save_profile",
    "set_aside",
    "try_again",
    "use_profile",
    "withdraw_payment",
]
