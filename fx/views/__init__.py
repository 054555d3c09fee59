"""Pages of the fx room, one family per module."""
