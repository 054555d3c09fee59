"""Policies: typed, per tenant, versioned, read hot."""

from core.policies.registry import (
    Policy,
    announce,
    change,
    define,
    defined,
    get,
    named,
    parse,
    write_version,
)

__all__ = [
    "Policy",
    "announce",
    "change",
    "define",
    "defined",
    "get",
    "named",
    "parse",
    "write_version",
]
