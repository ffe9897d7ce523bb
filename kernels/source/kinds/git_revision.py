# SPDX-License-Identifier: GPL-2.0-or-later
"""One revision of a git repository, here or elsewhere, as a source."""

import json
import re
import time
from hashlib import sha256
from pathlib import Path

from kernels.source.git import environment, require, run_git
from kernels.source.store import Store
from kernels.source.user_repo import bring_tree, find_repo
from util.children.program import Finished, run
from util.errors import MachineError, UserError
from util.events import Event, Listener, Phase
from util.stop import Stop

FRESH = 86400.0
"""Seconds for which the commit that a remote name stands for is remembered."""

_URL = re.compile(r"[a-z][a-z0-9+.-]*://|[^/\s]+@[^/\s]+:|[^/\s@]+:[^/]")
_ID = re.compile(r"[0-9a-f]{40}")


def resolve_git(text: str, store: Store, emit: Listener, stop: Stop, refresh: bool) -> tuple[str, str]:
    """(title, commit) of `PATH@REV` or `URL@REV`. Raises UserError, MachineError."""
    place, revision = parts(text)
    if not place or not revision or revision.startswith("-") or place.startswith("-"):
        raise UserError(f"git:{text}: must be git:PATH@REV or git:URL@REV")
    path = Path(place).expanduser()
    if path.is_dir():
        return _local(path, revision, store, emit, stop)
    if not _URL.match(place):
        raise UserError(f"git:{text}: {place} is neither a folder nor a URL")
    return _remote(place, revision, store, emit, stop, refresh)


def parts(text: str) -> tuple[str, str]:
    """Split at the last `@` that is not part of a revision such as `HEAD@{1}` or of an address such as `git@host:x`."""
    cut = text.rfind("@")
    while cut > 0 and text[cut + 1 : cut + 2] == "{":
        cut = text.rfind("@", 0, cut)
    place, revision = text[: max(cut, 0)], text[cut + 1 :]
    return ("", "") if ":" in revision.partition("^{")[0] else (place, revision)


def _local(path: Path, revision: str, store: Store, emit: Listener, stop: Stop) -> tuple[str, str]:
    repo = find_repo(path)
    if repo is None:
        raise UserError(f"{path}: is not a git repository")
    commit = repo.rev(revision, "commit")
    tree = repo.rev(revision, "tree")
    if tree is None:
        raise UserError(f"{path}: has no revision `{revision}`")
    title = f"{path.resolve()} at {repo.describe(commit)}" if commit else f"{path.resolve()} at tree {tree[:12]}"
    return title, bring_tree(repo, tree, store, f"{path}@{revision}", emit, stop)


def _remote(url: str, revision: str, store: Store, emit: Listener, stop: Stop, refresh: bool) -> tuple[str, str]:
    record = store.root / "remote" / f"{sha256(f'{url} {revision}'.encode()).hexdigest()[:24]}.json"
    known = _recall(record)
    fresh = bool(known) and (_ID.fullmatch(revision) or (not refresh and time.time() - float(known["checked"]) < FRESH))
    if known and fresh and store.commit_of(str(known["tree"])):
        return _title(url, revision, str(known["id"])), str(store.commit_of(str(known["tree"])))
    step = f"fetch {url}"
    emit(Event(step, Phase.START, revision))
    try:
        identity, tree, commit = _fetch(url, revision, store, emit, step, stop)
    except MachineError as error:
        commit_then = store.commit_of(str(known["tree"])) if known else None
        if commit_then is None:
            raise
        emit(Event(step, Phase.NOTE, f"goes on with what an earlier run fetched: {error}"))
        return _title(url, revision, str(known["id"])), commit_then
    record.parent.mkdir(exist_ok=True)
    new = record.with_suffix(f".{sha256(str(time.time_ns()).encode()).hexdigest()[:8]}")
    new.write_text(json.dumps({"id": identity, "tree": tree, "checked": time.time()}), encoding="utf-8")
    new.replace(record)
    emit(Event(step, Phase.DONE))
    return _title(url, revision, identity), commit


def _title(url: str, revision: str, identity: str) -> str:
    return f"{url} at {identity[:12]}" + ("" if revision == identity else f" ({revision})")


def _recall(record: Path) -> dict[str, str | float]:
    try:
        data = json.loads(record.read_text(encoding="utf-8"))
        return {"id": str(data["id"]), "tree": str(data["tree"]), "checked": float(data["checked"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _fetch(url: str, revision: str, store: Store, emit: Listener, step: str, stop: Stop) -> tuple[str, str, str]:
    """(commit there, tree, commit here), the revision alone without its history if the server lets us."""
    with store.scratch() as folder, store.importing(stop, emit, step) as lock:
        require(run_git(folder / "git", "init", "--quiet", "--bare", "--template="))
        env = environment(GIT_OBJECT_DIRECTORY=str(store.git_dir / "objects"))

        def git(*args: str) -> Finished:
            argv = ["git", f"--git-dir={folder / 'git'}", "-c", "gc.auto=0", "-c", "fetch.unpackLimit=1", *args]
            return run(argv, env=env, cwd=folder, stop=stop, keep=(lock.fd,))

        target = "+{}:refs/got"
        got = git("fetch", "--quiet", "--no-tags", "--depth=1", "--end-of-options", url, target.format(revision))
        if got.status != 0 and _ID.fullmatch(revision[:40]):
            # A server need not give out a commit that no name points to: take all branches and look there.
            got = git("fetch", "--quiet", "--tags", "--end-of-options", url, "+refs/heads/*:refs/heads/*")
            if got.status == 0:
                got = git("update-ref", "refs/got", f"{revision}^{{commit}}")
        if got.status != 0:
            raise _error(url, revision, got)
        identity = require(git("rev-parse", "--verify", "refs/got^{commit}")).decode().strip()
        tree = require(git("rev-parse", "--verify", "refs/got^{tree}")).decode().strip()
        walked = store.run("rev-list", "--objects", "--quiet", tree, stop=stop)
        if walked.status != 0:
            raise MachineError(f"{url}: the fetched tree is not whole")
        return identity, tree, store.commit_of(tree) or store.adopt(tree)


def _error(url: str, revision: str, got: Finished) -> UserError | MachineError:
    words = (got.words.splitlines() or ["git fetch failed"])[0]
    if "couldn't find remote ref" in got.words or "Needed a single revision" in got.words:
        return UserError(f"{url}: has no revision `{revision}`")
    return MachineError(f"{url}: {words}")
