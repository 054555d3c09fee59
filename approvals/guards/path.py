"""The search path of every guard: a temporary table cannot stand in for a real one."""

from typing import Final

PATH: Final = "SET search_path = pg_catalog, public, pg_temp"
