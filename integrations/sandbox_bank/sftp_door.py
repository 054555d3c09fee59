"""The SFTP door: one customer, who sees a folder with both trays and nothing else."""

import asyncio
import hmac
import logging
import threading
from pathlib import Path
from typing import Any

import asyncssh

CUSTOMER = "treasury"
HOST_KEY_FILE = "sftp_host_key"
START_SECONDS_MAX = 10
logging.getLogger("asyncssh").setLevel(logging.WARNING)


class SftpDoor:
    """Runs in a thread of its own; the folder door looks after what lies in the trays."""

    def __init__(self, home: Path, folder: Path, *, host: str, port: int, secret: str) -> None:
        self._home, self._folder, self._secret = home, folder, secret
        self._host, self.port = host, port
        self._started = threading.Event()
        self._key = self._host_key()

    @property
    def host_key(self) -> str:
        """Return the public host key, the one to pin."""
        return self._key.export_public_key().decode().strip()

    def start(self) -> None:
        """Listen.

        Raises:
            OSError: the port is taken.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True).start()
        if not self._started.wait(START_SECONDS_MAX):
            raise OSError("the SFTP door does not open")

    async def _serve(self) -> None:
        root = str(self._folder).encode()

        def files(channel: Any) -> asyncssh.SFTPServer:
            return asyncssh.SFTPServer(channel, chroot=root)

        acceptor = await asyncssh.listen(
            self._host,
            self.port,
            server_host_keys=[self._key],
            server_factory=lambda: _Customer(self._secret),
            sftp_factory=files,
        )
        self.port = acceptor.get_port()
        self._started.set()
        await asyncio.Event().wait()

    def _host_key(self) -> asyncssh.SSHKey:
        path = self._home / HOST_KEY_FILE
        if path.exists():
            return asyncssh.read_private_key(str(path))
        key = asyncssh.generate_private_key("ssh-ed25519")
        path.touch(mode=0o600)
        path.write_bytes(key.export_private_key())
        return key


class _Customer(asyncssh.SSHServer):
    def __init__(self, secret: str) -> None:
        self._secret = secret

    def begin_auth(self, username: str) -> bool:
        del username
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        is_known = bool(self._secret) and username == CUSTOMER
        return is_known and hmac.compare_digest(password.encode(), self._secret.encode())
