"""Write approved orders in the format that their bank takes."""

from collections.abc import Sequence
from typing import Final

from integrations.codecs.instructions import PaymentInstruction
from integrations.codecs.pacs import WRITERS
from integrations.codecs.pain001 import write_pain001
from integrations.codecs.preflight import Prepared, prepare
from integrations.dialects.writing import STANDARD, Format, Writing

__all__ = ["KINDS", "Prepared", "prepare", "write_order"]

# How the archive names a message of each format.
KINDS: Final = {one: one.rsplit(".", 2)[0] for one in Format}


def write_order(
    instructions: Sequence[PaymentInstruction], *, writing: Writing = STANDARD
) -> bytes:
    """Write prepared orders as one message.

    Raises:
        UnwritableMessage: they cannot share a message, or something cannot be expressed.
    """
    interbank = WRITERS.get(writing.format)
    if interbank is not None:
        return interbank(instructions, writing=writing)
    return write_pain001(instructions, writing=writing)
