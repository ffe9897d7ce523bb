# SPDX-License-Identifier: GPL-2.0-or-later
"""Folders of patches: of `git format-patch`, a maildir, a quilt queue with its `series` file, numbered files."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from kernels.mail.diff import scan, with_strip
from kernels.mail.mail import Mail, looks_like_mail, parse
from kernels.mail.mailbox import MAX_BYTES, is_maildir, maildir_files, read_file, split
from kernels.mail.thread import read_tag
from util.errors import UserError
from util.stop import Stop
from util.text import one_line

SERIES = "series"
"""The file in which quilt, Debian and the stable queues name their patches in order."""
NOBODY = "Unknown Author <unknown@localhost>"
"""Of a patch in a quilt queue that names none."""

_SKIPPED = re.compile(r"(?:README|series$|.*\.(?:md|rst|yaml|yml|json|cover)$)", re.IGNORECASE)
_GIT_NUMBER = re.compile(r"(?:v\d+-)?(\d{4})-")
_ANY_NUMBER = re.compile(r"\d{1,6}[-_.]")
_OPTION = re.compile(r"-p(\d|ab)")
_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]*):[ \t]*(.*)")


@dataclass(frozen=True, slots=True)
class FolderMails:
    """The mails of a folder. `ordered`: their order is fixed, and they are patches whatever their subjects say."""

    mails: list[Mail]
    ordered: bool = False
    warnings: list[str] = field(default_factory=list)


def read_mails(path: Path, stop: Stop) -> list[Mail]:
    """The mails of one file. Raises UserError."""
    where, mails = str(path), list[Mail]()
    raws = split(read_file(path), where)
    for index, raw in enumerate(raws, 1):
        stop.check()
        mails += parse(raw, where if len(raws) == 1 else f"{where}, mail {index}")
    if len(mails) == 1 and mails[0].has_diff and not mails[0].sender:
        raise UserError(f"{where}: is a bare diff without author and message; write it with `git format-patch`")
    return mails


def read_folder(path: Path, stop: Stop) -> FolderMails:
    """What a folder holds. A quilt `series` file says order and selection; a maildir is a mailbox."""
    try:
        if is_maildir(path):
            files = maildir_files(path)
            _check_size(files, path)
            return FolderMails([mail for file in files for mail in read_mails(file, stop)])
        if (path / SERIES).is_file():
            return read_quilt(path / SERIES, stop)
        files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    patches = [file for file in files if file.suffix == ".patch"] or [f for f in files if not _SKIPPED.match(f.name)]
    _check_size(patches, path)
    if _numbered_queue(patches, stop):
        mails = [_queued(file, str(file), 1, stop) for file in patches]
        word = f"{path}: the subjects are no one thread; {len(mails)} patches are taken in the order of the file names"
        return FolderMails(mails, ordered=True, warnings=[word, *_without_author(mails, path)])
    numbers = [int(match[1]) for file in patches if (match := _GIT_NUMBER.match(file.name))]
    wanted = set(range(min(numbers), max(numbers) + 1)) if len(numbers) == len(patches) and numbers else set()
    if wanted - set(numbers):
        raise UserError(f"{path}: the file with number {min(wanted - set(numbers)):04d} is missing")
    return FolderMails([mail for file in patches for mail in read_mails(file, stop)])


def _check_size(files: list[Path], path: Path) -> None:
    if sum(file.stat().st_size for file in files) > MAX_BYTES:
        raise UserError(f"{path}: is larger than {MAX_BYTES >> 20} MiB, which no patch series is")


def _numbered_queue(files: list[Path], stop: Stop) -> bool:
    """Whether these are patches that were put in order by the numbers of their files, as OpenWrt does: each file is one
    patch, and their subjects are not those of one thread."""
    names = [file.name for file in files]
    if len(files) < 2 or not all(map(_ANY_NUMBER.match, names)):
        return False
    by_git = [int(match[1]) for name in names if (match := _GIT_NUMBER.match(name))]
    if len(by_git) == len(files) and by_git != list(range(by_git[0], by_git[0] + len(files))):
        return False  # a file is missing, or left over from an older revision
    tags = []
    bare = False
    for file in files:
        stop.check()
        data = read_file(file)
        if not looks_like_mail(data):
            if not scan(data).files:
                return False
            bare = True
            continue
        for raw in split(data, str(file)):
            tags += [read_tag(mail.subject) for mail in parse(raw, str(file))]
    if not bare and len(tags) != len(files):
        return False
    kinds = {(tag.version, tag.total, tag.number is not None) for tag in tags}
    numbers = [tag.number for tag in tags if tag.number is not None]
    return bare or len(kinds) > 1 or (len(set(numbers)) < len(numbers) and len(by_git) < len(files))


# Quilt -----------------------------------------------------------------------------------------------------------


def read_quilt(path: Path, stop: Stop) -> FolderMails:
    """The patches that a `series` file names, in its order (quilt(1)): `#` begins a comment, `-pN` after a name says
    how many components of the names in the diff are stripped."""
    folder = path.parent
    left_out = 0
    mails: list[Mail] = []
    for number, line in enumerate(read_file(path).decode("utf-8", "replace").splitlines(), 1):
        stop.check()
        where = f"{path}:{number}"
        words = re.sub(r"(?:^|\s)#.*", "", line).split()
        left_out += bool(re.match(r"\s*#\s*\S+\.(?:patch|diff)\b", line))
        if words:
            file = _inside(folder, words[0], where)
            mails.append(_queued(file, str(file), _strip_of(words[1:], where), stop))
    if not mails:
        raise UserError(f"{path}: names no patch")
    patches = "patch" if len(mails) == 1 else "patches"
    unnamed = _unnamed(folder, mails)
    rest = f"; {left_out} in comments" if left_out else ""
    rest += f"; {unnamed} that it does not name" if unnamed else ""
    word = f"{path}: {len(mails)} {patches} in the order of the series file{rest and ', left out' + rest[1:]}"
    return FolderMails(mails, ordered=True, warnings=[word, *_without_author(mails, path)])


def _unnamed(folder: Path, mails: list[Mail]) -> int:
    """How many patches lie beside the series file, and are neither named nor commented out in it."""
    taken = {Path(mail.where).name for mail in mails}
    text = (folder / SERIES).read_text(encoding="utf-8", errors="replace") if (folder / SERIES).is_file() else ""
    files = (file.name for file in folder.iterdir() if file.suffix in (".patch", ".diff"))
    return sum(name not in taken and name not in text for name in files)


def _inside(folder: Path, name: str, where: str) -> Path:
    file = folder / name
    try:
        inside = file.resolve().is_relative_to(folder.resolve())
        there = file.is_file()
    except (OSError, ValueError):
        inside, there = True, False
    if not inside:
        raise UserError(f"{where}: names {name!r}, which is outside of {folder}")
    if not there:
        raise UserError(f"{where}: names {name!r}, which is not there")
    return file


def _strip_of(options: list[str], where: str) -> int:
    strip = 1
    for option in options:
        match = _OPTION.fullmatch(option)
        if match is None:
            raise UserError(f"{where}: the option {option[:40]!r} is not understood; -p0, -p1 and -pab are")
        strip = 1 if match[1] == "ab" else int(match[1])
    return strip


def _queued(file: Path, where: str, strip: int, stop: Stop) -> Mail:
    """One file of a queue as a mail: it may be one, or have the headers of DEP-3, or nothing but a text above the diff.

    DEP-3: https://dep-team.pages.debian.net/deps/dep3/. Raises UserError."""
    stop.check()
    data = with_strip(read_file(file).replace(b"\r\n", b"\n"), strip) if strip != 1 else read_file(file)
    raws = split(data, where)
    if len(raws) == 1 and looks_like_mail(raws[0]):
        mails = parse(raws[0], where)
        if len(mails) == 1 and mails[0].has_diff and mails[0].sender:
            return mails[0]
    if len(raws) > 1:
        raise UserError(f"{where}: holds {len(raws)} mails, and a queue has one patch in a file")
    if not scan(data).files:
        raise UserError(f"{where}: holds no diff")
    return dep3(data, file, where)


def dep3(data: bytes, file: Path, where: str) -> Mail:
    """A patch under `Description:`, `Author:` and the like, or under free text."""
    cut = re.search(rb"^(?:---(?: |\n)|diff |Index: )", data, re.MULTILINE)
    head = data[: cut.start()] if cut else b""
    if b"\0" in head:
        raise UserError(f"{where}: holds NUL bytes: it is no text")
    fields: dict[str, list[str]] = {}
    free: list[str] = []
    last: list[str] = free
    for line in head.decode("utf-8", "replace").splitlines():
        found = _FIELD.fullmatch(line)
        if found:
            last = fields.setdefault(found[1].lower(), [])
            last.append(found[2])
        elif line[:1] in (" ", "\t") and last is not free:
            last.append(line.strip().removeprefix(".") if line.strip() == "." else line.strip())
        elif line.strip():
            last = free
            free.append(line)
    about = next((fields[name] for name in ("subject", "description") if fields.get(name)), [])
    author = next((fields[name][0] for name in ("from", "author") if fields.get(name)), "")
    subject = one_line(about[0]) if about and about[0].strip() else file.name.partition(".patch")[0]
    message = "\n".join([*about[1:], *free]).strip()
    person = one_line(author)
    sender = person if "@" in person else f"{person} <unknown@localhost>" if person else NOBODY
    body = f"{_harmless(message)}\n---\n".encode() + (data[cut.start() :].removeprefix(b"---\n") if cut else data)
    return Mail(
        where=where,
        subject=subject,
        sender=sender,
        date="Sat, 01 Jan 2000 00:00:00 +0000",
        message_id="",
        answers=(),
        body=body,
    )


def _harmless(message: str) -> str:
    """A message in which nothing can be taken for a header of its own."""
    return re.sub(r"^(?=(?:From|Date|Subject):)", " ", message, flags=re.MULTILINE | re.IGNORECASE)


def _without_author(mails: list[Mail], path: Path) -> list[str]:
    count = sum(mail.sender == NOBODY for mail in mails)
    return [f"{path}: {count} of the patches name no author"] if count else []
