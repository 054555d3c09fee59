"""What banks told us: statements, their balances, and one entry however often it was seen."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from core.money_columns import finite, not_negative
from core.tenancy import TenantModel
from treasury.models.static import BankAccount


class StatementSource(models.TextChoices):
    """Which message a statement came in, weakest first."""

    API = "API", "balance reported through the API"
    CAMT054 = "CAMT054", "camt.054 notification"
    CAMT052 = "CAMT052", "camt.052 intraday report"
    MT942 = "MT942", "MT942 intraday report"
    BAI2_ID = "BAI2_ID", "BAI2 same-day report"
    SHEET = "SHEET", "spreadsheet"
    BAI2 = "BAI2", "BAI2 previous-day report"
    MT940 = "MT940", "MT940 statement"
    CAMT053 = "CAMT053", "camt.053 statement"


class StatementState(models.TextChoices):
    """What became of a statement."""

    POSTED = "POSTED", "posted"
    DUPLICATE = "DUPLICATE", "seen before, not posted again"
    QUARANTINED = "QUARANTINED", "kept aside for a person"
    SUPERSEDED = "SUPERSEDED", "replaced by a correction"
    PARTIAL = "PARTIAL", "waits for its other pages"


class Proof(models.TextChoices):
    """Whether opening balance and entries make the closing balance."""

    PROVEN = "PROVEN", "adds up"
    DIFFERS = "DIFFERS", "does not add up"
    NO_BALANCES = "NO_BALANCES", "has no balances to prove"


class Statement(TenantModel):
    """One statement, report or notification as it arrived; `message_id` leads to its bytes."""

    account = models.ForeignKey(
        BankAccount, on_delete=models.PROTECT, related_name="statements", db_index=False
    )
    source = models.CharField(max_length=8, choices=StatementSource)
    statement_ref = models.CharField(max_length=40)
    sequence = models.BigIntegerField(null=True)
    version = models.PositiveIntegerField(default=1)
    page = models.PositiveSmallIntegerField(default=0, help_text="0 for an undivided statement.")
    supersedes = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    message_id = models.UUIDField(null=True, help_text="The archived message it was read from.")
    trace_id = models.UUIDField(null=True, help_text="What its news belongs to.")
    message_sha256 = models.CharField(max_length=64, blank=True)
    body_sha256 = models.CharField(
        max_length=64,
        blank=True,
        db_default="",
        default="",
        help_text="Digest of its message without the message's number and time.",
    )
    content_sha256 = models.CharField(max_length=64)
    locator = models.CharField(max_length=200, blank=True)
    statement_date = models.DateField()
    period_start = models.DateField(help_text="First booking day it speaks for.")
    period_end = models.DateField(help_text="Last booking day it speaks for.")
    reported_from = models.DateTimeField(null=True, help_text="Start of an intraday report.")
    bank_created_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField()
    opening = models.DecimalField(max_digits=20, decimal_places=4, null=True)
    closing = models.DecimalField(max_digits=20, decimal_places=4, null=True)
    entries_count = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=12, choices=StatementState)
    proof = models.CharField(max_length=12, choices=Proof)
    flags = ArrayField(models.CharField(max_length=20), default=list, blank=True)
    reason = models.TextField(blank=True)

    class Meta:
        ordering = ["-statement_date", "-received_at"]
        constraints = [
            finite("statement_balances_are_finite", "opening", "closing"),
            models.UniqueConstraint(
                fields=["tenant", "account", "source", "statement_ref", "version", "page"],
                condition=~Q(state="DUPLICATE"),
                name="statement_version",
            ),
            models.UniqueConstraint(
                fields=["tenant", "statement_ref"],
                condition=Q(source="API") & ~Q(state="DUPLICATE"),
                name="statement_reported_once",
            ),
            models.CheckConstraint(
                name="statement_period_runs_forward",
                condition=Q(period_start__lte=models.F("period_end")),
            ),
            models.CheckConstraint(
                name="statement_leads_to_its_message",
                condition=Q(source="API") | Q(message_id__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["tenant", "account", "source", "statement_date"], name="statement_by_day"
            ),
            # Most statements come by themselves and correct none.
            models.Index(
                fields=["tenant", "message_id"],
                condition=Q(message_id__isnull=False),
                name="statement_by_message",
            ),
            models.Index(
                fields=["tenant", "supersedes"],
                condition=Q(supersedes__isnull=False),
                name="statement_by_superseded",
            ),
            models.Index(fields=["tenant", "-statement_date", "-id"], name="statement_newest"),
            models.Index(
                fields=["tenant", "body_sha256"],
                condition=~Q(body_sha256=""),
                name="statement_by_body",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.statement_ref}"


class StatementBalance(TenantModel):
    """A balance as the bank stated it, signed; an included credit line is named apart."""

    statement = models.ForeignKey(Statement, on_delete=models.PROTECT, related_name="balances")
    account = models.ForeignKey(
        BankAccount, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    code = models.CharField(max_length=4)
    amount = models.DecimalField(max_digits=20, decimal_places=4)
    credit_line_included = models.DecimalField(max_digits=20, decimal_places=4, default=0)
    on_date = models.DateField()
    as_of = models.DateTimeField()

    class Meta:
        constraints = [
            finite("balance_amount_is_finite", "amount"),
            not_negative("balance_credit_line_is_not_negative", "credit_line_included"),
        ]
        ordering = ["-as_of"]
        indexes = [
            # The id decides between two of one instant: the first entry is the answer, unsorted.
            models.Index(fields=["tenant", "account", "code", "as_of", "id"], name="balance_latest")
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.amount}"


class BookingStatus(models.TextChoices):
    """The bank's own status of an entry."""

    BOOK = "BOOK", "booked"
    PDNG = "PDNG", "pending"
    INFO = "INFO", "for information"
    FUTR = "FUTR", "future"


class EntryState(models.TextChoices):
    """Whether an entry counts."""

    COUNTED = "COUNTED", "counted"
    NOT_IN_EOD = "NOT_IN_EOD", "announced intraday, absent from the day's statement"
    WITHDRAWN = "WITHDRAWN", "gone in the bank's corrected statement"
    HELD = "HELD", "known only from a statement that is kept aside"
    MERGED = "MERGED", "found to be another entry that we already had"


class BankEntry(TenantModel):
    """One movement on an account. Every arrival of it is an observation; it counts once.

    `identity` is a digest over the strongest reference the bank gave (domain rule: AcctSvcrRef and
    booking date, then UETR, then EndToEndId and value date, then a fingerprint of the content);
    `occurrence` tells equal twins within one source apart.
    """

    account = models.ForeignKey(BankAccount, on_delete=models.PROTECT, db_index=False)
    identity = models.CharField(max_length=64)
    identity_rule = models.CharField(max_length=12)
    occurrence = models.PositiveSmallIntegerField(default=1)
    amount = models.DecimalField(max_digits=20, decimal_places=4)
    booking_date = models.DateField()
    value_date = models.DateField()
    status = models.CharField(max_length=4, choices=BookingStatus)
    state = models.CharField(max_length=10, choices=EntryState, default=EntryState.COUNTED)
    best_source = models.CharField(max_length=8, choices=StatementSource)
    is_reversal = models.BooleanField(default=False)
    bank_reference = models.CharField(max_length=70, blank=True)
    end_to_end_id = models.CharField(max_length=70, blank=True)
    uetr = models.CharField(max_length=36, blank=True)
    transaction_code = models.CharField(max_length=70, blank=True)
    counterparty = models.CharField(max_length=140, blank=True)
    remittance = models.TextField(blank=True)
    return_reason = models.CharField(max_length=70, blank=True)
    statement = models.ForeignKey(
        Statement, on_delete=models.PROTECT, related_name="entries", db_index=False
    )
    locator = models.CharField(max_length=200, blank=True)
    first_seen_at = models.DateTimeField()
    announced_at = models.DateTimeField(help_text="When the bank first wrote about it.")
    merged_into = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="merged", db_index=False
    )

    class Meta:
        verbose_name_plural = "bank entries"
        ordering = ["-value_date", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "account", "identity", "occurrence"], name="bank_entry_identity"
            ),
            models.CheckConstraint(
                name="bank_entry_amount_is_finite",
                condition=Q(amount__gt=-(10**16), amount__lt=10**16),
            ),
            models.CheckConstraint(
                name="bank_entry_merged_names_its_other",
                condition=Q(state="MERGED", merged_into__isnull=False)
                | (~Q(state="MERGED") & Q(merged_into__isnull=True)),
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "account", "value_date"], name="entry_by_value_date"),
            models.Index(fields=["tenant", "-value_date", "-id"], name="entry_newest"),
            models.Index(
                fields=["tenant", "state", "-value_date", "-id"],
                condition=~Q(state="COUNTED"),
                name="entry_not_counted",
            ),
            models.Index(
                fields=["tenant", "status", "-value_date", "-id"],
                condition=~Q(status="BOOK"),
                name="entry_not_booked",
            ),
            models.Index(
                fields=["tenant", "account", "booking_date"], name="entry_by_booking_date"
            ),
            models.Index(fields=["tenant", "uetr"], condition=~Q(uetr=""), name="entry_by_uetr"),
            models.Index(
                fields=["tenant", "merged_into"],
                condition=Q(merged_into__isnull=False),
                name="entry_by_survivor",
            ),
            models.Index(
                fields=["tenant", "end_to_end_id"],
                condition=~Q(end_to_end_id=""),
                name="entry_by_end_to_end_id",
            ),
            models.Index(fields=["tenant", "statement"], name="entry_by_statement"),
            models.Index(
                fields=["tenant", "account", "value_date"],
                condition=Q(status="PDNG"),
                name="entry_pending",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.value_date} {self.amount}"


class EntryObservation(TenantModel):
    """One sighting of an entry: in which statement, where in it, and with which status."""

    entry = models.ForeignKey(
        BankEntry, on_delete=models.PROTECT, related_name="observations", db_index=False
    )
    statement = models.ForeignKey(
        Statement, on_delete=models.PROTECT, related_name="observations", db_index=False
    )
    status = models.CharField(max_length=4, choices=BookingStatus)
    locator = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "statement", "entry"], name="observation_once_per_statement"
            )
        ]
        indexes = [models.Index(fields=["tenant", "entry"], name="observation_by_entry")]

    def __str__(self) -> str:
        return f"{self.status} {self.locator}"
