# SPDX-License-Identifier: GPL-2.0-or-later
"""Options that the `filter` commands share, with one spelling everywhere, and what they come to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from testcases.seccomp.filters.policy import Form
from testcases.seccomp.filters.target import FilterTarget, Runtime, capabilities_of, version_of
from util.errors import UserError

KERNEL = "6.12"
Command = Callable[..., None]
FILES = click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, allow_dash=True, path_type=Path)
)
ABI = click.option("--abi", metavar="ABI,...", default="", help="Absent: those that the filters name.")
ARCH = click.option("--arch", metavar="ARCH,...", default="", help="Of which kernels. Absent: what the filters name.")
SECONDS = click.option(
    "--seconds",
    type=click.FloatRange(0, 1e6),
    default=10,
    show_default=True,
    help="Time for what only z3 can answer; what is known by then is said.",
)
_PROFILE = (
    click.option(
        "--form",
        type=click.Choice([str(form) for form in Form]),
        default=str(Form.LINEAR),
        show_default=True,
        help="How libseccomp lays out a profile: SCMP_FLTATR_CTL_OPTIMIZE 1 or 2.",
    ),
    click.option(
        "--runtime",
        type=click.Choice([str(runtime) for runtime in Runtime]),
        default=str(Runtime.CRUN),
        show_default=True,
        help="Who loads a profile: runc answers ENOSYS for numbers above those that it names.",
    ),
    click.option(
        "--capabilities",
        metavar="CAP,...",
        default="default",
        show_default=True,
        help="Of the container: `none`, `default`, `all`, names such as SYS_ADMIN, or several of these.",
    ),
    click.option(
        "--part",
        metavar="NAME",
        default="",
        help="Which filter of a file that has several (Firecracker's threads, arrays in C).",
    ),
)


@dataclass(frozen=True, slots=True)
class FilterWishes:
    """What the user asks about. `archs` and `abis` are empty where the filters shall say it; `target` is complete but
    for its architecture. `kernel` is the version as typed."""

    archs: tuple[str, ...]
    abis: tuple[str, ...]
    target: FilterTarget
    kernel: str


def wishes(
    default_kernel: str = KERNEL, kernels: Sequence[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command all options of this file but SECONDS, as one argument `wishes`.

    `kernels`: the only versions that are possible, if not all are.
    """

    def decorate(command: Command) -> Command:
        @wraps(command)
        def parsed(*, abi: str, arch: str, kernel: str, **rest: Any) -> None:
            chosen = {name: rest.pop(name) for name in ("form", "runtime", "capabilities", "part")}
            command(wishes=wished(abi, arch, kernel, **chosen), **rest)

        kernel = click.option(
            "--kernel",
            type=click.Choice(kernels) if kernels else None,
            metavar=None if kernels else "VERSION",
            default=default_kernel,
            show_default=True,
            help="Whose bitmap sizes, exemptions and `minKernel` rules of profiles hold.",
        )
        for option in (*reversed(_PROFILE), kernel, ARCH, ABI):
            parsed = option(parsed)
        return parsed

    return decorate


def wished(
    abi: str,
    arch: str,
    kernel: str,
    form: str = str(Form.LINEAR),
    runtime: str = str(Runtime.CRUN),
    capabilities: str = "default",
    part: str = "",
) -> FilterWishes:
    """The options as typed, checked. Raises UserError."""
    from testcases.seccomp.bpf.seccomp_data import ABIS, ARCH_ABIS, DEFAULT_ARCH
    from testcases.seccomp.filters.filter_file import kernel_arch

    archs, abis = _words(arch, ARCH_ABIS, "architecture"), _words(abi, ABIS, "ABI")
    if archs and abis:
        foreign = [one for one in abis if kernel_arch(one) not in archs]
        if foreign:
            raise UserError(f"--abi: {foreign[0]} is no ABI of {', '.join(archs)}")
    target = FilterTarget(
        arch=archs[0] if archs else DEFAULT_ARCH,
        form=Form(form),
        runtime=Runtime(runtime),
        capabilities=capabilities_of(capabilities),
        kernel=version_of(kernel),
        part=part,
    )
    return FilterWishes(archs, abis, target, kernel)


def _words(text: str, known: Any, kind: str) -> tuple[str, ...]:
    from configs.names import did_you_mean
    from testcases.seccomp.filters.formats.json_value import quoted

    words = tuple(dict.fromkeys(word.strip() for word in text.split(","))) if text else ()
    for word in words:
        if word not in known:
            hint = did_you_mean(word, known)
            raise UserError(f"no {kind} {quoted(word)}{hint} (known: {', '.join(sorted(known))})")
    return words
