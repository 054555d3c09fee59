"""Maker-checker in the database: what even the app role's own SQL cannot do.

Every function names its search path with pg_temp last, so that a temporary table cannot stand in
for a real one. Refusals carry the guard's name as their constraint name.
"""

from approvals.guards.amounts import AMOUNTS
from approvals.guards.authority import AUTHORITY, AUTHORITY_TRIGGERS
from approvals.guards.decisions import DECISION_INSERT
from approvals.guards.escalation import ESCALATION
from approvals.guards.glass import GLASS
from approvals.guards.lists import LIST_TRIGGERS, LISTS
from approvals.guards.questions import QUESTIONS
from approvals.guards.requests import REQUEST_INSERT, REQUEST_UPDATE

__all__ = [
    "ALL",
    "AMOUNTS",
    "AUTHORITY",
    "AUTHORITY_TRIGGERS",
    "DECISION_INSERT",
    "FUNCTIONS",
    "FUNCTIONS_OF_AUTHORITY",
    "FUNCTIONS_OF_LEVELS",
    "LIST_TRIGGERS",
    "QUESTIONS",
    "REQUEST_INSERT",
    "REQUEST_UPDATE",
    "TRIGGERS",
]

TRIGGERS = """
CREATE TRIGGER guard_insert BEFORE INSERT ON approvals_approvalrequest
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_request_insert();
CREATE TRIGGER guard_update BEFORE UPDATE ON approvals_approvalrequest
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_request_update();
CREATE TRIGGER guard_delete BEFORE DELETE ON approvals_approvalrequest
    FOR EACH ROW EXECUTE FUNCTION core_refuse_change();
CREATE TRIGGER guard_insert BEFORE INSERT ON approvals_decision
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_decision();
REVOKE DELETE, TRUNCATE ON approvals_approvalrequest FROM tms_app;
"""

# Bodies are read when they run: a migration may install them before the last column is there.
FUNCTIONS = f"""SET LOCAL check_function_bodies = off;
{QUESTIONS}
{REQUEST_INSERT}
{REQUEST_UPDATE}
{DECISION_INSERT}"""

# These take rows of tables that came later than the first guards.
FUNCTIONS_OF_AUTHORITY = f"""SET LOCAL check_function_bodies = off;
{AUTHORITY}"""

# And these of columns and tables that came with levels of escalation and with lists.
FUNCTIONS_OF_LEVELS = f"""SET LOCAL check_function_bodies = off;
{ESCALATION}
{GLASS}
{LISTS}"""

ALL = f"""{AMOUNTS}
{FUNCTIONS}
{TRIGGERS}"""
