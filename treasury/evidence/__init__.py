"""Evidence packs: everything that proves a payment, as one frozen structure, JSON and PDF."""

from treasury.evidence.building import build
from treasury.evidence.packing import READERS, pack_of, write_pack, write_period
from treasury.evidence.paper import draw, draw_index, draw_period
from treasury.evidence.periods import PAYMENTS_MAX, Period, build_period, count_of, parts_of

__all__ = [
    "PAYMENTS_MAX",
    "READERS",
    "Period",
    "build",
    "build_period",
    "count_of",
    "draw",
    "draw_index",
    "draw_period",
    "pack_of",
    "parts_of",
    "write_pack",
    "write_period",
]
