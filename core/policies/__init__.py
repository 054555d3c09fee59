"""Policies: typed, per tenant, versioned, read hot."""

from core.policies.registry import Policy, change, define, defined, get, named, parse

__all__ = ["Policy", "change", "define", "defined", "get", "named", "parse"]
