# SPDX-License-Identifier: GPL-2.0-or-later
"""A connection to another machine: its address, host key and user key, and its errors in one line each. No passwords,
and no host key that is not in `known_hosts` already: the machine that answers runs what we send.
"""

import getpass
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import paramiko
from paramiko.ssh_exception import NoValidConnectionsError

from util.errors import MachineError, UserError

logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # a broken connection is reported by us, not by paramiko's log
PATIENCE = 15.0
"""Seconds for each of connecting, the banner and the keys."""
KEEPALIVE = 15
_FORM = "ssh://[user@]machine[:port]"


@dataclass(frozen=True, slots=True)
class SshAddress:
    """Machine, port and user. `identity` is a private key's file; empty: the agent's and those of ~/.ssh."""

    machine: str
    port: int
    user: str
    identity: str = ""

    def __str__(self) -> str:
        machine = f"[{self.machine}]" if ":" in self.machine else self.machine
        return f"ssh://{self.user}@{machine}:{self.port}"


def parse_address(text: str, identity: Path | None = None) -> SshAddress:
    """Raises UserError for anything that is not of the form ssh://[user@]machine[:port], or a key that is no file."""
    try:
        parts = urlsplit(text)
        port, machine = parts.port or 22, parts.hostname or ""
    except ValueError:
        raise UserError(f"host `{text}`: write it as {_FORM}") from None
    if parts.password is not None:
        raise UserError(f"host: a password does not belong into an address; write it as {_FORM}, and load your key")
    plain = re.fullmatch(r"[\w.:%-]+", machine)
    if parts.scheme != "ssh" or not plain or parts.path.strip("/") or parts.query or parts.fragment:
        raise UserError(f"host `{text}`: write it as {_FORM}")
    if identity is not None and not identity.is_file():
        raise UserError(f"identity {identity}: no such file")
    return SshAddress(machine, port, parts.username or getpass.getuser(), str(identity.resolve()) if identity else "")


def connect(address: SshAddress) -> paramiko.SSHClient:
    """A connection with the machine's key checked and ours accepted; the caller closes it.

    Raises UserError for keys that do not fit, MachineError where the machine does not answer.
    """
    client = paramiko.SSHClient()
    client.load_system_host_keys()
    client.set_missing_host_key_policy(_Refuse())
    try:
        client.connect(
            address.machine,
            address.port,
            address.user,
            key_filename=address.identity or None,
            look_for_keys=not address.identity,
            allow_agent=not address.identity,
            timeout=PATIENCE,
            banner_timeout=PATIENCE,
            auth_timeout=PATIENCE,
        )
    except Exception as error:
        client.close()
        raise _explained(address, error) from None
    transport = client.get_transport()
    assert transport is not None  # connected
    transport.set_keepalive(KEEPALIVE)
    return client


class _UnknownKeyError(Exception):
    """Carries what a person compares."""


class _Refuse(paramiko.MissingHostKeyPolicy):
    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:  # noqa: ARG002
        raise _UnknownKeyError(f"{key.get_name()} {key.fingerprint}")


def _explained(address: SshAddress, error: Exception) -> Exception:
    """The error for the user; an exception that is a bug of the rig is passed on unchanged."""
    if words := _users_mistake(address, error):
        return UserError(f"{address}: {words}")
    if isinstance(error, NoValidConnectionsError):
        error = next(iter(error.errors.values()))
    if isinstance(error, paramiko.SSHException | OSError | EOFError):
        return MachineError(f"{address}: {getattr(error, 'strerror', None) or error or 'hung up'}")
    return error


def _users_mistake(address: SshAddress, error: Exception) -> str:
    """What to do about keys; empty for any other error."""
    match error:
        case _UnknownKeyError():
            remedy = f"if that is right, accept it once with: ssh -p {address.port} {address.user}@{address.machine}"
            return f"its key is not in ~/.ssh/known_hosts ({error}); {remedy}"
        case paramiko.BadHostKeyException():
            return "its key is not the one in ~/.ssh/known_hosts; find out why before you go on"
        case paramiko.AuthenticationException():
            return "takes none of your keys; load one with ssh-add, or name it with --identity"
        case paramiko.SSHException() if "authentication methods" in str(error):
            return "you have no key; load one with ssh-add, or name it with --identity"
    return ""
