# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads seccomp profiles in JSON: those of the OCI runtime specification, and those of Docker and containers/common.

The first names `architectures`; the second have `archMap` and rules with `includes` and `excludes`, which depend on the
capabilities of the container, the architecture and the kernel's version. Both are lists of rules for libseccomp.
"""

import errno
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from testcases.seccomp.bpf.seccomp_data import (
    DATA,
    RET_ALLOW,
    RET_ERRNO,
    RET_KILL_PROCESS,
    RET_KILL_THREAD,
    RET_LOG,
    RET_TRACE,
    RET_TRAP,
    RET_USER_NOTIF,
)
from testcases.seccomp.filters.libseccomp import known
from testcases.seccomp.filters.member import ARCH_ABIS
from testcases.seccomp.filters.policy import ArgComparison, Op, Policy, Rule
from util.errors import UserError

ACTIONS = {
    "SCMP_ACT_KILL": RET_KILL_THREAD,
    "SCMP_ACT_KILL_THREAD": RET_KILL_THREAD,
    "SCMP_ACT_KILL_PROCESS": RET_KILL_PROCESS,
    "SCMP_ACT_TRAP": RET_TRAP,
    "SCMP_ACT_ERRNO": RET_ERRNO,
    "SCMP_ACT_TRACE": RET_TRACE,
    "SCMP_ACT_ALLOW": RET_ALLOW,
    "SCMP_ACT_LOG": RET_LOG,
    "SCMP_ACT_NOTIFY": RET_USER_NOTIF,
}
_WITH_DATA = (RET_ERRNO, RET_TRACE)
_OPS = {f"SCMP_CMP_{op.name}": op for op in Op}
_ABI_OF = {
    "SCMP_ARCH_X86_64": "x86_64",
    "SCMP_ARCH_X32": "x32",
    "SCMP_ARCH_X86": "i386",
    "SCMP_ARCH_AARCH64": "aarch64",
    "SCMP_ARCH_ARM": "arm",
}
_GO_ARCH = {"x86_64": "amd64", "aarch64": "arm64"}
"""What `arches` calls the kernel's architecture: the words of the Go language, as runtimes compare them."""

DEFAULT_CAPABILITIES = frozenset(
    f"CAP_{name}"
    for name in (
        "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP",
        "SETUID", "SYS_CHROOT",
    )
)  # fmt: skip
"""Those of an ordinary container (containers.conf(5), default_capabilities)."""


class _Json(BaseModel):
    """Unknown keys are let pass: runtimes do so, and profiles carry comments and other people's extensions."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)


class _Arg(_Json):
    index: int = Field(ge=0, le=5)
    value: int = Field(ge=0, lt=1 << 64)
    value_two: int = Field(default=0, alias="valueTwo", ge=0, lt=1 << 64)
    op: str

    @field_validator("op")
    @classmethod
    def _known_op(cls, op: str) -> str:
        return _one_of(op, _OPS, "comparison")


class _Condition(_Json):
    caps: tuple[str, ...] | None = None
    arches: tuple[str, ...] | None = None
    min_kernel: str | None = Field(default=None, alias="minKernel", pattern=r"^\d+\.\d+")


class _Rule(_Json):
    names: tuple[str, ...] = ()
    name: str = ""
    action: str
    args: tuple[_Arg, ...] | None = None
    errno_ret: int | None = Field(default=None, alias="errnoRet", ge=0)
    errno_name: str = Field(default="", alias="errno")
    includes: _Condition | None = None
    excludes: _Condition | None = None

    @field_validator("action")
    @classmethod
    def _known_action(cls, action: str) -> str:
        return _one_of(action, ACTIONS, "action")

    @field_validator("errno_name")
    @classmethod
    def _known_errno(cls, name: str) -> str:
        return _errno_name(name)


class _SubArchs(_Json):
    architecture: str
    sub: tuple[str, ...] | None = Field(default=None, alias="subArchitectures")


class _Profile(_Json):
    default_action: str = Field(alias="defaultAction")
    default_errno_ret: int | None = Field(default=None, alias="defaultErrnoRet", ge=0)
    default_errno: str = Field(default="", alias="defaultErrno")
    architectures: tuple[str, ...] | None = None
    arch_map: tuple[_SubArchs, ...] | None = Field(default=None, alias="archMap")
    syscalls: tuple[_Rule, ...] | None = None

    @field_validator("default_action")
    @classmethod
    def _known_action(cls, action: str) -> str:
        return _one_of(action, ACTIONS, "action")

    @field_validator("default_errno")
    @classmethod
    def _known_errno(cls, name: str) -> str:
        return _errno_name(name)


@dataclass(frozen=True, slots=True)
class OciProfile:
    """A profile as one kernel architecture sees it: the rules that count there, for the ABIs that it names. `notes` are
    lines for the user about what was left out."""

    policy: Policy
    abis: tuple[str, ...]
    notes: tuple[str, ...]


def read_oci(
    path: Path,
    arch: str,
    *,
    capabilities: frozenset[str] = DEFAULT_CAPABILITIES,
    kernel: tuple[int, int] | None = None,
) -> OciProfile:
    """The profile in `path` for a kernel of `arch` (`x86_64`, `aarch64`) and version `kernel` (absent: the newest).

    Raises UserError naming the file and the place inside it.
    """
    try:
        text = path.read_text(encoding="utf-8")
        data: Any = json.loads(text)
        if isinstance(data, dict) and "defaultAction" not in data:  # a whole runtime configuration, config.json
            linux = data.get("linux")
            data = linux.get("seccomp", data) if isinstance(linux, dict) else data
        profile = _Profile.model_validate(data)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not UTF-8 text") from None
    except (json.JSONDecodeError, RecursionError) as error:
        where = f"{error.lineno}: " if isinstance(error, json.JSONDecodeError) else " "
        raise UserError(f"{path}:{where}not valid JSON: {getattr(error, 'msg', 'nested too deeply')}") from None
    except ValidationError as error:
        raise UserError(f"{path}: {_first_mistake(error)}") from None
    return _Reading(arch, capabilities, kernel).read(path, profile)


@dataclass(frozen=True, slots=True)
class _Reading:
    """For whom a profile is read."""

    arch: str
    capabilities: frozenset[str]
    kernel: tuple[int, int] | None

    def read(self, path: Path, profile: _Profile) -> OciProfile:
        abis = self._abis(path, profile)
        default = _action(profile.default_action, profile.default_errno_ret, profile.default_errno)
        rules: list[Rule] = []
        notes: list[str] = []
        for index, rule in enumerate(profile.syscalls or ()):
            where = f"syscalls[{index}]"
            names = (*rule.names, *([rule.name] if rule.name else []))
            if not names:
                raise UserError(f"{path}: {where}.names: must name at least one system call")
            if not self._counts(rule):
                continue
            action = _action(rule.action, rule.errno_ret, rule.errno_name)
            for name in names:
                if known(name):
                    rules += [Rule(name, action, comparisons) for comparisons in _conditions(rule)]
                else:
                    notes.append(f"{where}.names: libseccomp knows no system call `{name}`; left out")
        return OciProfile(Policy(default, tuple(rules)), abis, tuple(notes))

    def _abis(self, path: Path, profile: _Profile) -> tuple[str, ...]:
        """Of the kernel's ABIs those that the profile names; all of them mean the native one only if it names none."""
        native, *_others = ARCH_ABIS[self.arch]
        if profile.arch_map:
            named = [
                _ABI_OF.get(word)
                for entry in profile.arch_map
                if _ABI_OF.get(entry.architecture) == native
                for word in (entry.architecture, *(entry.sub or ()))
            ]
        elif profile.architectures:
            named = [_ABI_OF.get(word) for word in profile.architectures]
        else:
            named = [native]
        abis = tuple(abi for abi in ARCH_ABIS[self.arch] if abi in named)
        if not abis:
            key = "archMap" if profile.arch_map else "architectures"
            raise UserError(f"{path}: {key}: names no ABI of {self.arch}")
        return abis

    def _counts(self, rule: _Rule) -> bool:
        """Every condition of `includes` must hold, and none of `excludes`."""
        needs, refuses = rule.includes or _Condition(), rule.excludes or _Condition()
        arch = _GO_ARCH[self.arch]
        if arch in (refuses.arches or ()) or arch not in (needs.arches or (arch,)):
            return False
        if set(refuses.caps or ()) & self.capabilities or not set(needs.caps or ()) <= self.capabilities:
            return False
        if refuses.min_kernel and self._at_least(refuses.min_kernel):
            return False
        return not needs.min_kernel or self._at_least(needs.min_kernel)

    def _at_least(self, version: str) -> bool:
        major, minor = version.split(".")[:2]
        return self.kernel is None or self.kernel >= (int(major), int("".join(c for c in minor if c.isdigit())))


def _conditions(rule: _Rule) -> list[tuple[ArgComparison, ...]]:
    """All comparisons must hold at once, unless two of them are for the same argument: then any one is enough.

    That is what container runtimes do, as libseccomp takes one comparison per argument.
    """
    comparisons = tuple(ArgComparison(arg.index, _OPS[arg.op], arg.value, arg.value_two) for arg in rule.args or ())
    if len({item.arg for item in comparisons}) < len(comparisons):
        return [(item,) for item in comparisons]
    return [comparisons]


def _action(name: str, number: int | None, errno_name: str) -> int:
    """The return value: ERRNO and TRACE carry a number, which is EPERM where the profile gives none."""
    action = ACTIONS[name]
    if action not in _WITH_DATA:
        return action
    if number is None:
        number = getattr(errno, errno_name) if errno_name else errno.EPERM
    return action | number & DATA


def _errno_name(name: str) -> str:
    if name and name not in errno.errorcode.values():
        raise ValueError(f"unknown error `{name}`")
    return name


def _one_of(word: str, known_words: dict[str, Any], kind: str) -> str:
    if word not in known_words:
        raise ValueError(f"unknown {kind} `{word}` (known: {', '.join(known_words)})")
    return word


def _first_mistake(error: ValidationError) -> str:
    """`syscalls[3].args[0].op: unknown comparison ...`."""
    first = error.errors(include_url=False)[0]
    where = ""
    for part in first["loc"]:
        where += f"[{part}]" if isinstance(part, int) else f".{part}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{where.removeprefix('.') or 'file'}: {message}"
