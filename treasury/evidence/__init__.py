"""Evidence packs: everything that proves a payment, as one frozen structure, JSON and PDF."""

from treasury.evidence.building import build
from treasury.evidence.packing import READERS, pack_of, write_pack, write_period
from treasury.evidence.paper import draw, draw_index

__all__ = ["READERS", "build", "draw", "draw_index", "pack_of", "write_pack", "write_period"]
