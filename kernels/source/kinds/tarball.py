# SPDX-License-Identifier: GPL-2.0-or-later
"""A tarball, in a file or behind a URL, as a source."""

import hashlib
import re
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import requests

from kernels.source.kinds.fast_import import import_tar, pipeline, unpacker
from kernels.source.store import Store, require_kernel
from util.errors import MachineError, UserError
from util.events import Event, Listener, Phase
from util.files.lock import locked
from util.stop import Stop

TIMEOUT = (20.0, 60.0)
"""Seconds to connect, and between two pieces of data."""
_BLOCK = 1 << 18
_REPORT_EVERY = 4 << 20


def resolve_archive(text: str, store: Store, emit: Listener, stop: Stop) -> tuple[str, str]:
    """(title, commit) of `FILE` or `URL#sha256=HEX`; a file may state its checksum too. Raises UserError, MachineError.

    An archive is known by its SHA-256, so that the same content is imported once, whatever it is called.
    """
    place, _, fragment = text.partition("#")
    wanted = fragment.removeprefix("sha256=").lower()
    if fragment and not re.fullmatch(r"sha256=[0-9A-Fa-f]{64}", fragment):
        raise UserError(f"tarball:{text}: the checksum must be #sha256= and 64 hex digits")
    is_url = re.match(r"https?://", place) is not None
    if is_url and not wanted:
        raise UserError(f"tarball:{text}: a URL needs its checksum: tarball:{place}#sha256=HEX")
    path = Path(place).expanduser()
    if not is_url and not path.is_file():
        raise UserError(f"tarball:{text}: no such file")
    folder = store.root / "archives"
    with locked(folder / f"{wanted or 'file'}.lock", stop, emit=emit, step=f"import {place}"):
        known = _known(wanted, store) if wanted else None
        if is_url and known is None:
            path = _download(place, wanted, folder, emit, stop)
        if known is None or not is_url:
            actual = _checksum(path, stop)
            if wanted and actual != wanted:
                raise UserError(f"{place}: has the SHA-256 {actual}, not {wanted}")
            wanted, known = actual, _known(actual, store)
        commit = known or _import(path, place, wanted, store, emit, stop)
        if is_url:
            path.unlink(missing_ok=True)
    return f"{place.rpartition('/')[2]} (sha256 {wanted[:12]})", commit


def _ref(checksum: str) -> str:
    return f"refs/rig/tarball/{checksum}"


def _known(checksum: str, store: Store) -> str | None:
    found = store.run("rev-parse", "--verify", "--quiet", _ref(checksum))
    return found.stdout.decode().strip() if found.status == 0 else None


def _checksum(path: Path, stop: Stop) -> str:
    total = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(1 << 20):
            stop.check()
            total.update(data)
    return total.hexdigest()


def _import(path: Path, spec: str, checksum: str, store: Store, emit: Listener, stop: Stop) -> str:
    step = f"import {spec}"
    emit(Event(step, Phase.START, command=unpacker(path)))
    with store.importing(stop, emit, step) as lock, pipeline([unpacker(path)], spec) as stream:
        tree = import_tar(stream, store, spec, step, emit, stop, lock.fd)
    require_kernel(store, tree, spec)
    commit = store.adopt(tree, also=(_ref(checksum),))
    emit(Event(step, Phase.DONE))
    return commit


def _download(url: str, checksum: str, folder: Path, emit: Listener, stop: Stop) -> Path:
    """The file behind the URL, checked, under the name of its checksum; a partial one never has that name."""
    final = folder / f"{checksum}.download"
    if final.exists():
        return final
    for old in folder.glob(f"{checksum}.*.partial"):
        old.unlink(missing_ok=True)
    step = f"download {url}"
    emit(Event(step, Phase.START))
    with tempfile.NamedTemporaryFile(dir=folder, prefix=f"{checksum}.", suffix=".partial") as file:
        partial = Path(file.name)
        total = hashlib.sha256()
        try:
            with requests.get(url, stream=True, timeout=TIMEOUT) as answer:
                answer.raise_for_status()
                size, done, told = int(answer.headers.get("Content-Length", 0)), 0, 0
                for block in answer.iter_content(_BLOCK):
                    stop.check()
                    total.update(block)
                    file.write(block)
                    done += len(block)
                    if done - told >= _REPORT_EVERY or done == size:
                        emit(Event(step, Phase.PROGRESS, urlsplit(url).path.rpartition("/")[2], done, size, "bytes"))
                        told = done
        except (requests.RequestException, ValueError) as error:
            raise MachineError(f"{url}: {error}") from None
        if total.hexdigest() != checksum:
            raise UserError(f"{url}: has the SHA-256 {total.hexdigest()}, not {checksum}")
        file.flush()
        final.hardlink_to(partial)
    emit(Event(step, Phase.DONE))
    return final
