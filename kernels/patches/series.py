# SPDX-License-Identifier: GPL-2.0-or-later
"""A series spec becomes an ordered, checked set of patches.

| spec | meaning |
|---|---|
| a file | a mailbox (plain, gzip, bzip2, xz), one mail, or a quilt `series` file |
| a folder | files of `git format-patch`, a maildir, a quilt queue, numbered patches |
| `[REPOSITORY:]A..B` | the commits of a git range |
| `[REPOSITORY:]BRANCH` | a branch that `b4 prep` manages |
| a message-id, a link to a list's archive | a thread, through `b4` |

What is refused is refused here, with one line, before anything of it is written anywhere but into a folder of its own.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from kernels.mail.diff import check, scan
from kernels.mail.mail import Mail
from kernels.mail.thread import EVERYTHING, MAX_PATCHES, PickedPatches, ThreadChoice, pick, read_tag
from kernels.patches.kinds.git_range import Range, read_range
from kernels.patches.kinds.patch_folder import SERIES, FolderMails, read_folder, read_mails, read_quilt
from kernels.patches.patch import BaseTreeInfo, Patch, Series, Start
from kernels.source.git import own_environment
from kernels.source.resolve import Source
from kernels.source.store import Store
from kernels.source.user_repo import find_repo
from util.children.program import run
from util.errors import MachineError, UserError
from util.stop import Stop
from util.text import counted, one_line, plain

MAX_SPEC = 4096
"""Characters: PATH_MAX."""

_RANGE = re.compile(r"(?:(?P<path>.+):)?(?P<first>[^:\s]*?)(?<!\.)\.\.(?!\.)(?P<last>[^:\s]*)")
_BASE = re.compile(rb"^base-commit: ([0-9a-f]{12,64})[ \t]*\r?$", re.MULTILINE)
_BEFORE = re.compile(
    rb"^prerequisite-(?:(patch-id): ([0-9a-f]{40,64})|(message-id): <?([^\s<>]{1,300})>?)[ \t]*\r?$", re.MULTILINE
)


def split_range(spec: str) -> tuple[str, str, str] | None:
    """(repository or nothing, A, B) of a git range `[REPOSITORY:]A..B`; None for any other spec."""
    if "://" in spec or spec.startswith("<") or _exists(spec) or (match := _RANGE.fullmatch(spec)) is None:
        return None
    return match["path"] or "", match["first"] or "HEAD", match["last"] or "HEAD"


def _exists(spec: str) -> bool:
    try:
        return Path(spec).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # too long, or with a NUL
        return False


def read_series(
    spec: str, store: Store, source: "Source | str | None", stop: Stop, choice: ThreadChoice = EVERYTHING
) -> Series:
    """The series that `spec` names. Raises UserError for one that is not whole, not one, or not safe to apply.

    A range that names no repository is looked for in the current folder's, then in the one that `source` (or its spec)
    comes from; the other way round where the current folder's holds no kernel.
    """
    if not spec.isprintable() or len(spec) > MAX_SPEC:
        raise UserError(f"{plain(spec[:100])}: is no series (a name with unprintable characters, or without end)")
    near = source_folder(source if isinstance(source, str) else source.spec) if source else None
    if (parts := split_range(spec)) is not None:
        repository, begin, end = parts
        places = [Path(repository).expanduser()] if repository else _places(near)
        return _of_range(spec, read_range(places, begin, end, store, stop), choice)
    if not _exists(spec):
        return _of_name(spec, store, near, stop, choice)
    path = Path(spec).expanduser()
    if path.is_dir():
        found = read_folder(path, stop)
    elif path.name == SERIES:
        found = read_quilt(path, stop)
    else:
        found = FolderMails(read_mails(path, stop))
    return _of_mails(spec, found, store, stop, choice)


def source_folder(spec: str) -> Path | None:
    """The local repository or folder that a source spec names, if it is one."""
    text = spec.removeprefix("git:")
    places = [text, text.rpartition("@")[0]] if spec.startswith("git:") else [text]
    return next((Path(place).expanduser() for place in places if place and _exists(f"{place}/.")), None)


def _places(near: Path | None) -> list[Path]:
    here = find_repo(Path())
    kernel = here is not None and here.git("cat-file", "-e", "HEAD:Kconfig").status == 0
    places = [Path(), *([near] if near else [])]
    return places if kernel else places[::-1]


def _of_name(spec: str, store: Store, near: Path | None, stop: Stop, choice: ThreadChoice) -> Series:
    """What is neither file, folder nor range: a branch of b4's, or a message-id."""
    from kernels.patches.kinds import b4

    if (prepared := b4.read_branch(spec, _places(near), store, stop)) is not None:
        series = _of_range(spec, prepared.commits, choice)
        return Series(
            spec, prepared.title or series.title, prepared.revision, series.patches, series.warnings, series.start
        )
    if (name := b4.message_id(spec)) is None:
        raise UserError(f"{spec[:200]}: no such file or folder, and no git range A..B, branch of b4 or message-id")
    with store.scratch() as folder:
        found = FolderMails(read_mails(b4.fetch_thread(name, choice.mailbox, folder, stop), stop))
        return _of_mails(spec, found, store, stop, choice)


def _of_range(spec: str, found: Range, choice: ThreadChoice) -> Series:
    patches, start = found.patches, found.start
    if choice.only is not None:
        if not 1 <= choice.only <= len(patches):
            raise UserError(f"{spec}: holds {counted(len(patches), 'commit')}, so none has number {choice.only}")
        before = patches[choice.only - 2].made if choice.only > 1 else None
        patches = (replace(patches[choice.only - 1], number=1),)
        start = Start(start.repository, before.commit, before.tree) if before else start
    return Series(spec, patches[0].subject, 1, patches, tuple(_merges(patches)), start)


def _merges(patches: Sequence[Patch]) -> Iterator[str]:
    """What is said of the merges in a range."""
    for patch in patches:
        if patch.made and patch.merges:
            many = f"{counted(patch.merges, 'commit')}"
            name = f"patch {patch.number} is the merge {patch.made.commit[:12]}"
            yield f"{name}: the {many} that it brings count as one patch"


def _of_mails(spec: str, found: FolderMails, store: Store, stop: Stop, choice: ThreadChoice) -> Series:
    if found.ordered:
        picked = PickedPatches(_one_of(found.mails, spec, choice), None, 1)
        if len(picked.patches) > MAX_PATCHES:
            raise UserError(f"{spec}: holds more than {MAX_PATCHES} patches")
    else:
        picked = pick(found.mails, spec, choice)
    patches = tuple(read_patch(number, mail, store, stop) for number, mail in enumerate(picked.patches, 1))
    warnings = [*found.warnings, *picked.warnings, *(text for mail in picked.patches for text in mail.warnings)]
    title = read_tag(picked.cover.subject).rest if picked.cover else patches[0].subject
    asked = _asked([*([picked.cover] if picked.cover else []), *picked.patches])
    beside = tuple(mail for mail in found.mails if mail not in picked.patches) if asked.before else ()
    return Series(
        spec, title or patches[0].subject, picked.version, patches, tuple(map(one_line, warnings)), asked=asked,
        beside=beside,
    )  # fmt: skip


def _one_of(mails: list[Mail], spec: str, choice: ThreadChoice) -> list[Mail]:
    if choice.only is None:
        return mails
    if not 1 <= choice.only <= len(mails):
        raise UserError(f"{spec}: has {len(mails)} patches, so none has number {choice.only}")
    return [mails[choice.only - 1]]


def _asked(mails: Sequence[Mail]) -> BaseTreeInfo:
    """The base that the mails name: in the cover letter, or below the diff of the first patch that does."""
    named = (found[1].decode() for mail in mails if (found := _BASE.search(mail.body)))
    before = [match for mail in mails for match in _BEFORE.finditer(mail.body)]
    names = [tuple(part.decode("utf-8", "replace") for part in match.groups() if part) for match in before]
    return BaseTreeInfo(next(named, ""), tuple((kind, name) for kind, name in dict.fromkeys(names)))


def read_patch(number: int, mail: Mail, store: Store, stop: Stop) -> Patch:
    """The patch that a mail holds, checked. Raises UserError."""
    stop.check()
    if not mail.sender:
        raise UserError(f"{mail.where}: has no From: header, so the patch has no author")
    with store.scratch() as folder:
        info, diff = _mailinfo(mail, folder, stop)
        try:
            paths = check(scan(diff))
            _compare_with_git(diff, paths, folder, stop)
        except UserError as error:
            raise UserError(f"{mail.where}: {error}") from None
        ids = run(["git", "patch-id", "--stable"], data=diff, env=own_environment(), cwd=folder, stop=stop).stdout
    if not paths:
        raise UserError(f"{mail.where}: the diff names no file")
    author = one_line(f"{info.get('Author', '')} <{info.get('Email', '')}>")
    # Without a hunk (a mode changed, a file renamed) git names no patch id.
    patch_id = ids.split()[0].decode() if ids.split() else hashlib.sha1(diff, usedforsecurity=False).hexdigest()
    subject = one_line(info.get("Subject", "")) or "(no subject)"
    return Patch(number, subject, mail.message_id, patch_id, author, mail.mbox(), paths, recipients=mail.recipients)


def _mailinfo(mail: Mail, folder: Path, stop: Stop) -> tuple[dict[str, str], bytes]:
    """(Author, Email, Subject, Date; the diff) as `git am` will see them."""
    argv = ["git", "mailinfo", "--no-scissors", "--encoding=UTF-8", "message", "patch"]
    found = run(argv, data=mail.plain(), env=own_environment(), cwd=folder, stop=stop)
    if found.status != 0:
        raise UserError(f"{mail.where}: git cannot read the mail: {one_line(found.words[-200:])}")
    lines = found.stdout.decode("utf-8", "replace").split("\n")
    info = dict(line.split(": ", 1) for line in lines if ": " in line)
    return info, (folder / "patch").read_bytes()


def _compare_with_git(diff: bytes, paths: tuple[str, ...], folder: Path, stop: Stop) -> None:
    """git's own reading of the diff must name no file that ours did not check. A diff that git cannot read at all is
    no mistake yet: it will not apply, and that is a result."""
    argv = ["git", "apply", "--numstat", "-z", "-"]
    found = run(argv, data=diff, env=own_environment(GIT_CEILING_DIRECTORIES=str(folder.parent)), cwd=folder, stop=stop)
    if found.status < 0:
        raise MachineError(f"git apply died of signal {-found.status}")
    if found.status != 0:
        return
    for record in found.stdout.split(b"\0"):
        name = record.split(b"\t", 2)[-1].decode("utf-8", "surrogateescape")
        if name and name not in paths:
            raise UserError(f"touches {name!r} in a way that only git can read")
