"""Desk pages about what banks sent: the quarantine, and the mapping of spreadsheets."""
