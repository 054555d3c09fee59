"""Processes are killed on purpose here; nothing may be lost and nothing may happen twice."""
