# SPDX-License-Identifier: GPL-2.0-or-later
"""An SSH server of a test's own: OpenSSH's, on a port of its own, with keys and files below a temporary folder.

The program is taken out of Debian's package without installing it, so that no machine gets a service by running the
tests. As root it wants a user `sshd` and a folder; both are there for it alone, in a mount namespace.
"""

import os
import pwd
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import paramiko

from initramfs.packages import package_file
from tests.command import USER
from util.events import silent
from util.stop import Stop

PATIENCE = 20.0
_HOST_ARCH = {"x86_64": "amd64", "aarch64": "arm64"}
_LIBWRAP = "libwrap.so.0"


@dataclass(frozen=True, slots=True)
class Sshd:
    """A server that runs. `home` is what HOME has to be for a client that knows it and has its key; `there` is the
    cache folder of what is logged in."""

    port: int
    pid: int
    home: Path
    there: Path

    @property
    def url(self) -> str:
        return f"ssh://{pwd.getpwuid(os.getuid()).pw_name}@127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """That of a client, which has the user's own cache and nothing of the user's own SSH."""
        kept = {name: value for name, value in USER.items() if name != "SSH_AUTH_SOCK"}
        return {"XDG_CACHE_HOME": str(Path(USER["HOME"]) / ".cache"), **kept, "HOME": str(self.home)}

    def qemus(self) -> list[int]:
        """The process ids of guests that run over there."""
        mark = str(self.there).encode()
        found = [path for path in Path("/proc").iterdir() if path.name.isdigit()]
        return [
            int(path.name) for path in found if (line := _command(path)).startswith(b"qemu-system") and mark in line
        ]

    def forget(self) -> None:
        """The client does not know the server any more."""
        (self.home / ".ssh" / "known_hosts").unlink()


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


@contextmanager
def sshd(folder: Path) -> Iterator[Sshd]:
    """The server as long as the context lasts, everything of it below `folder`."""
    home, there, port = folder / "home", folder / "there", _free_port()
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    host_key = _key(folder / "host_key")
    own_key = _key(home / ".ssh" / "id_rsa")
    (folder / "authorized_keys").write_text(f"{own_key}\n")
    (home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}\n")
    (folder / "config").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder}/host_key\nPidFile none\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
        f"PermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\nSetEnv XDG_CACHE_HOME={there}\n"
    )
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(_command_line(folder), stdin=subprocess.DEVNULL, stderr=log, env=_libraries(folder))
    try:
        _wait(port, server, folder / "log")
        yield Sshd(port, server.pid, home, there)
    finally:
        server.terminate()
        server.wait()


def _command_line(folder: Path) -> list[str]:
    program = _of_debian("openssh-server", "sbin/sshd")
    command = [str(program), "-D", "-e", "-f", str(folder / "config")]
    if os.geteuid():
        return command
    (folder / "passwd").write_text(
        Path("/etc/passwd").read_text() + "sshd:x:65534:65534::/run/sshd:/usr/sbin/nologin\n"
    )
    setup = 'mount --bind "$1" /etc/passwd && mount -t tmpfs none /run && mkdir -m 755 /run/sshd && shift && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", setup, "sshd", str(folder / "passwd"), *command]


def _libraries(folder: Path) -> dict[str, str]:
    """The one library that openssh-server has to itself."""
    triple = f"{os.uname().machine}-linux-gnu"
    library = _of_debian("libwrap0", f"lib/{triple}/{_LIBWRAP}.7.6")
    (folder / _LIBWRAP).symlink_to(library)
    return {**os.environ, "LD_LIBRARY_PATH": str(folder)}


def _of_debian(package: str, member: str) -> Path:
    path = package_file(package, _HOST_ARCH[os.uname().machine], member, silent, Stop())
    path.chmod(0o755)
    return path


def _key(path: Path) -> str:
    """A new pair; the public half as a line has it."""
    key = paramiko.RSAKey.generate(2048)
    key.write_private_key_file(str(path))
    return f"{key.get_name()} {key.get_base64()}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"sshd does not listen: {log.read_text()}")
