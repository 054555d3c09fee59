"""The only writers of the calendars room."""

from calendars.services.alerting import raise_window_alerts
from calendars.services.deciding import (
    Closure,
    announce_holiday,
    cancel_holiday,
    confirm_holiday,
    declare_closure,
)
from calendars.services.installing import (
    BankCutoffIn,
    InstallReport,
    WeekendIn,
    change_weekend,
    install_rails,
    install_reference_calendars,
    set_bank_cutoff,
)
from calendars.services.looking_ahead import publish_holiday_lookahead
from calendars.services.overriding import OverrideRequest, approve_override, override_window

__all__ = [
    "BankCutoffIn",
    "Closure",
    "InstallReport",
    "OverrideRequest",
    "WeekendIn",
    "announce_holiday",
    "approve_override",
    "cancel_holiday",
    "change_weekend",
    "confirm_holiday",
    "declare_closure",
    "install_rails",
    "install_reference_calendars",
    "override_window",
    "publish_holiday_lookahead",
    "raise_window_alerts",
    "set_bank_cutoff",
]
