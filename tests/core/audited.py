"""A policy that the tests of the audit trail change."""

from core import policies

KNOB = policies.define("TEST_AUDIT_KNOB", 1, minimum=0, help="Only for tests.")
