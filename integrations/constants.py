"""Limits and defaults of the lines to the banks, units last."""

from typing import Final

from integrations.codecs.constants import MESSAGE_BYTES_MAX

INBOUND_BYTES_MAX: Final = MESSAGE_BYTES_MAX
RECEIPT_BYTES_MAX: Final = 256 * 1024
LISTING_BYTES_MAX: Final = 2_000_000
LISTING_FILES_MAX: Final = 10_000
NAME_CHARS_MAX: Final = 200
PLACE_CHARS_MAX: Final = 400
REASON_CHARS_MAX: Final = 2_000

DISPATCH_BATCH_MAX: Final = 50
ENQUIRE_BATCH_MAX: Final = 50
# So many messages of a resting line look for another route before the line is left alone.
FALL_BACK_TRIES_MAX: Final = 20
COLLECT_FILES_MAX: Final = 200

# A worker that holds a message may still start the call this long after it took it.
LEASE_START_SECONDS: Final = 5
# On top of the line's own timeouts, for the answer to be written down.
LEASE_MARGIN_SECONDS: Final = 10
FOLDER_CALL_SECONDS: Final = 5
# Connecting, writing the draft, the rename: each within the line's own timeouts.
SFTP_STEPS: Final = 3
COLLECT_LEASE_SECONDS: Final = 60

BACKOFF_FIRST_SECONDS: Final = 2.0
BACKOFF_SECONDS_MAX: Final = 60.0
# "I do not know this payment" counts only when nothing of it can still be on its way.
NOT_FOUND_TRUSTED_AFTER_SECONDS: Final = 30

CIRCUIT_FAILURES_MAX: Final = 5
CIRCUIT_OPEN_SECONDS: Final = 30
# The bucket holds a tenth of a minute's requests: bursts are short, the minute's total holds.
BURST_SHARE: Final = 10

# How many set-aside messages of a line one press of the button takes up again.
TRY_AGAIN_MAX: Final = 500
NOTES_PER_LINE_MAX: Final = 200
SAMPLES_KEPT_DAYS: Final = 7
UNKNOWN_KIND: Final = "UNKNOWN"
PAIN001_KIND: Final = "pain.001"
# What the database calls its refusal of bytes that nobody approved.
FILE_PREFIX: Final = "B-"
SEAL_CONSTRAINT: Final = "order_seal"
