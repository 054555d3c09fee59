"""What can keep the system from starting. Each message says what to do about it."""


class StartError(Exception):
    """The system cannot start."""


class ConfigError(StartError):
    """A setting is missing, contradictory or unsafe."""


class ForeignDataError(StartError):
    """A folder that should be ours holds something we did not make."""


class AlreadyRunningError(StartError):
    """Another process of this system holds the lock."""


class ServerError(StartError):
    """A server did not start, or stopped answering."""


class RolesError(StartError):
    """The database roles could not be made or are unsafe."""
