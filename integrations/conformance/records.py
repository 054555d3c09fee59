"""What a trial of a line works with, and what it finds."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from integrations.codecs.instructions import PaymentInstruction

AMOUNT_DEFAULT = Decimal("0.01")
AMOUNT_MAX = Decimal(1)
WAIT_SECONDS_DEFAULT = 60


class Verdict(StrEnum):
    """How a bank did in one check."""

    SUPPORTED = "supported"
    DEVIATES = "deviates"
    ABSENT = "absent"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check: its stable name, the verdict, and a sentence."""

    check: str
    verdict: Verdict
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the operator lets the battery order: one model payment, and how long to wait."""

    model: PaymentInstruction | None = None
    wait_seconds: float = WAIT_SECONDS_DEFAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All findings about one line."""

    connection: str
    kind: str
    findings: Sequence[Finding]

    @property
    def deviations(self) -> list[Finding]:
        """Return where the bank does other than expected."""
        return [one for one in self.findings if one.verdict is Verdict.DEVIATES]
