"""One-time codes from an authenticator's seed; a time step is used once, as the server demands."""

import base64
import hmac
import json
import struct
import time
from pathlib import Path
from typing import Final

STEP_SECONDS: Final = 30
DIGITS: Final = 6
# The server also takes the code of the next step: one sign-in may run ahead, a second one waits.
STEPS_AHEAD_MAX: Final = 1


def code_at(secret: str, step: int) -> str:
    """Return the code of one time step (RFC 6238 with SHA-1 and six digits)."""
    key = base64.b32decode(secret)
    digest = hmac.digest(key, struct.pack(">Q", step), "sha1")
    offset = digest[-1] & 0x0F
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


class CodeBook:
    """Remembers in a small file which step each person used last: runs may follow closely."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def next_code(self, *, username: str, secret: str) -> str:
        """Return a code that was not used before; wait for the next step when there is none yet."""
        used = self._read()
        last = used.get(username, 0)
        while True:
            present = int(time.time()) // STEP_SECONDS
            step = max(present, last + 1)
            if step <= present + STEPS_AHEAD_MAX:
                break
            time.sleep(min(1.0, STEP_SECONDS - time.time() % STEP_SECONDS))
        self._write({**used, username: step})
        return code_at(secret, step)

    def _read(self) -> dict[str, int]:
        if not self._path.exists():
            return {}
        used: dict[str, int] = json.loads(self._path.read_text("utf-8"))
        return used

    def _write(self, used: dict[str, int]) -> None:
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps(used), "utf-8")
        draft.replace(self._path)
