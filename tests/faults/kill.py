# SPDX-License-Identifier: GPL-2.0-or-later
"""Gives the rig faulty variants of our own series and says of each what killed it: `python -m tests.faults.kill`."""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click

from ci.model.verdicts import Effect
from tests.command import results, rig
from tests.faults.variants import FOLDER, Variant, compose, variants


@dataclass(frozen=True, slots=True)
class Judgement:
    """`killers` are the tests that failed (`name: message`); `right`: the variant came to what it should."""

    killers: tuple[str, ...]
    right: bool


def judge(name: str, folder: Path) -> Judgement:
    """Builds, boots and judges one variant, all its output in `folder`. Raises RuntimeError without any verdict."""
    variant = variants()[name]
    done = rig(
        "check", "--series", str(compose(FOLDER / name, folder / "series")), "--arch", "x86_64", "--abi", variant.abi,
        "--flavour", variant.flavour, "--suite", variant.suite, "--rerun", "0", "--out", str(folder / "out"), "--quiet",
    )  # fmt: skip
    if not (folder / "out" / "results.json").exists():
        raise RuntimeError(f"{name}: {done.stderr.strip()[-500:]}")
    run = results(folder / "out")
    failed = tuple(item for item in run.comparisons if item.effect is Effect.FAIL)
    killers = tuple(f"{item.test}: {item.message}" for item in failed)
    right = _expected(variant, [item.test for item in failed]) and done.returncode == bool(failed)
    return Judgement(killers, right)


def _expected(variant: Variant, failed: list[str]) -> bool:
    """Whether one of the checks that should kill it did, or nothing did where nothing should."""
    if variant.effect == "equivalent":
        return not failed
    return any(test.rpartition(".")[2] in variant.checks or test.partition("/")[0] in variant.checks for test in failed)


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(variants())))
def main(names: tuple[str, ...]) -> None:
    """Judges all variants, or those of NAMES; exit 1 if one came to something else than it should."""
    wrong = 0
    for name in names or variants():
        with tempfile.TemporaryDirectory(prefix="rig-fault-") as folder:
            found = judge(name, Path(folder))
        wrong += not found.right
        killer = found.killers[0][:110] if found.killers else "passes"
        click.echo(f"{'ok   ' if found.right else 'WRONG'} {name:34} {variants()[name].effect:10} {killer}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
