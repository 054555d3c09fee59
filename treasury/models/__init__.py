"""What may exist in the treasury: static data, statements, expected flows, movements."""

from treasury.constants import BeneficiaryState, FreezeState, ProposalState, SweepState
from treasury.models.beneficiaries import Beneficiary
from treasury.models.days import DailyBalance, DayMovement, LateFeed, NewestBalance
from treasury.models.flows import ExpectedFlow, FlowSource, FlowState
from treasury.models.freezing import Freeze
from treasury.models.movement import (
    ChargeBearer,
    PrefundingRequest,
    Proposal,
    Purpose,
    ReferenceCounter,
    SuppressedShortfall,
    Transfer,
    TransferStatus,
)
from treasury.models.parts import EntryPart, PartSource
from treasury.models.periods import LateChange, LateEntry, LateState
from treasury.models.pools import (
    CashPool,
    CashPoolMember,
    DayCount,
    IntercompanyEntry,
    LoanKind,
    PoolDirection,
    PoolKind,
    PoolMove,
    PoolPair,
    PoolRun,
    ShortfallRule,
)
from treasury.models.readings import RiskReading
from treasury.models.recalls import Recall, RecallReason, RecallState
from treasury.models.statements import (
    BankEntry,
    BookingStatus,
    EntryObservation,
    EntryState,
    Proof,
    Statement,
    StatementBalance,
    StatementSource,
    StatementState,
)
from treasury.models.static import (
    AccountKind,
    Bank,
    BankAccount,
    IntradayMode,
    LegalEntity,
    UsdRate,
)
from treasury.models.sweep_lines import SweepLine
from treasury.models.sweeps import (
    Release,
    Settlement,
    SweepDecision,
    SweepEligibility,
    SweepKind,
    SweepMandate,
    SweepOrder,
    SweepProduct,
    SweepUniverse,
)
from treasury.models.tasks import Task
from treasury.models.uploads import ProposalUpload, UploadedProposal, UploadFormat

__all__ = [
    "AccountKind", "Bank", "BankAccount", "BankEntry", "Beneficiary", "BeneficiaryState",
    "BookingStatus", "CashPool", "CashPoolMember", "ChargeBearer", "DailyBalance", "DayCount",
    "DayMovement", "EntryObservation", "EntryPart", "EntryState", "ExpectedFlow", "FlowSource",
    "FlowState", "Freeze", "FreezeState", "IntercompanyEntry", "IntradayMode", "LateChange",
    "LateEntry", "LateFeed", "LateState", "LegalEntity", "LoanKind", "NewestBalance", "PartSource",
    "PoolDirection", "PoolKind", "PoolMove", "PoolPair", "PoolRun", "PrefundingRequest", "Proof",
    "Proposal", "ProposalState", "ProposalUpload", "Purpose", "Recall", "RecallReason",
    "RecallState", "ReferenceCounter", "Release", "RiskReading", "Settlement", "ShortfallRule",
    "Statement", "StatementBalance", "StatementSource", "StatementState", "SuppressedShortfall",
    "SweepDecision", "SweepEligibility", "SweepKind", "SweepLine", "SweepMandate", "SweepOrder",
    "SweepProduct", "SweepState", "SweepUniverse", "Task", "Transfer", "TransferStatus",
    "UploadFormat", "UploadedProposal", "UsdRate",
]  # fmt: skip
