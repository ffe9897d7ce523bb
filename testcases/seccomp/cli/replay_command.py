# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py filter replay`: one stack on every variant's kernel, and what each of them did."""

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from testcases.registry import CHECKER, Checker
from testcases.seccomp.cli.options import ABI, ARCH, FILES, KERNEL, wished
from util.paths import cache

if TYPE_CHECKING:
    from testcases.seccomp.filters.filter_file import FilterFile

RESULTS = "results.json"
KEPT = ("description", "source", "series", "archs", "flavours", "variants", "config", "memory_mb")
"""What of a profile says which kernels are meant."""


@click.command(context_settings={"ignore_unknown_options": True})
@FILES
@click.option("--profile", default="seccomp-cache", show_default=True, help="Whose kernels: source, series, config.")
@ABI
@ARCH
@click.option("--variant", default="", help="Show what this variant did; absent: every variant.")
@click.option("--source", help="Another base tree, as `rig.py check` takes it.")
@click.option("--series", help="Another series, as `rig.py check` takes it.")
@click.option("--minimise", is_flag=True, help="Make what fails again small, in about a minute, and say where it is.")
@click.pass_context
def replay(
    context: click.Context, *, files: tuple[Path, ...], profile: str, abi: str, arch: str, variant: str,
    source: str | None, series: str | None, minimise: bool,
) -> None:  # fmt: skip
    """Try a stack of filters in fresh guests, on each variant, and print what the kernels did.

    FILE is what the other `filter` commands take: a raw filter, assembly text, a profile in JSON, or the folder of a
    failing case. Several files are one stack, the oldest first. The first replay builds kernels with this suite's
    configuration; later ones start at once.

    \b
    ./rig.py filter replay case/
    ./rig.py filter replay my.bpf --abi x86_64 --series v4.mbox
    ./rig.py filter replay my.bpf --series v4.mbox --minimise
    """
    from testcases.seccomp.cli.questions import questions
    from testcases.seccomp.filters.filter_file import open_files

    opened = open_files(files)
    found = questions(opened, wished(abi, arch, KERNEL), _warn)
    chosen = tuple(one.abi for one in found.asked)
    written = _profile(profile, tuple(map(_kept, opened)))
    folder = written.with_suffix("")
    check: Checker = context.meta[CHECKER]
    reruns = 1 if minimise else 0  # only what a re-run confirms is looked into
    try:
        status = check(written, abis=chosen, source=source, series=series, rerun=reruns, out=folder)
    finally:
        for line in _what_each_did(folder / RESULTS, variant):
            click.echo(line)
    sys.exit(status)


def _warn(line: str) -> None:
    click.echo(line, err=True)


def _kept(file: "FilterFile") -> Path:
    """The path; of what came from standard input, of a copy, for the suite reads it again."""
    from testcases.seccomp.filters.filter_file import STDIN

    if file.path != STDIN:
        return file.path
    path = cache("testcases", "replay") / f"stdin-{hashlib.sha256(file.data).hexdigest()[:16]}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file.data)
    return path


def _profile(name: str, files: tuple[Path, ...]) -> Path:
    """The profile with this suite alone, as a file of its own."""
    from configs.loader import as_yaml, load_profile

    whole = load_profile(name).model_dump(mode="json", exclude_defaults=True)
    content = {key: whole[key] for key in KEPT if key in whole}
    words = os.pathsep.join(str(path.resolve()) for path in files)
    content["suites"] = [{"name": "seccomp/replay", "options": {"files": words}}]
    content["name"] = "replay"
    text = as_yaml(content)
    folder = cache("testcases", "replay")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def _what_each_did(results: Path, variant: str) -> list[str]:
    """The output of every test of the chosen variants."""
    if not results.exists():
        return []
    lines = []
    for cell in json.loads(results.read_text(encoding="utf-8"))["cells"]:
        where = cell["cell"]
        if cell["attempt"] or (variant and where["variant"] != variant):
            continue
        lines += ["", f"{where['variant']}, {where['abi']}:"]
        for test in cell["tests"]:
            lines += [f"  {test['status']} {test['name']} {test['message']}".rstrip()]
            lines += [f"    {line}" for line in test["output"].splitlines()]
    return lines
