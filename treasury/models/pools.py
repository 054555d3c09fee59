"""Cash pools: who belongs together, what each run moved, and what our companies lent each other."""

from decimal import Decimal
from typing import Any, Final

from django.db import models
from django.db.models import F, Q

from core.money_columns import BOUND, finite, not_negative
from core.tenancy import TenantModel
from treasury.models.movement import Proposal, Transfer
from treasury.models.statements import BankEntry
from treasury.models.static import BankAccount, LegalEntity

SHARE: Final[dict[str, Any]] = {"max_digits": 12, "decimal_places": 8, "default": Decimal(0)}
AMOUNT: Final[dict[str, Any]] = {"max_digits": 20, "decimal_places": 4}


class PoolKind(models.TextChoices):
    """How a pool brings balances together."""

    ZERO_BALANCE = "ZERO_BALANCE", "zero balance: everything goes to the header"
    TARGET_BALANCE = "TARGET_BALANCE", "target balance: each account keeps its target"
    NOTIONAL = "NOTIONAL", "notional: nothing moves, interest is on the sum"


class ShortfallRule(models.TextChoices):
    """Who is funded where the header cannot fill every deficit."""

    PRIORITY = "PRIORITY", "by priority"
    PRO_RATA = "PRO_RATA", "in proportion"


class DayCount(models.TextChoices):
    """How a year's interest becomes a day's."""

    ACT_360 = "ACT_360", "actual/360"
    ACT_365F = "ACT_365F", "actual/365 fixed"


class PoolDirection(models.TextChoices):
    """Which way money goes between a member and its header."""

    UP = "UP", "up to the header"
    DOWN = "DOWN", "down from the header"
    NONE = "NONE", "stays"


class CashPool(TenantModel):
    """Accounts of one currency whose balances are brought together. Changed by two people.

    Rates are yearly shares. `is_bank_run`: the bank sweeps by itself; nothing is ever instructed
    here, its entries are only paired. A notional pool needs no header and moves nothing.
    """

    code = models.CharField(max_length=20)
    name = models.CharField(max_length=70)
    kind = models.CharField(max_length=14, choices=PoolKind)
    currency = models.CharField(max_length=3)
    header = models.ForeignKey(
        BankAccount, on_delete=models.PROTECT, null=True, blank=True, related_name="headed_pools"
    )
    header_floor = models.DecimalField(
        **AMOUNT, default=Decimal(0), help_text="What always stays on the header."
    )
    shortfall_rule = models.CharField(
        max_length=8, choices=ShortfallRule, default=ShortfallRule.PRIORITY
    )
    is_bank_run = models.BooleanField(
        "run by the bank", default=False, help_text="The bank moves the money; it is only paired."
    )
    lead_minutes = models.PositiveSmallIntegerField(
        default=120, help_text="How long before its first cut-off a day is decided."
    )
    intercompany_rate = models.DecimalField(
        **SHARE, help_text="What companies pay each other for lent money: 0.0385 for 3.85 %."
    )
    day_count = models.CharField(max_length=8, choices=DayCount, default=DayCount.ACT_360)
    credit_rate = models.DecimalField(
        **SHARE, help_text="Notional: what the bank pays on the pool's credit balance."
    )
    debit_rate = models.DecimalField(
        **SHARE, help_text="Notional: what the bank takes on the pool's debit balance."
    )
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "code"], name="cash_pool_code"),
            models.CheckConstraint(
                name="cash_pool_code_form", condition=Q(code__regex=r"^[A-Z][A-Z0-9_-]*$")
            ),
            models.CheckConstraint(
                name="cash_pool_currency_form", condition=Q(currency__regex=r"^[A-Z]{3}$")
            ),
            not_negative("cash_pool_floor_is_not_negative", "header_floor"),
            models.CheckConstraint(
                name="cash_pool_rates_are_shares",
                condition=Q(intercompany_rate__gt=-1, intercompany_rate__lt=1)
                & Q(credit_rate__gt=-1, credit_rate__lt=1)
                & Q(debit_rate__gt=-1, debit_rate__lt=1),
            ),
            models.CheckConstraint(
                name="cash_pool_that_moves_money_has_a_header",
                condition=Q(kind="NOTIONAL", is_bank_run=False)
                | ~Q(kind="NOTIONAL") & Q(header__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.code


class CashPoolMember(TenantModel):
    """An account in a pool, and how it is kept. Changed by two people.

    It moves only outside of `lower` to `upper`; without them the target itself is the trigger. An
    account that may not be pooled stays listed, with the reason.
    """

    pool = models.ForeignKey(CashPool, on_delete=models.PROTECT, related_name="members")
    account = models.ForeignKey(BankAccount, on_delete=models.PROTECT, related_name="pool_places")
    target = models.DecimalField(**AMOUNT, default=Decimal(0))
    minimum = models.DecimalField(
        "smallest move", **AMOUNT, default=Decimal(0), help_text="Less is not worth a transfer."
    )
    multiple = models.DecimalField(
        **AMOUNT, default=Decimal("0.01"), help_text="Moves are multiples of this."
    )
    lower = models.DecimalField(
        "lower trigger", **AMOUNT, null=True, blank=True, help_text="Funded below this balance."
    )
    upper = models.DecimalField(
        "upper trigger", **AMOUNT, null=True, blank=True, help_text="Swept above this balance."
    )
    is_one_way = models.BooleanField(
        "one way", default=False, help_text="Money only goes up; it is never funded."
    )
    priority = models.PositiveSmallIntegerField(
        default=100, help_text="Lower numbers are funded first."
    )
    is_poolable = models.BooleanField(default=True)
    reason = models.CharField(
        max_length=140, blank=True, help_text="Why its money may not be pooled."
    )
    credit_rate = models.DecimalField(
        **SHARE, help_text="Notional: what its credit balance would earn alone."
    )
    debit_rate = models.DecimalField(
        **SHARE, help_text="Notional: what its debit balance would cost alone."
    )

    class Meta:
        ordering = ["pool", "priority", "account"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "pool", "account"], name="cash_pool_member_once"
            ),
            not_negative("cash_pool_member_amounts_are_not_negative", "target", "minimum", "upper"),
            models.CheckConstraint(
                name="cash_pool_member_multiple_is_positive",
                condition=Q(multiple__gt=0, multiple__lt=BOUND),
            ),
            finite("cash_pool_member_lower_is_finite", "lower"),
            models.CheckConstraint(
                name="cash_pool_member_band_holds_its_target",
                condition=(Q(lower__isnull=True) | Q(lower__lte=F("target")))
                & (Q(upper__isnull=True) | Q(upper__gte=F("target"))),
            ),
            models.CheckConstraint(
                name="cash_pool_member_rates_are_shares",
                condition=Q(credit_rate__gt=-1, credit_rate__lt=1)
                & Q(debit_rate__gt=-1, debit_rate__lt=1),
            ),
            models.CheckConstraint(
                name="cash_pool_member_says_why_not", condition=Q(is_poolable=True) | ~Q(reason="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account} in {self.pool}"


class PoolRun(TenantModel):
    """What one pool did on one business date: its record says everything, and never changes.

    `record` is canonical JSON of inputs and outcome. Rate and day count are those that its loans
    carry.
    """

    pool = models.ForeignKey(CashPool, on_delete=models.PROTECT, related_name="runs")
    day = models.DateField(help_text="The business date in the header's time zone.")
    decided_at = models.DateTimeField()
    header_before = models.DecimalField(**AMOUNT)
    header_after = models.DecimalField(**AMOUNT)
    swept = models.DecimalField(**AMOUNT)
    funded = models.DecimalField(**AMOUNT)
    short = models.DecimalField(**AMOUNT)
    rate = models.DecimalField(**SHARE)
    day_count = models.CharField(max_length=8, choices=DayCount)
    record = models.TextField()
    record_sha256 = models.CharField(max_length=64)

    class Meta:
        ordering = ["-day", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "pool", "day"], name="pool_run_once_a_day"),
            not_negative("pool_run_sums_are_not_negative", "swept", "funded", "short"),
            finite("pool_run_header_is_finite", "header_before", "header_after"),
            models.CheckConstraint(
                name="pool_run_conserves_money",
                condition=Q(header_after=F("header_before") + F("swept") - F("funded")),
            ),
            models.CheckConstraint(
                name="pool_run_rate_is_a_share", condition=Q(rate__gt=-1, rate__lt=1)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pool} {self.day}"


class PoolMove(TenantModel):
    """What a run made of one member: an amount and its proposal, or the reason that it stays.

    `problem` says why what should move could not be proposed.
    """

    run = models.ForeignKey(PoolRun, on_delete=models.PROTECT, related_name="moves")
    account = models.ForeignKey(BankAccount, on_delete=models.PROTECT, related_name="+")
    direction = models.CharField(max_length=4, choices=PoolDirection)
    reason = models.CharField(max_length=20)
    before = models.DecimalField(**AMOUNT)
    target = models.DecimalField(**AMOUNT)
    wanted = models.DecimalField(**AMOUNT)
    amount = models.DecimalField(**AMOUNT)
    after = models.DecimalField(**AMOUNT)
    proposal = models.OneToOneField(
        Proposal, on_delete=models.PROTECT, null=True, related_name="pool_move"
    )
    problem = models.TextField(blank=True)

    class Meta:
        ordering = ["run", "id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "run", "account"], name="pool_move_once"),
            not_negative("pool_move_amounts_are_not_negative", "target", "wanted", "amount"),
            finite("pool_move_balances_are_finite", "before", "after"),
            models.CheckConstraint(
                name="pool_move_conserves_money",
                condition=Q(direction="UP", amount__gt=0, after=F("before") - F("amount"))
                | Q(direction="DOWN", after=F("before") + F("amount"))
                | Q(direction="NONE", amount=0, after=F("before")),
            ),
            models.CheckConstraint(
                name="pool_move_is_proposed_or_says_why_not",
                condition=Q(amount=0, proposal__isnull=True)
                | Q(amount__gt=0, proposal__isnull=False, problem="")
                | Q(amount__gt=0, proposal__isnull=True) & ~Q(problem=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.direction} {self.amount}"


class PoolPair(TenantModel):
    """A sweep that the bank made by itself: the entry that left and the entry that came.

    It stands while both entries count and its loan was not reversed; an entry is in one standing
    pair at most, which a guard looks after.
    """

    pool = models.ForeignKey(CashPool, on_delete=models.PROTECT, related_name="pairs")
    debit_entry = models.ForeignKey(BankEntry, on_delete=models.PROTECT, related_name="+")
    credit_entry = models.ForeignKey(BankEntry, on_delete=models.PROTECT, related_name="+")
    amount = models.DecimalField(**AMOUNT)
    value_date = models.DateField()
    rate = models.DecimalField(**SHARE)
    day_count = models.CharField(max_length=8, choices=DayCount)
    paired_at = models.DateTimeField()

    class Meta:
        ordering = ["-value_date", "-id"]
        constraints = [
            models.CheckConstraint(
                name="pool_pair_amount_is_positive", condition=Q(amount__gt=0, amount__lt=BOUND)
            ),
            models.CheckConstraint(
                name="pool_pair_rate_is_a_share", condition=Q(rate__gt=-1, rate__lt=1)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pool} {self.value_date} {self.amount}"


class LoanKind(models.TextChoices):
    """What an entry between two of our companies is."""

    LOAN = "LOAN", "lent"
    REVERSAL = "REVERSAL", "reversed: the money came back"


class IntercompanyEntry(TenantModel):
    """What one of our companies lent another by a pool's move that settled; never changed.

    A repayment is a loan the other way round. A transfer that came back is reversed by an entry
    that names the first.
    """

    kind = models.CharField(max_length=8, choices=LoanKind)
    lender = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, related_name="+")
    borrower = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, related_name="+")
    currency = models.CharField(max_length=3)
    amount = models.DecimalField(**AMOUNT)
    value_date = models.DateField()
    rate = models.DecimalField(**SHARE)
    day_count = models.CharField(max_length=8, choices=DayCount)
    transfer = models.ForeignKey(
        Transfer, on_delete=models.PROTECT, null=True, related_name="intercompany"
    )
    pair = models.ForeignKey(
        PoolPair, on_delete=models.PROTECT, null=True, related_name="intercompany"
    )
    reverses = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, related_name="reversed_by"
    )
    booked_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "intercompany entries"
        ordering = ["-value_date", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "transfer"],
                condition=Q(kind="LOAN"),
                name="intercompany_once_per_transfer",
            ),
            models.UniqueConstraint(
                fields=["tenant", "pair"],
                condition=Q(kind="LOAN"),
                name="intercompany_once_per_pair",
            ),
            models.CheckConstraint(
                name="intercompany_amount_is_positive",
                condition=Q(amount__gt=0, amount__lt=BOUND),
            ),
            models.CheckConstraint(
                name="intercompany_rate_is_a_share", condition=Q(rate__gt=-1, rate__lt=1)
            ),
            models.CheckConstraint(
                name="intercompany_is_between_two", condition=~Q(lender=F("borrower"))
            ),
            models.CheckConstraint(
                name="intercompany_has_one_ground",
                condition=Q(transfer__isnull=False, pair__isnull=True)
                | Q(transfer__isnull=True, pair__isnull=False),
            ),
            models.CheckConstraint(
                name="intercompany_reversal_names_its_loan",
                condition=Q(kind="LOAN", reverses__isnull=True)
                | Q(kind="REVERSAL", reverses__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["tenant", "lender", "borrower", "currency"], name="intercompany_by_pair"
            ),
            models.Index(fields=["tenant", "-value_date", "-id"], name="intercompany_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.lender} to {self.borrower}: {self.amount} {self.currency}"
