"""Days of accounts: sums of their entries, kept by the database, and statements that came late."""

from django.db import models

from core.money_columns import SUMS_BOUND, finite
from core.tenancy import TenantModel
from treasury.models.static import BankAccount


class DayMovement(TenantModel):
    """What counts of an account's booked entries of one booking day and one value day."""

    account = models.ForeignKey(
        BankAccount, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    booking_date = models.DateField()
    value_date = models.DateField()
    amount = models.DecimalField(max_digits=24, decimal_places=4)
    entries_count = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "account", "booking_date", "value_date"], name="day_movement_once"
            ),
            finite("day_movement_is_finite", "amount", bound=SUMS_BOUND),
        ]
        indexes = [
            models.Index(fields=["tenant", "account", "value_date"], name="day_movement_by_value")
        ]

    def __str__(self) -> str:
        return f"{self.booking_date} {self.value_date} {self.amount}"


class DailyBalance(TenantModel):
    """An account's value-dated day: what counts on it, and the sum of all days up to it.

    `balance` starts from nothing: a stated balance adds what was there before our first entry.
    """

    account = models.ForeignKey(
        BankAccount, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    value_date = models.DateField()
    booked = models.DecimalField(max_digits=24, decimal_places=4)
    balance = models.DecimalField(max_digits=24, decimal_places=4)

    class Meta:
        constraints = [
            # Without the balance, so that a changed one needs no new index entries.
            models.UniqueConstraint(
                fields=["tenant", "account", "value_date"], name="daily_balance_once"
            ),
            finite("daily_balance_is_finite", "booked", "balance", bound=SUMS_BOUND),
        ]

    def __str__(self) -> str:
        return f"{self.value_date} {self.balance}"


class NewestBalance(TenantModel):
    """The newest of an account's daily balances, kept beside them.

    A position of many accounts reads these rows and no history; only accounts with later value
    dates than the day that is asked for are looked up in their days.
    """

    account = models.ForeignKey(
        BankAccount, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    value_date = models.DateField()
    balance = models.DecimalField(max_digits=24, decimal_places=4)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "account"], name="newest_balance_once"),
            finite("newest_balance_is_finite", "balance", bound=SUMS_BOUND),
        ]

    def __str__(self) -> str:
        return f"{self.value_date} {self.balance}"


class LateFeed(TenantModel):
    """A day whose statement was late by its bank's own custom; people are told once."""

    account = models.ForeignKey(
        BankAccount, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    for_day = models.DateField()
    late_since = models.DateTimeField()
    told_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "account", "for_day"], name="late_feed_told_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.for_day}"
