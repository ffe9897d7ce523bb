# SPDX-License-Identifier: GPL-2.0-or-later
"""Another machine on which QEMU runs: the same kernel, the same archives, the same arguments.

A guest there is, here, a process of `guests.host.bridge`: it is started, watched and killed like a QEMU.
"""

import json
import secrets
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import paramiko

from guests.host.host import CommandResult, Start
from guests.host.remote_files import RemoteFiles
from guests.host.ssh import SshAddress, connect
from guests.qemu.initrd import padded
from guests.qemu.machine import Spec, pipes, wired_command
from util.errors import MachineError, UserError
from util.paths import APP, ROOT
from util.stop import Stop

TOOLS = ("setpriv", "timeout", "head", "mkfifo", "sha256sum")
_ANSWER = 60.0
"""Seconds for a short command."""


@contextmanager
def open_ssh_host(address: SshAddress) -> Iterator["SshHost"]:
    """See `guests.host.host.open_host`."""
    client = connect(address)
    try:
        yield SshHost(address, client)
    finally:
        client.close()


class SshHost:
    """See `guests.host.host.Host`. Each guest has a connection of its own; this one is for questions and files."""

    delay = 20.0

    def __init__(self, address: SshAddress, client: paramiko.SSHClient) -> None:
        self._address, self._client = address, client
        self.name = str(address)
        self.system, _, self.machine = self._say("uname", "-sm").partition(" ")
        self._require_tools()
        root = self._say("sh", "-c", 'printf %s "${XDG_CACHE_HOME:-$HOME/.cache}"') + f"/{APP}"
        self._say("mkdir", "-p", "-m", "700", root, f"{root}/files", f"{root}/guests")
        self._files = RemoteFiles(client.open_sftp(), root, lambda path: self._say("sha256sum", path).split()[0])
        self._files.trim()

    def run(self, *command: str) -> CommandResult:
        try:
            _stdin, stdout, stderr = self._client.exec_command(shlex.join(command), timeout=_ANSWER)
            words = stdout.read().decode("utf-8", "replace"), stderr.read().decode("utf-8", "replace").strip()
            return CommandResult(stdout.channel.recv_exit_status(), *words)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise MachineError(f"{self._address}: {error or 'the connection was lost'}") from None

    def starter(self, spec: Spec, initrd: Sequence[Path | bytes], stop: Stop) -> Start:
        try:
            kernel = self._files.put(spec.kernel.read_bytes(), stop)
        except OSError as error:
            raise UserError(f"kernel {spec.kernel}: {error.strerror}") from None
        parts = [self._files.put(data, stop) for data in padded(initrd)]

        def start(results: int, qmp: int, initrd: str) -> tuple[str, ...]:  # noqa: ARG001
            folder = f"{self._files.guests}/{secrets.token_hex(8)}"
            there = replace(spec, kernel=Path(kernel), initrd=f"{folder}/initrd", disk_file="")
            order = {
                "address": asdict(self._address),
                "folder": folder,
                "initrd": parts,
                "command": wired_command(there, pipes(folder)),
                "results": results,
                "qmp": qmp,
            }
            return ("env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "guests.host.bridge", json.dumps(order))

        return start

    def used_seconds(self, pid: int) -> None:
        """The processor time is another machine's."""

    def _say(self, *command: str) -> str:
        """The output of a command. Raises MachineError if its exit status is not 0."""
        done = self.run(*command)
        if done.status:
            raise MachineError(f"{self._address}: `{shlex.join(command)}`: {done.stderr or f'status {done.status}'}")
        return done.stdout.strip()

    def _require_tools(self) -> None:
        """Raises MachineError that names what is missing there."""
        if self.system != "Linux":
            raise MachineError(f"{self._address}: runs {self.system}; guests over SSH need Linux there")
        lacking = [tool for tool in TOOLS if self.run("sh", "-c", f"command -v {tool}").status]
        if lacking:
            raise MachineError(f"{self._address}: lacks {', '.join(lacking)}; install util-linux and coreutils there")
