"""Shortfalls become proposals; bank answers move transfers."""
