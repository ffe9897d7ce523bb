# SPDX-License-Identifier: GPL-2.0-or-later
"""Which mails of a thread are the series: numbers, revisions, answers, partial rerolls. Chosen as b4 chooses.

Whatever is chosen or left out where there was a choice is said in one line of the warnings.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from kernels.mail.mail import Mail
from util.errors import UserError

MAX_PATCHES = 1000
"""More is a merge window, not a series."""

_BRACKET = re.compile(r"\s*\[([^\]]*)\]")
_NUMBER = re.compile(r"(?:(?<![\w.])|(?<=PATCH)|(?<=RFC))(\d{1,4})\s*/\s*(\d{1,4})(?![\w.])", re.IGNORECASE)
_VERSION = re.compile(r"(?:\b|PATCH|RFC)v(\d{1,3})(?:\.\d+)?(?![\w.])", re.IGNORECASE)
_ANSWER = re.compile(r"\s*(?:re|aw|sv|antw|fw|fwd)(?:\s*+(?:\[\d++\]|\(\d++\)))?+\s*+:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ThreadChoice:
    """What the user wants of a thread. `revision` is the N of `[PATCH vN]`, None for the latest; `only` takes one patch
    of a numbered series alone, None takes all; `mailbox` is a local file in which b4 looks for a message-id."""

    revision: int | None = None
    only: int | None = None
    mailbox: str = ""


EVERYTHING = ThreadChoice()
"""The whole series of the latest revision."""


@dataclass(frozen=True, slots=True)
class Tag:
    """What the brackets in front of a subject say."""

    is_patch: bool = False
    version: int = 1
    number: int | None = None
    total: int = 0
    rest: str = ""
    is_answer: bool = False


Tagged = tuple[Tag, Mail]


@dataclass(frozen=True, slots=True)
class PickedPatches:
    """The patches in order, and the cover letter if there is one."""

    patches: list[Mail]
    cover: Mail | None
    version: int
    warnings: list[str] = field(default_factory=list)


def read_tag(subject: str) -> Tag:
    """`[PATCH v4 net-next 2/5] net/core: ...` taken apart."""
    answer = _ANSWER.match(subject) is not None
    position, groups = 0, []
    while (match := _BRACKET.match(subject, position)) is not None:
        groups.append(match[1])
        position = match.end()
    text = " ".join(groups)
    number, version = _NUMBER.search(text), _VERSION.search(text)
    return Tag(
        is_patch=bool(number) or re.search(r"PATCH|\bRFC\b", text, re.IGNORECASE) is not None,
        version=int(version[1]) if version else 1,
        number=int(number[1]) if number else None,
        total=int(number[2]) if number else 0,
        rest=subject[position:].strip(),
        is_answer=answer,
    )


def pick(mails: Sequence[Mail], origin: str, choice: ThreadChoice) -> PickedPatches:
    """Raises UserError unless the mails hold one whole series of the wanted revision."""
    everything = [(read_tag(mail.subject), mail) for mail in mails]
    tagged = [(tag, mail) for tag, mail in everything if not tag.is_answer]
    warnings: list[str] = []
    numbered = [(tag, mail) for tag, mail in tagged if tag.number]
    candidates = numbered or [(tag, mail) for tag, mail in tagged if mail.has_diff]
    version, passed_over = _version(candidates, origin, choice)
    rerolled = False
    if numbered:
        _look_at_the_rest(tagged, version, warnings)
        patches, rerolled = _numbered(numbered, version, origin, choice, warnings)
    else:
        patches = _unnumbered([(tag, mail) for tag, mail in candidates if tag.version == version], warnings)
        patches = _only_of(patches, origin, choice)
    if not patches:
        talk = len(everything) - len(tagged)
        raise UserError(f"{origin}: holds no patch{f' ({talk} answers to patches)' if talk else ''}")
    if len(patches) > MAX_PATCHES:
        raise UserError(f"{origin}: holds more than {MAX_PATCHES} patches")
    if passed_over and not rerolled:
        warnings.append(f"{origin}: v{version} was taken and {passed_over} passed over; --revision takes another")
    return PickedPatches(patches, _cover(tagged, version, rerolled, origin, warnings), version, warnings)


def _cover(tagged: Sequence[Tagged], version: int, rerolled: bool, origin: str, warnings: list[str]) -> Mail | None:
    """The revision's own cover letter; that of an earlier one where only some patches were sent again."""
    covers = sorted(((tag, mail) for tag, mail in tagged if tag.number == 0), key=lambda pair: -pair[0].version)
    own = [mail for tag, mail in covers if tag.version == version or (rerolled and tag.version < version)]
    if covers and not own:
        warnings.append(f"{origin}: a cover letter of another version than v{version} was left out")
    return own[0] if own else None


def _version(candidates: Sequence[Tagged], origin: str, choice: ThreadChoice) -> tuple[int, str]:
    """(the revision that is taken: the wanted one, else the latest; the others in words)."""
    counts: dict[int, int] = {}
    for tag, mail in candidates:
        counts[tag.version] = counts.get(tag.version, 0) + mail.has_diff
    versions = sorted(version for version, count in counts.items() if count)
    if not versions:
        return max(counts, default=1), ""
    if choice.revision is not None and choice.revision not in versions:
        names = ", ".join(f"v{version}" for version in versions)
        raise UserError(f"{origin}: holds no v{choice.revision}, only {names}")
    version = choice.revision or versions[-1]
    others = [other for other in versions if other != version]
    return version, ", ".join(f"v{other} ({counts[other]} {_patches(counts[other])})" for other in others)


def _patches(count: int) -> str:
    return "patch" if count == 1 else "patches"


def _look_at_the_rest(tagged: Sequence[Tagged], version: int, warnings: list[str]) -> None:
    """A diff without number among numbered patches: an answer's is talk, any other's is a mistake."""
    for tag, mail in tagged:
        if tag.number is not None or not mail.has_diff:
            continue
        if not mail.is_answer and tag.version == version:
            raise UserError(f"{mail.where}: {mail.subject!r} has a diff but no number, unlike the other patches")
        what = "an answer with a diff" if mail.is_answer else "a patch of another version"
        warnings.append(f"{mail.where}: {mail.subject!r} is {what} and was left out")


def _unnumbered(found: list[Tagged], warnings: list[str]) -> list[Mail]:
    """Patches without numbers, in the order in which they came. What says `[PATCH]` beats an answer that only has a
    diff."""
    if not any(tag.is_patch for tag, _mail in found):
        return [mail for _tag, mail in found]
    left_out = [mail for tag, mail in found if not tag.is_patch and mail.is_answer]
    warnings += [f"{mail.where}: {mail.subject!r} is an answer with a diff and was left out" for mail in left_out]
    return [mail for tag, mail in found if tag.is_patch or not mail.is_answer]


def _only_of(patches: list[Mail], origin: str, choice: ThreadChoice) -> list[Mail]:
    if choice.only is None:
        return patches
    if not 1 <= choice.only <= len(patches):
        raise UserError(f"{origin}: has {len(patches)} {_patches(len(patches))}, so none has number {choice.only}")
    return [patches[choice.only - 1]]


def _numbered(
    numbered: Sequence[Tagged], version: int, origin: str, choice: ThreadChoice, warnings: list[str]
) -> tuple[list[Mail], bool]:
    """(the patches, whether earlier revisions complete them)."""
    own = [(tag, mail) for tag, mail in numbered if tag.version == version]
    total = _total(own, origin)
    found = _by_number(own, total, origin, warnings)
    if choice.only is not None:
        if choice.only not in found:
            raise UserError(f"{origin}: patch {choice.only}/{total} is not in it")
        return [found[choice.only]], False
    missing = [number for number in range(1, total + 1) if number not in found]
    rerolled = False
    if missing and (earlier := _reroll(numbered, found, missing, version, total, origin)):
        words = ", ".join(f"{number}/{total} of v{old}" for number, (old, _mail) in sorted(earlier.items()))
        news = ", ".join(f"{number}/{total}" for number in sorted(found))
        warnings.append(f"{origin}: v{version} is a partial reroll: {news} of v{version} with {words}")
        found |= {number: mail for number, (_old, mail) in earlier.items()}
        missing, rerolled = [], True
    if missing:
        raise UserError(_missing(missing, found, total, origin, numbered, version))
    return [found[number] for number in range(1, total + 1)], rerolled


def _total(own: Sequence[Tagged], origin: str) -> int:
    totals = sorted({tag.total for tag, _mail in own})
    if len(totals) > 1:
        raise UserError(f"{origin}: two series are mixed, one of {totals[0]} and one of {totals[1]} patches")
    return totals[0]


def _missing(
    missing: list[int], found: dict[int, Mail], total: int, origin: str, numbered: Sequence[Tagged], version: int
) -> str:
    versions = sorted({tag.version for tag, _mail in numbered})
    if len(versions) > 1:
        others = " and ".join(f"v{other}" for other in versions)
        hint = f"; two versions are mixed, {others}" + f" (v{version} is not whole, and no answer to the other)"
    elif len(found) == 1:
        hint = f"; --only {min(found)} takes patch {min(found)} alone"
    else:
        hint = "; --only N takes one patch alone"
    names = ", ".join(f"{number}/{total}" for number in missing[:5]) + (" ..." if len(missing) > 5 else "")
    return f"{origin}: patch {names} is missing from the series{hint}"


def _by_number(own: Sequence[Tagged], total: int, origin: str, warnings: list[str]) -> dict[int, Mail]:
    """The patches of one revision by number; answers that kept the subject are told from them wherever they stand."""
    found: dict[int, Mail] = {}
    for tag, mail in own:
        number = tag.number or 0
        if number > total:
            raise UserError(f"{mail.where}: is patch {number} of {total}")
        if not mail.has_diff:
            continue
        other = found.get(number)
        if other is None or other.message_id in mail.answers or mail.message_id in other.answers:
            patch = mail
            if other is not None:
                patch, talk = (other, mail) if other.message_id in mail.answers else (mail, other)
                warnings.append(f"{talk.where}: {talk.subject!r} is an answer with a diff and was left out")
            found[number] = patch
        elif other.mbox() != mail.mbox():
            raise UserError(f"{origin}: patch {number}/{total} is there twice, with different content")
        else:
            warnings.append(f"{origin}: patch {number}/{total} is there twice; one was left out")
    for tag, mail in own:
        if not mail.has_diff and tag.number not in found and not _is_talk(mail, own):
            raise UserError(f"{mail.where}: patch {tag.number}/{total} has no diff")
    return found


def _is_talk(mail: Mail, own: Iterable[Tagged]) -> bool:
    """Whether a mail without diff answers a patch of the same number."""
    number = read_tag(mail.subject).number
    return any(tag.number == number and other.message_id in mail.answers for tag, other in own if other is not mail)


def _reroll(
    numbered: Sequence[Tagged], found: dict[int, Mail], missing: list[int], version: int, total: int, origin: str
) -> dict[int, tuple[int, Mail]]:
    """What earlier revisions have of the missing patches, by number, if each patch of this revision answers the patch
    of the same number before it: b4's rule for a partial reroll. Else nothing."""
    before = sorted({tag.version for tag, _mail in numbered if tag.version < version}, reverse=True)
    earlier: dict[int, tuple[int, Mail]] = {}
    answered: dict[int, set[str]] = {}
    for old in before:
        own = [(tag, mail) for tag, mail in numbered if tag.version == old and tag.total == total]
        for number, mail in _by_number(own, total, origin, []).items():
            earlier.setdefault(number, (old, mail))
            answered.setdefault(number, set()).add(mail.message_id)
    linked = all(set(mail.answers) & answered.get(number, set()) for number, mail in found.items())
    if not found or not linked or any(number not in earlier for number in missing):
        return {}
    return {number: earlier[number] for number in missing}
