"""Dialects as data: how one bank reads and writes what the standards leave open.

A bank's profile holds two JSON objects; each side of the codecs turns its own into a frozen record
and refuses what it does not know, by name. Nothing here touches Django or the database.
"""
