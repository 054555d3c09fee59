"""A real SFTP server in a process of its own: `python sftp_server.py HOME [--no-hidden]`.

It prints its port and its public host key. With --no-hidden it refuses folders whose name begins
with a dot and `journal` in it, as banks do that let customers write into given trays only.
"""

import asyncio
import json
import sys
from pathlib import Path

import asyncssh
from asyncssh.sftp import SFTPPermissionDenied

USER, PASSWORD = "treasury", "correct horse battery staple"


class Server(asyncssh.SSHServer):
    """One customer, with a password or a key."""

    def __init__(self, customer_key: asyncssh.SSHKey) -> None:
        self.customer_key = customer_key

    def begin_auth(self, username: str) -> bool:
        del username
        return True

    def password_auth_supported(self) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == USER and key == self.customer_key


class Files(asyncssh.SFTPServer):
    """The home as the root of everything."""

    hides_nothing = True

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes]) -> None:
        super().__init__(channel, chroot=HOME.encode())

    def mkdir(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        if not self.hides_nothing and b"journal" in path:
            raise SFTPPermissionDenied("only the trays are yours")
        super().mkdir(path, attrs)

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        if Path(HOME, "drop-on-rename").exists():
            super().rename(oldpath, newpath)
            self.channel.get_connection().abort()
            return
        super().rename(oldpath, newpath)


async def main() -> None:
    Files.hides_nothing = "--no-hidden" not in sys.argv
    customer = asyncssh.read_public_key(str(Path(HOME).parent / "customer.pub"))
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    acceptor = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=[host_key],
        server_factory=lambda: Server(customer),
        sftp_factory=Files,
    )
    public = host_key.export_public_key().decode().strip()
    print(json.dumps({"port": acceptor.get_port(), "host_key": public}), flush=True)  # noqa: T201
    await asyncio.Event().wait()


if __name__ == "__main__":
    HOME = sys.argv[1]
    asyncio.run(main())
