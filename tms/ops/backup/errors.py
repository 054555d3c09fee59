"""Why a backup cannot be made, trusted or restored."""

from core.errors import DomainError


class BackupFailed(DomainError):
    """The database's own program could not do it."""

    code = "backup_failed"


class BackupDamaged(DomainError):
    """The file is not what was written: a part is missing, changed or not signed by us."""

    code = "backup_damaged"


class KeysDiffer(DomainError):
    """The backup was made with other secrets than this installation has."""

    code = "keys_differ"


class TargetNotEmpty(DomainError):
    """There are tables already; a restore never overwrites."""

    code = "target_not_empty"
