# SPDX-License-Identifier: GPL-2.0-or-later
"""A series spec becomes an ordered, checked set of patches.

A spec is a mailbox file, a folder of `git format-patch` files, or a git range `[REPOSITORY:]A..B`. What is refused is
refused here, with one line, before anything of it is written anywhere but into a folder of its own.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from kernels.patches.diff import check, scan
from kernels.patches.git_range import read_range
from kernels.patches.mail import Mail, parse, split
from kernels.source.git import own_environment
from kernels.source.resolve import Source
from kernels.source.store import Store
from util.errors import MachineError, UserError
from util.program import run
from util.stop import Stop

MAX_PATCHES = 1000
"""More is a merge window, not a series."""

_BRACKET = re.compile(r"\s*\[([^\]]*)\]")
_NUMBER = re.compile(r"(?<![\w.])(\d{1,4})\s*/\s*(\d{1,4})(?![\w.])")
_VERSION = re.compile(r"(?:\b|PATCH|RFC)v(\d{1,3})(?:\.\d+)?(?![\w.])", re.IGNORECASE)
_ANSWER = re.compile(r"\s*(?:re|aw|sv|antw|fw|fwd)\s*(?:\[\d+\]|\(\d+\))?\s*:", re.IGNORECASE)
_RANGE = re.compile(r"(?:(?P<path>.+):)?(?P<first>[^:\s]*?)(?<!\.)\.\.(?!\.)(?P<last>[^:\s]*)")
_SKIPPED = re.compile(r"(?:README|series$|.*\.(?:md|rst|yaml|yml|json|cover)$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Patch:
    """One patch. `subject` is without the `[...]` prefix, `author` is `Name <address>`, `mail` one mail in mboxrd form
    as `git am --patch-format=mboxrd` takes it, `paths` every file that it touches."""

    number: int
    subject: str
    message_id: str
    patch_id: str
    author: str
    mail: bytes = field(repr=False)
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """`origin` is the spec, `title` the cover letter's subject or that of the first patch."""

    origin: str
    title: str
    version: int
    patches: tuple[Patch, ...]
    warnings: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Names what `git am` makes of the patches: authors, dates, messages and diffs, not how they came."""
        return digest_of(self.patches)


def split_range(spec: str) -> tuple[str, str, str] | None:
    """(repository or nothing, A, B) of a git range `[REPOSITORY:]A..B`; None for any other spec."""
    if Path(spec).expanduser().exists() or (match := _RANGE.fullmatch(spec)) is None:
        return None
    return match["path"] or "", match["first"] or "HEAD", match["last"] or "HEAD"


def digest_of(patches: Iterable[Patch]) -> str:
    """SHA-256 over the patches' mails, in hex."""
    total = hashlib.sha256()
    for patch in patches:
        total.update(hashlib.sha256(patch.mail).digest())
    return total.hexdigest()


@dataclass(frozen=True, slots=True)
class Tag:
    """What the brackets in front of a subject say."""

    is_patch: bool = False
    version: int = 1
    number: int | None = None
    total: int = 0
    rest: str = ""
    is_answer: bool = False


def read_tag(subject: str) -> Tag:
    """`[PATCH v4 net-next 2/5] net/core: ...` taken apart."""
    answer = _ANSWER.match(subject) is not None
    rest, groups = subject, []
    while (match := _BRACKET.match(rest)) is not None:
        groups.append(match[1])
        rest = rest[match.end() :]
    text = " ".join(groups)
    number, version = _NUMBER.search(text), _VERSION.search(text)
    return Tag(
        is_patch=bool(number) or re.search(r"PATCH|\bRFC\b", text, re.IGNORECASE) is not None,
        version=int(version[1]) if version else 1,
        number=int(number[1]) if number else None,
        total=int(number[2]) if number else 0,
        rest=rest.strip(),
        is_answer=answer,
    )


def read_series(spec: str, store: Store, source: Source | None, stop: Stop) -> Series:
    """The series that `spec` names. Raises UserError for one that is not whole, not one, or not safe to apply.

    A range that names no repository is looked for in the current folder's, then in the one that `source` comes from.
    """
    path = Path(spec).expanduser()
    if path.is_dir():
        mails = _folder(path)
    elif path.is_file():
        mails = _file(path, str(path))
    elif (parts := split_range(spec)) is not None:
        repository, begin, end = parts
        repositories = [Path(repository).expanduser()] if repository else [Path(), *_repository_of(source)]
        data = read_range(repositories, begin, end, store, stop)
        mails = [mail for raw in split(data, spec) for mail in parse(raw, spec)]
    else:
        raise UserError(f"{spec}: no such file or folder, and no git range A..B")
    picked, cover, warnings = pick(mails, spec)
    patches = tuple(_patch(number, mail, store, stop) for number, mail in enumerate(picked, 1))
    warnings += [warning for mail in picked for warning in mail.warnings]
    title = read_tag(cover.subject).rest if cover else patches[0].subject
    version = max(read_tag(mail.subject).version for mail in picked)
    return Series(spec, title or patches[0].subject, version, patches, tuple(warnings))


def _repository_of(source: Source | None) -> list[Path]:
    """The local repository or folder that a source was taken from, if it is one."""
    spec = source.spec.removeprefix("git:") if source else ""
    path = Path(spec).expanduser()
    if source and source.spec.startswith("git:") and not path.is_dir():
        path = Path(spec.rpartition("@")[0]).expanduser()
    return [path] if spec and path.is_dir() else []


def _file(path: Path, where: str) -> list[Mail]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    raws = split(data, where)
    mails = [mail for index, raw in enumerate(raws, 1) for mail in parse(raw, _place(where, index, len(raws)))]
    if len(mails) == 1 and mails[0].has_diff and not mails[0].sender:
        raise UserError(f"{where}: is a bare diff without author and message; write it with `git format-patch`")
    return mails


def _place(where: str, index: int, total: int) -> str:
    return where if total == 1 else f"{where}, mail {index}"


def _folder(path: Path) -> list[Mail]:
    """The mails of all files, in the order of their names."""
    try:
        files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    patches = [file for file in files if file.suffix == ".patch"] or [f for f in files if not _SKIPPED.match(f.name)]
    numbers = [int(match[1]) for file in patches if (match := re.match(r"(?:v\d+-)?(\d{4})-", file.name))]
    wanted = set(range(min(numbers), max(numbers) + 1)) if len(numbers) == len(patches) and numbers else set()
    if wanted - set(numbers):
        raise UserError(f"{path}: the file with number {min(wanted - set(numbers)):04d} is missing")
    return [mail for file in patches for mail in _file(file, str(file))]


def pick(mails: Sequence[Mail], origin: str) -> tuple[list[Mail], Mail | None, list[str]]:
    """(the patches in order, the cover letter, warnings). Raises UserError unless they are one whole series."""
    warnings: list[str] = []
    tagged = [(read_tag(mail.subject), mail) for mail in mails]
    talk = [mail for tag, mail in tagged if tag.is_answer]
    tagged = [(tag, mail) for tag, mail in tagged if not tag.is_answer]
    numbered = [(tag, mail) for tag, mail in tagged if tag.number]
    if numbered:
        for tag, mail in tagged:
            if tag.number is None and mail.has_diff and not mail.is_answer:
                raise UserError(f"{mail.where}: {mail.subject!r} has a diff but no number, unlike the other patches")
            if tag.number is None and mail.has_diff:
                warnings.append(f"{mail.where}: {mail.subject!r} is an answer with a diff and was left out")
        patches = _in_order(numbered, origin, warnings)
    else:
        found = _unnumbered([(tag, mail) for tag, mail in tagged if mail.has_diff], warnings)
        _one_version((tag for tag, _mail in found), origin)
        patches = [mail for _tag, mail in found]
    if not patches:
        hint = f" ({len(talk)} answers to patches)" if talk else ""
        raise UserError(f"{origin}: holds no patch{hint}")
    if len(patches) > MAX_PATCHES:
        raise UserError(f"{origin}: holds more than {MAX_PATCHES} patches")
    version = read_tag(patches[0].subject).version
    covers = [mail for tag, mail in tagged if tag.number == 0 and tag.version == version]
    if any(tag.number == 0 and tag.version != version for tag, _mail in tagged):
        warnings.append(f"{origin}: a cover letter of another version than v{version} was left out")
    return patches, covers[0] if covers else None, warnings


def _unnumbered(found: list[tuple[Tag, Mail]], warnings: list[str]) -> list[tuple[Tag, Mail]]:
    """Patches without numbers, in the order in which they came. What says `[PATCH]` beats an answer that only has a
    diff."""
    if not any(tag.is_patch for tag, _mail in found):
        return found
    kept = [(tag, mail) for tag, mail in found if tag.is_patch or not mail.is_answer]
    left_out = [mail for tag, mail in found if not tag.is_patch and mail.is_answer]
    warnings += [f"{mail.where}: {mail.subject!r} is an answer with a diff and was left out" for mail in left_out]
    return kept


def _one_version(tags: Iterable[Tag], origin: str) -> None:
    versions = sorted({tag.version for tag in tags})
    if len(versions) > 1:
        raise UserError(f"{origin}: two versions are mixed, v{versions[0]} and v{versions[1]}; keep one")


def _in_order(numbered: Sequence[tuple[Tag, Mail]], origin: str, warnings: list[str]) -> list[Mail]:
    _one_version((tag for tag, _mail in numbered), origin)
    totals = sorted({tag.total for tag, _mail in numbered})
    if len(totals) > 1:
        raise UserError(f"{origin}: two series are mixed, one of {totals[0]} and one of {totals[1]} patches")
    total = totals[0]
    found: dict[int, Mail] = {}
    for tag, mail in numbered:
        number = tag.number or 0
        if number > total:
            raise UserError(f"{mail.where}: is patch {number} of {total}")
        if not mail.has_diff:
            if mail.is_answer and number in found:
                continue  # somebody kept the subject and added a trailer
            raise UserError(f"{mail.where}: patch {number}/{total} has no diff")
        if number in found and found[number].mbox() != mail.mbox():
            raise UserError(f"{origin}: patch {number}/{total} is there twice, with different content")
        if number in found:
            warnings.append(f"{origin}: patch {number}/{total} is there twice; one was left out")
        found[number] = mail
    missing = [number for number in range(1, total + 1) if number not in found]
    if missing:
        names = ", ".join(f"{number}/{total}" for number in missing[:5]) + (" ..." if len(missing) > 5 else "")
        raise UserError(f"{origin}: patch {names} is missing from the series")
    return [found[number] for number in range(1, total + 1)]


def _patch(number: int, mail: Mail, store: Store, stop: Stop) -> Patch:
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
    author = f"{info.get('Author', '')} <{info.get('Email', '')}>"
    # Without a hunk (a mode changed, a file renamed) git names no patch id.
    patch_id = ids.split()[0].decode() if ids.split() else hashlib.sha1(diff, usedforsecurity=False).hexdigest()
    subject = info.get("Subject") or "(no subject)"
    return Patch(number, subject, mail.message_id, patch_id, author, mail.mbox(), paths)


def _mailinfo(mail: Mail, folder: Path, stop: Stop) -> tuple[dict[str, str], bytes]:
    """(Author, Email, Subject, Date; the diff) as `git am` will see them."""
    argv = ["git", "mailinfo", "--no-scissors", "--encoding=UTF-8", "message", "patch"]
    found = run(argv, data=mail.plain(), env=own_environment(), cwd=folder, stop=stop)
    if found.status != 0:
        raise UserError(f"{mail.where}: git cannot read the mail: {found.words}")
    lines = found.stdout.decode("utf-8", "replace").splitlines()
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


def first(series: Series, patches: int | None) -> Series:
    """The series cut to its first `patches` patches. Raises UserError if it has fewer."""
    if patches is None:
        return series
    if patches > len(series.patches):
        raise UserError(f"{series.origin}: has {len(series.patches)} patches, not {patches}")
    return replace(series, patches=series.patches[:patches])
