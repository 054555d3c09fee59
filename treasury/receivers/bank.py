"""Bank messages become statements, entries and balances."""
