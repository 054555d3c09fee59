"""Backups that prove themselves: written, signed, restored elsewhere, verified."""
