"""Lines to the banks and the archive of every message that went over them."""

from datetime import datetime
from typing import Any, ClassVar, Self

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django_fsm import FSMField, FSMModelMixin, transition
from simple_history.models import HistoricalRecords

from core import clock
from core.crypto import EncryptedTextField
from core.tenancy import TenantModel
from integrations.constants import NAME_CHARS_MAX
from integrations.dialects.checks import check_profile
from integrations.dialects.errors import ProfileInvalid


class BankProfile(TenantModel):
    """How one bank speaks, as data: which of the standards' liberties it takes, in and out."""

    code = models.SlugField(max_length=40, help_text="Short name used by connections.")
    name = models.CharField(max_length=120)
    reading = models.JSONField(
        default=dict, blank=True, help_text="How its messages are read; {} follows the standards."
    )
    writing = models.JSONField(
        default=dict, blank=True, help_text="What it wants in our messages; {} is our default."
    )
    is_active = models.BooleanField(default=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "code"], name="bank_profile_code_once"),
        ]

    def __str__(self) -> str:
        return self.code

    def clean(self) -> None:
        """Let both sides be looked at by who reads them.

        Raises:
            ValidationError: with the key that is unknown or cannot be right.
        """
        for side in ("reading", "writing"):
            try:
                check_profile({side: getattr(self, side)})
            except ProfileInvalid as problem:
                raise ValidationError({side: problem.message}) from problem


class ConnectionKind(models.TextChoices):
    """How messages travel."""

    FOLDER = "FOLDER", "folder (host to host)"
    SFTP = "SFTP", "SFTP"
    HTTP = "HTTP", "HTTP"
    EBICS = "EBICS", "EBICS (not available)"


class AccessKind(models.TextChoices):
    """How we prove who calls; folders need none, HTTP lines sign unless told otherwise."""

    SIGNATURE = "SIGNATURE", "signature with a shared secret (HTTP)"
    OAUTH2 = "OAUTH2", "OAuth2 client credentials (HTTP)"
    MTLS = "MTLS", "client certificate (HTTP)"
    PASSWORD = "PASSWORD", "user and password (SFTP)"
    KEY = "KEY", "user and private key (SFTP)"


class BankConnection(TenantModel):
    """A line to a bank: where it goes, with which patience."""

    code = models.SlugField(max_length=40, help_text="Short name used by accounts and commands.")
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=8, choices=ConnectionKind.choices)
    directory = models.CharField(
        max_length=400,
        blank=True,
        help_text="Folder lines: directory that holds outbound/ and inbound/.",
    )
    base_url = models.CharField(max_length=400, blank=True, help_text="HTTP lines: address.")
    secret = EncryptedTextField(blank=True, default="")
    profile = models.ForeignKey(
        BankProfile,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="connections",
        help_text="How this bank speaks; none follows the standards.",
    )
    connect_timeout_seconds = models.PositiveSmallIntegerField(
        default=5, validators=[MinValueValidator(1), MaxValueValidator(60)]
    )
    read_timeout_seconds = models.PositiveSmallIntegerField(
        default=10, validators=[MinValueValidator(1), MaxValueValidator(120)]
    )
    rate_per_minute = models.PositiveIntegerField(
        default=600, validators=[MinValueValidator(1), MaxValueValidator(60_000)]
    )
    retries_max = models.PositiveSmallIntegerField(
        default=20,
        validators=[MaxValueValidator(100)],
        help_text="How often a payment that certainly did not leave is offered again.",
    )
    is_active = models.BooleanField(default=True)

    outbound_path = models.CharField(
        max_length=120,
        default="outbound",
        help_text="Folder and SFTP lines: tray for the bank, below the directory or address.",
    )
    inbound_path = models.CharField(
        max_length=120,
        default="inbound",
        help_text="Folder and SFTP lines: tray of the bank's files, below the same.",
    )
    access = models.CharField(max_length=9, choices=AccessKind.choices, blank=True, default="")
    username = models.CharField(
        max_length=120, blank=True, default="", help_text="SFTP: user. OAuth2: client id."
    )
    token_url = models.CharField(
        max_length=400, blank=True, default="", help_text="OAuth2: where tokens are given out."
    )
    token_scope = models.CharField(max_length=200, blank=True, default="")
    client_certificate = models.TextField(
        blank=True, default="", help_text="Client certificate in PEM; its key goes into the secret."
    )
    server_trust = models.TextField(
        blank=True,
        default="",
        help_text="SFTP: the server's public host key, one line, the only one that is trusted."
        " HTTPS: authority in PEM that is trusted instead of the public ones.",
    )

    poll_seconds = models.PositiveIntegerField(
        default=0,
        validators=[MaxValueValidator(86_400)],
        help_text="Pause between two questions for new messages; 0 asks every second or so.",
    )
    collect_zone = models.CharField(
        max_length=40, default="UTC", help_text="Time zone of the hours below."
    )
    collect_weekdays = models.CharField(
        max_length=7,
        default="1234567",
        help_text="Days on which messages are fetched; 1 is Monday.",
    )
    collect_opens_at = models.TimeField(null=True, blank=True)
    collect_closes_at = models.TimeField(null=True, blank=True)
    backoff_first_seconds = models.PositiveSmallIntegerField(
        default=2, validators=[MinValueValidator(1), MaxValueValidator(600)]
    )
    backoff_seconds_max = models.PositiveSmallIntegerField(
        default=60, validators=[MinValueValidator(1), MaxValueValidator(3_600)]
    )
    circuit_failures_max = models.PositiveSmallIntegerField(
        default=5,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="After so many failures in a row the bank is left alone for a while.",
    )
    circuit_open_seconds = models.PositiveSmallIntegerField(
        default=30, validators=[MinValueValidator(1), MaxValueValidator(3_600)]
    )
    is_test_line = models.BooleanField(
        default=False,
        help_text="The bank executes nothing that comes over it: the conformance battery may run.",
    )
    history = HistoricalRecords(excluded_fields=["secret"])

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "code"], name="bank_connection_code_once"),
            models.CheckConstraint(
                name="bank_connection_has_an_address",
                condition=Q(kind="FOLDER", directory__startswith="/", base_url="")
                | Q(kind="SFTP", base_url__startswith="sftp://", directory="")
                | Q(kind="HTTP", base_url__regex=r"^https?://", directory="")
                | Q(kind="EBICS", is_active=False),
            ),
            models.CheckConstraint(
                name="bank_connection_access_fits",
                condition=Q(kind__in=("FOLDER", "EBICS"), access="")
                | Q(kind="HTTP", access__in=("", "SIGNATURE", "MTLS"))
                | (Q(kind="HTTP", access="OAUTH2") & ~Q(token_url="") & ~Q(username=""))
                | (
                    Q(kind="SFTP", access__in=("PASSWORD", "KEY"))
                    & ~Q(username="")
                    & ~Q(server_trust="")
                ),
            ),
            models.CheckConstraint(
                name="bank_connection_patience_bounded",
                condition=Q(
                    poll_seconds__lte=86_400,
                    backoff_first_seconds__range=(1, 600),
                    backoff_seconds_max__range=(1, 3_600),
                    circuit_failures_max__range=(1, 100),
                    circuit_open_seconds__range=(1, 3_600),
                    collect_weekdays__regex=r"^[1-7]{1,7}$",
                ),
            ),
            models.CheckConstraint(
                name="bank_connection_timeouts_bounded",
                condition=Q(
                    connect_timeout_seconds__range=(1, 60),
                    read_timeout_seconds__range=(1, 120),
                    rate_per_minute__range=(1, 60_000),
                    retries_max__lte=100,
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.code


class LineState(TenantModel):
    """What a line remembers between requests; it changes every second, so it stands apart."""

    connection = models.OneToOneField(BankConnection, on_delete=models.PROTECT, related_name="line")
    failures_in_a_row = models.PositiveIntegerField(default=0)
    circuit_open_until = models.DateTimeField(null=True)
    last_ok_at = models.DateTimeField(null=True)
    last_error = models.TextField(blank=True)
    last_error_at = models.DateTimeField(null=True)
    inbound_cursor = models.CharField(max_length=200, blank=True)
    tokens = models.FloatField(default=0)
    tokens_at = models.DateTimeField(null=True)
    collect_locked_until = models.DateTimeField(null=True)
    collect_fence = models.PositiveIntegerField(default=0)
    collected_at = models.DateTimeField(null=True)
    probe_requested_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"line {self.connection_id}"

    @property
    def is_open(self) -> bool:
        """Whether the circuit is open: the bank is not called."""
        return self.circuit_open_until is not None


class LineSample(TenantModel):
    """How the calls over a line went within five minutes; old ones make room."""

    connection = models.ForeignKey(BankConnection, models.PROTECT, related_name="samples")
    at = models.DateTimeField()
    ok = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    latency_ms_sum = models.PositiveBigIntegerField(default=0)
    latency_ms_max = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["connection", "-at"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "connection", "at"], name="line_sample_once_per_span"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.ok}/{self.failed}"


class LineNoteKind(models.TextChoices):
    """What happened on a line."""

    FAILED = "FAILED", "call failed"
    OPENED = "OPENED", "circuit opened"
    HEALED = "HEALED", "works again"
    TESTED = "TESTED", "tested by a person"
    SET_ASIDE = "SET_ASIDE", "file set aside"
    REROUTED = "REROUTED", "payment goes another way"


class Route(TenantModel):
    """Which line payments of a home line take, for one rail or all, for one account or all."""

    home = models.ForeignKey(
        BankConnection,
        models.PROTECT,
        related_name="routes",
        help_text="Line of the bank that keeps the paying account.",
    )
    account = models.CharField(
        max_length=34,
        blank=True,
        default="",
        help_text="Last characters of the account's number (at least four); empty for all.",
    )
    rail = models.CharField(max_length=16, blank=True, default="", help_text="Empty for all rails.")
    connection = models.ForeignKey(
        BankConnection,
        models.PROTECT,
        related_name="routed_here",
        help_text="Line that the payment leaves by; it may be the home line itself.",
    )
    priority = models.PositiveSmallIntegerField(
        default=10, help_text="The smallest usable one is taken, the next ones are fall-backs."
    )
    is_active = models.BooleanField(default=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["home__code", "account", "rail", "priority"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "home", "account", "rail", "connection"], name="route_once"
            ),
            models.CheckConstraint(
                name="route_account_is_a_tail",
                condition=Q(account="") | Q(account__regex=r"^[A-Z0-9]{4,34}$"),
            ),
        ]

    def __str__(self) -> str:
        account = f" …{self.account}" if self.account else ""
        return f"{self.home}{account} {self.rail or 'all rails'}: {self.connection}"


class LineNote(TenantModel):
    """A line in the short history of a line; the oldest make room for new ones."""

    connection = models.ForeignKey(BankConnection, models.PROTECT, related_name="notes")
    kind = models.CharField(max_length=10, choices=LineNoteKind.choices)
    text = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["tenant", "connection", "-id"], name="line_note_recent")]

    def __str__(self) -> str:
        return f"{self.kind} {self.at:%Y-%m-%d %H:%M:%S}"


class Direction(models.TextChoices):
    """Seen from the treasury."""

    IN = "IN", "in"
    OUT = "OUT", "out"


class MessageState(models.TextChoices):
    """Where a message stands; the first five are outbound, the last three inbound."""

    QUEUED = "QUEUED", "queued"
    SENDING = "SENDING", "being sent"
    SENT = "SENT", "sent"
    REFUSED = "REFUSED", "refused"
    UNKNOWN = "UNKNOWN", "outcome unknown"
    RECEIVED = "RECEIVED", "received"
    HANDLED = "HANDLED", "handled"
    SET_ASIDE = "SET_ASIDE", "set aside"


OUTBOUND_STATES = ("QUEUED", "SENDING", "SENT", "REFUSED", "UNKNOWN")
INBOUND_STATES = ("RECEIVED", "HANDLED", "SET_ASIDE")
# An end-to-end reference may have at most one message in these: it could still pay, or did.
LIVE_STATES = ("QUEUED", "SENDING", "SENT", "UNKNOWN")


class MessageQuerySet(models.QuerySet["Message"]):
    """Messages in the words of the room."""

    def inbound(self) -> Self:
        """Keep what banks sent."""
        return self.filter(direction=Direction.IN)

    def outbound(self) -> Self:
        """Keep what goes to banks."""
        return self.filter(direction=Direction.OUT)

    def due(self, state: MessageState, *, now: datetime) -> Self:
        """Keep outbound messages of `state` whose time has come and that nobody works on."""
        free = Q(locked_until__isnull=True) | Q(locked_until__lt=now)
        return self.outbound().filter(free, state=state, due_at__lte=now)

    def leaving(self) -> Self:
        """Keep what is handed to a bank: files of several orders, and orders that go alone."""
        return self.filter(carrier__isnull=True)

    def single_orders(self) -> Self:
        """Keep what a bank can be asked about: each order by itself, however it travelled."""
        return self.filter(orders_count=0)

    def abandoned(self, *, now: datetime) -> Self:
        """Keep messages whose sender went silent in the middle of the call."""
        return self.leaving().outbound().filter(state=MessageState.SENDING, locked_until__lt=now)


def _has_reason(state: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        name=f"message_{state.lower()}_has_reason",
        condition=~Q(state=state) | ~Q(reason=""),
    )


class Message(FSMModelMixin, TenantModel):
    """One message in or out, with its bytes. Bytes never change, rows are never deleted."""

    direction = models.CharField(max_length=3, choices=Direction.choices)
    connection = models.ForeignKey(BankConnection, models.PROTECT, related_name="messages")
    routed_from = models.ForeignKey(
        BankConnection,
        models.PROTECT,
        null=True,
        related_name="+",
        help_text="Line that it was meant for, when a route sent it another way.",
    )
    routed_account = models.CharField(max_length=34, blank=True, default="")
    kind = models.CharField(max_length=16)
    name = models.CharField(max_length=NAME_CHARS_MAX)
    body = models.BinaryField()
    sha256 = models.CharField(max_length=64)
    size_bytes = models.PositiveBigIntegerField()
    state = FSMField(choices=MessageState.choices, protected=True)
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField(default=clock.now)

    correlation_id = models.UUIDField(null=True, help_text="What the news of an order belongs to.")

    seen_count = models.PositiveIntegerField(default=1)
    put_away = models.CharField(max_length=400, blank=True)
    handled_at = models.DateTimeField(null=True)

    # What orders that may share a file have in common (empty: it goes alone), the file that carries
    # it with others, and how many orders a file carries (0: it is an order by itself).
    group_key = models.CharField(max_length=64, blank=True, default="", db_default="")
    carrier = models.ForeignKey(
        "self", models.PROTECT, null=True, related_name="orders", db_index=False
    )
    orders_count = models.PositiveSmallIntegerField(default=0, db_default=0)

    rail = models.CharField(max_length=16, blank=True)
    reference = models.CharField(max_length=35, blank=True)
    message_reference = models.CharField(max_length=35, blank=True)
    attempt = models.PositiveSmallIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    enquiries = models.PositiveIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(null=True)
    locked_until = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    unknown_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    bank_receipt = models.JSONField(default=dict, blank=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["tenant", "connection", "sha256"],
                condition=Q(direction="IN"),
                name="message_archived_once",
            ),
            models.UniqueConstraint(
                fields=["tenant", "reference", "attempt"],
                condition=Q(direction="OUT"),
                name="message_attempt_once",
            ),
            models.UniqueConstraint(
                fields=["tenant", "reference"],
                condition=Q(direction="OUT", state__in=LIVE_STATES),
                name="message_one_live_attempt",
            ),
            models.UniqueConstraint(
                fields=["tenant", "message_reference"],
                condition=Q(direction="OUT"),
                name="message_reference_once",
            ),
            models.CheckConstraint(
                name="message_state_fits_direction",
                condition=Q(direction="OUT", state__in=OUTBOUND_STATES)
                | Q(direction="IN", state__in=INBOUND_STATES),
            ),
            models.CheckConstraint(
                name="message_out_has_references",
                condition=Q(direction="IN", reference="", message_reference="", attempt=0)
                | (
                    Q(direction="OUT", attempt__gte=1, due_at__isnull=False)
                    & ~Q(reference="")
                    & ~Q(message_reference="")
                ),
            ),
            models.CheckConstraint(
                name="message_carries_or_is_carried",
                condition=Q(carrier__isnull=True, orders_count=0)
                | Q(direction="OUT", carrier__isnull=True, orders_count__gte=2, group_key="")
                | (Q(direction="OUT", carrier__isnull=False, orders_count=0) & ~Q(group_key="")),
            ),
            models.CheckConstraint(
                name="message_sent_has_time",
                condition=~Q(state="SENT") | Q(sent_at__isnull=False),
            ),
            models.CheckConstraint(
                name="message_sending_has_lease",
                condition=~Q(state="SENDING") | Q(locked_until__isnull=False),
            ),
            _has_reason("REFUSED"),
            _has_reason("UNKNOWN"),
            _has_reason("SET_ASIDE"),
        ]
        indexes = [
            models.Index(
                F("tenant"),
                F("state"),
                F("due_at"),
                condition=Q(direction="OUT") & ~Q(state__in=("SENT", "REFUSED")),
                name="message_waiting",
            ),
            models.Index(fields=["tenant", "direction", "-id"], name="message_recent"),
            # Looked at with every collection of every line; few ever lie there.
            models.Index(
                fields=["tenant", "-id"], condition=Q(state="SET_ASIDE"), name="message_set_aside"
            ),
            models.Index(fields=["tenant", "reference"], name="message_by_reference"),
            models.Index(
                fields=["tenant", "carrier"],
                condition=Q(carrier__isnull=False),
                name="message_by_carrier",
            ),
            models.Index(
                fields=["tenant", "group_key"],
                condition=Q(state="QUEUED", carrier__isnull=True) & ~Q(group_key=""),
                name="message_to_gather",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @transition(state, source=MessageState.QUEUED, target=MessageState.SENDING)
    def claim(self, *, until: datetime) -> None:
        """Lease it to one sender."""
        self.locked_until = until
        self.fence += 1
        self.attempts += 1

    @transition(state, source=MessageState.SENDING, target=MessageState.QUEUED)
    def postpone(self, *, due_at: datetime, reason: str) -> None:
        """Nothing left the house: offer it again later."""
        self.due_at = due_at
        self.reason = reason
        self.locked_until = None

    @transition(
        state, source=[MessageState.SENDING, MessageState.UNKNOWN], target=MessageState.SENT
    )
    def record_sent(self, *, receipt: dict[str, Any], at: datetime) -> None:
        """The bank has it."""
        self.bank_receipt = receipt
        self.sent_at = at
        self.reason = ""
        self.locked_until = None

    @transition(
        state,
        source=[MessageState.QUEUED, MessageState.SENDING, MessageState.UNKNOWN],
        target=MessageState.REFUSED,
    )
    def record_refused(self, *, reason: str) -> None:
        """The bank does not have it and will not get it from this message."""
        self.reason = reason
        self.locked_until = None

    @transition(state, source=MessageState.SENDING, target=MessageState.UNKNOWN)
    def record_unknown(self, *, reason: str, at: datetime, due_at: datetime) -> None:
        """The bank may have it."""
        self.reason = reason
        self.unknown_at = at
        self.due_at = due_at
        self.locked_until = None

    @transition(state, source=MessageState.RECEIVED, target=MessageState.HANDLED)
    def handle(self, *, at: datetime) -> None:
        """Its content is in the books."""
        self.handled_at = at
        self.reason = ""

    @transition(state, source=MessageState.RECEIVED, target=MessageState.SET_ASIDE)
    def set_aside(self, *, reason: str) -> None:
        """It cannot be used as it is."""
        self.reason = reason

    @transition(state, source=MessageState.SET_ASIDE, target=MessageState.RECEIVED)
    def take_up_again(self) -> None:
        """Read it once more."""
        self.reason = ""
