# SPDX-License-Identifier: GPL-2.0-or-later
"""Stands in for a QEMU that runs on another machine: the same descriptors, the same exit status.

    console  stdin and stdout       <->  <folder>/console.in, console.out
    results  an inherited socket    <->  <folder>/results.in, results.out
    QMP      an inherited socket    <->  <folder>/qmp.in, qmp.out
    stderr                          <--  QEMU's own complaints

On the other machine a small shell script watches the connection and kills QEMU when this process stops sending signs of
life. That is so when the connection closes, because this process was killed or the machine it runs on went down, and
where nobody tells the other side, after `SILENCE`.
"""

import json
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import paramiko

from guests.host.ssh import SshAddress, connect
from guests.qemu.machine import CHANNELS
from util.errors import RigError

BEAT = 10.0
"""Seconds between two signs of life that this process sends."""
SILENCE = 40
"""Seconds without a sign of life after which the other machine ends QEMU."""
LAST_WORDS = 10.0
"""Seconds to wait for QEMU's last output after it has ended."""
LOST = 255
# The FIFOs are held open on both ends until QEMU has ended: who opens one need not wait, and nothing is lost before its
# reader is there. What a shell starts in the background has no input of the shell's, hence descriptor 6. A shell that
# says `Killed` to a connection that is gone must not die of it before it has cleared up.
SCRIPT = f"""
set -u; umask 077
folder=$1; count=$2; shift 2
mkdir "$folder" || exit 125
trap 'rm -rf "$folder"' EXIT
trap '' PIPE
while [ "$count" -gt 0 ]; do
    cat "$1" || exit 125
    shift; count=$((count - 1))
done >"$folder/initrd"
export TMPDIR="$folder"
cd "$folder" && mkfifo console.in console.out results.in results.out qmp.in qmp.out || exit 125
exec 3<>console.out 4<>results.out 5<>qmp.out 6<&0 7<>console.in 8<>results.in 9<>qmp.in
release() {{ exec 3<&- 4<&- 5<&- 7<&- 8<&- 9<&-; }}
beat() {{ [ "$(timeout {SILENCE} head -c 1 <&6)" = . ]; }}
echo ready
beat || exit 125
( release; exec 6<&-; exec setpriv --pdeathsig KILL -- "$@" </dev/null >&2 ) &
guest=$!
( release; trap - EXIT; exec >/dev/null 2>&1; while beat; do :; done; kill -KILL "$guest" ) &
leash=$!
wait "$guest"; status=$?
kill "$leash"
release
exit "$status"
"""
ATTACH = 'cd "$1" && exec 3<"$2.out" && echo attached >&2 && { cat <&3 & exec 3<&-; exec cat >"$2.in" 2>&-; }'


def main(order: dict[str, Any]) -> int:
    """Runs the guest; the exit status of QEMU, 128 and more for a signal, LOST if nobody knows."""
    client = connect(SshAddress(**order["address"]))
    folder = order["folder"]
    guest = _session(client, SCRIPT, folder, str(len(order["initrd"])), *order["initrd"], *order["command"])
    if guest.recv(16).strip() != b"ready":
        return _complain(guest)
    streams = {"console": (0, 1), "results": (order["results"],) * 2, "qmp": (order["qmp"],) * 2}
    readers = [_attach(client, folder, name, *streams[name]) for name in CHANNELS]
    _thread(_copy, guest.recv_stderr, lambda data: _write(2, data))
    while not guest.status_event.is_set():
        try:
            guest.sendall(b".")
        except OSError:
            break  # QEMU has ended, or the connection: the status says which
        guest.status_event.wait(BEAT)
    status = guest.recv_exit_status()
    for reader in readers:
        reader.join(LAST_WORDS)
    return status if status >= 0 else LOST


def _session(client: paramiko.SSHClient, script: str, *arguments: str) -> paramiko.Channel:
    transport = client.get_transport()
    assert transport is not None  # connected
    channel = transport.open_session()
    channel.exec_command(shlex.join(("sh", "-c", script, "rig", *arguments)))
    return channel


def _attach(client: paramiko.SSHClient, folder: str, name: str, source: int, sink: int) -> threading.Thread:
    """Both directions of one channel, from the moment on at which its reader is there. Returns what reads it."""
    channel = _session(client, ATTACH, folder, name)
    channel.recv_stderr(16)
    _thread(_copy, lambda size: os.read(source, size), channel.sendall)
    return _thread(_copy, channel.recv, lambda data: _write(sink, data))


def _complain(guest: paramiko.Channel) -> int:
    """The guest ended before QEMU was started."""
    _copy(guest.recv_stderr, lambda data: _write(2, data))
    return guest.recv_exit_status()


def _thread(work: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=arguments, daemon=True)
    thread.start()
    return thread


def _copy(read: Callable[[int], bytes], write: Callable[[bytes], None]) -> None:
    try:
        while data := read(1 << 16):
            write(data)
    except OSError:
        return  # one end is gone; the exit status tells the rest


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


if __name__ == "__main__":
    try:
        ended = main(json.loads(sys.argv[1]))
    except RigError as error:
        sys.exit(str(error))
    except (paramiko.SSHException, OSError, EOFError) as error:
        sys.exit(f"{error or 'the connection was lost'}")
    if ended == LOST:
        sys.exit("the connection to the other machine was lost")
    if ended > 128:
        os.kill(os.getpid(), signal.Signals(ended - 128))
    sys.exit(ended)
