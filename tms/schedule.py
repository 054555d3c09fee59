"""What beat wakes, and how often; rows remember the work."""

from typing import Any

SCHEDULE: dict[str, dict[str, Any]] = {
    "deliver events": {"task": "core.events.drain", "schedule": 3.0},
    "seal the audit trail": {"task": "core.audit.seal", "schedule": 5.0},
}
